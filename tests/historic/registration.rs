//! Steps 60 to 200: registration.

use crate::letter::*;
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use halfkey::certificate::{CertificateError, CertificateRequest, Revocation, verify};
use halfkey::historic::registration::authority::{assign, embed};
use halfkey::historic::registration::server::{NeedAccessPath, Server, identification_code};
use halfkey::historic::registration::token::AwaitGrant;
use halfkey::historic::registration::{Application, Grant, Offer};
use halfkey::historic::{Cipher, Combiner, Des, Error, Key, Step, TdesEde2, TdesEde3};
use halfkey::key::{KemPrivateKey, OfferKey};
use halfkey::policy::{SuiteId, SuiteList};
use halfkey::port::CertificateAuthority;
use halfkey::template::FieldError;
use halfkey::{Fault, RandomSource, UnixTime, UserName};
use std::collections::BTreeSet;

fn both_sides_agree<H: Cipher, C: Cipher>(combiner: Combiner, seed: u64) {
    let (mut token, row) =
        register::<H, C>(&world().gate, "gate.example", "alice", combiner, &mut fixed(seed));
    assert_eq!(token.unlock(PIN).unwrap().expose(), row.key.expose());
    assert_eq!(token.user_id(), &row.user_id);
    assert_eq!(token.access_path(), &row.access_path);
    assert_eq!(token.server(), &name("gate.example"));
    assert_eq!(row.name.as_str(), "alice");
}

#[test]
fn both_sides_hold_one_key_after_registration() {
    both_sides_agree::<Des, Des>(Combiner::Xor, 10);
    both_sides_agree::<TdesEde2, TdesEde2>(Combiner::Xor, 11);
    both_sides_agree::<TdesEde3, TdesEde3>(Combiner::Xor, 12);
    both_sides_agree::<Aes128, Aes128>(Combiner::Xor, 13);
    both_sides_agree::<Aes256, Aes256>(Combiner::Xor, 14);
}

#[test]
fn halves_concatenate_to_a_key_of_a_longer_cipher() {
    both_sides_agree::<Des, TdesEde2>(Combiner::Concatenation, 20);
    both_sides_agree::<Des, TdesEde3>(Combiner::Concatenation, 21);
    both_sides_agree::<TdesEde2, TdesEde3>(Combiner::Concatenation, 22);
    both_sides_agree::<Aes128, Aes192>(Combiner::Concatenation, 23);
    both_sides_agree::<Aes128, Aes256>(Combiner::Concatenation, 24);
}

#[test]
fn a_blank_token_believes_only_its_issuer() {
    // Step 60: P_i is embedded; a token of another issuer ends the call (step 90).
    let stranger = embed(&authority(99)).unwrap();
    let call = stranger.call(&name("gate.example"));
    let offer = world().gate.receive_call(&call.send);
    let refused = call.next.receive_offer(&offer, NOW).unwrap_err();
    assert!(matches!(refused, Error::Certificate(_)), "{refused}");
    assert_eq!(refused.fault(), Fault::Peer);
}

#[test]
fn a_certificate_that_does_not_verify_ends_the_call() {
    let call = |server, now| {
        let call = world().blank.call(&name(server));
        let offer = world().gate.receive_call(&call.send);
        call.next.receive_offer(&offer, now)
    };
    assert!(call("gate.example", NOW).is_ok());
    assert_eq!(call("shop.example", NOW).unwrap_err(), Error::Certificate(CertificateError::WrongName));
    let late = UnixTime::from_secs(880_000_001);
    let refused = call("gate.example", late).unwrap_err();
    assert!(matches!(refused, Error::Certificate(CertificateError::Expired { .. })), "{refused}");
}

#[test]
fn certificates_of_the_letter_and_of_the_real_protocol_do_not_mix() {
    // One authority certifies both kinds; neither kind of token takes the other's.
    let (mut issuer, random) = (authority(7), &mut fixed(8));
    let anchors = issuer.trust_anchor().unwrap().into();
    let (server, key) = (name("gate.example"), OfferKey::generate(random));
    let kem_key = KemPrivateKey::generate(2048, random).unwrap();
    let request = CertificateRequest::sign(&server, kem_key.public(), &SuiteList::all(), &key).unwrap();
    let chain = issuer.issue(&request, validity(), random).unwrap();
    let call = embed(&issuer).unwrap().call(&server);
    let offer = Offer { chain, template: template() };
    assert_eq!(call.next.receive_offer(&offer, NOW).unwrap_err(), Error::NotHistoric);

    let keys = assign(&mut issuer, &server, 2048, validity(), random).unwrap();
    let call = embed(&issuer).unwrap().call(&server);
    let offer = Server::new(keys, template()).receive_call(&call.send);
    let verified = verify(&offer.chain.as_der(), &anchors, &server, NOW, &Revocation::Ignore).unwrap();
    assert!(SuiteId::ALL.into_iter().all(|suite| !verified.accepts(suite.code())));
}

#[test]
fn a_server_is_assigned_a_key_and_a_signed_certificate() {
    let mut issuer = authority(5);
    let random = &mut fixed(6);
    let keys = assign(&mut issuer, &name("new.example"), 2048, validity(), random).unwrap();
    assert_eq!(format!("{keys:?}"), "AssignedKeys(new.example)");
    let server = Server::new(keys, template());
    let call = embed(&issuer).unwrap().call(&name("new.example"));
    let need = call.next.receive_offer(&server.receive_call(&call.send), NOW).unwrap();
    // P_r is the half of the P_u that was certified.
    let application = need.supply::<Des>(&form("alice"), random).unwrap().send;
    let need = server.receive_application::<Des>(&application, random).unwrap();
    assert_eq!(need.wanted().as_str(), "alice");
}

#[test]
fn a_call_names_the_chosen_server() {
    let call = world().blank.call(&name("gate.example"));
    assert_eq!(call.send.server, name("gate.example"));
}

#[test]
fn the_user_gets_the_servers_template_and_fills_it_in() {
    let call = world().blank.call(&name("gate.example"));
    let need = call.next.receive_offer(&world().gate.receive_call(&call.send), NOW).unwrap();
    assert_eq!(need.wanted(), &template());
    let missing = need.wanted().fill([]).unwrap_err();
    assert_eq!(missing.0, [("name".into(), FieldError::Missing)]);
    // A form of another template is not taken.
    let random = &mut fixed(30);
    let other = template().fill([("name", "alice".into()), ("age", true.into())]).unwrap();
    let offer = Offer { template: one_field(), ..world().gate.receive_call(&call.send) };
    let need = world().blank.call(&name("gate.example")).next.receive_offer(&offer, NOW).unwrap();
    assert_eq!(need.supply::<Des>(&other, random).unwrap_err(), Error::Form);
}

fn one_field() -> halfkey::template::Template {
    let name = halfkey::template::Field::required("name", halfkey::template::FieldKind::UserName);
    halfkey::template::Template::new(vec![name]).unwrap()
}

#[test]
fn name_and_first_half_travel_under_the_servers_key() {
    let random = &mut fixed(31);
    let Step { send, next } = apply::<Des>(&world().gate, "gate.example", "alice", random);
    assert_eq!(send.encrypted.len(), 256);
    assert_eq!(format!("{next:?}"), "AwaitGrant(gate.example)");
    let need: NeedAccessPath<Des> = world().gate.receive_application(&send, random).unwrap();
    assert_eq!(need.wanted().as_str(), "alice");
    assert_eq!(need.ssk1().expose().len(), 8);
    // Another server's P_r recovers nothing, and nothing is recovered from a changed block.
    let other = world().shop.receive_application::<Des>(&send, random);
    assert_eq!(other.unwrap_err(), Error::Application);
    let mut encrypted = send.encrypted;
    encrypted[100] ^= 1;
    let changed = world().gate.receive_application::<Des>(&Application { encrypted }, random);
    assert_eq!(changed.unwrap_err(), Error::Application);
}

#[test]
fn the_first_half_is_fresh_each_time_and_kept() {
    let random = &mut fixed(32);
    let mut halves = BTreeSet::new();
    for _ in 0..4 {
        let application = apply::<Des>(&world().gate, "gate.example", "alice", random);
        let need: NeedAccessPath<Des> = world().gate.receive_application(&application.send, random).unwrap();
        halves.insert(need.ssk1().expose().to_vec());
        // The half that was sent is the half that was kept: it opens the grant.
        let grant = need.supply::<Des>(&path("/a"), Combiner::Xor, random).unwrap();
        let mut token = application.next.receive_grant::<Des>(&grant.send, Combiner::Xor, PIN).unwrap();
        assert_eq!(token.unlock(PIN).unwrap().expose(), grant.next.key.expose());
    }
    assert_eq!(halves.len(), 4);
}

#[test]
fn the_second_half_is_fresh_each_time() {
    let random = &mut fixed(37);
    let application = apply::<Des>(&world().gate, "gate.example", "alice", random).send;
    let mut keys = BTreeSet::new();
    for _ in 0..4 {
        // One SSK1, so that the keys differ in SSK2 alone.
        for combiner in [Combiner::Xor, Combiner::Concatenation] {
            let need: NeedAccessPath<Des> = world().gate.receive_application(&application, random).unwrap();
            let key = match combiner {
                Combiner::Xor => {
                    need.supply::<Des>(&path("/a"), combiner, random).unwrap().next.key.expose().to_vec()
                }
                _ => {
                    need.supply::<TdesEde2>(&path("/a"), combiner, random).unwrap().next.key.expose().to_vec()
                }
            };
            keys.insert(key);
        }
    }
    assert_eq!(keys.len(), 8);
}

/// The shared key of both sides, computed here from the halves.
#[test]
fn the_key_is_both_halves_in_the_predetermined_manner() {
    fn run<H: Cipher, C: Cipher>(combiner: Combiner, seed: u64) {
        let mut source = Recorder { random: fixed(seed + 1000), last: vec![] };
        let application = apply::<H>(&world().gate, "gate.example", "alice", &mut fixed(seed));
        let need: NeedAccessPath<H> =
            world().gate.receive_application(&application.send, &mut fixed(seed)).unwrap();
        let ssk1 = need.ssk1().expose().to_vec();
        // SSK2 is the first draw, and the initialisation vector the second.
        let mut drawn = vec![];
        let mut record = |out: &mut [u8]| {
            source.fill(out);
            drawn.push(source.last.clone());
        };
        let grant = need.supply::<C>(&path("/a"), combiner, &mut record).unwrap();
        let material = match combiner {
            Combiner::Xor => ssk1.iter().zip(&drawn[0]).map(|(one, other)| one ^ other).collect(),
            _ => [ssk1, drawn[0].clone()].concat(),
        };
        let expected = Key::<C>::new(&material).unwrap();
        let mut token = application.next.receive_grant::<C>(&grant.send, combiner, PIN).unwrap();
        assert_eq!(grant.next.key.expose(), expected.expose());
        assert_eq!(token.unlock(PIN).unwrap().expose(), expected.expose());
    }
    run::<Des, Des>(Combiner::Xor, 300);
    run::<TdesEde3, TdesEde3>(Combiner::Xor, 301);
    run::<Aes256, Aes256>(Combiner::Xor, 302);
    run::<Des, TdesEde2>(Combiner::Concatenation, 303);
    run::<TdesEde2, TdesEde3>(Combiner::Concatenation, 304);
    run::<Aes128, Aes192>(Combiner::Concatenation, 305);
}

#[test]
fn a_name_too_long_for_the_block_is_refused() {
    let call = world().blank.call(&name("gate.example"));
    let need = call.next.receive_offer(&world().gate.receive_call(&call.send), NOW).unwrap();
    // 2048 bits are 256 bytes, 11 of them padding: 245 for length, name and SSK1.
    let refused = need.supply::<Des>(&form(&"a".repeat(237)), &mut fixed(33)).unwrap_err();
    assert_eq!(refused, Error::NameTooLong);
    let random = &mut fixed(33);
    let longest = apply::<Des>(&world().gate, "gate.example", &"a".repeat(236), random);
    assert!(world().gate.receive_application::<Des>(&longest.send, random).is_ok());
}

#[test]
fn the_server_makes_its_half_the_code_and_the_key() {
    let random = &mut fixed(34);
    let application = apply::<Des>(&world().gate, "gate.example", "alice", random);
    let need: NeedAccessPath<Des> = world().gate.receive_application(&application.send, random).unwrap();
    let ssk1 = need.ssk1().clone();
    let grant = need.supply::<Des>(&path("/a"), Combiner::Xor, random).unwrap();
    assert_ne!(grant.next.key.expose(), ssk1.expose(), "SSK2 takes part");
    assert_eq!(grant.next.user_id, identification_code(&grant.next.name).unwrap());
    // Registered by what the user said of himself (claims 1f, 14g).
    assert_eq!((grant.next.name.as_str(), grant.next.access_path), ("alice", path("/a")));
}

#[test]
fn the_identification_code_is_based_on_the_name() {
    let code = |name: &str| identification_code(&UserName::new(name).unwrap()).unwrap();
    assert_eq!(code("alice").as_str(), "2bd806c97f0e00af");
    assert_eq!(code("alice"), code("alice"));
    assert_ne!(code("alice"), code("bob"));
}

#[test]
fn path_code_and_second_half_travel_under_the_first() {
    let random = &mut fixed(35);
    let application = apply::<Des>(&world().gate, "gate.example", "alice", random);
    let need: NeedAccessPath<Des> = world().gate.receive_application(&application.send, random).unwrap();
    let grant = need.supply::<Des>(&path("/guest/alice"), Combiner::Xor, random).unwrap();
    // IV, then 1 + 12 bytes of path, 1 + 16 of code, 8 of SSK2, and padding to 40.
    assert_eq!(grant.send.encrypted.len(), 8 + 40);
    // Another call's SSK1 does not open it.
    let other: AwaitGrant<Des> = apply(&world().gate, "gate.example", "alice", random).next;
    assert_eq!(other.receive_grant::<Des>(&grant.send, Combiner::Xor, PIN).unwrap_err(), Error::DoesNotOpen);
    assert!(application.next.receive_grant::<Des>(&grant.send, Combiner::Xor, PIN).is_ok());
}

#[test]
fn nonsense_in_place_of_a_grant_is_refused() {
    for len in [0, 7, 8, 9, 16, 17, 48] {
        let application = apply::<Des>(&world().gate, "gate.example", "alice", &mut fixed(36));
        let grant = Grant { encrypted: vec![0xA5; len] };
        let refused = application.next.receive_grant::<Des>(&grant, Combiner::Xor, PIN).unwrap_err();
        assert_eq!(refused, Error::DoesNotOpen, "{len} bytes");
    }
}
