//! An attacker without any key impersonates the server, or the client.

use super::xor;
use crate::letter::*;
use crate::real::Real;
use halfkey::historic::session::{self, Challenge, Proof, claims, description};
use halfkey::historic::{Cipher, Des, Key, TdesEde2};
use halfkey::message::Accept;
use halfkey::session::{ServerSessionError, TokenSessionError};
use halfkey::suite::{Suite, XWING};
use halfkey::wire::{Bytes, Message};

/// `E_key(number)` as anybody computes it: here by answering a challenge with N2 = 0.
fn encrypt<C: Cipher>(key: &Key<C>, number: &[u8]) -> Vec<u8> {
    let challenge = Challenge { n1: number.to_vec() };
    let zeros = &mut |out: &mut [u8]| out.fill(0);
    description::respond(key, &challenge, zeros).unwrap().send.package
}

/// The inverse, likewise.
fn decrypt<C: Cipher>(key: &Key<C>, number: &[u8]) -> Vec<u8> {
    description::decrypt_package(key, &description::Response { package: number.to_vec() }).unwrap()
}

#[test]
fn the_claims_take_anybody_for_the_server() {
    for one_way in [claims::OneWay::Xor, claims::OneWay::Sha512] {
        let (shared, random) = (key::<TdesEde2>(220), &mut fixed(221));
        let n1 = Challenge { n1: vec![0x55; 16] };
        let client = claims::respond(&shared, &n1, one_way, random).unwrap();
        // The fake server knows no key. It computes the session key from what it was sent.
        let stolen: Key<TdesEde2> = one_way.session_key(&client.send.encrypted, &client.send.n2).unwrap();
        let proof = Proof { encrypted: encrypt(&stolen, &client.send.n2) };
        let fooled = client.next.receive_proof(&proof).unwrap();
        assert_eq!(fooled.expose(), stolen.expose());
    }
}

#[test]
fn the_description_takes_whoever_heard_a_session_for_the_server() {
    let (shared, random) = (key::<Des>(222), &mut fixed(223));
    let (wire, ..) = by_description(&shared, random);
    // The recorded package is the session key; it opens the proof to N2, and so gives E_K(N1).
    let recorded = Key::<Des>::new(&wire.response.package).unwrap();
    let n2 = decrypt(&recorded, &wire.proof.encrypted);
    let encrypted_n1 = xor(&wire.response.package, &n2);
    // The fake server challenges with the same N1.
    let client = description::respond(&shared, &wire.challenge, random).unwrap();
    let stolen = Key::<Des>::new(&client.send.package).unwrap();
    let n2 = xor(&client.send.package, &encrypted_n1);
    let fooled = client.next.receive_proof(&Proof { encrypted: encrypt(&stolen, &n2) }).unwrap();
    assert_eq!(fooled.expose(), stolen.expose());
}

#[test]
fn the_description_takes_anybody_for_the_client() {
    let (shared, random) = (key::<Des>(224), &mut fixed(225));
    let server = session::challenge::<Des>(random);
    // Any block at all: it is the session key.
    let made_up = description::Response { package: b"password".into() };
    let fooled = description::receive_response(server.next, &shared, &made_up).unwrap();
    assert_eq!(fooled.next.expose(), Key::<Des>::new(b"password").unwrap().expose());
}

#[test]
fn a_real_token_takes_nobody_else_for_its_server() {
    let mut real = Real::new();
    let (recorded, ..) = real.session();

    // An S1 of the attacker's own, or a recorded one; then an S3 made without the key.
    let (s0, _) = real.open();
    let (fresh, _) = real.challenge(&s0).unwrap();
    for s1 in [&fresh, &recorded[1]] {
        let (_, token) = real.open();
        let (s2, token) = real.respond(token, s1).unwrap();
        let s2 = halfkey::message::Response::decode(&s2).unwrap();
        let (x, _) = XWING.kem().encapsulate(&s2.pk_e.unwrap(), &mut real.random).unwrap();
        let s3 = Accept { x: Bytes(&x), tag_s: s2.tag_c, record: Bytes(&[0x41; 272]) }.encode();
        assert_eq!(real.finish(token, s3.as_bytes()).unwrap_err(), TokenSessionError::WrongProof);

        // Or the recorded S3.
        let (_, token) = real.open();
        let (_, token) = real.respond(token, s1).unwrap();
        assert_eq!(real.finish(token, &recorded[3]).unwrap_err(), TokenSessionError::WrongProof);
    }
}

#[test]
fn a_real_server_takes_nobody_else_for_its_client() {
    let mut real = Real::new();
    let (recorded, ..) = real.session();
    let (s0, _) = real.open();
    let (_, server) = real.challenge(&s0).unwrap();
    let old = halfkey::message::Response::decode(&recorded[2]).unwrap();
    let made_up = halfkey::message::Response { tag_c: [0x61; 32], ..old }.encode();
    assert_eq!(real.accept(server, made_up.as_bytes()).unwrap_err(), ServerSessionError::WrongProof);
    let (_, server) = real.challenge(&s0).unwrap();
    assert_eq!(real.accept(server, &recorded[2]).unwrap_err(), ServerSessionError::WrongProof);
}
