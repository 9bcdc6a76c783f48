//! The limits of messages: each is the longest encoding that the grammar allows, or as much as a message may
//! have whose extensions and template the grammar alone would let grow further.

use super::*;
use crate::id::{Alias, KeyId, OfferId, Txn};
use crate::wire::{Bytes, MAX_MESSAGE, Message, Value, encode};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

const PROTOCOL: &str = include_str!("../../PROTOCOL.md");

/// A byte string at its longest.
fn long<const MIN: usize, const MAX: usize>(bytes: &[u8]) -> Bytes<'_, MIN, MAX> {
    Bytes(&bytes[..MAX])
}

fn most<'b, M: Message<'b>>(longest: &M) -> usize {
    assert_eq!(encode(longest).len(), M::MAX, "{}", M::NAME);
    M::MAX
}

fn length<'b>(core: &impl Value<'b>) -> usize {
    encode(core).len()
}

#[test]
fn limits_are_the_longest_encodings_and_those_of_the_text() {
    let bytes = vec![7; MAX_MESSAGE];
    let (txn, key_id, tag) = (Txn([7; 16]), KeyId([7; 16]), [7; 32]);

    let r2_core = RequestCore {
        txn,
        offer_id: OfferId([7; 16]),
        cookie: long(&bytes),
        ct: long(&bytes),
        ct_e: long(&bytes),
    };
    let r3_core = OutcomeCore { txn, salt_g: tag, sealed: long(&bytes) };
    let cores = [OfferCore::MAX, length(&r2_core), length(&r3_core), ChallengeCore::MAX];
    assert_eq!((cores[1], cores[2]), (RequestCore::MAX, OutcomeCore::MAX));
    let registration = [
        Hello::MAX,
        most(&Offer { core: long(&bytes), cookie: long(&bytes), sig: [7; 64] }),
        most(&Request { core: long(&bytes), sealed: long(&bytes) }),
        most(&Outcome { core: long(&bytes), tag_s: tag }),
        most(&Confirm { key_id, tag_c: tag }),
        most(&Done { txn, lost: true, tag }),
        most(&ErrorMessage { reason: u8::MAX }),
    ];
    assert_eq!((registration[0], registration[1]), (32_768, MAX_MESSAGE));
    let session = [
        Open::MAX,
        most(&Challenge { core: long(&bytes), cookie: Some(long(&bytes)) }),
        most(&Response { n_c: tag, pk_e: Some(long(&bytes)), tag_c: tag, cookie: Some(long(&bytes)) }),
        most(&Accept { x: long(&bytes), tag_s: tag, record: long(&bytes) }),
        most(&StatusMessage { status: 4, alias: Some(Alias([7; 16])) }),
    ];
    // Those of configuration are made in tests/configuration/wire.rs.
    let configuration = [ConfigRequest::MAX, Configuration::MAX, Applied::MAX];

    for (row, limits) in [
        ("R0 / R1 / R2 / R3 / R4 / R5 / E0", &registration[..]),
        ("S0 / S1 / S2 / S3 / Status", &session),
        ("C0 / C1 / C2", &configuration),
        ("cores of R1 / R2 / R3 / S1", &cores),
    ] {
        let said: Vec<String> = limits.iter().map(|limit| spaced(*limit)).collect();
        let line = alloc::format!("| {row} | {} bytes |", said.join(" / "));
        assert!(PROTOCOL.contains(&line), "PROTOCOL.md, section 12, should say {line}");
    }
}

/// A number as PROTOCOL.md writes it: a space before the last three of five digits.
fn spaced(number: usize) -> String {
    let digits = number.to_string();
    match digits.split_at_checked(digits.len().saturating_sub(3)) {
        Some((thousands, rest)) if thousands.len() > 1 => alloc::format!("{thousands} {rest}"),
        _ => digits,
    }
}
