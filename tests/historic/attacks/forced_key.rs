//! A certified server that means ill chooses the key that the token ends up with, and makes it one
//! that it shares with another party.

use super::{first_draw, xor};
use crate::common::{Counting, World, token};
use crate::letter::{self, PIN, apply, by_claims, fixed, path, register};
use crate::real::{self, Real};
use crate::supply::*;
use halfkey::Secret;
use halfkey::historic::session::claims;
use halfkey::historic::{Combiner, TdesEde2};
use halfkey::message::{Address, Open};
use halfkey::port::{AuthServer, EntitlementStore};
use halfkey::record::TokenRegistration;
use halfkey::registration::token::ServerDecision;
use halfkey::session::ServerSessionError;
use halfkey::software::SoftwareToken;
use halfkey::wire::Message;

#[test]
fn the_last_to_move_chooses_the_key_and_passes_its_victim_on() {
    let (world, random) = (letter::world(), &mut fixed(260));
    // The shop registers with the gate, as a user among others.
    let (_, mallory) =
        register::<TdesEde2, TdesEde2>(&world.gate, "gate.example", "mallory", Combiner::Xor, random);

    // Alice registers with the shop. It draws its half so that the key is the one it has already.
    let alice = apply::<TdesEde2>(&world.shop, "shop.example", "alice", random);
    let need = world.shop.receive_application::<TdesEde2>(&alice.send, random).unwrap();
    let ssk2 = xor(need.ssk1().expose(), mallory.key.expose());
    let grant = need.supply::<TdesEde2>(&path("/"), Combiner::Xor, &mut first_draw(&ssk2, random)).unwrap();
    let mut alice = alice.next.receive_grant::<TdesEde2>(&grant.send, Combiner::Xor, PIN).unwrap();
    assert_eq!(alice.unlock(PIN).unwrap().expose(), mallory.key.expose());

    // Alice calls the shop, which passes her on: the gate authenticates mallory, her token the shop.
    assert_eq!(alice.server().as_str(), "shop.example");
    let (_, at_token, at_gate) =
        by_claims(alice.unlock(PIN).unwrap(), claims::OneWay::Sha512, &mut fixed(261));
    assert_eq!(at_token.expose(), at_gate.expose());
    assert_eq!(mallory.name.as_str(), "mallory");
}

#[test]
fn no_real_server_chooses_the_key() {
    let mut real = Real::new();
    let shop = real.shop();
    // The shop registers with the gate, and knows all the keys of that.
    let mut mallory_token = token(real.issuer.anchors(), 8);
    let mallory = real::register(&real.world, &mut mallory_token, &mut Counting::new(108), "mallory");
    let target =
        real.world.store.registration(&Address::Key(mallory.key_id), real.world.now()).unwrap().unwrap().keys;

    // Alice registers with the shop, which runs the server's steps with a half of its own choice: each
    // of its keys, and each of them xor SSK1.
    for (at, wanted) in [&target.auth, &target.derive, &target.renew].into_iter().enumerate() {
        for mixed in [false, true] {
            let chosen = |ssk1: &Secret| match mixed {
                false => wanted.expose().to_vec(),
                true => xor(ssk1.expose(), wanted.expose()),
            };
            let seed = 110 + 2 * at as u8 + u8::from(mixed);
            let (mut alice, mut random) = (token(real.issuer.anchors(), 9), Counting::new(seed));
            let registration = register_with(&shop, &mut alice, &mut random, &chosen);
            let row =
                shop.store.registration(&Address::Key(registration.key_id), shop.now()).unwrap().unwrap();
            for key in [&row.keys.auth, &row.keys.derive, &row.keys.renew] {
                for target in [&target.auth, &target.derive, &target.renew] {
                    assert_ne!(key.expose(), target.expose());
                }
            }
            // She calls the shop, which passes her on as mallory: the gate does not believe it.
            let (s0, alices) = real::open(&registration);
            let (passed_on, _) = real::open(&mallory);
            assert_eq!(Open::decode(&s0).unwrap().server_name.as_str(), "shop.example");
            let (s1, gate) = real.challenge(&passed_on).unwrap();
            let need = alices.receive_challenge(&s1, &mut random).unwrap();
            let s2 = need.supply_from(&mut alice).unwrap().send;
            assert_eq!(real.accept(gate, s2.as_bytes()).unwrap_err(), ServerSessionError::WrongProof);
        }
    }
}

/// A registration with `shop`, which chooses SSK2 after it has seen SSK1.
fn register_with(
    shop: &World,
    alice: &mut SoftwareToken,
    random: &mut Counting,
    chosen: &dyn Fn(&Secret) -> Vec<u8>,
) -> TokenRegistration {
    let (settings, now) = (&shop.settings, shop.now());
    let r2 = real::apply(shop, alice, random, "alice");
    let need = real::requested(shop, r2.send.as_bytes()).unwrap();
    let secrets = shop.server.decapsulate(need.wanted(), now).unwrap();
    let ssk2 = chosen(&secrets.ssk1);
    let need = need.supply(Ok(secrets), settings).unwrap();
    let r3 = real::grant(shop, need, &mut first_draw(&ssk2, random));
    let need = r2.next.receive_outcome(&r3).unwrap();
    let ServerDecision::Granted(need) = need.supply_from(alice, now).unwrap() else { panic!("not granted") };
    assert_eq!(need.wanted().ssk2.expose().as_slice(), ssk2, "the shop did choose its half");
    let registration = need.registration().clone();
    let _ = need.supply_from(alice).unwrap();
    registration
}
