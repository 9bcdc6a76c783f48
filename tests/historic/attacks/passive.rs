//! An eavesdropper records a session, computes the session key, and reads the later messages.

use crate::letter::*;
use crate::real::Real;
use aes_gcm::aes::Aes256;
use halfkey::Secret;
use halfkey::historic::configuration::{self, Instruction, Instructions, Request};
use halfkey::historic::session::{claims, description};
use halfkey::historic::{Cipher, Des, Key, TdesEde3};
use halfkey::suite::{Suite, XWING};

const LOCATION: &str = "at home";
const SECRET: &str = "door-code";

/// A configuration under `key`, as it passes over the wire.
fn configure<C: Cipher>(key: &Key<C>) -> (Request, Instructions) {
    let random = &mut fixed(200);
    let request = configuration::request(key, LOCATION, random);
    let need = configuration::receive_request(key, &request).unwrap();
    (request, need.supply(&[Instruction::new(SECRET, "4711").unwrap()], random))
}

/// Reads a configuration with `key`.
fn read<C: Cipher>(key: &Key<C>, (request, instructions): &(Request, Instructions)) -> Vec<String> {
    let mut seen = vec![configuration::receive_request(key, request).unwrap().wanted().to_owned()];
    let mut spy = |instruction: &Instruction| seen.push(instruction.setting().to_owned());
    configuration::receive_instructions(key, instructions, &mut spy).unwrap();
    seen
}

#[test]
fn the_description_sends_the_session_key_over_the_wire() {
    fn attack<C: Cipher>(seed: u64) {
        let (wire, client, _) = by_description(&key::<C>(seed), &mut fixed(seed + 1));
        let recorded: (description::Response, _) = (wire.response, configure(&client));
        // From here on the recording alone: the response, as a key.
        let stolen = Key::<C>::new(&recorded.0.package[..C::key_size()]).unwrap();
        assert_eq!(stolen.expose(), client.expose());
        assert_eq!(read(&stolen, &recorded.1), [LOCATION, SECRET]);
    }
    attack::<Des>(201);
    attack::<TdesEde3>(203);
    attack::<Aes256>(205); // No cipher helps.
}

#[test]
fn the_claims_make_the_session_key_of_what_is_on_the_wire() {
    fn attack<C: Cipher>(seed: u64) {
        // Not even a function that is one-way indeed.
        for one_way in [claims::OneWay::Xor, claims::OneWay::Sha512] {
            let (wire, client, _) = by_claims(&key::<C>(seed), one_way, &mut fixed(seed + 1));
            let recorded = (wire.response, configure(&client));
            let stolen: Key<C> = one_way.session_key(&recorded.0.encrypted, &recorded.0.n2).unwrap();
            assert_eq!(stolen.expose(), client.expose());
            assert_eq!(read(&stolen, &recorded.1), [LOCATION, SECRET]);
        }
    }
    attack::<Des>(207);
    attack::<TdesEde3>(209);
    attack::<Aes256>(211);
}

/// Tries to open `record`, the `count`th of its direction, under everything that can be read from or
/// computed without a secret out of the `recording`: each 32 bytes in a row, their hash, and the
/// exclusive-or and hash of any two of the fresh numbers.
fn key_in(recording: &[Vec<u8>], record: &[u8], count: u64) -> Option<[u8; 32]> {
    let windows = recording.iter().flat_map(|message| message.windows(32));
    let windows = windows.map(|window| <[u8; 32]>::try_from(window).unwrap());
    let mut candidates: Vec<[u8; 32]> = windows.collect();
    let hashes: Vec<_> = candidates.iter().map(|window| *XWING.hash(&[window]).as_bytes()).collect();
    // The numbers are the last fields of S1 and the first of S2, tag_c follows: any alignment of the
    // one with a few of the other.
    let ends = |message: &Vec<u8>| -> Vec<[u8; 32]> {
        let windows = message.windows(32).map(|window| window.try_into().unwrap());
        windows.take(16).collect()
    };
    for one in ends(&recording[1]) {
        for other in ends(&recording[2]) {
            candidates.push(core::array::from_fn(|at| one[at] ^ other[at]));
            candidates.push(*XWING.hash(&[&one, &other]).as_bytes());
        }
    }
    candidates.extend(hashes);
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&count.to_be_bytes());
    candidates.into_iter().find(|key| {
        let mut record = record.to_vec();
        let (text, tag) = record.split_last_chunk_mut().unwrap();
        XWING.aead(&Secret::new(*key)).open(&nonce, &[], text, tag).is_ok()
    })
}

#[test]
fn a_real_recording_holds_no_session_key() {
    let mut real = Real::new();
    real.entitle(SECRET.as_bytes());
    let run = real.configure(|_, _| {});
    assert_eq!(run.installed, [SECRET.as_bytes()]);
    let [handshake @ .., c0, c1, _c2] = &run.frames[..] else { panic!() };
    assert_eq!(handshake.len(), 4, "S0 to S3");
    // C0 is the token's first record; C1 the server's second, after the one in S3.
    assert_eq!(key_in(handshake, c0, 0), None);
    assert_eq!(key_in(handshake, c1, 1), None);
    for frame in &run.frames {
        assert!(!frame.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
    }

    // The same search does find a key that is there to be found.
    let mut planted = handshake.to_vec();
    let mut record = SECRET.as_bytes().to_vec();
    let tag = XWING.aead(&Secret::new([0x77; 32])).seal(&[0; 12], &[], &mut record);
    record.extend_from_slice(&tag);
    planted[3].extend([0x77; 32]);
    assert_eq!(key_in(&planted, &record, 0), Some([0x77; 32]));
}
