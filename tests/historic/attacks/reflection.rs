//! Claims 4 and 17 let either party challenge the other: an attacker has a party answer itself.

use crate::letter::*;
use crate::real::Real;
use halfkey::historic::session::{self, claims};
use halfkey::historic::{Des, Key};
use halfkey::message::{Accept, Response};
use halfkey::session::{ServerSessionError, TokenSessionError};
use halfkey::wire::{Message, Problem};

const ONE_WAY: claims::OneWay = claims::OneWay::Sha512;

#[test]
fn a_party_that_challenges_and_answers_is_its_own_peer() {
    let (shared, random) = (key::<Des>(240), &mut fixed(241));
    // The victim takes both parts, as claims 4 and 17 allow. It challenges its peer, who is not there.
    let challenging = session::challenge::<Des>(random);
    // The attacker opens a second call to the victim and challenges it with its own number.
    let answering = claims::respond(&shared, &challenging.send, ONE_WAY, random).unwrap();
    // The victim's own answer is the answer to the victim.
    let fooled = claims::receive_response(challenging.next, &shared, &answering.send, ONE_WAY).unwrap();
    // So is the proof, in the second call.
    let fooled_twice = answering.next.receive_proof(&fooled.send).unwrap();
    assert_eq!(fooled.next.expose(), fooled_twice.expose());
    // And the attacker has the key, as always in this reading.
    let stolen: Key<Des> = ONE_WAY.session_key(&answering.send.encrypted, &answering.send.n2).unwrap();
    assert_eq!(stolen.expose(), fooled.next.expose());
}

#[test]
fn a_real_party_never_answers_itself() {
    let mut real = Real::new();
    let to_server =
        |error| matches!(error, ServerSessionError::Wire(wire) if wire.problem == Problem::WrongType);
    let to_token =
        |error| matches!(error, TokenSessionError::Wire(wire) if wire.problem == Problem::WrongType);

    // The server's messages are reflected to the server, and the token's to the token.
    let (s0, token) = real.open();
    let (s1, server) = real.challenge(&s0).unwrap();
    assert!(to_server(real.challenge(&s1).unwrap_err()));
    assert!(to_server(real.accept(server, &s1).unwrap_err()));
    assert!(to_token(real.respond(token, &s0).unwrap_err()));
    let (_, token) = real.open();
    let (s2, token) = real.respond(token, &s1).unwrap();
    assert!(to_token(real.finish(token, &s2).unwrap_err()));

    // The proofs alone, each in the other's place: the token's as the server's, the server's as the
    // token's.
    let ([.., s2, s3], ..) = real.session();
    let (s2, s3) = (Response::decode(&s2).unwrap(), Accept::decode(&s3).unwrap());
    let (_, server) = real.challenge(&s0).unwrap();
    let reflected = Response { tag_c: s3.tag_s, ..s2.clone() }.encode();
    assert_eq!(real.accept(server, reflected.as_bytes()).unwrap_err(), ServerSessionError::WrongProof);
    let (_, token) = real.open();
    let (_, token) = real.respond(token, &s1).unwrap();
    let reflected = Accept { tag_s: s2.tag_c, ..s3 }.encode();
    assert_eq!(real.finish(token, reflected.as_bytes()).unwrap_err(), TokenSessionError::WrongProof);

    // A record is sent back to the side that sealed it.
    let (_, mut token, mut server) = real.session();
    let record = token.seal(halfkey::session::Content::Data, b"pay 10").unwrap();
    assert!(token.open(&record).is_err());
    assert!(server.open(&record).is_ok());
}
