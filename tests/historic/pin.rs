//! The PIN around the stored key.

use crate::letter::*;
use halfkey::historic::{Combiner, Des, Error};

#[test]
fn a_pin_guards_the_key() {
    let random = &mut fixed(40);
    let (mut token, row) =
        register::<Des, Des>(&world().gate, "gate.example", "alice", Combiner::Xor, random);
    assert_eq!(token.unlock("0000").unwrap_err(), Error::WrongPin { tries_left: 2 });
    assert_eq!(token.unlock("0001").unwrap_err(), Error::WrongPin { tries_left: 1 });
    assert_eq!(token.unlock(PIN).unwrap().expose(), row.key.expose());
    assert_eq!(token.unlock("0002").unwrap_err(), Error::WrongPin { tries_left: 2 }, "the count starts anew");
}

#[test]
fn three_wrong_pins_in_a_row_block_the_token() {
    let random = &mut fixed(41);
    let (mut token, _) = register::<Des, Des>(&world().gate, "gate.example", "alice", Combiner::Xor, random);
    for _ in 0..2 {
        assert!(matches!(token.unlock("0000"), Err(Error::WrongPin { .. })));
    }
    assert_eq!(token.unlock("0000").unwrap_err(), Error::Blocked);
    assert_eq!(token.unlock(PIN).unwrap_err(), Error::Blocked);
}

#[test]
fn a_pin_has_4_to_64_bytes() {
    let random = &mut fixed(42);
    for pin in ["123", &"1".repeat(65)] {
        let application = apply::<Des>(&world().gate, "gate.example", "alice", random);
        let need = world().gate.receive_application::<Des>(&application.send, random).unwrap();
        let grant = need.supply::<Des>(&path("/a"), Combiner::Xor, random).unwrap();
        let refused = application.next.receive_grant::<Des>(&grant.send, Combiner::Xor, pin).unwrap_err();
        assert_eq!(refused, Error::UnfitPin);
    }
}

#[test]
fn nothing_that_holds_a_key_prints_it() {
    let random = &mut fixed(43);
    let (token, row) = register::<Des, Des>(&world().gate, "gate.example", "alice", Combiner::Xor, random);
    assert_eq!(format!("{token:?}"), "Token(2bd806c97f0e00af at gate.example)");
    assert_eq!(format!("{row:?} {:?}", row.key), "Registered(alice, 2bd806c97f0e00af) Key(..)");
}
