//! Aliases of a key: how many there may be, and which one goes.

use super::desk::{Desk, grant, key};
use super::{Make, Run};
use halfkey::message::Address;
use halfkey::port::StoreError;
use halfkey::port::entitlement_store::{Admission, Admitted, Status};
use halfkey::store::operation::{Resume, SetExpiry, Suspend};
use halfkey::{Alias, UnixTime};

fn active<S: Run>(make: Make<'_, S>) -> Desk<S> {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    desk
}

/// Of these aliases, those by which key 1 is found.
fn known<S: Run>(desk: &Desk<S>, aliases: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let found = |n: &u8| {
        let row = desk.port().registration(&Address::Alias(Alias::new([*n; 16])), desk.now()).unwrap();
        row.is_some_and(|row| row.key_id == key(1))
    };
    aliases.into_iter().filter(found).collect()
}

pub fn the_oldest_unused_of_one_address_goes<S: Run>(make: Make<'_, S>) {
    let desk = active(make);
    for alias in 50..=53 {
        desk.admit(1, alias, None);
        desk.admit_by(1, 1, alias + 10);
    }
    assert_eq!(known(&desk, 50..=69), [50, 51, 52, 53, 60, 61, 62, 63]);
    desk.admit(1, 54, None);
    assert_eq!(known(&desk, 50..=69), [51, 52, 53, 54, 60, 61, 62, 63], "another address has its own four");
    // One that was used makes room for none: it counts no more.
    desk.admit_by(1, 51, 70);
    desk.admit(1, 55, None);
    assert_eq!(known(&desk, 50..=79), [51, 52, 53, 54, 55, 60, 61, 62, 63, 70]);
    desk.admit(1, 56, None);
    assert_eq!(known(&desk, 50..=79), [51, 53, 54, 55, 56, 60, 61, 62, 63, 70], "the oldest unused one");
    assert_eq!(known(&desk, [1]), [1], "the first is nobody's to drop");
}

/// A token that opens session after session by the newest alias and never sends a record.
pub fn a_key_has_32_aliases_at_most<S: Run>(make: Make<'_, S>) {
    let desk = active(make);
    let mut last = 1;
    for next in 100..=130 {
        assert_eq!(desk.admit_by(1, last, next), Admitted::As(Status::Active));
        last = next;
    }
    assert_eq!(known(&desk, 1..=250).len(), 32);
    desk.admit_by(1, 130, 131);
    assert_eq!(known(&desk, 1..=250), (100..=131).collect::<Vec<_>>(), "the oldest goes");
    desk.admit_by(1, 131, 132);
    assert_eq!(known(&desk, 1..=250), (101..=132).collect::<Vec<_>>());
    // The one by which a session is opened stays.
    desk.admit_by(1, 101, 133);
    assert_eq!(known(&desk, 1..=250), [101].into_iter().chain(103..=133).collect::<Vec<_>>());
}

pub fn a_record_drops_what_is_older_and_nothing_else<S: Run>(make: Make<'_, S>) {
    let heard = |desk: &Desk<S>, address| desk.port().confirm_alias(&key(1), &address, desk.now()).unwrap();
    let alias = |n: u8| Address::Alias(Alias::new([n; 16]));
    let desk = active(make);
    desk.admit_by(1, 1, 50);
    desk.admit_by(1, 1, 51);
    desk.admit_by(1, 51, 52);
    heard(&desk, alias(99));
    assert_eq!(known(&desk, 1..=60), [1, 50, 51, 52], "of one that is not known nothing follows");
    heard(&desk, alias(51));
    assert_eq!(known(&desk, 1..=60), [51, 52]);
    // The key ID is as old as the oldest alias that it issued.
    desk.admit(1, 53, None);
    desk.admit(1, 54, None);
    heard(&desk, Address::Key(key(1)));
    assert_eq!(known(&desk, 1..=60), [53, 54]);
}

pub fn an_alias_is_of_one_key_and_one_address<S: Run>(make: Make<'_, S>) {
    let desk = active(make);
    desk.active(&grant(2, "ben"));
    desk.admit(1, 50, None);
    let admission = |n: u8, address| Admission::new(key(n), address, Alias::new([50; 16]), None);
    // The same again, after its answer was lost, changes nothing.
    assert_eq!(desk.admit(1, 50, None), Admitted::As(Status::Active));
    let before = desk.everything();
    for taken in [
        admission(2, Address::Key(key(2))),
        admission(2, Address::Alias(Alias::new([2; 16]))),
        admission(1, Address::Alias(Alias::new([1; 16]))),
    ] {
        assert_eq!(desk.port().admit(&taken, desk.now()), Err(StoreError::Damaged));
    }
    assert_eq!(desk.everything(), before);
    assert_eq!(known(&desk, [50]), [50]);
}

/// Key 1 by this alias, which is good for a minute.
fn again<S: Run>(desk: &Desk<S>, by: u8, next: u8) -> Admitted {
    let address = Address::Alias(Alias::new([by; 16]));
    let mut admission = Admission::new(key(1), address, Alias::new([next; 16]), None);
    admission.alias_age = 60;
    desk.port().admit(&admission, desk.now()).unwrap()
}

pub fn a_young_alias_opens_sessions_without_another<S: Run>(make: Make<'_, S>) {
    const SETTLED: Admitted = Admitted::Again { settled: true };
    let desk = active(make);
    // The first session is let in the ordinary way: it ends what R2 and R4 may repeat.
    assert_eq!(again(&desk, 1, 50), Admitted::As(Status::Active));
    assert_eq!(again(&desk, 50, 51), Admitted::Again { settled: false }, "it is to be confirmed once");
    desk.port().confirm_alias(&key(1), &Address::Alias(Alias::new([50; 16])), desk.now()).unwrap();
    let before = desk.everything();
    for next in 52..=99 {
        assert_eq!(again(&desk, 50, next), SETTLED);
    }
    assert_eq!(desk.everything(), before, "and then nothing is written");
    assert_eq!(known(&desk, 1..=250), [50]);
    assert_eq!(desk.logged(|| assert_eq!(again(&desk, 50, 52), SETTLED)).len(), 0, "no copy is at work");
    // By its key ID, it gets another as ever.
    assert_eq!(desk.admit(1, 100, None), Admitted::As(Status::Active));

    let (now, issued) = (desk.now(), UnixTime::from_secs(desk.now().as_secs()));
    desk.set(issued.after(59));
    assert_eq!(again(&desk, 50, 101), SETTLED);
    desk.set(issued.after(60));
    assert_eq!(again(&desk, 50, 102), Admitted::As(Status::Active), "it is too old");
    assert_eq!(again(&desk, 102, 103), Admitted::Again { settled: false });
    // A clock that was set back makes no alias younger.
    desk.set(UnixTime::from_secs(now.as_secs() - 1));
    assert_eq!(again(&desk, 102, 104), Admitted::As(Status::Active));
    assert_eq!(known(&desk, 101..=104), [102, 104]);
}

pub fn who_may_not_open_a_session_is_told_so_by_a_young_alias<S: Run>(make: Make<'_, S>) {
    let desk = active(make);
    desk.active(&grant(2, "ben"));
    again(&desk, 1, 50);
    assert_eq!(again(&desk, 50, 51), Admitted::Again { settled: false });
    desk.run(&Suspend(key(1)));
    assert_eq!(again(&desk, 50, 52), Admitted::As(Status::Suspended));
    desk.run(&Resume(key(1)));
    assert_eq!(again(&desk, 50, 53), Admitted::Again { settled: true });
    desk.run(&SetExpiry { key_id: key(1), expires: Some(desk.now()) });
    assert_eq!(again(&desk, 50, 54), Admitted::As(Status::Expired));
    // The alias of another key names that key.
    let mut other = Admission::new(key(2), Address::Alias(Alias::new([50; 16])), Alias::new([60; 16]), None);
    other.alias_age = 60;
    assert_eq!(desk.port().admit(&other, desk.now()), Ok(Admitted::As(Status::Active)));
}
