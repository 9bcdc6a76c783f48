//! Steps 300 to 350 in three readings.

use crate::letter::*;
use aes_gcm::aes::{Aes128, Aes192, Aes256};
use halfkey::historic::session::{self, Challenge, Proof, claims, description, earlier};
use halfkey::historic::{Cipher, Combiner, Des, Error, Key, TdesEde2, TdesEde3, number_len};
use sha2::{Digest, Sha512};
use std::collections::BTreeSet;

/// Runs `test` for every cipher that a test can name.
macro_rules! for_every_cipher {
    ($test:ident) => {
        $test::<Des>(50);
        $test::<TdesEde2>(51);
        $test::<TdesEde3>(52);
        $test::<Aes128>(53);
        $test::<Aes192>(54);
        $test::<Aes256>(55);
    };
}

#[test]
fn the_descriptions_session_gives_both_sides_one_key() {
    fn run<C: Cipher>(seed: u64) {
        let (wire, client, server) = by_description(&key::<C>(seed), &mut fixed(seed + 100));
        assert_eq!(client.expose(), server.expose());
        assert_eq!(wire.challenge.n1.len(), number_len::<C>());
        assert_eq!(wire.response.package.len(), number_len::<C>());
    }
    for_every_cipher!(run);
}

#[test]
fn the_claims_session_gives_both_sides_one_key() {
    fn run<C: Cipher>(seed: u64) {
        for one_way in [claims::OneWay::Xor, claims::OneWay::Sha512] {
            let (_, client, server) = by_claims(&key::<C>(seed), one_way, &mut fixed(seed + 100));
            assert_eq!(client.expose(), server.expose());
        }
    }
    for_every_cipher!(run);
}

#[test]
fn the_earlier_applications_session_gives_both_sides_one_key() {
    fn run<C: Cipher>(seed: u64) {
        let (_, client, server) = by_earlier(&key::<C>(seed), &mut fixed(seed + 100));
        assert_eq!(client.expose(), server.expose());
    }
    for_every_cipher!(run);
}

/// Encrypts a number as step 300 does, by any key.
fn encrypted<C: Cipher>(key: &Key<C>, number: &[u8]) -> Vec<u8> {
    let challenge = Challenge { n1: number.into() };
    claims::respond(key, &challenge, claims::OneWay::Sha512, &mut fixed(1)).unwrap().send.encrypted
}

fn xor(one: &[u8], other: &[u8]) -> Vec<u8> {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(one, other)| one ^ other).collect()
}

/// N1 of many challenges, and N2 of many answers to one challenge, in each reading.
#[test]
fn both_numbers_are_fresh_each_time() {
    fn run<C: Cipher>(seed: u64) {
        const TIMES: usize = 8;
        let (key, random) = (key::<C>(seed), &mut fixed(seed + 200));
        let mut numbers = BTreeSet::new();
        for _ in 0..TIMES {
            numbers.insert(session::challenge::<C>(random).send.n1);
        }
        let challenge = session::challenge::<C>(random).send;
        let sent = encrypted(&key, &challenge.n1);
        for _ in 0..TIMES {
            let response = claims::respond(&key, &challenge, claims::OneWay::Xor, random).unwrap().send;
            assert_eq!(response.encrypted, sent);
            numbers.insert(response.n2);
            let response = earlier::respond(&key, &challenge, random).unwrap().send;
            assert_eq!(response.encrypted, sent);
            numbers.insert(response.n2);
            let package = description::respond(&key, &challenge, random).unwrap().send.package;
            numbers.insert(xor(&package, &sent));
        }
        assert_eq!(numbers.len(), 4 * TIMES, "none comes twice");
        assert!(numbers.iter().all(|number| number.len() == number_len::<C>()));
        for place in 0..number_len::<C>() {
            let bytes: BTreeSet<u8> = numbers.iter().map(|number| number[place]).collect();
            assert!(bytes.len() > TIMES, "byte {place} is drawn as well");
        }
    }
    for_every_cipher!(run);
}

/// SES of each reading, computed here from E_K(N1) and N2, and N2 under it as the proof.
#[test]
fn the_session_key_is_made_of_both_numbers() {
    fn run<C: Cipher>(seed: u64) {
        let (shared, random) = (key::<C>(seed), &mut fixed(seed + 300));
        let ses = |number: &[u8]| Key::<C>::new(&number[..C::key_size()]).unwrap();

        let mut source = Recorder { random: fixed(seed + 400), last: vec![] };
        let server = session::challenge::<C>(random);
        let first = encrypted(&shared, &server.send.n1);
        let client = description::respond(&shared, &server.send, &mut source).unwrap();
        assert_eq!(client.send.package, xor(&first, &source.last));
        let proof = description::receive_response(server.next, &shared, &client.send).unwrap();
        let expected = ses(&xor(&first, &source.last));
        assert_eq!(proof.next.expose(), expected.expose());
        assert_eq!(proof.send.encrypted, encrypted(&expected, &source.last));
        assert_eq!(client.next.receive_proof(&proof.send).unwrap().expose(), expected.expose());

        for one_way in [claims::OneWay::Xor, claims::OneWay::Sha512] {
            let (wire, client, server) = by_claims(&shared, one_way, random);
            let (first, second) = (wire.response.encrypted, wire.response.n2);
            assert_eq!(first, encrypted(&shared, &wire.challenge.n1));
            let expected = ses(&match one_way {
                claims::OneWay::Xor => xor(&first, &second),
                _ => Sha512::digest([first, second.clone()].concat()).to_vec(),
            });
            assert_eq!((client.expose(), server.expose()), (expected.expose(), expected.expose()));
            assert_eq!(wire.proof.encrypted, encrypted(&expected, &second));
        }

        let (wire, client, server) = by_earlier(&shared, random);
        let (first, second) = (wire.response.encrypted, wire.response.n2);
        assert_eq!(first, encrypted(&shared, &wire.challenge.n1));
        let expected = ses(&encrypted(&shared, &xor(&first, &second)));
        assert_eq!((client.expose(), server.expose()), (expected.expose(), expected.expose()));
        assert_eq!(wire.proof.encrypted, encrypted(&expected, &second));
    }
    for_every_cipher!(run);
}

#[test]
fn a_registered_token_opens_a_session() {
    // Claims 3, 9, 16, 22: the shared key of the registration makes the session key.
    let random = &mut fixed(60);
    let (mut token, row) =
        register::<Des, TdesEde2>(&world().gate, "gate.example", "alice", Combiner::Concatenation, random);
    let server = session::challenge::<TdesEde2>(random);
    let client = claims::respond(token.unlock(PIN).unwrap(), &server.send, claims::OneWay::Xor, random);
    let client = client.unwrap();
    let proof = claims::receive_response(server.next, &row.key, &client.send, claims::OneWay::Xor).unwrap();
    assert_eq!(client.next.receive_proof(&proof.send).unwrap().expose(), proof.next.expose());
}

#[test]
fn step_330_as_written_finds_no_server_number() {
    let key = key::<Des>(61);
    let (wire, ..) = by_description(&key, &mut fixed(62));
    let found = description::decrypt_package(&key, &wire.response).unwrap();
    assert_eq!(encrypted(&key, &found), wire.response.package);
    assert_ne!(found, wire.challenge.n1, "the package is not E_K(N1) but E_K(N1) xor N2");
}

#[test]
fn the_claims_authenticate_the_client() {
    let random = &mut fixed(63);
    let server = session::challenge::<Des>(random);
    let stranger = claims::respond(&key::<Des>(64), &server.send, claims::OneWay::Xor, random).unwrap();
    let refused = claims::receive_response(server.next, &key::<Des>(65), &stranger.send, claims::OneWay::Xor);
    assert_eq!(refused.unwrap_err(), Error::NotTheClient);
}

#[test]
fn the_earlier_application_authenticates_both() {
    let random = &mut fixed(66);
    let server = session::challenge::<Des>(random);
    let stranger = earlier::respond(&key::<Des>(67), &server.send, random).unwrap();
    let refused = earlier::receive_response(server.next, &key::<Des>(68), &stranger.send);
    assert_eq!(refused.unwrap_err(), Error::NotTheClient);
    let client = earlier::respond(&key::<Des>(68), &server.send, random).unwrap();
    let made_up = Proof { encrypted: vec![7; 8] };
    assert_eq!(client.next.receive_proof(&made_up).unwrap_err(), Error::NotTheServer);
}

#[test]
fn a_proof_of_the_wrong_number_is_no_server() {
    let random = &mut fixed(69);
    let challenge = session::challenge::<Des>(random).send;
    let client = description::respond(&key::<Des>(70), &challenge, random).unwrap();
    let refused = client.next.receive_proof(&Proof { encrypted: vec![0; 8] });
    assert_eq!(refused.unwrap_err(), Error::NotTheServer);
    let client = claims::respond(&key::<Des>(70), &challenge, claims::OneWay::Xor, random).unwrap();
    let refused = client.next.receive_proof(&Proof { encrypted: vec![0; 8] });
    assert_eq!(refused.unwrap_err(), Error::NotTheServer);
}

#[test]
fn numbers_of_another_length_are_refused() {
    let (key, random) = (key::<Des>(71), &mut fixed(72));
    for len in [0, 7, 9, 16] {
        let odd = Challenge { n1: vec![1; len] };
        assert_eq!(description::respond(&key, &odd, random).unwrap_err(), Error::NumberLength);
        assert_eq!(
            claims::respond(&key, &odd, claims::OneWay::Xor, random).unwrap_err(),
            Error::NumberLength
        );
        assert_eq!(earlier::respond(&key, &odd, random).unwrap_err(), Error::NumberLength);
        let awaiting = || session::challenge::<Des>(&mut fixed(73)).next;
        let package = description::Response { package: vec![1; len] };
        let refused = description::receive_response(awaiting(), &key, &package);
        assert_eq!(refused.unwrap_err(), Error::NumberLength);
        // N2 of another length, N1 rightly encrypted.
        let challenge = session::challenge::<Des>(&mut fixed(73)).send;
        let encrypted =
            claims::respond(&key, &challenge, claims::OneWay::Xor, random).unwrap().send.encrypted;
        let response = claims::Response { encrypted, n2: vec![1; len] };
        for one_way in [claims::OneWay::Xor, claims::OneWay::Sha512] {
            let refused = claims::receive_response(awaiting(), &key, &response, one_way);
            assert_eq!(refused.unwrap_err(), Error::NumberLength);
        }
        let refused = earlier::receive_response(awaiting(), &key, &response);
        assert_eq!(refused.unwrap_err(), Error::NumberLength);
    }
}
