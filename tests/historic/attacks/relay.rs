//! A certified server relays a registration to another one: both believe that they registered with
//! each other, and the one between them has the key.

use super::{first_draw, key_in_grant};
use crate::common::{Counting, token};
use crate::letter::{self, PIN, apply, fixed, path};
use crate::real::{self, Real};
use crate::supply::*;
use halfkey::historic::registration::token::AwaitOffer;
use halfkey::historic::registration::{Application, Call};
use halfkey::historic::{Combiner, Des, Key, Step};
use halfkey::port::AuthServer;
use halfkey::registration::token::{ServerDecision, hello};
use halfkey::registration::{OfferFault, ServerRegistrationError, TokenRegistrationError};
use halfkey::schedule::{Ssk1Use, derive_from_ssk1};
use halfkey::suite::{SUITES, XWING};

/// `{name, SSK1}` once more, under the P_u of another server: here by applying with a random source
/// that gives SSK1 first.
fn encrypt_again(user: &str, ssk1: &Key<Des>, random: &mut Counting) -> Application {
    let call: Step<Call, AwaitOffer> = letter::world().blank.call(&letter::name("gate.example"));
    let offer = letter::world().gate.receive_call(&call.send);
    let need = call.next.receive_offer(&offer, letter::NOW).unwrap();
    let mut source = first_draw(ssk1.expose(), random);
    need.supply::<Des>(&letter::form(user), &mut source).unwrap().send
}

#[test]
fn a_certified_server_relays_a_registration_and_keeps_the_key() {
    let (world, random) = (letter::world(), &mut fixed(270));
    // Alice chooses the shop.
    let alice = apply::<Des>(&world.shop, "shop.example", "alice", random);
    let need = world.shop.receive_application::<Des>(&alice.send, random).unwrap();
    let ssk1 = need.ssk1().clone();
    // The shop applies at the gate with her name and her half.
    let relayed = encrypt_again("alice", &ssk1, random);
    let need = world.gate.receive_application::<Des>(&relayed, random).unwrap();
    let Step { send: grant, next: row } =
        need.supply::<Des>(&path("/customers/alice"), Combiner::Xor, random).unwrap();
    // The gate's answer passes unchanged; the shop opens it as well.
    let mut alice = alice.next.receive_grant::<Des>(&grant, Combiner::Xor, PIN).unwrap();
    assert_eq!(alice.unlock(PIN).unwrap().expose(), row.key.expose(), "alice and the gate share a key");
    assert_eq!(alice.server().as_str(), "shop.example", "and she thinks that it is the shop's");
    assert_eq!(key_in_grant(&ssk1, &grant).expose(), row.key.expose(), "which the shop has");
}

#[test]
fn no_real_registration_is_relayed() {
    let mut real = Real::new();
    let shop = real.shop();
    let (gate, now) = (&real.world, real.world.now());
    let (mut bob, mut random) = (token(real.issuer.anchors(), 9), Counting::new(111));

    // Bob chooses the shop. His R2 as it is: the gate never made that offer.
    let r2 = real::apply(&shop, &mut bob, &mut random, "bob");
    let unchanged = real::requested(gate, r2.send.as_bytes());
    assert_eq!(unchanged.map(drop).unwrap_err(), ServerRegistrationError::NoSuchOffer(OfferFault::Cookie));

    // His name and his half in an application of the shop's own, in a run with his number.
    let opened = real::requested(&shop, r2.send.as_bytes()).unwrap();
    let ssk1 = shop.server.decapsulate(opened.wanted(), now).unwrap().ssk1;
    let txn = *r2.next.txn();
    let gates_name = gate.settings.name.clone();
    let r0 = hello(gates_name, SUITES, &mut first_draw(txn.as_bytes(), &mut random)).unwrap();
    let need = real::fill(gate, &real.issuer.anchors(), r0, "bob", &mut random);
    assert_eq!(need.wanted().txn, txn);
    let ct = need.wanted().server_key.encapsulate(&ssk1, &mut random).unwrap();
    let need = need.supply(&ct, &mut random).unwrap();
    let p_b = derive_from_ssk1(&XWING, &ssk1, Ssk1Use::Request, &need.wanted().transcript);
    let shops = need.supply(&p_b, None, now).unwrap().supply();
    let need = real::requested(gate, shops.send.as_bytes()).unwrap();
    let need = need.supply_from(&gate.server, &gate.settings, now).unwrap();
    let r3 = real::grant(gate, need, &mut random);

    // The gate grants it; passed on to Bob it does not open, although SSK1 and the number are his.
    let need = r2.next.receive_outcome(&r3).unwrap();
    assert_eq!(need.supply_from(&mut bob, now).unwrap_err().error, TokenRegistrationError::Sealed);
    assert!(real::held(&bob).is_empty());
    // The shop's own run opens it: the answer was good, for that run alone.
    let need = shops.next.receive_outcome(&r3).unwrap();
    let p_g = derive_from_ssk1(&XWING, &ssk1, Ssk1Use::Outcome, &need.wanted().transcript);
    assert!(matches!(need.supply(&p_g, now), Ok(ServerDecision::Granted(_))));
}
