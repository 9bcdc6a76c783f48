//! Entitlements and their serials.

use super::desk::{Desk, app, document, every, grant, group, path, user};
use super::{Make, Run};
use halfkey::message::ConfigurationSerial;
use halfkey::port::entitlement_store::Document;
use halfkey::store::operation::{
    ClearUserEntitlement, Entitle, EntitlementFilter, JoinGroup, LeaveGroup, ListEntitlements, RaiseEpoch,
    ReadEntitlement, RevokeEntitlement,
};
use halfkey::store::{OperatorError, Subject};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

pub fn staff() -> Subject {
    Subject::AccessPath(path("/staff"))
}

fn revoke(subject: &Subject) -> RevokeEntitlement {
    RevokeEntitlement::new(subject.clone(), app("mail"))
}

pub fn a_subject_is_entitled<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    let me = Subject::User(user(1));
    let read = || ReadEntitlement::new(me.clone(), app("mail"));
    assert_eq!(desk.entitled(1, &user(1), "/staff"), None);
    desk.fails(&read(), OperatorError::NoSuchEntitlement);

    let mut serial = ConfigurationSerial { epoch: 0, number: 0 };
    let entitle = Entitle::new(me.clone(), app("mail"), document("one")).valid_for(60);
    let logged = desk.logged(|| serial = desk.run(&entitle));
    assert_eq!(logged, [format!("entitled user:user-1 mail {}.{}", serial.epoch, serial.number)]);
    assert_eq!(desk.run(&read()), Some(document("one")));
    assert_eq!(desk.entitled(1, &user(1), "/staff"), Some((serial, Some("one".into()), None)));
    let entries = desk.run(&ListEntitlements::default()).entries;
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((&entry.subject, entry.serial, entry.valid_for), (&me, serial, Some(60)));
    assert_eq!((entry.document.clone(), entry.set_at), (Some(("text/plain".into(), 3)), desk.now()));

    desk.pass(1);
    let second = desk.entitle(&me, "two");
    assert!(second > serial && desk.run(&read()) == Some(document("two")));
    let mut third = serial;
    let logged = desk.logged(|| third = desk.run(&revoke(&me)));
    assert_eq!(logged, [format!("entitlement revoked user:user-1 mail {}.{}", third.epoch, third.number)]);
    assert!(third > second && desk.run(&read()).is_none());
    assert_eq!(desk.entitled(1, &user(1), "/staff"), Some((third, None, None)));
    let entries = desk.run(&ListEntitlements::default()).entries;
    assert!(entries.len() == 1 && entries[0].document.is_none());
}

pub fn documents_have_limits<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let entitle =
        |media_type: String, body: Vec<u8>| Entitle::new(staff(), app("mail"), Document { media_type, body });
    let longest = format!("text/{}", "x".repeat(122));
    let largest = entitle(longest.clone(), vec![0xFF; 57_344]);
    desk.run(&largest);
    let read = ReadEntitlement::new(staff(), app("mail"));
    assert_eq!(desk.run(&read).as_ref(), Some(&largest.document));
    desk.fails(&entitle(longest.clone(), vec![0; 57_345]), OperatorError::DocumentTooLong);
    for media_type in [String::new(), "text".into(), "text/a b".into(), longest + "x"] {
        desk.fails(&entitle(media_type, Vec::new()), OperatorError::MediaType);
    }
    desk.run(&entitle("text/plain".into(), Vec::new()));
    assert_eq!(desk.run(&read), Some(document("")), "nothing is something");
}

pub fn the_nearest_counts<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let (team, me) = (Subject::Group(group("team")), Subject::User(user(1)));
    desk.run(&JoinGroup { user_id: user(1), group: group("team") });
    let seen = || desk.entitled(1, &user(1), "/staff").map(|(_, text, _)| text);
    let text = |text: &str| Some(Some(text.to_string()));
    assert_eq!(seen(), Some(None), "a member, of a group that is entitled to nothing");
    desk.entitle(&me, "mine");
    desk.entitle(&team, "ours");
    desk.entitle(&staff(), "everybody's");
    assert_eq!(seen(), text("mine"), "however old");
    assert_eq!(desk.entitled(2, &user(2), "/staff").unwrap().1, Some("everybody's".into()));
    assert_eq!(desk.entitled(2, &user(2), "/staff/door"), None, "a path is that path alone");
    desk.run(&revoke(&me));
    assert_eq!(seen(), Some(None), "a revocation counts as well");

    let desk = Desk::new(make);
    desk.run(&JoinGroup { user_id: user(1), group: group("team") });
    desk.entitle(&team, "ours");
    desk.entitle(&staff(), "everybody's");
    assert_eq!(desk.entitled(1, &user(1), "/staff").unwrap().1, Some("ours".into()));
    assert_eq!(desk.entitled(2, &user(2), "/staff").unwrap().1, Some("everybody's".into()));
    desk.run(&revoke(&team));
    assert_eq!(desk.entitled(1, &user(1), "/staff").unwrap().1, None);

    // Every filter alone, and both.
    let other = Entitle::new(staff(), app("door"), document("x"));
    desk.run(&other);
    let list = |subject: Option<Subject>, application: Option<&str>| {
        let filter = EntitlementFilter { subject, application: application.map(app), condition: None };
        let list = ListEntitlements { filter, ..ListEntitlements::default() };
        let line = |entry: &halfkey::store::operation::EntitlementEntry| {
            format!("{} {}", entry.subject, entry.application)
        };
        every(|after| desk.run(&ListEntitlements { after, ..list.clone() }))
            .iter()
            .map(line)
            .collect::<Vec<_>>()
    };
    assert_eq!(list(None, None), ["group:team mail", "path:/staff door", "path:/staff mail"]);
    assert_eq!(list(Some(staff()), None), ["path:/staff door", "path:/staff mail"]);
    assert_eq!(list(None, Some("mail")), ["group:team mail", "path:/staff mail"]);
    assert_eq!(list(Some(staff()), Some("mail")), ["path:/staff mail"]);
    assert_eq!(list(Some(team), Some("door")), [""; 0]);
}

pub fn what_a_user_has_alone_is_taken_away<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let inherit = ClearUserEntitlement::new(user(1), app("mail"));
    desk.fails(&inherit, OperatorError::NoSuchEntitlement);
    desk.active(&grant(1, "ann"));
    let seen = || desk.entitled(1, &user(1), "/staff").map(|(serial, document, _)| (serial, document));
    let path = desk.entitle(&staff(), "everybody's");
    let me = Subject::User(user(1));
    for own in [Some("mine"), None] {
        let own = match own {
            Some(text) => desk.entitle(&me, text),
            None => desk.run(&revoke(&me)),
        };
        let logged = desk.logged(|| desk.run(&inherit));
        assert_eq!(logged, ["entitlement inherited user:user-1 mail"]);
        let (serial, document) = seen().unwrap();
        assert!(serial > own && document == Some("everybody's".into()), "{serial:?}");
        desk.fails(&inherit, OperatorError::NoSuchEntitlement);
    }
    assert_eq!(desk.entitled(2, &user(2), "/staff").unwrap().0, path, "nothing has changed for others");
    assert_eq!(desk.run(&ListEntitlements::default()).entries.len(), 1);
    // Where there is nothing to inherit, what was given is not just forgotten.
    let guest = || desk.entitled(3, &user(3), "/guests").map(|(serial, document, _)| (serial, document));
    assert_eq!(guest(), None);
    let own = desk.entitle(&Subject::User(user(3)), "mine");
    desk.run(&ClearUserEntitlement::new(user(3), app("mail")));
    let (serial, document) = guest().unwrap();
    assert!(serial > own && document.is_none());
}

pub fn an_epoch_is_raised<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let mut epoch = 0;
    assert_eq!(desk.logged(|| epoch = desk.run(&RaiseEpoch)), ["epoch raised"]);
    assert_eq!(epoch, 1);
    let first = desk.entitle(&staff(), "one");
    assert_eq!((first.epoch, desk.run(&RaiseEpoch)), (1, 2));
    let seen = desk.entitled(1, &user(1), "/staff").unwrap().0;
    assert!(
        seen == ConfigurationSerial { epoch: 2, ..first } && seen > first,
        "all entitlements are in the new epoch"
    );
    assert_eq!(desk.run(&ListEntitlements::default()).entries[0].serial, seen);
    assert!(desk.entitle(&staff(), "two") > seen);
}

/// What an operator does to what two users are entitled to.
#[derive(Clone, Debug)]
enum Act {
    Entitle(usize, u8),
    Revoke(usize),
    Join(u8, bool),
    Leave(u8, bool),
    ClearUserEntitlement(u8),
    Raise,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (0..6_usize, any::<u8>()).prop_map(|(subject, text)| Act::Entitle(subject, text)),
        (0..6_usize).prop_map(Act::Revoke),
        (1..3_u8, any::<bool>()).prop_map(|(user, team)| Act::Join(user, team)),
        (1..3_u8, any::<bool>()).prop_map(|(user, team)| Act::Leave(user, team)),
        (1..3_u8).prop_map(Act::ClearUserEntitlement),
        Just(Act::Raise),
    ];
    vec(act, 1..25)
}

/// A token refuses what is older than what it holds, and another document under the same serial:
/// whatever the operator does, it is shown neither.
pub fn serials_never_fall<S: Run>(make: Make<'_, S>) {
    let config = ProptestConfig { cases: S::PLAYS, failure_persistence: None, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(&acts(), |acts| {
        let desk = Desk::new(make);
        let team = |which: bool| group(if which { "team" } else { "crew" });
        let subjects = [
            staff(),
            Subject::AccessPath(path("/guests")),
            Subject::User(user(1)),
            Subject::User(user(2)),
            Subject::Group(team(true)),
            Subject::Group(team(false)),
        ];
        let shown = || [(1, "/staff"), (2, "/guests")].map(|(n, path)| desk.entitled(n, &user(n), path));
        let mut before = shown();
        for act in acts {
            match act {
                Act::Entitle(subject, text) => {
                    desk.entitle(&subjects[subject], &text.to_string());
                }
                Act::Revoke(subject) => {
                    desk.run(&revoke(&subjects[subject]));
                }
                Act::Join(n, which) => desk.run(&JoinGroup { user_id: user(n), group: team(which) }),
                Act::Leave(n, which) => desk.run(&LeaveGroup { user_id: user(n), group: team(which) }),
                Act::ClearUserEntitlement(n) => {
                    let inherit = ClearUserEntitlement::new(user(n), app("mail"));
                    let none = || desk.everything();
                    let before = none();
                    if desk.store.run(&inherit, desk.now()).is_err() {
                        prop_assert_eq!(none(), before);
                    }
                }
                Act::Raise => {
                    desk.run(&RaiseEpoch);
                }
            }
            let after = shown();
            for (before, after) in before.iter().zip(&after) {
                let (Some(before), Some(after)) = (before, after) else { continue };
                prop_assert!(before.0 <= after.0, "{before:?}, then {after:?}");
                prop_assert!(before.0 < after.0 || before.1 == after.1, "{before:?}, then {after:?}");
            }
            for (before, after) in before.iter().zip(&after) {
                prop_assert!(after.is_some() || before.is_none(), "what was given is never just forgotten");
            }
            before = after;
        }
        Ok(())
    });
    result.unwrap();
}
