//! Each command once, and what it leaves behind.

use halfkey::configuration::ConfigurationSerial;
use serde_json::{Value, json};

#[test]
fn a_key_and_a_store_are_made_once() {
    let Some(desk) = super::bare() else { return };
    let key = desk.json(&["keygen", &desk.path("key")]).ok().one();
    let made = desk.json(&["init", "--names", "proven"]).ok().one();
    assert_eq!((&made["names"], &made["storage_key"]), (&json!("proven"), &key["storage_key"]));
    let digits = std::fs::read_to_string(desk.path("key")).unwrap();
    assert_eq!(digits.trim().len(), 64);
    assert!(!key.to_string().contains(digits.trim()));
    desk.json(&["keygen", &desk.path("key")]).fails(2, "file");
    desk.json(&["init"]).fails(1, "exists");
    assert_eq!(std::fs::read_to_string(desk.path("key")).unwrap(), digits);
    let status = desk.json(&["status"]).ok().one();
    assert_eq!((&status["names"], &status["active"]), (&json!("proven"), &json!(0)));
    assert!(desk.run(&["status"]).ok().out.contains("names         proven\n"));
}

#[test]
fn registrations_are_found() {
    let Some(desk) = super::desk() else { return };
    for n in 1..=5 {
        desk.register(n, &format!("ann{n}"));
    }
    desk.register(6, "ben");
    let names = |arguments: &[&str]| {
        let listed = desk.json(arguments).ok().lines();
        listed.iter().map(|entry| entry["name"].as_str().unwrap_or("-").to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&["list"]).len(), 6);
    assert_eq!(names(&["list", "--name", "ＢＥＮ"]), ["ben"], "as a person types it");
    assert_eq!(names(&["list", "--name-begins", "ann"]).len(), 5);
    assert_eq!(names(&["list", "--name-begins", "Ａn"]).len(), 5, "as a person types it");
    assert!(names(&["list", "--name-begins", "an n"]).is_empty());
    assert_eq!(names(&["list", "--user", "user-2"]), ["ann2"]);
    assert_eq!(names(&["list", "--path", "/staff", "--state", "active", "--all"]).len(), 6);
    assert!(names(&["list", "--state", "revoked"]).is_empty());
    let key = "03".repeat(16);
    let set = desk.json(&["expire", &key, "--in", "30d"]).ok().one();
    assert!(set["expires"].as_str().unwrap().ends_with('Z'));
    assert_eq!(names(&["list", "--expiring-before", "+31d"]), ["ann3"]);
    assert!(names(&["list", "--expiring-before", "+29d"]).is_empty());
    // Page by page.
    let first = desk.json(&["list", "--limit", "4"]).ok().lines();
    let next = first[4]["next"].as_str().unwrap();
    assert_eq!(names(&["list", "--limit", "4", "--after", next]), ["ann5", "ben"]);
    let people = desk.run(&["list", "--limit", "1"]);
    assert!(people.out.starts_with("KEY ID  ") && people.err.contains("There is more"));
}

#[test]
fn a_registration_lives() {
    let Some(desk) = super::desk() else { return };
    let key = desk.register(1, "ann").to_string();
    let state = || desk.json(&["show", &key]).ok().one()["state"].clone();
    desk.run(&["suspend", &key]).ok();
    assert_eq!(state(), "suspended");
    desk.json(&["suspend", &key]).fails(1, "other-state");
    desk.run(&["resume", &key]).ok();
    assert_eq!(state(), "active");
    assert_eq!(desk.json(&["rename", &key, "Anna"]).ok().one()["name"], "anna");
    desk.json(&["expire", &key, "--at", "2030-01-31"]).ok();
    assert_eq!(desk.json(&["show", &key]).ok().one()["expires"], "2030-01-31T00:00:00Z");
    desk.json(&["expire", &key, "--never"]).ok();
    assert_eq!(desk.json(&["show", &key]).ok().one()["expires"], Value::Null);
    desk.json(&["expire", &key]).fails(2, "usage");
    desk.json(&["forget", &key]).fails(1, "other-state");
    desk.run(&["revoke", &key]).ok();
    assert_eq!(state(), "revoked");
    desk.run(&["forget", &key]).ok();
    desk.json(&["show", &key]).fails(1, "no-such-key");
    desk.json(&["code", "issue", "anna"]).fails(1, "name-taken");
    desk.json(&["free-name", "anna", "--held-by", "user-9"]).fails(1, "name-free");
    assert_eq!(desk.json(&["free-name", "anna"]).ok().one()["held_by"], "user-1");
    desk.json(&["free-name", "anna"]).fails(1, "name-free");
    desk.json(&["code", "issue", "anna"]).ok();
}

#[test]
fn a_registration_is_meant_by_its_name_or_the_beginning_of_its_id() {
    let Some(desk) = super::desk() else { return };
    let [ann, ben, abba] =
        [(0x11, "ann"), (0x12, "ben"), (0xAB, "abba")].map(|(n, name)| desk.register(n, name).to_string());
    let state = |which: &str| desk.json(&["show", which]).ok().one()["state"].clone();
    desk.run(&["suspend", "Ann"]).ok();
    assert_eq!(
        (state(&ann), state("ann"), state("1111")),
        (json!("suspended"), json!("suspended"), json!("suspended"))
    );
    desk.run(&["revoke", &ben[..6]]).ok();
    assert_eq!(state("ben"), "revoked");
    // A name, and the beginning of another's id.
    let other = desk.register(0xBA, "abab");
    desk.json(&["revoke", "abab"]).fails(1, "which");
    assert_eq!((state(&abba), state(&other.to_string())), (json!("active"), json!("active")));
    desk.json(&["revoke", "nobody"]).fails(1, "no-such-key");
    desk.json(&["revoke", "1"]).fails(1, "no-such-key");
    // One that is over does not stand in the way of the next one with its name.
    desk.run(&["free-name", "ben"]).ok();
    let next = desk.register(0x13, "ben").to_string();
    desk.run(&["suspend", "ben"]).ok();
    assert_eq!((state(&next), state(&ben)), (json!("suspended"), json!("revoked")));
}

/// It would never work.
#[test]
fn a_code_for_another_server_is_not_made() {
    let Some(desk) = super::bare() else { return };
    desk.run(&["keygen", &desk.path("key")]).ok();
    desk.run(&["init"]).ok();
    assert_eq!(desk.json(&["status"]).ok().one()["server"], "gate.example");
    let wrong = desk.json(&["code", "issue", "ann", "--server", "gait.example"]);
    wrong.fails(1, "other-server");
    assert!(wrong.err.contains("gate.example"), "{wrong:?}");
    let names = desk.file("names", "ann\n");
    let import = ["import", "codes", &names, "--out", &desk.path("codes"), "--server", "gait.example"];
    desk.json(&import).fails(1, "other-server");
    assert!(!std::path::Path::new(&desk.path("codes")).exists());
    desk.json(&["code", "issue", "ann"]).ok();
}

#[test]
fn the_log_is_followed() {
    use std::io::{BufRead, BufReader};
    let Some(desk) = super::desk() else { return };
    desk.register(1, "ann");
    let mut command = desk.command(&["events", "--follow", "--json"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut kind = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap()["kind"].clone();
    assert_eq!((kind(), kind()), (json!("granted"), json!("confirmed")));
    desk.run(&["suspend", "ann"]).ok();
    assert_eq!(kind(), "suspended");
    desk.run(&["revoke", "ann"]).ok();
    assert_eq!(kind(), "revoked");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn many_at_once_are_meant() {
    let Some(desk) = super::desk() else { return };
    let keys = [1, 2].map(|n| desk.register(n, &format!("ann{n}")).to_string());
    let stranger = "ff".repeat(16);
    desk.json(&["revoke", &keys[0], &keys[1]]).fails(2, "usage");
    let run = desk.json(&["suspend", &keys[0], &stranger, &keys[1]]);
    assert_eq!(run.lines().len(), 2, "those that can be are");
    run.fails(1, "some-failed");
    let about: Value = serde_json::from_str(run.err.lines().next().unwrap()).unwrap();
    assert_eq!((&about["key_id"], &about["code"]), (&json!(stranger), &json!("no-such-key")));
    let meant = desk.json(&["revoke", "ann1", &keys[1], "--dry-run"]).ok().lines();
    assert_eq!((&meant[0]["key_id"], &meant[1]["name"]), (&json!(keys[0]), &json!("ann2")));
    assert_eq!((&meant[0]["state"], meant.len()), (&json!("suspended"), 2));
    assert_eq!(desk.json(&["status"]).ok().one()["revoked"], 0);
    desk.json(&["revoke", &keys[0], &keys[1], "--yes"]).ok();
    assert_eq!(desk.json(&["status"]).ok().one()["revoked"], 2);
}

#[test]
fn applications_wait() {
    let Some(desk) = super::desk() else { return };
    desk.wait(1, "ann", "room 7, please");
    let waiting = desk.json(&["waiting", "list", "--name", "ann"]).ok().one();
    assert_eq!(waiting["form"], json!(["ann", "room 7, please"]));
    assert!(desk.run(&["waiting", "list"]).ok().out.contains("ann, room 7, please"));
    let ticket = waiting["ticket_id"].as_str().unwrap();
    assert_eq!((&waiting["answer"], &waiting["reason"]), (&Value::Null, &Value::Null));
    assert_eq!(desk.json(&["waiting", "approve", ticket]).ok().one()["done"], "approved");
    assert!(desk.run(&["waiting", "list"]).ok().out.contains("approved"));
    assert!(desk.json(&["waiting", "list", "--undecided"]).ok().lines().is_empty());
    // The last answer counts, as long as nobody has come for it.
    for (reason, word) in [
        ("declined", "declined"),
        ("proof-needed", "proof needed"),
        ("name-taken", "name taken"),
        ("form", "form"),
        ("none", "unspecified"),
    ] {
        assert_eq!(
            desk.json(&["waiting", "refuse", ticket, "--reason", reason]).ok().one()["done"],
            "refused"
        );
        let refused = desk.json(&["waiting", "list"]).ok().one();
        assert_eq!((&refused["answer"], &refused["reason"]), (&json!("refused"), &json!(word)));
    }
    desk.run(&["waiting", "refuse", ticket]).ok();
    let reasons = desk.json(&["waiting", "refuse", ticket, "--reason", "because"]);
    assert!(reasons.exit == Some(2) && reasons.err.contains("name-taken"), "{reasons:?}");
    let events: Vec<_> = desk
        .json(&["events", "--oldest-first", "--name", "ann"])
        .ok()
        .lines()
        .iter()
        .map(|event| (event["kind"].as_str().unwrap().to_owned(), event["cause"].clone()))
        .collect();
    assert_eq!(events[1], ("request approved".into(), Value::Null));
    assert_eq!(events.last(), Some(&("request refused".into(), json!("declined"))));
    let unknown = "00000000000000000000000000000009";
    desk.json(&["waiting", "approve", unknown]).fails(1, "no-such-ticket");
    desk.json(&["waiting", "refuse", unknown]).fails(1, "no-such-ticket");
}

#[test]
fn codes_are_told_once() {
    let Some(desk) = super::desk() else { return };
    let issued = desk.json(&["code", "issue", "Ann", "--in", "7d"]).ok().one();
    let code = issued["code"].as_str().unwrap().to_string();
    assert_eq!((issued["name"].as_str(), code.len()), (Some("ann"), 19));
    desk.json(&["code", "issue", "ann"]).fails(1, "code-exists");
    desk.json(&["code", "reissue", "ben"]).fails(1, "no-such-code");
    let again = desk.json(&["code", "reissue", "ann", "--long"]).ok().one();
    assert_eq!(again["expires"], issued["expires"], "another code, for as long");
    assert_eq!(again["code"].as_str().unwrap().len(), 32);
    desk.json(&["code", "expire", "ann", "--never"]).ok();
    let listed = desk.json(&["code", "list"]).ok();
    assert_eq!(listed.one()["expires"], Value::Null);
    let everything =
        listed.out + &desk.json(&["events", "--all"]).ok().out + &desk.json(&["export"]).ok().out;
    assert!(!everything.contains(&code) && !everything.contains(again["code"].as_str().unwrap()));
    desk.run(&["code", "withdraw", "ann"]).ok();
    desk.json(&["code", "withdraw", "ann"]).fails(1, "no-such-code");
    // A code whose time is over is not made, and is in nobody's way.
    for over in [["--at", "-1h"], ["--at", "2020-01-01"], ["--in", "0"], ["--in", "0s"], ["--at", "now"]] {
        desk.json(&[&["code", "issue", "ann"], &over[..]].concat()).fails(2, "usage");
    }
    assert!(desk.json(&["code", "list"]).ok().lines().is_empty());
    desk.issue_over("ann");
    desk.json(&["code", "issue", "ann"]).ok();
    desk.json(&["code", "expire", "ann", "--in", "0"]).fails(2, "usage");
    // For a name that somebody holds, who has lost the token.
    let key = desk.register(1, "eva").to_string();
    desk.json(&["code", "issue", "eva"]).fails(1, "name-taken");
    desk.json(&["code", "readmit", "eva", "--in", "1d"]).ok();
    assert_eq!(desk.json(&["show", &key]).ok().one()["state"], "revoked");
}

#[test]
fn entitlements_are_set_and_applied() {
    let Some(desk) = super::desk() else { return };
    let key = desk.register(1, "ann");
    let file = desk.file("rights", "rw");
    let set = ["entitle", "set", "path:/staff", "ledger", "--file", &file, "--media-type", "text/plain"];
    assert_eq!(desk.json(&set).ok().one()["serial"], "0.1");
    desk.applied(key, "ledger", ConfigurationSerial { epoch: 0, number: 1 });
    let report = desk.json(&["reports", "--app", "ledger"]).ok().one();
    assert_eq!(
        (&report["name"], &report["applied"], &report["current"]),
        (&json!("ann"), &json!("0.1"), &json!("0.1"))
    );
    assert!(desk.json(&["rollout", "ledger", "--outdated"]).ok().lines().is_empty());
    assert!(desk.json(&["rollout", "unheard-of"]).ok().lines().is_empty());
    let own = ["entitle", "set", "user:user-1", "ledger", "--file", &file, "--media-type", "text/plain"];
    desk.json(&[&own[..], &["--valid-for", "1h"]].concat()).ok();
    assert_eq!(desk.json(&["reports"]).ok().one()["current"], "0.2");
    let outdated = desk.json(&["rollout", "ledger", "--outdated"]).ok().one();
    assert_eq!((&outdated["name"], &outdated["current"]), (&json!("ann"), &json!("0.2")));
    // Who has never reported waits as well.
    let silent = desk.register(2, "ben");
    let waiting = desk.json(&["rollout", "ledger", "--outdated"]).ok().lines();
    assert_eq!(waiting.len(), 2);
    let ben = waiting.iter().find(|line| line["key_id"] == silent.to_string()).unwrap();
    assert_eq!((&ben["applied"], &ben["result"]), (&json!(null), &json!(null)));
    assert!(desk.run(&["rollout", "ledger"]).ok().out.contains("ben"));
    let listed = desk.json(&["entitle", "list", "--subject", "user:user-1"]).ok().one();
    assert_eq!((&listed["valid_for"], &listed["bytes"]), (&json!(3600), &json!(2)));
    assert_eq!(desk.json(&["entitle", "show", "path:/staff", "ledger"]).ok().one()["body"], "rw");
    assert_eq!(desk.run(&["entitle", "show", "path:/staff", "ledger", "--raw"]).ok().out, "rw");
    desk.json(&["entitle", "revoke", "user:user-1", "ledger"]).ok();
    assert_eq!(desk.json(&["entitle", "show", "user:user-1", "ledger"]).ok().one()["entitled"], false);
    assert_eq!(desk.json(&["entitle", "inherit", "user-1", "ledger"]).ok().one()["subject"], "user:user-1");
    desk.json(&["entitle", "inherit", "user-1", "ledger"]).fails(1, "no-such-entitlement");
    assert_eq!(desk.json(&["reports"]).ok().one()["current"], "0.4");
    desk.json(&["entitle", "show", "user:user-9", "ledger"]).fails(1, "no-such-entitlement");
    desk.json(&["epoch", "raise"]).fails(2, "usage");
    assert_eq!(desk.json(&["epoch", "raise", "--yes"]).ok().one()["epoch"], 1);
    let shown = desk.run(&["show", &key.to_string()]).ok().out;
    assert!(shown.contains("Configurations") && shown.contains("confirmed"), "{shown}");
    let wrong = ["entitle", "set", "user:user-1", "ledger", "--file", &file, "--media-type", "none"];
    desk.json(&wrong).fails(1, "media-type");
    let long = desk.file("long", vec![b'x'; 60_000]);
    let set = ["entitle", "set", "user:user-1", "ledger", "--file", &long, "--media-type", "text/plain"];
    desk.json(&set).fails(1, "document-too-long");
}

#[test]
fn entitlements_are_set_for_places() {
    let Some(desk) = super::desk() else { return };
    let file = desk.file("rights", "rw");
    let set = ["entitle", "set", "user:user-1", "ledger", "--file", &file, "--media-type", "text/plain"];
    let here = ["--location", "Hartford, CT", "--system", "terminal 4", "--attribute", "role=teller"];
    let condition = "location=Hartford,%20CT&system=terminal%204&@role=teller";
    assert_eq!(desk.json(&set).ok().one()["condition"], json!(null));
    assert_eq!(desk.json(&[&set[..], &here].concat()).ok().one()["condition"], condition);
    let hartford = ["--location", "Hartford, CT"];
    let told = desk.run(&[&["entitle", "revoke", "path:/staff", "ledger"][..], &hartford].concat()).ok().out;
    assert_eq!(told, "path:/staff in ledger where location=Hartford,%20CT: revoked, serial 0.3\n");
    let list = |options: &[&str]| desk.json(&[&["entitle", "list"], options].concat()).ok().lines();
    assert_eq!(list(&[]).len(), 3);
    let [listed] = &list(&here)[..] else { panic!("one is under this condition") };
    assert_eq!((&listed["subject"], &listed["condition"]), (&json!("user:user-1"), &json!(condition)));
    let event = desk.json(&["events", "--kind", "entitlement-revoked"]).ok().one();
    assert_eq!(event["condition"], "location=Hartford,%20CT");
    let show = ["entitle", "show", "user:user-1", "ledger"];
    assert_eq!(desk.json(&[&show[..], &here].concat()).ok().one()["body"], "rw");
    desk.json(&[&show[..], &hartford].concat()).fails(1, "no-such-entitlement");
    let inherit = ["entitle", "inherit", "user-1", "ledger"];
    assert_eq!(desk.json(&[&inherit[..], &here].concat()).ok().one()["condition"], condition);
    let clear = ["entitle", "clear", "path:/staff", "ledger"];
    desk.json(&clear).fails(1, "unconditional");
    desk.json(&[&clear[..], &hartford].concat()).ok();
    assert_eq!(list(&[]).len(), 1);
    for wrong in
        [&["--attribute", "role"][..], &["--attribute", "a=1", "--attribute", "a=2"], &["--location", "a\nb"]]
    {
        desk.json(&[&set[..], wrong].concat()).fails(2, "usage");
    }
}

#[test]
fn groups_are_joined_and_left() {
    let Some(desk) = super::desk() else { return };
    desk.run(&["group", "join", "user-1", "night-shift"]).ok();
    desk.run(&["group", "join", "user-2", "night-shift"]).ok();
    desk.run(&["group", "leave", "user-1", "night-shift"]).ok();
    let member = desk.json(&["group", "list", "--group", "night-shift"]).ok().one();
    assert_eq!(member["user_id"], "user-2");
    assert!(desk.json(&["group", "list", "--user", "user-1"]).ok().lines().is_empty());
}

#[test]
fn what_has_happened_is_in_the_log() {
    let Some(desk) = super::desk() else { return };
    let key = desk.register(1, "ann").to_string();
    desk.run(&["code", "issue", "ben"]).ok();
    let kinds = |arguments: &[&str]| {
        let events = desk.json(&[&["events"], arguments].concat()).ok().lines();
        events.iter().map(|event| event["kind"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(kinds(&["--key", &key]), ["confirmed", "granted"]);
    assert_eq!(kinds(&["--key", &key, "--oldest-first"]), ["granted", "confirmed"]);
    // Of what several processes write into a database in one second, only what follows from another is in order.
    let mut all = kinds(&[]);
    all.sort();
    assert_eq!(all, ["code issued", "confirmed", "granted"]);
    let help = desk.run(&["events", "--help"]).ok().out;
    assert!(help.contains("storage-key-lacking") && help.contains("session-refused"), "{help}");
    let shown = desk.json(&["show", &key, "--events", "1"]).ok().one();
    assert_eq!(shown["events"][0]["kind"], "confirmed");
    assert_eq!(kinds(&["--name", "ben"]), ["code issued"]);
    assert_eq!(kinds(&["--kind", "code-issued", "--since", "-1h", "--until", "now"]), ["code issued"]);
    assert!(kinds(&["--since", "+1h"]).is_empty());
    desk.json(&["events", "--kind", "nothing"]).fails(2, "usage");
    desk.json(&["purge", "--events-before", "+1h"]).fails(2, "usage");
    let gone = desk.json(&["purge", "--events-before", "+1h", "--yes"]).ok().one();
    assert_eq!((&gone["events"], &gone["codes"]), (&json!(3), &json!(0)));
    assert!(kinds(&[]).is_empty());
}

#[test]
fn everything_is_exported_but_secrets_and_bodies() {
    let Some(desk) = super::desk() else { return };
    desk.register(1, "ann");
    let file = desk.file("rights", "what nobody else needs to see");
    desk.run(&["entitle", "set", "user:user-1", "ledger", "--file", &file, "--media-type", "text/plain"])
        .ok();
    desk.run(&["group", "join", "user-1", "night-shift"]).ok();
    let export = desk.run(&["export"]).ok();
    let kinds = export.lines().iter().map(|line| line["kind"].clone()).collect::<Vec<_>>();
    assert_eq!(kinds, ["registration", "entitlement", "membership"]);
    assert!(!export.out.contains("what nobody else needs to see"));
}
