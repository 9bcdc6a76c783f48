//! A user who travels: to Hartford, home, and back to Hartford, with one token, over any store.

use super::common::START;
use super::gate::{Gate, Holder};
use super::keeper::Keeper;
use crate::common::client::Configured;
use halfkey::configuration::UserInformation;
use halfkey::configuration::token::Instruction;
use halfkey::message::ConfigurationSerial;
use halfkey::port::EntitlementStore;
use halfkey::port::entitlement_store::Document;
use halfkey::registration::token::Credential;
use halfkey::store::operation::Entitle;
use halfkey::store::{EntitlementCondition, Subject};
use halfkey::{AccessPath, ApplicationName, UnixTime};
use std::cell::Cell;

fn at(location: &str) -> UserInformation {
    UserInformation { location: Some(location.into()), ..UserInformation::default() }
}

/// Goes there with the token, and returns what happened, what was applied and the serial held.
fn go(holder: &mut Holder<'_>, place: &str) -> (Configured, Option<String>, ConfigurationSerial) {
    let (mail, mut applied) = (ApplicationName::new("mail").unwrap(), None);
    let configured = holder.configure_at(&mail, &at(place), &mut |instruction| {
        applied = match instruction {
            Instruction::Install(document) => Some(String::from_utf8(document.body.clone()).unwrap()),
            Instruction::Remove => Some("nothing".into()),
        };
    });
    let held = holder.token.only().configuration(&mail).unwrap().serial;
    (configured.unwrap(), applied, held)
}

/// `entitle` does what the operator wants.
pub(crate) fn there_and_back(store: &dyn EntitlementStore, entitle: &dyn Fn(&Entitle, UnixTime)) {
    let gate = Gate::new(UnixTime::from_secs(START), 60);
    let mut token = Keeper::blank(gate.anchors.clone(), 61);
    let mut alice = gate.holder(store, &mut token);
    let first = alice.registered("alice", Credential::None);
    let staff = Subject::AccessPath(AccessPath::new("/staff").unwrap());
    for place in ["Hartford", "home"] {
        let document = Document { media_type: "text/plain".into(), body: place.into() };
        let set = Entitle::new(staff.clone(), ApplicationName::new("mail").unwrap(), document);
        entitle(&set.when(EntitlementCondition::new(&at(place)).unwrap()), gate.now.get());
    }

    let last = Cell::new(ConfigurationSerial { epoch: 0, number: 0 });
    let moves = |alice: &mut Holder<'_>, place: &str, (what, text): (Configured, &str)| {
        let (configured, applied, held) = go(alice, place);
        assert_eq!(
            (configured, applied.as_deref(), held > last.get()),
            (what, Some(text), true),
            "to {place}"
        );
        assert_eq!(go(alice, place), (Configured::Unchanged, None, held), "at {place}");
        last.set(held);
    };
    moves(&mut alice, "Hartford", (Configured::Installed, "Hartford"));
    moves(&mut alice, "home", (Configured::Installed, "home"));
    moves(&mut alice, "Hartford", (Configured::Installed, "Hartford"));
    moves(&mut alice, "at sea", (Configured::Removed, "nothing"));
    moves(&mut alice, "Hartford", (Configured::Installed, "Hartford"));
    let second = alice.registered("alice", Credential::Renewal(first.key_id));
    assert_ne!(second.key_id, first.key_id);
    let (configured, _, held) = go(&mut alice, "Hartford");
    assert_eq!((configured, held), (Configured::Unchanged, last.get()), "serials survive a renewal");
    moves(&mut alice, "home", (Configured::Installed, "home"));
    moves(&mut alice, "Hartford", (Configured::Installed, "Hartford"));
}
