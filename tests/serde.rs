//! Settings, policies, templates and names in files: what is written is read back, and nothing else is read.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use halfkey::policy::{Mode, Modes, Policy, SuiteId, SuiteList};
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{ApplicationName, KeyId, Secret, ServerName, ServerOptions, UserName};
use serde_json::{Value, from_str, from_value, json, to_value};

const FILE: &str = r#"
name = "gate.example"
open_registration = false
offer_ttl = 900

[policy]
modes = ["psk-kem", "psk"]
suites = ["x-wing", 65280]
lifetime = 31536000

[[template.fields]]
name = "name"
kind = "user-name"

[[template.fields]]
name = "department"
label = "Department"
kind = { text = { max_len = 64 } }
required = false

[[template.fields]]
name = "floor"
kind = { integer = { min = -2, max = 40 } }

[[template.fields]]
name = "colour"
kind = { choice = ["red", "blue"] }
"#;

#[test]
fn a_settings_file() {
    let options: ServerOptions = toml::from_str(FILE).unwrap();
    let template = Template::new(vec![
        Field::required("name", FieldKind::UserName),
        Field::optional("department", FieldKind::Text { max_len: 64 }).labelled("Department"),
        Field::required("floor", FieldKind::Integer { min: -2, max: 40 }),
        Field::required("colour", FieldKind::Choice(vec!["red".into(), "blue".into()])),
    ]);
    let mut expected = ServerOptions::new(ServerName::new("gate.example").unwrap(), template.unwrap());
    expected.open_registration = false;
    expected.offer_ttl = 900;
    expected.policy = Policy {
        modes: Modes::all(),
        suites: SuiteList::of([SuiteId::XWing, SuiteId::Private(65_280)]).unwrap(),
        lifetime: Some(31_536_000),
        ..Policy::default()
    };
    assert_eq!(options, expected);
    let written = toml::to_string(&options).unwrap();
    assert_eq!(toml::from_str::<ServerOptions>(&written).unwrap(), expected, "{written}");

    let settings = options.settings(&Secret::new([1; 32])).unwrap();
    assert_eq!((settings.offer_ttl, settings.outcome_size, settings.pending_same), (900, 1024, 8));
    assert_eq!(settings.template, expected.template);
}

#[test]
fn settings_that_no_server_works_with() {
    let base: ServerOptions = toml::from_str(FILE).unwrap();
    let name = |change: fn(&mut ServerOptions)| {
        let mut options = base.clone();
        change(&mut options);
        options.settings(&Secret::new([1; 32])).map(drop).unwrap_err().setting
    };
    assert_eq!(name(|options| options.offer_ttl = 0), "offer_ttl");
    assert_eq!(name(|options| options.offer_ttl = 901), "offer_ttl");
    assert_eq!(name(|options| options.outcome_size = 1000), "outcome_size");
    assert_eq!(name(|options| options.outcome_size = 0), "outcome_size");
    assert_eq!(name(|options| options.outcome_size = 4352), "outcome_size");
    assert_eq!(name(|options| options.template.fields.clear()), "template");
}

#[test]
fn a_misspelled_setting_is_refused() {
    for (wrong, right) in [
        ("open_registrations = false", "open_registration = false"),
        ("mode = [\"psk\"]", "lifetime = 31536000"),
        ("requird = false", "required = false"),
        ("kind = { text = { max = 64 } }", "kind = { text = { max_len = 64 } }"),
    ] {
        let file = FILE.replace(right, wrong);
        assert_ne!(file, FILE);
        assert!(toml::from_str::<ServerOptions>(&file).is_err(), "{wrong}");
    }
    for missing in ["name = \"gate.example\"", "kind = \"user-name\""] {
        assert!(toml::from_str::<ServerOptions>(&FILE.replacen(missing, "", 1)).is_err(), "{missing}");
    }
}

#[test]
fn policies() {
    assert_eq!(from_str::<Policy>("{}").unwrap(), Policy::default());
    assert_eq!(
        to_value(Policy::default()).unwrap(),
        json!({"modes": ["psk-kem"], "suites": ["x-wing", "x25519"], "allow_key_id": true})
    );
    for (field, value) in [
        ("suites", json!([])),
        ("suites", json!(["x-wing", "x-wing"])),
        ("suites", json!(["x-wing", 2])),
        ("suites", json!([7])),
        ("suites", json!([65_536])),
        ("suites", json!(["X-Wing"])),
        ("suites", json!("x-wing")),
        ("suites", json!([1, 2, 3, 4, 5, 6, 7, 8, 9])),
        ("modes", json!([])),
        ("modes", json!(["psk", "psk"])),
        ("modes", json!(["ratchet"])),
        ("lifetime", json!(-1)),
        ("unknown", json!(1)),
    ] {
        assert!(from_value::<Policy>(json!({field: value})).is_err(), "{field}: {value}");
    }
    // One suite that is not known here beside one that is.
    let policy: Policy = from_str(r#"{"suites": [7, "x25519"]}"#).unwrap();
    assert_eq!(policy.suites, SuiteList::from_codes([7, 1]).unwrap());
    assert_eq!(to_value(policy).unwrap()["suites"], json!([7, "x25519"]));
    assert_eq!(from_value::<SuiteId>(json!(65_281)).unwrap(), SuiteId::Private(65_281));
    assert!(from_value::<SuiteId>(json!(7)).is_err());
    assert_eq!(from_value::<Mode>(json!("psk")).unwrap(), Mode::Psk);
}

#[test]
fn templates() {
    let template = |fields: Value| from_value::<Template>(json!({"fields": fields}));
    let name = json!({"name": "name", "kind": "user-name"});
    assert!(template(json!([name])).is_ok());
    for wrong in [
        json!([]),
        json!([name, name]),
        json!([{"name": "name", "kind": "user-name", "required": false}]),
        json!([name, {"name": "", "kind": "boolean"}]),
        json!([name, {"name": "a", "kind": {"text": {"max_len": 0}}}]),
        json!([name, {"name": "a", "kind": {"integer": {"min": 2, "max": 1}}}]),
        json!([name, {"name": "a", "kind": {"choice": []}}]),
        json!([name, {"name": "a", "kind": "text"}]),
        json!([name, {"name": "a", "kind": "other"}]),
    ] {
        assert!(template(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn names_and_ids() {
    let id = KeyId::new([0xAB; 16]);
    assert_eq!(to_value(id).unwrap(), json!("ab".repeat(16)));
    assert_eq!(from_value::<KeyId>(json!("AB".repeat(16))).unwrap(), id);
    assert!(from_value::<KeyId>(json!("ab")).is_err());
    assert!(from_value::<KeyId>(json!(7)).is_err());
    assert_eq!(from_value::<ApplicationName>(json!("mail")).unwrap().as_str(), "mail");
    assert!(from_value::<ApplicationName>(json!("two words")).is_err());
    assert!(from_value::<ServerName>(json!("Gate.example")).is_err());
    assert!(from_value::<UserName>(json!("Alice")).is_err(), "not normalised");
    // A text with an escape, which is not lent but made.
    assert_eq!(from_str::<UserName>(r#""\u0061lice""#).unwrap().as_str(), "alice");
}
