//! The log of events.

use super::desk::{Desk, MARK, every, grant, key, line, name, user};
use super::entitlements::staff;
use super::{Make, Run};
use halfkey::port::entitlement_store::{Admitted, ReportResult, Status};
use halfkey::record::{RejectionCause, Takes};
use halfkey::store::AuditEventKind;
use halfkey::store::operation::{EventFilter, JoinGroup, ListEvents, Rename, Resume, SetExpiry, Suspend};

pub fn every_refusal_is_logged<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    for (n, (cause, word)) in (1..).zip([
        (RejectionCause::Unreadable, "unreadable"),
        (RejectionCause::UnknownProof, "unknown proof"),
        (RejectionCause::WrongProof, "wrong proof"),
        (RejectionCause::StaleTicket, "stale ticket"),
        (RejectionCause::Form, "form"),
        (RejectionCause::NameTaken, "name taken"),
        (RejectionCause::ProofNeeded, "proof needed"),
        (RejectionCause::TooMany, "too many"),
        (RejectionCause::NotRenewable, "not renewable"),
        (RejectionCause::Declined, "declined"),
    ]) {
        let known = desk.logged(|| desk.refuses(n, cause, Some(name("ann"))));
        assert_eq!(known, [format!("refused cause={word} ann")]);
        let unknown = desk.logged(|| desk.refuses(100 + n, cause, None));
        assert_eq!(unknown, [format!("refused cause={word}")]);
    }
    // An answer that is given again is nothing new.
    let again = desk.logged(|| {
        let refusal = halfkey::record::Effect::Refused(halfkey::record::RejectionRecord {
            cause: RejectionCause::Declined,
            code: RejectionCause::Declined.code(),
            name: None,
            ticket: None,
        });
        desk.commit(1, refusal);
    });
    assert_eq!(again, [""; 0]);
}

pub fn sessions_are_logged<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let code = desk.issue("ann", None);
    let granted = desk.logged(|| desk.pending(&grant(1, "ann").by(code)));
    assert_eq!(granted, ["granted key=1 user-1 ann"]);
    assert_eq!(desk.logged(|| desk.waits(2, "ben", None)), ["waiting ben"]);
    let opened = desk.logged(|| desk.admit(1, 50, Some(1)));
    assert_eq!(opened, ["confirmed key=1 user-1 ann"], "and nothing of a session that is in order");
    let again = desk.logged(|| assert_eq!(desk.admit(1, 51, Some(1)), Admitted::Spent));
    assert_eq!(again, ["challenge replayed key=1"]);
    desk.run(&SetExpiry { key_id: key(1), expires: Some(desk.now()) });
    let expired = desk.logged(|| assert_eq!(desk.admit(1, 52, None), Admitted::As(Status::Expired)));
    assert_eq!(expired, ["session refused status=expired key=1 user-1 ann"]);
    let renewed = desk.logged(|| {
        desk.pending(&grant(3, "ann").renews(1));
        desk.confirm(3);
        desk.confirm(3);
    });
    let expected = ["granted key=3 user-1 ann", "confirmed key=3 user-1 ann", "superseded key=1 user-1 ann"];
    assert_eq!(renewed, expected);
    desk.pending(&grant(4, "eva"));
    desk.pass(101);
    let late = desk.logged(|| assert_eq!(desk.admit(4, 53, None), Admitted::As(Status::Lost)));
    assert_eq!(late, ["lost key=4 user-4 eva", "session refused status=lost key=4 user-4 eva"]);
}

pub fn a_fork_of_aliases_is_logged<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    // Answers that were lost, asked for again: what they issued was never used.
    let calm = desk.logged(|| {
        desk.admit(1, 50, None);
        desk.admit(1, 51, None);
        desk.admit_by(1, 51, 52);
        desk.admit_by(1, 51, 53);
        desk.admit_by(1, 53, 54);
    });
    assert_eq!(calm, [""; 0]);
    // A copy of the token as it was before: by an alias that was left behind, and by the key id.
    let forked = desk.logged(|| assert_eq!(desk.admit_by(1, 51, 55), Admitted::As(Status::Active)));
    assert_eq!(forked, ["alias forked key=1 user-1 ann"]);
    let forked = desk.logged(|| assert_eq!(desk.admit(1, 56, None), Admitted::As(Status::Active)));
    assert_eq!(forked, ["alias forked key=1 user-1 ann"]);
}

pub fn the_log_is_filtered<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let start = desk.now();
    desk.active(&grant(1, "ann"));
    desk.pass(10);
    desk.active(&grant(2, "ben"));
    desk.run(&Suspend(key(1)));
    desk.pass(10);
    desk.run(&Rename { key_id: key(2), name: name("zoe") });
    let list = |filter: EventFilter| {
        let list = ListEvents { filter, ..ListEvents::default() };
        every(|after| desk.run(&ListEvents { after, ..list.clone() })).iter().map(line).collect::<Vec<_>>()
    };
    let any = EventFilter::default;
    let all = list(any());
    assert_eq!(all.len(), 6);
    let of = |kind| list(EventFilter { kind: Some(kind), ..any() });
    assert_eq!(of(AuditEventKind::Confirmed), ["confirmed key=1 user-1 ann", "confirmed key=2 user-2 ben"]);
    assert_eq!(of(AuditEventKind::RegistrationDeleted), [""; 0]);
    assert_eq!(
        list(EventFilter { key_id: Some(key(2)), ..any() }),
        [&all[2], &all[3], &all[5]].map(Clone::clone)
    );
    assert_eq!(list(EventFilter { name: Some(name("zoe")), ..any() }), ["renamed key=2 user-2 zoe"]);
    let since = |seconds| list(EventFilter { since: Some(start.after(seconds)), ..any() });
    let until = |seconds| list(EventFilter { until: Some(start.after(seconds)), ..any() });
    assert_eq!(
        (since(0), since(10), since(11), since(21)),
        (all.clone(), all[2..].into(), all[5..].into(), vec![])
    );
    assert_eq!(
        (until(0), until(9), until(10), until(20)),
        (all[..2].into(), all[..2].into(), all[..5].into(), all.clone())
    );
    let all_of_it = EventFilter {
        kind: Some(AuditEventKind::Suspended),
        key_id: Some(key(1)),
        name: Some(name("ann")),
        since: Some(start.after(10)),
        until: Some(start.after(10)),
        newest_first: false,
    };
    assert_eq!(list(all_of_it), ["suspended key=1 user-1 ann"]);
}

pub fn the_log_is_in_order<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    let many = desk.logged(|| {
        for _ in 0..20 {
            desk.run(&Suspend(key(1)));
            desk.run(&Resume(key(1)));
        }
    });
    let expected = ["suspended key=1 user-1 ann", "resumed key=1 user-1 ann"].repeat(20);
    assert_eq!(many, expected, "within a second too");
    desk.pass(1);
    desk.run(&Suspend(key(1)));
    let log = desk.log();
    assert!(log.is_sorted_by_key(|event| event.id) && log.is_sorted_by_key(|event| event.at));
    assert!(log.windows(2).all(|pair| pair[0].id != pair[1].id));
}

pub fn the_log_is_read_backwards<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    for n in 1..=5 {
        desk.active(&grant(n, &format!("name-{n}")));
        desk.pass(1);
    }
    let backwards = |size: u16, filter: &EventFilter| {
        let filter = EventFilter { newest_first: true, ..filter.clone() };
        let list = ListEvents { limit: Some(size), ..ListEvents::of(filter) };
        every(|after| desk.run(&ListEvents { after, ..list.clone() }))
    };
    let mut log = desk.log();
    log.reverse();
    for size in [1, 2, 3, 9, 10, 11] {
        assert_eq!(backwards(size, &EventFilter::default()), log);
    }
    let granted = EventFilter { kind: Some(AuditEventKind::Granted), ..EventFilter::default() };
    log.retain(|event| event.kind == AuditEventKind::Granted);
    assert_eq!(backwards(2, &granted), log);
}

/// Not in the log, nor in any list, nor in what the operator hands over.
pub fn nothing_secret_is_shown<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let code = desk.issue("ann", None);
    desk.issue("ben", None);
    desk.waits(1, "ann", Some(Takes::Code(code)));
    desk.pending(&grant(2, "ann").by(code).ticket(1));
    desk.admit(2, 50, Some(1));
    desk.pending(&grant(3, "ann").renews(2));
    desk.waits(4, "eva", None);
    let serial = desk.entitle(&staff(), "one");
    desk.report(2, serial, ReportResult::Failed);
    desk.run(&JoinGroup { user_id: user(2), group: super::desk::group("team") });
    let everything = desk.everything();
    assert!(everything.contains("ann") && everything.contains("Secret(..)"));
    let squeezed: String = everything.chars().filter(|c| !c.is_whitespace()).collect();
    // Four in a row: two stand in what is drawn and shown, by chance.
    let forms = [format!("{MARK},"), format!("{MARK:02x}"), format!("{MARK:02X}")].map(|form| form.repeat(4));
    for form in forms.iter().map(|form| form.trim_end_matches(',')) {
        assert!(!squeezed.contains(form), "{form}");
    }
}
