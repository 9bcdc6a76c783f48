//! An attacker records everything, and steals the server's private key P_r years later.

use super::key_in_grant;
use crate::common::{Counting, kem_key, token};
use crate::letter::{self, by_earlier, fixed, path};
use crate::real::{self, Real};
use halfkey::Secret;
use halfkey::historic::configuration;
use halfkey::historic::session::{Challenge, earlier};
use halfkey::historic::{Combiner, Des, Key};
use halfkey::port::auth_server::Decapsulated;
use halfkey::port::question::KeysQuestion;

#[test]
fn a_stolen_private_key_opens_every_recorded_registration_and_session() {
    let (gate, random) = (&letter::world().gate, &mut fixed(310));
    let application = letter::apply::<Des>(gate, "gate.example", "alice", random).send;
    let need = gate.receive_application::<Des>(&application, random).unwrap();
    let grant = need.supply::<Des>(&path("/"), Combiner::Xor, random).unwrap();
    // Even in the best of the three readings.
    let (wire, client, _) = by_earlier(&grant.next.key, random);
    let secret = configuration::request(&client, "my PIN is 1234", random);

    // Years later: application, grant and session from the recording, P_r from the server.
    let ssk1 = gate.receive_application::<Des>(&application, random).unwrap().ssk1().clone();
    let shared = key_in_grant(&ssk1, &grant.send);
    let both = super::xor(&wire.response.encrypted, &wire.response.n2);
    let ses = earlier::respond(&shared, &Challenge { n1: both }, random).unwrap().send.encrypted;
    let stolen = Key::<Des>::new(&ses).unwrap();
    assert_eq!(configuration::receive_request(&stolen, &secret).unwrap().wanted(), "my PIN is 1234");
}

#[test]
fn a_stolen_private_key_opens_no_real_registration_of_the_past() {
    let real = Real::new();
    let (world, now) = (&real.world, real.world.now());
    let (mut bob, mut random) = (token(real.issuer.anchors(), 9), Counting::new(113));
    let r2 = real::apply(world, &mut bob, &mut random, "bob").send;

    // P_r does give SSK1: RSA authenticates the server here, it keeps nothing secret.
    let need = real::requested(world, r2.as_bytes()).unwrap();
    let ct = need.wanted().ct.to_vec();
    let ssk1 = kem_key(0).decapsulate(&ct, &Secret::absent(), &mut random);
    let right = need.wanted().ask(&world.server, now).unwrap();
    assert_eq!(ssk1.expose(), right.ssk1.expose());
    // The form needs the ephemeral secret as well, which nobody has any more.
    let stolen = Decapsulated { ssk1, ss_e: Secret::absent() };
    let need = need.supply(Ok(stolen), &world.settings).unwrap();
    assert_ne!(need.wanted().applicant.name.as_str(), "bob");
    // With both it opens, as it did for the server at the time.
    let need = real::requested(world, r2.as_bytes()).unwrap().supply(Ok(right), &world.settings).unwrap();
    assert_eq!(need.wanted().applicant.name.as_str(), "bob");
}
