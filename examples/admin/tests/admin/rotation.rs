//! Another storage key.

use crate::desk::Desk;
use serde_json::{Value, json};

#[test]
fn the_older_key_is_of_no_use_any_more() {
    let desk = Desk::new();
    desk.register(1, "ann");
    desk.run(&["code", "issue", "ben"]).ok();
    let new = desk.json(&["keygen", &desk.path("new")]).ok().one();
    let (new_file, old_file) = (desk.path("new"), desk.path("key"));
    let reseal = ["reseal", "--key-file", &new_file, "--older-key-file", &old_file];
    let sealed = desk.json(&reseal).ok().one();
    assert_eq!(sealed["storage_key"], new["storage_key"]);
    assert!(sealed["rows"].as_u64().unwrap() >= 6);
    assert_eq!(desk.json(&reseal).ok().one()["rows"], json!(0));
    // Without the older key, and without anything being left out.
    let listed = desk.json(&["list", "--key-file", &new_file]).ok().one();
    assert_eq!(listed["name"], "ann");
    desk.json(&["events", "--key-file", &new_file]).ok();
    desk.json(&["code", "withdraw", "ben", "--key-file", &new_file]).ok();
    desk.json(&["list"]).fails(3, "storage-key");
}

/// A forgotten key is no damage.
#[test]
fn rows_under_a_key_that_was_not_given_are_told() {
    let desk = Desk::new();
    desk.run(&["keygen", &desk.path("new")]).ok();
    let both = ["--key-file", &desk.path("new"), "--older-key-file", &desk.path("key")];
    desk.run(&["code", "issue", "ann"]).ok();
    desk.run(&[&["code", "issue", "ben"][..], &both].concat()).ok();
    let run = desk.json(&["code", "list"]);
    assert_eq!(run.one()["name"], "ann");
    run.fails(3, "unreadable");
    for line in run.err.lines() {
        let told: Value = serde_json::from_str(line).unwrap();
        assert!(told["error"].as_str().unwrap().contains("storage key that is not at hand"), "{told}");
    }
    assert_eq!(run.err.lines().count(), 2);
    assert_eq!(desk.json(&[&["code", "list"][..], &both].concat()).ok().lines().len(), 2);
}
