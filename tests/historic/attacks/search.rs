//! Exhaustive search: the one attack that the best reading of the letter leaves an eavesdropper, on a
//! key with only 20 unknown bits, so that the search ends.

use super::xor;
use crate::letter::*;
use crate::real::Real;
use cipher::{BlockCipherEncrypt, KeyInit};
use halfkey::Secret;
use halfkey::historic::session::{self as historic, earlier};
use halfkey::historic::{Des, Key, configuration};
use halfkey::message::{Address, Challenge};
use halfkey::port::EntitlementStore;
use halfkey::record::{ServerRegistration, StoredKeys};
use halfkey::session::server::receive_open;
use halfkey::wire::Message;
use std::time::Instant;

const UNKNOWN_BITS: u32 = 20;

/// The `candidate`th key that agrees with `known` in all but the last bits that are not parity.
fn candidate(known: u64, candidate: u64) -> u64 {
    // Seven bits of each of the last three bytes, 21 in all, of which 20 are used.
    let spread = (candidate & 0x7F) << 1 | (candidate >> 7 & 0x7F) << 9 | (candidate >> 14 & 0x3F) << 17;
    known & !0x7E_FEFE | spread
}

fn print_extrapolation(what: &str, tried: u64, seconds: f64, bits: i32) {
    let rate = tried as f64 / seconds;
    let years = 2_f64.powi(bits) / rate / (365.25 * 86_400.0);
    println!("{what}: {rate:.3e} keys a second here, on one core; 2^{bits} keys take {years:.3e} years");
}

#[test]
fn a_shortened_des_key_falls_to_one_recorded_number() {
    let shared = key::<Des>(300);
    let random = &mut fixed(301);
    let (wire, client, _) = by_earlier(&shared, random);
    let secret = configuration::request(&client, "my PIN is 1234", random);

    // The attacker has the recording, and 36 of the 56 bits.
    let known = candidate(u64::from_be_bytes(shared.expose().try_into().unwrap()), 0);
    let (n1, encrypted) = (&wire.challenge.n1, &wire.response.encrypted);
    let start = Instant::now();
    let (mut tried, mut found) = (0, None);
    for at in 0..1 << UNKNOWN_BITS {
        tried += 1;
        let guess = candidate(known, at);
        let mut block = cipher::Block::<Des>::try_from(&n1[..]).unwrap();
        Des::new(&guess.to_be_bytes().into()).encrypt_block(&mut block);
        if block[..] == encrypted[..] {
            found = Some(Key::<Des>::new(&guess.to_be_bytes()).unwrap());
            break;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let found = found.unwrap();
    assert_eq!(found.expose(), shared.expose());

    // With the shared key every session, recorded or to come, is open.
    let replayed = historic::Challenge { n1: xor(encrypted, &wire.response.n2) };
    let ses = earlier::respond(&found, &replayed, random).unwrap().send;
    let stolen = Key::<Des>::new(&ses.encrypted).unwrap();
    assert_eq!(configuration::receive_request(&stolen, &secret).unwrap().wanted(), "my PIN is 1234");
    print_extrapolation("DES", tried, seconds, 56);
    println!("DES in 1998, on a machine built for it (EFF): 56 hours");
}

#[test]
fn a_real_key_is_not_found_by_searching() {
    // The same attempt: from a recording alone, try keys until one made S2's tag. The way to try one is
    // to be the server, with the recorded number for its own.
    let mut real = Real::new();
    let ([s0, s1, s2, _], ..) = real.session();
    let n_s = Challenge::decode(&s1).unwrap().core.last_chunk::<32>().copied().unwrap();
    let key_id = real.world.registrations().remove(0).key_id;
    let row = real.world.store.registration(&Address::Key(key_id), real.world.now()).unwrap().unwrap();
    let fits = |key: Secret| {
        let keys = StoredKeys { auth: key, ..row.keys.clone() };
        let row = ServerRegistration { keys, ..row.clone() };
        let need = receive_open(&s0, &real.world.settings).unwrap();
        let mut recorded = |out: &mut [u8]| out.copy_from_slice(&n_s);
        let state = need.supply(Some(row), real.world.now(), &mut recorded).unwrap().next;
        state.receive_response(&s2, real.world.now(), &mut fixed(302)).is_ok()
    };
    assert!(fits(row.keys.auth.clone()), "whoever has the key sees that it is the one");

    // No policy and no setting makes a key shorter than 32 bytes, so there is no end to come to.
    assert_eq!(Secret::LEN, 32);
    let (start, tries) = (Instant::now(), 1 << 12);
    for guess in 0_u64..tries {
        let mut key = [0; Secret::LEN];
        key[24..].copy_from_slice(&guess.to_be_bytes());
        assert!(!fits(Secret::new(key)));
    }
    print_extrapolation("halfkey", tries, start.elapsed().as_secs_f64(), 256);
}
