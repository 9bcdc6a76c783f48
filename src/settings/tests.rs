//! Settings at their bounds, and nothing lost between options and settings.

use super::*;
use crate::template::{Field, FieldKind};
use alloc::string::ToString;
use alloc::vec;

fn options() -> ServerOptions {
    let template = Template::new(vec![Field::required("name", FieldKind::UserName)]).unwrap();
    ServerOptions::new(ServerName::new("gate.example").unwrap(), template)
}

/// Returns the setting that is named as wrong, if one is.
fn wrong(change: impl Fn(&mut ServerOptions)) -> Option<&'static str> {
    let mut options = options();
    change(&mut options);
    options.settings(&Secret::new([1; 32])).err().map(|error| error.setting)
}

#[test]
fn each_setting_at_its_bounds_and_one_beyond() {
    for (offer_ttl, fits) in [(0, false), (1, true), (900, true), (901, false), (u32::MAX, false)] {
        let found = wrong(|options| options.offer_ttl = offer_ttl);
        assert_eq!(found, (!fits).then_some("offer_ttl"), "{offer_ttl}");
    }
    let sizes = [0, 128, 255, 256, 257, 512, 1000, 3840, 4095, 4096, 4097, 4352, 65_280, u16::MAX];
    for size in sizes {
        let found = wrong(|options| options.outcome_size = size);
        let fits = [256, 512, 3840, 4096].contains(&size);
        assert_eq!(found, (!fits).then_some("outcome_size"), "{size}");
    }
    for (records, fits) in [(0, false), (1, true), (16_777_215, true), (16_777_216, false)] {
        let found = wrong(|options| options.rekey_after = records);
        assert_eq!(found, (!fits).then_some("rekey_after"), "{records}");
    }
    assert_eq!(wrong(|options| options.template.fields.clear()), Some("template"));
    assert_eq!(wrong(|options| options.template.fields[0].required = false), Some("template"));
    assert_eq!(wrong(|_| ()), None);
    let error = ServerOptions { offer_ttl: 0, ..options() }.settings(&Secret::absent()).unwrap_err();
    assert_eq!(error.to_string(), "the setting offer_ttl: 1 to 900 seconds");
}

/// No setting is lost or mixed up with another on the way, and the defaults are those of the options.
#[test]
fn options_become_settings_one_by_one() {
    let other = ServerOptions {
        policy: Policy { lifetime: Some(1), ..Policy::default() },
        offer_ttl: 2,
        outcome_size: 256,
        confirm_within: 3,
        hold_for: 4,
        renewal_grace: 5,
        pending_same: 6,
        pending_total: 7,
        open_registration: false,
        rekey_after: 8,
        recheck: 9,
        session_age: 10,
        alias_age: 11,
        ..options()
    };
    let read = |settings: &ServerSettings| ServerOptions {
        name: settings.name.clone(),
        template: settings.template.clone(),
        policy: settings.policy,
        offer_ttl: settings.offer_ttl,
        outcome_size: settings.outcome_size,
        confirm_within: settings.confirm_within,
        hold_for: settings.hold_for,
        renewal_grace: settings.renewal_grace,
        pending_same: settings.pending_same,
        pending_total: settings.pending_total,
        open_registration: settings.open_registration,
        rekey_after: settings.rekey_after,
        recheck: settings.recheck,
        session_age: settings.session_age,
        alias_age: settings.alias_age,
    };
    let master = Secret::new([1; 32]);
    assert_eq!(read(&other.clone().settings(&master).unwrap()), other);
    let plain = ServerSettings::new(options().name, options().template, &master);
    assert_eq!((read(&plain), read(&options().settings(&master).unwrap())), (options(), options()));
}

/// Four secrets from one master, and none of them another server's.
#[test]
fn secrets_are_all_different() {
    let of = |master: u8, name: &str| {
        let name = ServerName::new(name).unwrap();
        let secrets = ServerSecrets::derive(&Secret::new([master; 32]), &name);
        [secrets.cookie, secrets.park, secrets.reject, secrets.decoy].map(|secret| *secret.expose())
    };
    let all = [of(1, "a.example"), of(1, "b.example"), of(2, "a.example")].concat();
    let different: alloc::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), 12);
    assert_eq!(of(1, "a.example"), of(1, "a.example"));
}
