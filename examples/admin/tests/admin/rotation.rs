//! Another storage key.

use halfkey::UnixTime;
use halfkey::store::operation::{AnnounceKey, OperatorError, Reseal};
use serde_json::{Value, json};

#[test]
fn the_older_key_is_of_no_use_any_more_once_it_says_so() {
    let Some(desk) = super::desk() else { return };
    desk.register(1, "ann");
    desk.run(&["code", "issue", "ben"]).ok();
    let new = desk.json(&["keygen", &desk.path("new")]).ok().one();
    let (new_file, old_file) = (desk.path("new"), desk.path("key"));
    let both = ["--key-file", &new_file, "--older-key-file", &old_file];
    let reseal = [&["reseal"], &both[..]].concat();
    // Beside a server that has the older key alone, it cannot be done wrongly.
    desk.json(&reseal).fails(1, "key-not-announced");
    desk.json(&[&["announce-key"], &both[..]].concat()).ok();
    desk.run(&["code", "issue", "cas"]).ok();
    let lacking = desk.json(&["events", "--kind", "storage-key-lacking"]).ok();
    assert_eq!(lacking.one()["kind"], "storage key lacking");
    let status = desk.json(&["status"]).ok().one();
    assert_eq!(status["announced_key"], new["storage_key"]);
    assert_ne!(status["storage_key"], new["storage_key"]);
    // A minute later; and again, with the key at every server.
    let store = desk.store_with("new", Some("key"));
    let late = |seconds| UnixTime::now().after(seconds);
    assert_eq!(
        store.run(&Reseal { after: None, limit: 9 }, late(61)).unwrap_err(),
        OperatorError::KeyLacking
    );
    store.run(&AnnounceKey, UnixTime::from_secs(UnixTime::now().as_secs() + 5)).unwrap();
    store.run(&Reseal { after: None, limit: 1 }, late(70)).unwrap();
    drop(store);
    let people = desk.run(&reseal).ok();
    assert!(people.out.contains("older keys may be taken away"), "{people:?}");
    let sealed = desk.json(&reseal).ok().one();
    assert_eq!(sealed["storage_key"], new["storage_key"]);
    assert_eq!(desk.json(&[&["status"], &both[..]].concat()).ok().one()["storage_key"], new["storage_key"]);
    assert_eq!(sealed["rows"], json!(0));
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
    let Some(desk) = super::desk() else { return };
    desk.run(&["keygen", &desk.path("new")]).ok();
    let new_file = desk.path("new");
    let new = ["--key-file", &new_file];
    desk.run(&["code", "issue", "ann"]).ok();
    desk.run(&["code", "issue", "ben"]).ok();
    let store = desk.store_with("new", Some("key"));
    store.run(&AnnounceKey, UnixTime::now()).unwrap();
    let late = UnixTime::now().after(61);
    store.run(&Reseal { after: None, limit: 1 }, late).unwrap();
    let run = desk.json(&[&["code", "list"][..], &new].concat());
    run.fails(3, "unreadable");
    for line in run.err.lines() {
        let told: Value = serde_json::from_str(line).unwrap();
        assert!(told["error"].as_str().unwrap().contains("storage key that is not at hand"), "{told}");
    }
    let old = desk.path("key");
    let both = [&["code", "list"], &new[..], &["--older-key-file", &old]].concat();
    assert_eq!(desk.json(&both).ok().lines().len(), 2);
}
