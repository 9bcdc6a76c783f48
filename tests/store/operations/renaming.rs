//! Renaming.

use super::desk::{Desk, grant, key, name, user};
use super::{Make, Run};
use halfkey::message::Address;
use halfkey::port::entitlement_store::Confirmed;
use halfkey::record::Takes;
use halfkey::store::operation::{InspectRegistration, ReleaseName, Rename, Suspend};
use halfkey::store::{OperatorError, RegistrationState, UniqueNames};

fn rename<S: Run>(desk: &Desk<S>, n: u8, to: &str) {
    desk.run(&Rename { key_id: key(n), name: name(to) });
}

pub fn a_name_is_changed<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    assert_eq!(desk.logged(|| rename(&desk, 1, "zoe")), ["renamed key=1 user-1 zoe"]);
    assert!(!desk.is_taken("ann") && desk.is_taken("zoe"));
    assert_eq!(desk.run(&InspectRegistration(key(1))).unwrap().name, name("zoe"));
    let row = desk.port().registration(&Address::Key(key(1)), desk.now()).unwrap().unwrap();
    assert_eq!((row.name, row.user_id.as_str()), (name("zoe"), "user-1"));
    assert_eq!(desk.logged(|| rename(&desk, 1, "zoe")), [""; 0], "it has that name");
    desk.active(&grant(2, "ann"));
    desk.active(&grant(3, "zoe").renews(1));
    desk.run(&Suspend(key(3)));
    rename(&desk, 3, "eva");
    assert_eq!(desk.state(3), Some(RegistrationState::Suspended));
    assert!(desk.is_taken("ann") && desk.is_taken("eva") && !desk.is_taken("zoe"));
}

pub fn a_new_name_must_be_free<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    desk.active(&grant(2, "ben"));
    desk.issue("zoe", Some(desk.now().after(10)));
    let to = |text| Rename { key_id: key(1), name: name(text) };
    desk.fails(&to("ben"), OperatorError::NameTaken);
    desk.fails(&to("zoe"), OperatorError::NameTaken);
    // What is pending takes no name, and loses it to whoever is first.
    desk.pending(&grant(3, "eva"));
    desk.run(&to("eva"));
    assert_eq!(desk.confirm(3), Confirmed::Lost);
    desk.pass(11);
    desk.run(&to("zoe"));
    assert!(desk.is_taken("zoe") && !desk.is_taken("eva"));
}

pub fn renewals_of_the_old_name_are_gone<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    desk.active(&grant(9, "ben"));
    desk.pending(&grant(2, "ann").renews(1));
    desk.pending(&grant(3, "ben").renews(9));
    desk.waits(4, "ann", Some(Takes::Place(key(1))));
    desk.waits(5, "ann", None);
    desk.waits(6, "ben", Some(Takes::Place(key(9))));
    let logged = desk.logged(|| rename(&desk, 1, "zoe"));
    assert_eq!(logged, ["lost key=2 user-1 ann", "renamed key=1 user-1 zoe"]);
    assert!(!desk.waiting(4) && desk.waiting(5) && desk.waiting(6), "only the renewal is dismissed");
    assert_eq!(desk.confirm(2), Confirmed::Lost);
    assert_eq!(desk.confirm(3), Confirmed::Active);
    assert_eq!(desk.state(1), Some(RegistrationState::Active));
}

/// It was judged before the renaming, and stored after it.
pub fn a_renewal_that_comes_late_is_lost<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    rename(&desk, 1, "zoe");
    desk.pending(&grant(2, "ann").renews(1));
    assert_eq!(desk.confirm(2), Confirmed::Lost);
    assert!(!desk.is_taken("ann") && desk.state(1) == Some(RegistrationState::Active));
    desk.active(&grant(3, "zoe").renews(1));
    assert_eq!(desk.state(1), Some(RegistrationState::Superseded));
}

pub fn a_freed_name_is_not_held_but_the_new_one_is<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    desk.run(&ReleaseName { name: name("ann"), held_by: user(1) });
    desk.active(&grant(2, "ann"));
    rename(&desk, 1, "zoe");
    assert!(desk.is_taken("ann") && desk.is_taken("zoe"), "another's name is not freed");
    desk.pending(&grant(3, "zoe"));
    assert_eq!(desk.confirm(3), Confirmed::Lost);
}

pub fn where_names_repeat_only_what_was_held_is_taken<S: Run>(make: Make<'_, S>) {
    let desk = Desk::with(make, UniqueNames::Proven);
    desk.active(&grant(1, "ann"));
    desk.active(&grant(2, "ann"));
    rename(&desk, 1, "zoe");
    assert!(!desk.is_taken("zoe"), "an open registration holds no name");
    let code = desk.issue("eva", None);
    desk.active(&grant(3, "eva").by(code));
    desk.fails(&Rename { key_id: key(2), name: name("eva") }, OperatorError::NameTaken);
    rename(&desk, 3, "ida");
    assert!(desk.is_taken("ida") && !desk.is_taken("eva"));
}
