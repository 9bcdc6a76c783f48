//! Aliases of a key: how many there may be, and which one goes.

use super::desk::{Desk, grant, key};
use super::{Make, Run};
use halfkey::Alias;
use halfkey::message::Address;
use halfkey::port::StoreError;
use halfkey::port::entitlement_store::{Admission, Admitted, Status};

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
