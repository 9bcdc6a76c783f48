//! Bits flipped in the server's reply: the letter encrypts it and authenticates nothing.

use crate::common::{Counting, token};
use crate::letter::{self, PIN, apply, fixed, path};
use crate::real::{self, Real};
use crate::supply::*;
use halfkey::historic::registration::Grant;
use halfkey::historic::{Combiner, Des};
use halfkey::registration::token::ServerDecision;

#[test]
fn flipped_bits_in_the_grant_raise_a_guest_to_an_administrator() {
    let (world, random) = (letter::world(), &mut fixed(280));
    let alice = apply::<Des>(&world.gate, "gate.example", "alice", random);
    let need = world.gate.receive_application::<Des>(&alice.send, random).unwrap();
    let grant = need.supply::<Des>(&path("/guest/alice"), Combiner::Xor, random).unwrap();
    // On the way: what is flipped in the initial vector is flipped in the first block. Its first byte
    // is a length, then comes the path.
    let Grant { mut encrypted } = grant.send;
    for (byte, (old, new)) in encrypted[1..].iter_mut().zip(b"/guest".iter().zip(b"/admin")) {
        *byte ^= old ^ new;
    }
    let mut token = alice.next.receive_grant::<Des>(&Grant { encrypted }, Combiner::Xor, PIN).unwrap();
    assert_eq!(token.access_path().as_str(), "/admin/alice");
    assert_eq!(grant.next.access_path.as_str(), "/guest/alice");
    // The key is the right one, so every session will work: nobody ever notices.
    assert_eq!(token.unlock(PIN).unwrap().expose(), grant.next.key.expose());
}

#[test]
fn no_bit_of_a_real_outcome_can_be_flipped() {
    let real = Real::new();
    let (world, now) = (&real.world, real.world.now());
    let (mut bob, mut random) = (token(real.issuer.anchors(), 9), Counting::new(112));
    let r2 = real::apply(world, &mut bob, &mut random, "bob");
    let need = real::requested(world, r2.send.as_bytes()).unwrap();
    let need = need.supply_from(&world.server, &world.settings, now).unwrap();
    let r3 = real::grant(world, need, &mut random);

    let mut state = r2.next;
    for at in 0..r3.len() {
        let mut flipped = r3.clone();
        flipped[at] ^= 1 << (at % 8);
        let kept = match state.receive_outcome(&flipped) {
            Err(kept) => kept,
            Ok(need) => match need.supply_from(&mut bob, now) {
                Err(kept) => kept,
                // The tag of the joined key is all that is left to be wrong.
                Ok(ServerDecision::Granted(need)) => need.supply_from(&mut bob).unwrap_err(),
                Ok(other) => panic!("byte {at}: {other:?}"),
            },
        };
        assert!(real::held(&bob).is_empty(), "byte {at}");
        state = kept.state;
    }
    // And none of it did any harm: the outcome as it was sent is taken.
    let need = state.receive_outcome(&r3).unwrap().supply_from(&mut bob, now).unwrap();
    let ServerDecision::Granted(need) = need else { panic!("not granted") };
    assert_eq!(need.registration().access_path.as_str(), "/staff");
    let _ = need.supply_from(&mut bob).unwrap();
    assert_eq!(real::held(&bob).len(), 1);
}
