//! Reports of applied configurations.

use super::desk::{Desk, app, document, every, grant, key, name, user};
use super::entitlements::staff;
use super::{Make, Run};
use halfkey::ApplicationName;
use halfkey::message::ConfigurationSerial;
use halfkey::port::entitlement_store::{Report, ReportResult};
use halfkey::store::Subject;
use halfkey::store::operation::{
    Entitle, ListReports, ListRollout, Rename, ReportEntry, ReportFilter, RevokeEntitlement, RolloutEntry,
    RolloutFilter, Suspend,
};

fn reports<S: Run>(desk: &Desk<S>, filter: &ReportFilter) -> Vec<ReportEntry> {
    every(|after| desk.run(&ListReports { filter: filter.clone(), after, ..ListReports::default() }))
}

pub fn who_applied_what<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    let first = desk.entitle(&staff(), "one");
    let applied = desk.logged(|| desk.report(1, first, ReportResult::Applied));
    assert_eq!(applied, [""; 0], "as it should be");
    let only = || reports(&desk, &ReportFilter::default()).pop().unwrap();
    let entry = only();
    assert_eq!((entry.key_id, &entry.application, entry.serial), (key(1), &app("mail"), first));
    assert_eq!((entry.user_id.clone(), entry.name.clone()), (Some(user(1)), Some(name("ann"))));
    assert_eq!((entry.result, entry.applied, entry.at), (ReportResult::Applied, Some(first), desk.now()));
    assert_eq!(entry.current, Some(first));

    desk.pass(1);
    let second = desk.entitle(&staff(), "two");
    for result in [
        ReportResult::Failed,
        ReportResult::RolledBack,
        ReportResult::Equivocation,
        ReportResult::NoRoom,
        ReportResult::Regressed,
    ] {
        let logged = desk.logged(|| desk.report(1, second, result));
        let serial = format!("{}.{}", second.epoch, second.number);
        assert_eq!(logged, [format!("reported result={} key=1 user-1 ann mail {serial}", result.word())]);
        let entry = only();
        assert_eq!((entry.serial, entry.result, entry.applied), (second, result, Some(first)));
        assert_eq!(entry.current, Some(second));
    }
    assert_eq!(desk.entitled(1, &user(1), "/staff").unwrap().2, Some(first));
    desk.report(1, second, ReportResult::Applied);
    desk.report(1, first, ReportResult::Applied);
    let entry = only();
    assert_eq!((entry.serial, entry.applied), (first, Some(second)), "nothing lowers what was applied");
    desk.run(&Rename { key_id: key(1), name: name("zoe") });
    assert_eq!(only().name, Some(name("zoe")));
    // A token may say any number.
    let most = ConfigurationSerial { epoch: u32::MAX, number: u64::MAX };
    desk.report(1, most, ReportResult::Applied);
    assert!(only().applied > Some(second));
}

pub fn what_nobody_is_entitled_to_is_not_kept<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    let serial = desk.entitle(&staff(), "one");
    desk.pending(&grant(2, "ann").renews(1));
    let say = |n: u8, application: ApplicationName| {
        let report = Report::new(key(n), application, serial, ReportResult::Failed);
        desk.port().report(&report, desk.now()).unwrap();
    };
    let logged = desk.logged(|| {
        say(1, app("made-up"));
        say(9, app("mail"));
        say(2, app("mail"));
    });
    assert_eq!(logged, [""; 0]);
    assert_eq!(reports(&desk, &ReportFilter::default()), []);
}

pub fn a_renewal_carries_them_over<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    let first = desk.entitle(&staff(), "one");
    let door = Entitle::new(staff(), app("door"), document("x"));
    let opened = desk.run(&door);
    desk.report(1, first, ReportResult::Applied);
    let failed = Report::new(key(1), app("door"), opened, ReportResult::Failed);
    desk.port().report(&failed, desk.now()).unwrap();
    desk.pending(&grant(2, "ann").renews(1));
    let before = reports(&desk, &ReportFilter::default());
    assert!(before.iter().all(|entry| entry.key_id == key(1)), "not before it is confirmed");
    desk.confirm(2);
    let after = reports(&desk, &ReportFilter::default());
    let moved: Vec<_> = before
        .into_iter()
        .map(|entry| {
            let mut entry = entry;
            entry.key_id = key(2);
            entry
        })
        .collect();
    assert_eq!(after, moved);
    assert_eq!(desk.entitled(2, &user(1), "/staff").unwrap().2, Some(first));
}

pub fn reports_are_filtered<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    desk.active(&grant(2, "ben"));
    let serial = desk.entitle(&staff(), "one");
    let door = Entitle::new(staff(), app("door"), document("x"));
    desk.run(&door);
    for (n, application, result) in [
        (2, "mail", ReportResult::Applied),
        (1, "mail", ReportResult::Applied),
        (1, "door", ReportResult::Failed),
    ] {
        let report = Report::new(key(n), app(application), serial, result);
        desk.port().report(&report, desk.now()).unwrap();
    }
    let list = |n: Option<u8>, application: Option<&str>, result: Option<ReportResult>| {
        let filter = ReportFilter { key_id: n.map(key), application: application.map(app), result };
        let line = |entry: &ReportEntry| format!("{} {}", entry.key_id.as_bytes()[0], entry.application);
        reports(&desk, &filter).iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, None), ["1 door", "1 mail", "2 mail"]);
    assert_eq!(list(Some(1), None, None), ["1 door", "1 mail"]);
    assert_eq!(list(None, Some("mail"), None), ["1 mail", "2 mail"]);
    assert_eq!(list(None, None, Some(ReportResult::Failed)), ["1 door"]);
    assert_eq!(list(Some(1), Some("mail"), Some(ReportResult::Applied)), ["1 mail"]);
    assert_eq!(list(Some(2), None, Some(ReportResult::Failed)), [""; 0]);
}

fn rollout<S: Run>(desk: &Desk<S>, application: &str, limit: u16) -> Vec<RolloutEntry> {
    let limit = Some(limit);
    every(|after| {
        desk.run(&ListRollout { filter: RolloutFilter { application: app(application) }, after, limit })
    })
}

/// Each line of it: whose key, what is current, what is applied, and `outdated`.
fn lines<S: Run>(desk: &Desk<S>, application: &str) -> Vec<String> {
    let whole = rollout(desk, application, 1000);
    for limit in 1..6 {
        assert_eq!(rollout(desk, application, limit), whole, "pages of {limit}");
    }
    let line = |entry: &RolloutEntry| {
        let applied = entry.applied.map_or("nothing".into(), |serial| serial.number.to_string());
        let outdated = if entry.is_outdated() { " outdated" } else { "" };
        format!("{} {} {applied}{outdated}", entry.name, entry.current.number)
    };
    whole.iter().map(line).collect()
}

pub fn who_has_yet_to_apply<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    for (n, name) in [(1, "ann"), (2, "ben"), (3, "cat"), (4, "dan")] {
        desk.active(&grant(n, name));
    }
    assert_eq!(lines(&desk, "mail"), [""; 0], "nobody is entitled to anything");
    let first = desk.entitle(&staff(), "one");
    let whole = lines(&desk, "mail");
    assert_eq!(whole, ["ann 1 nothing", "ben 1 nothing", "cat 1 nothing", "dan 1 nothing"].map(outdated));
    assert_eq!(lines(&desk, "door"), [""; 0]);

    desk.pass(1);
    desk.report(1, first, ReportResult::Applied);
    desk.report(2, first, ReportResult::Failed);
    let whole = rollout(&desk, "mail", 1000);
    assert_eq!(whole[0].reported, Some((ReportResult::Applied, desk.now())));
    assert_eq!(whole[1].reported, Some((ReportResult::Failed, desk.now())));
    assert_eq!((whole[2].reported, whole[2].key_id, &whole[2].user_id), (None, key(3), &user(3)));
    let whole = lines(&desk, "mail");
    assert_eq!(whole[..2], ["ann 1 1".to_string(), outdated("ben 1 nothing")]);

    // One's own goes before the path's; nothing at all is a thing to apply as well.
    desk.entitle(&Subject::User(user(1)), "own");
    let none = RevokeEntitlement::new(Subject::User(user(2)), app("mail"));
    let none = desk.run(&none);
    assert_eq!(lines(&desk, "mail")[..2], ["ann 2 1", "ben 3 nothing"].map(outdated));
    desk.report(2, none, ReportResult::Applied);
    assert_eq!(lines(&desk, "mail")[1], "ben 3 3");

    // Who cannot open a session is not waited for.
    desk.run(&Suspend(key(3)));
    desk.pending(&grant(5, "eve"));
    let whole = lines(&desk, "mail");
    assert_eq!(whole, [outdated("ann 2 1"), "ben 3 3".into(), outdated("dan 1 nothing")]);
    // Nor is the key that another has replaced.
    desk.pending(&grant(6, "dan").renews(4));
    desk.confirm(6);
    assert_eq!(lines(&desk, "mail")[2], outdated("dan 1 nothing"));
    assert_eq!(rollout(&desk, "mail", 1000)[2].key_id, key(6));
}

fn outdated(line: &str) -> String {
    format!("{line} outdated")
}
