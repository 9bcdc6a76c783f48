//! The earlier application's session key is safe from eavesdroppers, until one of them holds the card
//! for a moment: it encrypts whatever it is sent.

use super::xor;
use crate::letter::*;
use crate::real::Real;
use halfkey::historic::configuration;
use halfkey::historic::session::{Challenge, earlier};
use halfkey::historic::{Combiner, Des, Key, TdesEde3};
use halfkey::message::Response;
use halfkey::session::{Content, TokenSessionError};
use halfkey::suite::{Suite, XWING};
use halfkey::wire::Message;

#[test]
fn the_card_answers_with_the_key_of_a_recorded_session() {
    let random = &mut fixed(250);
    let (mut card, row) =
        register::<TdesEde3, TdesEde3>(&world().gate, "gate.example", "alice", Combiner::Xor, random);
    let (wire, client, server) = by_earlier(&row.key, random);
    let recorded = configuration::request(&client, "my PIN is 1234", random);

    // Later, with the card in a reader of the attacker's own, or over the wire as a fake server: the
    // recorded E_K(N1) xor N2 as a challenge. What the card encrypts is SES.
    let challenge = Challenge { n1: xor(&wire.response.encrypted, &wire.response.n2) };
    let answer = earlier::respond(card.unlock(PIN).unwrap(), &challenge, random).unwrap().send;
    let stolen = Key::<TdesEde3>::new(&answer.encrypted).unwrap();
    assert_eq!(stolen.expose(), server.expose());
    let read = configuration::receive_request(&stolen, &recorded).unwrap();
    assert_eq!(read.wanted(), "my PIN is 1234");
}

#[test]
fn without_the_card_the_earlier_sessions_recording_holds_no_key() {
    // The one merit of this reading: nothing on the wire, nor the exclusive-or of any two numbers, is
    // the key.
    let (wire, client, _) = by_earlier(&key::<Des>(251), &mut fixed(252));
    let numbers = [&wire.challenge.n1, &wire.response.encrypted, &wire.response.n2, &wire.proof.encrypted];
    for one in numbers {
        for other in numbers.into_iter().chain([&vec![0; 8]]) {
            let guess = Key::<Des>::new(&xor(one, other));
            assert!(guess.map_or(true, |guess| guess.expose() != client.expose()));
        }
    }
}

#[test]
fn a_real_token_never_answers_with_the_key_of_a_recorded_session() {
    let mut real = Real::new();
    let (recorded, mut token_end, _) = real.session();
    let record = token_end.seal(Content::Data, b"my PIN is 1234").unwrap();

    // The attacker holds the unlocked token and sends it the recorded challenge, then the recorded
    // S3: all that it will answer to.
    let (_, token) = real.open();
    let (s2, token) = real.respond(token, &recorded[1]).unwrap();
    assert_ne!(s2, recorded[2], "the answer is to this session alone");
    assert_eq!(real.finish(token, &recorded[3]).unwrap_err(), TokenSessionError::WrongProof);
    // The result is a tag over this session's transcript: used as a key, it opens nothing.
    let tag_c = halfkey::Secret::new(Response::decode(&s2).unwrap().tag_c);
    let mut record = record;
    let (text, tag) = record.split_last_chunk_mut().unwrap();
    assert!(XWING.aead(&tag_c).open(&[0; 12], &[], text, tag).is_err());
}
