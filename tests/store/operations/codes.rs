//! Activation codes.

use super::desk::{Desk, PENDING, every, grant, name, secret, ticket, user};
use super::{Make, Run};
use halfkey::port::entitlement_store::Confirmed;
use halfkey::record::{ProofId, Takes};
use halfkey::store::operation::{
    CheckCode, CodeEntry, IssueCode, ListCodes, Purge, Readmit, SetCodeExpiry, WithdrawCode,
};
use halfkey::store::{OperatorError, RegistrationState};
use halfkey::{Secret, UnixTime};

fn codes<S: Run>(desk: &Desk<S>) -> Vec<CodeEntry> {
    every(|after| desk.run(&ListCodes { after, ..ListCodes::default() }))
}

fn expire<S: Run>(desk: &Desk<S>, text: &str, expires: Option<UnixTime>) {
    desk.run(&SetCodeExpiry { name: name(text), expires });
}

pub fn a_code_is_issued<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let expires = Some(desk.now().after(50));
    let logged = desk.logged(|| desk.issue("ann", expires));
    assert_eq!(logged, ["code issued ann"]);
    let listed = codes(&desk);
    let [entry] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((entry.name.as_str(), entry.issued_at, entry.expires), ("ann", desk.now(), expires));

    let known = desk.applicant("ann", Some(ProofId::Activation)).activation.unwrap();
    assert_eq!((known.id, known.secret.expose()), (entry.id, secret().expose()));
    assert!(desk.applicant("ben", Some(ProofId::Activation)).activation.is_none());
    assert!(desk.is_taken("ann") && !desk.is_taken("ben"), "the name is kept for who has the code");

    desk.active(&grant(1, "cat"));
    let again = IssueCode { name: name("cat"), secret: secret(), expires: None };
    desk.fails(&again, OperatorError::NameTaken);
}

pub fn a_code_is_replaced<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let first = desk.issue("ann", None);
    desk.pending(&grant(1, "ann").by(first));
    desk.waits(2, "ann", Some(Takes::Code(first)));
    // This one is judged, and then the code is replaced.
    let judged = desk.applicant("ann", Some(ProofId::Activation)).activation.unwrap().id;
    let mut second = first;
    assert_eq!(desk.logged(|| second = desk.issue("ann", None)), ["code issued ann"]);
    assert_ne!(first, second);
    assert_eq!(codes(&desk).iter().map(|code| code.id).collect::<Vec<_>>(), [second]);
    desk.pending(&grant(3, "ann").by(judged));

    assert!(!desk.waiting(2), "what waited with the earlier code is gone");
    assert_eq!((desk.confirm(1), desk.confirm(3)), (Confirmed::Lost, Confirmed::Lost));
    desk.active(&grant(4, "ann").by(second));
    assert_eq!(codes(&desk), []);
}

pub fn a_code_is_the_one_that_is_issued<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let is = |text, secret| desk.run(&CheckCode { name: name(text), secret });
    let other = || {
        let mut other = *secret().expose();
        other[31] ^= 1;
        Secret::new(other)
    };
    assert!(!is("ann", secret()), "there is none");
    let code = desk.issue("ann", Some(desk.now().after(10)));
    assert!(is("ann", secret()) && !is("ann", other()) && !is("ben", secret()));
    desk.pass(11);
    assert!(is("ann", secret()), "its time is over");
    desk.run(&IssueCode { name: name("ann"), secret: other(), expires: None });
    assert!(is("ann", other()) && !is("ann", secret()), "another one is");
    desk.run(&WithdrawCode(name("ann")));
    assert!(!is("ann", other()));
    assert_ne!(desk.issue("ann", None), code);
    assert!(desk.logged(|| is("ann", secret())).is_empty());
    desk.active(&grant(1, "ann").by(codes(&desk)[0].id));
    assert!(!is("ann", secret()), "it was used");
}

pub fn a_code_is_withdrawn<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let code = desk.issue("ann", None);
    desk.pending(&grant(1, "ann").by(code));
    desk.waits(2, "ann", Some(Takes::Code(code)));
    desk.waits(3, "ann", None);
    let withdraw = WithdrawCode(name("ann"));
    assert_eq!(desk.logged(|| desk.run(&withdraw)), ["code withdrawn ann"]);
    assert!(codes(&desk).is_empty() && !desk.is_taken("ann"));
    assert!(!desk.waiting(2) && desk.waiting(3), "only what waited with the code is gone");
    assert!(desk.applicant("ann", Some(ProofId::Activation)).activation.is_none());
    assert_eq!(desk.confirm(1), Confirmed::Lost);
    desk.fails(&withdraw, OperatorError::NoSuchCode);
    desk.fails(&SetCodeExpiry { name: name("ann"), expires: None }, OperatorError::NoSuchCode);
    desk.active(&grant(4, "ann"));
}

pub fn a_code_expires<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let code = desk.issue("ann", Some(desk.now().after(10)));
    let proves = || desk.applicant("ann", Some(ProofId::Activation)).activation.is_some();
    desk.pass(10);
    assert!(proves() && desk.is_taken("ann"), "to the last second");
    desk.pass(1);
    assert!(!proves() && !desk.is_taken("ann"));
    assert_eq!(codes(&desk).len(), 1, "it can still be prolonged");
    let later = Some(desk.now().after(5));
    assert_eq!(desk.logged(|| expire(&desk, "ann", later)), ["code expiry set ann"]);
    assert!(proves() && codes(&desk)[0].expires == later && codes(&desk)[0].id == code);
    desk.pass(6);
    assert!(!proves());
    expire(&desk, "ann", None);
    desk.pass(1_000_000);
    assert!(proves() && codes(&desk)[0].expires.is_none());
    expire(&desk, "ann", Some(UnixTime::from_secs(0)));
    assert!(!proves());
}

pub fn what_was_proven_in_time_may_be_confirmed_later<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let code = desk.issue("ann", Some(desk.now().after(10)));
    desk.pending(&grant(1, "ann").by(code));
    desk.pass(PENDING);
    desk.run(&Purge { limit: 100 });
    assert_eq!(codes(&desk).len(), 1, "it is not purged before those that it proves");
    assert_eq!(desk.logged(|| desk.confirm(1)), ["confirmed key=1 user-1 ann"]);
    assert_eq!(desk.state(1), Some(RegistrationState::Active));
    assert_eq!(codes(&desk), []);
}

/// The same for one that waits for the operator, who takes longer than the code lasts.
pub fn a_code_that_waits_is_kept<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let code = desk.issue("ann", Some(desk.now().after(10)));
    desk.waits(1, "ann", Some(Takes::Code(code)));
    desk.pass(11);
    desk.run(&Purge { limit: 100 });
    let known = desk.applicant("ann", Some(ProofId::Ticket(ticket(1)))).waiting;
    assert_eq!(known.unwrap().takes, Some(Takes::Code(code)));
    desk.active(&grant(2, "ann").by(code).ticket(1));
    assert!(codes(&desk).is_empty() && !desk.waiting(1));
}

pub fn a_code_is_used_once<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let code = desk.issue("ann", None);
    desk.pending(&grant(1, "ann").by(code));
    desk.pending(&grant(2, "ann").by(code));
    let logged = desk.logged(|| assert_eq!(desk.confirm(2), Confirmed::Active));
    assert_eq!(logged, ["confirmed key=2 user-2 ann", "lost key=1 user-1 ann"]);
    assert_eq!(desk.confirm(1), Confirmed::Lost);
    assert!(desk.applicant("ann", Some(ProofId::Activation)).activation.is_none());
    // Not even by one that was judged while it could be used, when the name is free again.
    desk.run(&halfkey::store::operation::ReleaseName { name: name("ann"), held_by: user(2) });
    desk.pending(&grant(3, "ann").by(code));
    assert_eq!(desk.confirm(3), Confirmed::Lost);
}

/// A live code lets nobody in under another name, and is still there for its own.
pub fn a_code_is_for_its_name_alone<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let (anns, bens) = (desk.issue("ann", None), desk.issue("ben", None));
    for (n, text) in [(1, "ben"), (2, "zoe")] {
        desk.pending(&grant(n, text).by(anns));
        assert_eq!(desk.confirm(n), Confirmed::Lost, "{text}");
    }
    for (n, text, code) in [(3, "ann", anns), (4, "ben", bens)] {
        assert!(desk.applicant(text, Some(ProofId::Activation)).activation.is_some());
        desk.active(&grant(n, text).by(code));
    }
}

pub fn a_user_is_readmitted<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    let readmit = |text: &str| desk.run(&Readmit { name: name(text), secret: secret(), expires: None });
    let mut code = None;
    let logged = desk.logged(|| code = Some(readmit("ann")));
    assert_eq!(logged, ["revoked key=1 user-1 ann", "name freed user-1 ann", "code issued ann"]);
    assert_eq!(desk.state(1), Some(RegistrationState::Revoked));
    // Strangers do not get in between, and again means another code.
    desk.pending(&grant(2, "ann"));
    assert_eq!(desk.confirm(2), Confirmed::Lost);
    let again = readmit("ann");
    desk.pending(&grant(3, "ann").by(code.unwrap()));
    assert_eq!(desk.confirm(3), Confirmed::Lost);
    desk.active(&grant(4, "ann").by(again));
    assert!(codes(&desk).is_empty());
    // A name that nobody holds.
    let code = readmit("ben");
    desk.active(&grant(5, "ben").by(code));
}

pub fn an_expired_code_keeps_no_name<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let code = desk.issue("ann", Some(desk.now().after(10)));
    desk.pending(&grant(1, "ann").by(code));
    desk.pending(&grant(2, "ann"));
    desk.pass(10);
    desk.pending(&grant(3, "ann"));
    assert_eq!(desk.confirm(3), Confirmed::Lost, "the code keeps the name while it lasts");
    desk.pass(1);
    assert_eq!(desk.confirm(2), Confirmed::Active);
    assert_eq!(desk.state(1), Some(RegistrationState::Lost));
    assert_eq!(desk.confirm(1), Confirmed::Lost);
}
