//! Another storage key.

use crate::desk::Desk;
use serde_json::json;

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
