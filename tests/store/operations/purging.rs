//! Purging removes expired rows and nothing else, and changes no answer.

use super::desk::{Desk, HOLD, PENDING, every, grant, key, user};
use super::entitlements::staff;
use super::{Make, Run};
use halfkey::Digest;
use halfkey::port::entitlement_store::{Admitted, ReportResult, Status};
use halfkey::record::{RejectionCause, Takes};
use halfkey::store::RegistrationState;
use halfkey::store::operation::{JoinGroup, ListCodes, Purge, PurgeEvents, Purged, Reseal, Revoke, Suspend};

const KEPT: u64 = 30 * 86_400;

fn purge<S: Run>(desk: &Desk<S>, limit: u16) -> Purged {
    desk.run(&Purge { limit })
}

/// Counted together: outcomes, lost, forgotten, applications, challenges, codes.
fn counts(purged: Purged) -> [usize; 6] {
    let Purged { outcomes, lost, forgotten, applications, challenges, codes, .. } = purged;
    [outcomes, lost, forgotten, applications, challenges, codes]
}

pub fn what_is_over_goes<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    desk.admit(1, 50, Some(1));
    desk.pending(&grant(2, "ben"));
    desk.waits(3, "eva", None);
    desk.issue("zoe", Some(desk.now().after(60)));

    desk.pass(60);
    assert_eq!(counts(purge(&desk, 100)), [0; 6], "to the last second");
    assert_eq!(desk.admit(1, 51, Some(1)), Admitted::Spent);
    desk.pass(PENDING - 60);
    assert_eq!(counts(purge(&desk, 100)), [0; 6]);
    assert!(desk.port().outcome(&Digest::new([2; 32]), desk.now()).unwrap().is_some());
    desk.pass(1);
    // That of key 1 went with its first session.
    let logged = desk.logged(|| assert_eq!(counts(purge(&desk, 100)), [2, 1, 0, 0, 0, 0]));
    assert_eq!(logged, ["lost key=2 user-2 ben"]);
    assert_eq!(desk.state(2), Some(RegistrationState::Lost));
    // Codes stay for servers whose clocks are behind.
    desk.pass(360 - PENDING - 1);
    assert_eq!(counts(purge(&desk, 100)), [0; 6]);
    desk.pass(1);
    assert_eq!(counts(purge(&desk, 100)), [0, 0, 0, 0, 0, 1], "the latest challenges stay");
    assert_eq!(desk.run(&ListCodes::default()).entries, []);
    desk.pass(HOLD - 361);
    assert!(counts(purge(&desk, 100)) == [0; 6] && desk.waiting(3));
    desk.pass(1);
    assert!(counts(purge(&desk, 100)) == [0, 0, 0, 1, 0, 0] && !desk.waiting(3));
    desk.pass(KEPT + PENDING - HOLD);
    assert_eq!((counts(purge(&desk, 100)), desk.state(2)), ([0; 6], Some(RegistrationState::Lost)));
    desk.pass(1);
    let logged = desk.logged(|| assert_eq!(counts(purge(&desk, 100)), [0, 0, 1, 0, 0, 0]));
    assert_eq!((logged, desk.state(2)), (Vec::new(), None));
    assert_eq!(desk.state(1), Some(RegistrationState::Active));
    assert_eq!(purge(&desk, 100), Purged::default());
}

pub fn nothing_that_counts_goes<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let code = desk.issue("ann", None);
    for (n, text) in [(1, "a"), (2, "b"), (3, "c")] {
        desk.active(&grant(n, text));
        desk.admit(n, 50 + n, None);
    }
    desk.active(&grant(4, "c").renews(3));
    desk.admit(4, 54, None);
    desk.run(&Suspend(key(1)));
    desk.run(&Revoke(key(2)));
    desk.run(&JoinGroup { user_id: user(1), group: super::desk::group("team") });
    let serial = desk.entitle(&staff(), "one");
    desk.report(1, serial, ReportResult::Applied);
    desk.pending(&grant(5, "d"));
    desk.run(&Revoke(key(5)));
    desk.pass(PENDING + 1);
    assert_eq!(purge(&desk, 100), {
        let mut only = Purged::default();
        only.outcomes = 1;
        only
    });
    let before = desk.everything();
    desk.pass(100 * 365 * 86_400);
    assert_eq!(purge(&desk, 100), Purged::default());
    assert_eq!(desk.everything(), before);
    // What is live at this moment stays, whatever is over beside it.
    desk.waits(6, "ann", Some(Takes::Code(code)));
    desk.pending(&grant(7, "ann").by(code));
    desk.admit(4, 60, Some(9));
    let before = desk.everything();
    assert_eq!(purge(&desk, 100), Purged::default());
    assert_eq!(desk.everything(), before);
    assert_eq!(desk.admit(4, 61, Some(9)), Admitted::Spent);
    assert_eq!(desk.admit(7, 62, None), Admitted::As(Status::Active));
}

pub fn a_purge_is_bounded<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    for n in 1..=5 {
        desk.pending(&grant(n, &format!("name-{n}")));
        desk.waits(10 + n, "ann", None);
        desk.issue(&format!("code-{n}"), Some(desk.now()));
    }
    desk.pass(HOLD + 1);
    let first = purge(&desk, 2);
    assert!(counts(first) == [2, 2, 0, 2, 0, 2] && first.more, "{first:?}");
    let second = purge(&desk, 2);
    assert!(counts(second) == [2, 2, 0, 2, 0, 2] && second.more);
    let mut rounds = 0;
    while purge(&desk, 2).more {
        rounds += 1;
        assert!(rounds < 10, "it ends");
    }
    assert_eq!(purge(&desk, 2), Purged::default());
    desk.pass(KEPT + 1);
    let exact = purge(&desk, 5);
    assert!(counts(exact) == [0, 0, 5, 0, 0, 0] && exact.more, "there may be more");
    assert!(!purge(&desk, 5).more);
    desk.issue("one", Some(desk.now()));
    desk.pass(301);
    assert_eq!(purge(&desk, 0).codes, 1, "a purge of nothing would never end");
    assert!(!purge(&desk, 0).more);
}

/// Codes whose time is over stay while an application waits that they have proven, and are met first.
pub fn what_stays_is_in_nothings_way<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    for n in 1..=5 {
        let code = desk.issue(&format!("early-{n}"), Some(desk.now()));
        desk.waits(n, &format!("early-{n}"), Some(Takes::Code(code)));
    }
    desk.pass(1);
    for n in 1..=9 {
        desk.issue(&format!("late-{n}"), Some(desk.now()));
    }
    desk.pass(301);
    for (went, more) in [(3, true), (3, true), (3, true), (0, false)] {
        let purged = purge(&desk, 3);
        assert_eq!((purged.codes, purged.more), (went, more));
    }
    assert_eq!(desk.run(&ListCodes::default()).entries.len(), 5);
    desk.pass(HOLD);
    assert_eq!((purge(&desk, 9).applications, purge(&desk, 9).codes), (5, 0), "both went at once");
    assert_eq!(desk.run(&ListCodes::default()).entries, []);
}

/// What it does where there was another key is for each store to say.
pub fn a_store_with_one_key_has_nothing_to_reseal<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.issue("ann", None);
    desk.active(&grant(1, "ben"));
    desk.waits(2, "eva", None);
    let before = desk.everything();
    for limit in [0, 1, 100] {
        let resealed = desk.run(&Reseal { after: None, limit });
        assert_eq!((resealed.rows, resealed.next), (0, None));
    }
    assert_eq!(desk.everything(), before);
}

pub fn the_log_is_purged<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let start = desk.now();
    for n in 1..=6 {
        desk.refuses(n, RejectionCause::Declined, None);
        desk.pass(10);
    }
    let all = desk.log();
    let purge = |before: u64, limit| desk.run(&PurgeEvents { before: start.after(before), limit });
    assert_eq!(purge(0, 10), 0);
    assert_eq!((purge(30, 2), desk.log()), (2, all[2..].to_vec()));
    assert_eq!((purge(30, 2), desk.log()), (1, all[3..].to_vec()), "what is at that time stays");
    assert_eq!(purge(30, 2), 0);
    desk.pass(1_000_000);
    self::purge(&desk, 100);
    assert_eq!(desk.log(), all[3..], "no other purge touches the log");
    assert_eq!(purge(2_000_000, 0), 1, "one at least");
    assert_eq!((purge(2_000_000, 100), desk.log()), (2, Vec::new()));
    let empty = every(|after| desk.run(&ListCodes { after, ..ListCodes::default() }));
    assert_eq!(empty, []);
}

/// A clock that is set back makes the time of a challenge come again, whichever clock saw it end.
pub fn a_spent_challenge_stays_spent_when_a_clock_is_set_back<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    assert_eq!(desk.admit(1, 50, Some(1)), Admitted::As(Status::Active));
    let then = desk.now();
    desk.pass(86_400);
    desk.pending(&grant(2, "ben"));
    purge(&desk, 100);
    desk.set(then.after(30));
    assert_eq!(desk.spend(1, [1; 16], then.after(60)), Admitted::Spent);
}

/// Codes are the operator's, and come with no outcome: a clock that is ahead when a request comes takes none away.
pub fn no_outcome_takes_a_code_away<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.issue("zoe", Some(desk.now().after(60)));
    desk.pass(20 * 365 * 86_400);
    desk.pending(&grant(1, "ann"));
    assert_eq!(desk.run(&ListCodes::default()).entries.len(), 1);
    assert_eq!(purge(&desk, 100).codes, 1);
}
