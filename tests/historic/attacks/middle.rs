//! A man in the middle puts a number of his own in the place of N2.

use crate::letter::*;
use crate::real::Real;
use halfkey::historic::session::{self, Challenge, Proof, claims, description};
use halfkey::historic::{Des, Key};
use halfkey::message::Response;
use halfkey::session::{ServerSessionError, TokenSessionError};
use halfkey::wire::Message;

#[test]
fn a_replaced_number_gives_the_claims_two_sessions_with_the_man_in_the_middle() {
    let (shared, random) = (key::<Des>(230), &mut fixed(231));
    let one_way = claims::OneWay::Sha512;
    let server = session::challenge::<Des>(random);
    let client = claims::respond(&shared, &server.send, one_way, random).unwrap();

    // On its way N2 becomes another number; the server still authenticates the client by E_K(N1).
    let replaced = claims::Response { n2: vec![0x5A; 8], ..client.send.clone() };
    let at_server = claims::receive_response(server.next, &shared, &replaced, one_way).unwrap();
    let with_server: Key<Des> = one_way.session_key(&replaced.encrypted, &replaced.n2).unwrap();
    assert_eq!(at_server.next.expose(), with_server.expose());

    // The server's proof is for the other number: the man in the middle makes the client its own.
    let with_client: Key<Des> = one_way.session_key(&client.send.encrypted, &client.send.n2).unwrap();
    let n2 = Challenge { n1: client.send.n2 };
    let zeros = &mut |out: &mut [u8]| out.fill(0);
    let encrypted = description::respond(&with_client, &n2, zeros).unwrap().send.package;
    let at_client = client.next.receive_proof(&Proof { encrypted }).unwrap();
    assert_eq!(at_client.expose(), with_client.expose());

    // Two authenticated sessions, two keys, and he has both.
    assert_ne!(with_server.expose(), with_client.expose());
}

#[test]
fn a_replaced_number_ends_a_real_session() {
    let mut real = Real::new();
    let (s0, token) = real.open();
    let (s1, server) = real.challenge(&s0).unwrap();
    let (s2, token) = real.respond(token, &s1).unwrap();
    let replaced = Response { n_c: [0x5A; 32], ..Response::decode(&s2).unwrap() }.encode();
    assert_eq!(real.accept(server, replaced.as_bytes()).unwrap_err(), ServerSessionError::WrongProof);

    // The same with the key that would make the session his: the token's ephemeral one.
    let (other_s0, other) = real.open();
    assert_eq!(s0, other_s0);
    let (s1, server) = real.challenge(&s0).unwrap();
    let (other_s2, _) = real.respond(other, &s1).unwrap();
    let (ours, theirs) = (Response::decode(&other_s2).unwrap(), Response::decode(&s2).unwrap());
    let replaced = Response { pk_e: theirs.pk_e, ..ours }.encode();
    assert_eq!(real.accept(server, replaced.as_bytes()).unwrap_err(), ServerSessionError::WrongProof);

    // And at the token: an S3 that the server made for another session.
    let ([.., s3], ..) = real.session();
    assert_eq!(real.finish(token, &s3).unwrap_err(), TokenSessionError::WrongProof);
}
