//! Registrations, names and waiting applications in the operator's hands.

use super::desk::{Desk, grant, key, name, ticket, user};
use super::entitlements::staff;
use super::{Make, Run};
use halfkey::message::Address;
use halfkey::port::entitlement_store::{Admitted, Confirmed, ReportResult, Status};
use halfkey::record::ProofId;
use halfkey::record::RequestAnswer;
use halfkey::store::operation::{
    DecideRequest, DeleteRegistration, InspectRegistration, ListReports, Purge, ReleaseName, Rename, Resume,
    Revoke, SetExpiry, Suspend,
};
use halfkey::store::{OperatorError, RegistrationState, UniqueNames};
use halfkey::{Alias, KeyId, UnixTime};

const STATES: [RegistrationState; 6] = [
    RegistrationState::Pending,
    RegistrationState::Active,
    RegistrationState::Suspended,
    RegistrationState::Revoked,
    RegistrationState::Superseded,
    RegistrationState::Lost,
];

/// Key 1, of ann, in this state.
fn in_state<S: Run>(make: Make<'_, S>, state: RegistrationState) -> Desk<S> {
    let desk = Desk::new(make);
    desk.pending(&grant(1, "ann"));
    match state {
        RegistrationState::Pending => {}
        RegistrationState::Lost => assert_eq!(desk.active(&grant(2, "ann")), key(2)),
        _ => assert_eq!(desk.confirm(1), Confirmed::Active),
    }
    match state {
        RegistrationState::Suspended => desk.run(&Suspend(key(1))),
        RegistrationState::Revoked => desk.run(&Revoke(key(1))),
        RegistrationState::Superseded => assert_eq!(desk.active(&grant(2, "ann").renews(1)), key(2)),
        _ => {}
    }
    assert_eq!(desk.state(1), Some(state));
    desk
}

pub fn each_state_allows_what_it_allows<S: Run>(make: Make<'_, S>) {
    use RegistrationState::{Active, Lost, Revoked, Superseded, Suspended};
    for from in STATES {
        let desk = |allowed: bool, to: RegistrationState, kind: &str, run: &dyn Fn(&Desk<S>)| {
            let desk = in_state(make, from);
            let kept = desk.state(1);
            let logged = if allowed { desk.logged(|| run(&desk)) } else { Vec::new() };
            if allowed {
                assert_eq!(logged, [format!("{kind} key=1 user-1 ann")], "{from:?}");
                assert_eq!(desk.state(1), if kind == "forgotten" { None } else { Some(to) }, "{from:?}");
            }
            assert!(allowed || desk.state(1) == kept);
            desk
        };
        let refused = OperatorError::OtherState;
        let can = from == Active;
        let after = desk(can, Suspended, "suspended", &|desk| desk.run(&Suspend(key(1))));
        if !can {
            after.fails(&Suspend(key(1)), refused.clone());
        }
        let can = from == Suspended;
        let after = desk(can, Active, "resumed", &|desk| desk.run(&Resume(key(1))));
        if !can {
            after.fails(&Resume(key(1)), refused.clone());
        }
        let can = matches!(from, Revoked | Superseded | Lost);
        let after = desk(can, from, "forgotten", &|desk| desk.run(&DeleteRegistration(key(1))));
        if !can {
            after.fails(&DeleteRegistration(key(1)), refused.clone());
        }
        desk(true, Revoked, "revoked", &|desk| desk.run(&Revoke(key(1))));
        let never = SetExpiry { key_id: key(1), expires: None };
        desk(true, from, "expiry set", &|desk| desk.run(&never));
        if !matches!(from, Active | Suspended) {
            in_state(make, from).fails(&Rename { key_id: key(1), name: name("zoe") }, refused);
        }
    }
}

pub fn what_is_not_there_is_not_found<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let (nobody, error): (KeyId, _) = (key(9), OperatorError::NoSuchKey);
    desk.fails(&Suspend(nobody), error.clone());
    desk.fails(&Resume(nobody), error.clone());
    desk.fails(&Revoke(nobody), error.clone());
    desk.fails(&DeleteRegistration(nobody), error.clone());
    desk.fails(&SetExpiry { key_id: nobody, expires: None }, error.clone());
    desk.fails(&Rename { key_id: nobody, name: name("ann") }, error);
    desk.fails(&ReleaseName { name: name("ann"), held_by: user(9) }, OperatorError::NameFree);
    let answer = RequestAnswer::Approved;
    desk.fails(&DecideRequest { ticket_id: ticket(9), answer }, OperatorError::NoSuchTicket);
    assert_eq!(desk.run(&InspectRegistration(nobody)), None);
}

pub fn an_end_is_for_good<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.pending(&grant(1, "ann"));
    desk.run(&Revoke(key(1)));
    assert_eq!(desk.confirm(1), Confirmed::Lost, "a pending one cannot be confirmed any more");
    assert_eq!(desk.state(1), Some(RegistrationState::Revoked));
    assert!(!desk.is_taken("ann"), "it never had the name");

    desk.active(&grant(2, "ben"));
    desk.pending(&grant(3, "ben").renews(2));
    desk.run(&Revoke(key(2)));
    assert_eq!(desk.confirm(3), Confirmed::Lost, "nor renewed");
    assert!(desk.is_taken("ben"));
    desk.pass(40 * 86_400);
    desk.run(&Purge { limit: 100 });
    assert_eq!(desk.state(2), Some(RegistrationState::Revoked), "it is not forgotten as a lost one is");
    desk.pending(&grant(4, "ben"));
    assert_eq!(desk.confirm(4), Confirmed::Lost);
    desk.run(&Revoke(key(4)));
    desk.pass(40 * 86_400);
    desk.run(&Purge { limit: 100 });
    assert_eq!(desk.state(4), Some(RegistrationState::Revoked), "even if it was lost before");
}

pub fn a_session_is_told_how_it_stands<S: Run>(make: Make<'_, S>) {
    for (state, status, word) in [
        (RegistrationState::Suspended, Status::Suspended, "suspended"),
        (RegistrationState::Revoked, Status::Revoked, "revoked"),
        (RegistrationState::Superseded, Status::Expired, "expired"),
        (RegistrationState::Lost, Status::Lost, "lost"),
    ] {
        let desk = in_state(make, state);
        let logged = desk.logged(|| assert_eq!(desk.admit(1, 50, None), Admitted::As(status)));
        assert_eq!(logged, [format!("session refused status={word} key=1 user-1 ann")]);
        let alias = desk.port().registration(&Address::Alias(Alias::new([50; 16])), desk.now()).unwrap();
        assert!(alias.is_none(), "no alias is issued");
    }
    let desk = in_state(make, RegistrationState::Suspended);
    desk.run(&Resume(key(1)));
    desk.pass(7);
    assert_eq!(desk.logged(|| desk.admit(1, 50, None)), [""; 0]);
    assert_eq!(desk.run(&InspectRegistration(key(1))).unwrap().last_seen, Some(desk.now()));
    assert_eq!(desk.admit(9, 51, None), Admitted::As(Status::Revoked), "a stranger");
}

pub fn an_expiry_is_set<S: Run>(make: Make<'_, S>) {
    let desk = in_state(make, RegistrationState::Active);
    let expires = desk.now().after(10);
    let set = |expires: Option<UnixTime>| desk.run(&SetExpiry { key_id: key(1), expires });
    set(Some(expires));
    assert_eq!(desk.run(&InspectRegistration(key(1))).unwrap().expires, Some(expires));
    desk.pass(9);
    assert_eq!(desk.admit(1, 50, None), Admitted::As(Status::Active));
    desk.pass(1);
    assert_eq!(desk.admit(1, 51, None), Admitted::As(Status::Expired));
    assert_eq!(desk.state(1), Some(RegistrationState::Active), "it is read off the time");
    // Whether it may still be renewed is for the steps to judge.
    let earlier = desk.applicant("ann", Some(ProofId::Renewal(key(1)))).earlier.unwrap();
    assert_eq!(earlier.expires, Some(expires));
    set(Some(desk.now().after(1)));
    assert_eq!(desk.admit(1, 52, None), Admitted::As(Status::Active));
    desk.pass(1);
    set(None);
    desk.pass(1_000_000);
    assert_eq!(desk.admit(1, 53, None), Admitted::As(Status::Active));
    set(Some(UnixTime::from_secs(1)));
    desk.active(&grant(3, "ann").renews(1));
    assert_eq!(desk.admit(3, 54, None), Admitted::As(Status::Active), "its own time counts");
}

pub fn a_name_is_freed<S: Run>(make: Make<'_, S>) {
    let desk = in_state(make, RegistrationState::Active);
    assert!(desk.is_taken("ann"));
    let free = ReleaseName { name: name("ann"), held_by: user(1) };
    // One who frees it twice does not take it from whoever came next.
    desk.fails(&ReleaseName { held_by: user(2), ..free.clone() }, OperatorError::NameFree);
    assert_eq!(desk.logged(|| desk.run(&free)), ["name freed user-1 ann"]);
    assert!(!desk.is_taken("ann"));
    desk.fails(&free, OperatorError::NameFree);
    assert_eq!(desk.state(1), Some(RegistrationState::Active), "whoever held it keeps the registration");
    desk.active(&grant(2, "ann"));
    assert!(desk.is_taken("ann"));
    desk.pending(&grant(3, "ann").renews(1));
    assert_eq!(desk.confirm(3), Confirmed::Lost, "the name is another's now");
    assert_eq!(desk.state(1), Some(RegistrationState::Active));
    // A name outlives its registration.
    desk.run(&Revoke(key(2)));
    desk.run(&DeleteRegistration(key(2)));
    assert!(desk.is_taken("ann"));
}

pub fn a_forgotten_one_is_a_stranger<S: Run>(make: Make<'_, S>) {
    let desk = in_state(make, RegistrationState::Active);
    desk.admit(1, 50, None);
    let serial = desk.entitle(&staff(), "one");
    desk.report(1, serial, ReportResult::Applied);
    desk.run(&Revoke(key(1)));
    desk.run(&DeleteRegistration(key(1)));
    assert_eq!(desk.run(&ListReports::default()).entries, []);
    for address in
        [Address::Key(key(1)), Address::Alias(Alias::new([1; 16])), Address::Alias(Alias::new([50; 16]))]
    {
        assert!(desk.port().registration(&address, desk.now()).unwrap().is_none());
    }
    assert!(desk.port().expected(&key(1), desk.now()).unwrap().is_none());
    assert_eq!(desk.confirm(1), Confirmed::Lost);
    assert_eq!(desk.run(&InspectRegistration(key(1))), None);
    assert_eq!(desk.admit(1, 51, None), Admitted::As(Status::Revoked));
    desk.fails(&DeleteRegistration(key(1)), OperatorError::NoSuchKey);
    assert!(desk.is_taken("ann"));
    // Nothing is left of it that would be in the way of another.
    desk.active(&grant(1, "zoe"));
    assert_eq!(desk.admit(1, 50, None), Admitted::As(Status::Active));
}

/// Grants for one application that waited, as when its token was copied: one counts, also where others may have
/// the same name, and whatever the names are.
pub fn a_ticket_is_good_once<S: Run>(make: Make<'_, S>) {
    for unique in [UniqueNames::Always, UniqueNames::Proven] {
        let desk = Desk::with(make, unique);
        desk.waits(9, "ann", None);
        desk.pending(&grant(1, "ann").ticket(9));
        desk.pending(&grant(2, "ann").ticket(9));
        desk.waits(8, "ben", None);
        desk.pending(&grant(3, "ben").ticket(8));
        desk.pending(&grant(4, "cid").ticket(9));
        let logged = desk.logged(|| assert_eq!(desk.confirm(2), Confirmed::Active));
        let lost = ["lost key=1 user-1 ann", "lost key=4 user-4 cid"];
        assert_eq!(logged, [&["confirmed key=2 user-2 ann"], &lost[..]].concat(), "{unique:?}");
        assert_eq!([desk.confirm(1), desk.confirm(4)], [Confirmed::Lost, Confirmed::Lost]);
        assert!(!desk.waiting(9) && desk.waiting(8));
        assert_eq!(desk.confirm(3), Confirmed::Active, "another's ticket is untouched");
    }
}

/// What came with the same ticket is lost, under whatever name, and nothing else: no code of another is used up.
pub fn a_ticket_takes_nothing_from_others<S: Run>(make: Make<'_, S>) {
    let desk = Desk::with(make, UniqueNames::Proven);
    desk.waits(8, "ann", None);
    desk.waits(9, "ann", None);
    let code = desk.issue("ann", None);
    for (n, text, ticket) in [(1, "ann", 8), (2, "ben", 8), (3, "cat", 9)] {
        desk.pending(&grant(n, text).ticket(ticket));
    }
    assert_eq!(desk.confirm(1), Confirmed::Active);
    assert_eq!(desk.state(2), Some(RegistrationState::Lost), "the same ticket");
    assert_eq!(desk.state(3), Some(RegistrationState::Pending), "another's ticket");
    assert!(!desk.waiting(8) && desk.waiting(9));
    let known = desk.applicant("ann", Some(ProofId::Activation)).activation;
    assert_eq!(known.map(|known| known.id), Some(code), "the code is another's");
}
