//! Each limit of PROTOCOL.md, section 12, at its value and one beyond.
#![allow(clippy::arithmetic_side_effects, reason = "a test may overflow")]

use super::*;
use crate::id::{
    AccessPath, Alias, ApplicationName, Group, KeyId, OfferId, ServerName, Txn, UserId, UserName,
};
use crate::name::NameError;
use crate::policy::SuiteList;
use crate::template::{FieldValue, Form};
use crate::wire::{Bytes, Codes, Ext, MAX_MESSAGE, Message, Problem, Value, WireError, encode};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

static ZEROS: [u8; MAX_MESSAGE + 1] = [0; MAX_MESSAGE + 1];

/// Returns the numbers in the row of PROTOCOL.md's limits that begins so.
fn stated(row: &str) -> Vec<usize> {
    let text = include_str!("../../PROTOCOL.md");
    let (_, limits) = text.split_once("\n## 12. Limits\n").unwrap();
    let row = limits.lines().find_map(|line| line.strip_prefix(&format!("| {row} | "))).unwrap();
    let digits = |part: &str| part.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap();
    row.split(['/', ';']).map(digits).collect()
}

fn problem<T>(decoded: Result<T, WireError>) -> Option<(&'static str, Problem)> {
    decoded.err().map(|error| (error.field, error.problem))
}

#[test]
fn a_message_has_its_greatest_length_and_not_a_byte_more() {
    const WHOLE: Option<(&str, Problem)> = Some(("*", Problem::TooLong));
    macro_rules! limits {
        ($row:literal: $($message:ident),*) => {
            let mut limits = stated($row).into_iter();
            $(
                let limit = limits.next().unwrap();
                assert_eq!(<$message as Message<'_>>::MAX, limit, "{}", stringify!($message));
                assert_ne!(problem($message::decode(&ZEROS[..limit])), WHOLE, "{}", stringify!($message));
                assert_eq!(problem($message::decode(&ZEROS[..=limit])), WHOLE, "{}", stringify!($message));
            )*
            assert_eq!(limits.next(), None);
        };
    }
    limits!("R0 / R1 / R2 / R3 / R4 / R5 / E0": Hello, Offer, Request, Outcome, Confirm, Done, ErrorMessage);
    limits!("S0 / S1 / S2 / S3 / Status": Open, Challenge, Response, Accept, StatusMessage);
    limits!("C0 / C1 / C2": ConfigRequest, Configuration, Applied);
}

/// Decodes one value that `make` puts a byte string of each length into, without the message's own limit.
fn lengths(min: usize, max: usize, field: &str, decodes: impl Fn(&'static [u8]) -> Result<(), WireError>) {
    for length in [min, max] {
        assert_eq!(decodes(&ZEROS[..length]), Ok(()), "{field} of {length}");
    }
    let beyond = [(min.checked_sub(1), Problem::TooShort), (Some(max + 1), Problem::TooLong)];
    for (length, problem) in beyond.into_iter().filter_map(|(length, problem)| Some((length?, problem))) {
        let error = decodes(&ZEROS[..length]).unwrap_err();
        assert_eq!((error.field, error.problem), (field, problem), "{length}");
    }
}

fn again<T: for<'b> Value<'b>>(value: &T) -> Result<(), WireError> {
    wire::decode::<T>(&encode(value), "test", usize::MAX).map(drop)
}

macro_rules! read {
    ($message:expr, $type:ident) => {
        wire::decode::<$type<'_>>(&encode(&$message), "test", usize::MAX).map(drop)
    };
}

#[test]
fn cores_have_their_greatest_length_and_not_a_byte_more() {
    let [r1, r2, r3, s1] = stated("cores of R1 / R2 / R3 / S1")[..] else { panic!() };
    let least = &ZEROS[..1];
    lengths(1, r1.min(MAX_MESSAGE), "core", |core| {
        read!(Offer { core: Bytes(core), cookie: Bytes(least), sig: [0; 64] }, Offer)
    });
    lengths(1, r2, "core", |core| {
        read!(Request { core: Bytes(core), sealed: Bytes(&ZEROS[..272]) }, Request)
    });
    lengths(1, r3, "core", |core| read!(Outcome { core: Bytes(core), tag_s: [0; 32] }, Outcome));
    lengths(1, s1, "core", |core| read!(Challenge { core: Bytes(core), cookie: None }, Challenge));
}

#[test]
fn byte_strings_have_their_least_and_greatest_length() {
    let least = &ZEROS[..1];
    lengths(1, 256, "cookie", |cookie| {
        read!(Offer { core: Bytes(least), cookie: Bytes(cookie), sig: [0; 64] }, Offer)
    });
    lengths(272, 16_400, "sealed", |sealed| {
        read!(Request { core: Bytes(least), sealed: Bytes(sealed) }, Request)
    });
    let core = |cookie, ct, ct_e| RequestCore {
        txn: Txn::new([0; 16]),
        offer_id: OfferId::new([0; 16]),
        cookie: Bytes(cookie),
        ct: Bytes(ct),
        ct_e: Bytes(ct_e),
    };
    let (ct, ct_e) = (&ZEROS[..256], &ZEROS[..32]);
    lengths(1, 256, "cookie", |cookie| read!(core(cookie, ct, ct_e), RequestCore));
    lengths(256, 1024, "ct", |ct| read!(core(least, ct, ct_e), RequestCore));
    lengths(32, 1120, "ct_e", |ct_e| read!(core(least, ct, ct_e), RequestCore));
    lengths(272, 4112, "sealed", |sealed| {
        let core = OutcomeCore { txn: Txn::new([0; 16]), salt_g: [0; 32], sealed: Bytes(sealed) };
        read!(core, OutcomeCore)
    });
    lengths(1, 256, "cookie", |cookie| {
        read!(Challenge { core: Bytes(least), cookie: Some(Bytes(cookie)) }, Challenge)
    });
    let response = |pk_e: Option<&'static [u8]>, cookie: Option<&'static [u8]>| Response {
        n_c: [0; 32],
        pk_e: pk_e.map(Bytes),
        tag_c: [0; 32],
        cookie: cookie.map(Bytes),
    };
    lengths(32, 1216, "pk_e", |pk_e| read!(response(Some(pk_e), None), Response));
    lengths(1, 256, "cookie", |cookie| read!(response(None, Some(cookie)), Response));
    lengths(32, 1120, "x", |x| {
        read!(Accept { x: Bytes(x), tag_s: [0; 32], record: Bytes(&ZEROS[..272]) }, Accept)
    });
    lengths(0, Ext::MAX_LEN, "test", |extension| {
        let ext = Ext::one(9, extension);
        let found = wire::decode::<Ext<'_>>(&encode(&ext), "test", usize::MAX).map(drop);
        found.map_err(|error| WireError { field: "test", ..error })
    });
    assert_eq!(stated("certificate; revocation list; trust anchor in DER")[0], 8192);
    assert_eq!(stated("document; its media type"), [57_344, 127]);
    assert_eq!(stated("frame, record"), [MAX_MESSAGE]);
}

#[test]
fn lists_have_8_different_codes_at_most() {
    let list = |codes: &[u16]| {
        let mut encoder = minicbor::Encoder::new(vec![]);
        encoder.array(codes.len() as u64).unwrap();
        for code in codes {
            encoder.u16(*code).unwrap();
        }
        encoder.into_writer()
    };
    let decoded = |codes: &[u16]| {
        let bytes = list(codes);
        let plain = wire::decode::<Codes>(&bytes, "test", usize::MAX).map_err(|error| error.problem);
        let suites = wire::decode::<SuiteList>(&bytes, "test", usize::MAX).map_err(|error| error.problem);
        assert_eq!(plain.map(drop), suites.map(drop), "{codes:?}");
        plain.map(|codes| codes.iter().collect::<Vec<_>>())
    };
    let eight = [8, 7, 6, 5, 4, 3, 2, 1];
    assert_eq!((Codes::MAX, decoded(&eight)), (8, Ok(eight.to_vec())));
    assert_eq!(decoded(&[8, 7, 6, 5, 4, 3, 2, 1, 9]), Err(Problem::TooLong));
    assert_eq!(decoded(&[]), Err(Problem::TooShort));
    assert_eq!(decoded(&[1, 2, 1]), Err(Problem::OutOfRange));
    assert_eq!(Codes::new(1..=8).map(|codes| codes.iter().count()), Some(8));
    assert_eq!((Codes::new(1..=9), Codes::new([]), Codes::new([3, 3])), (None, None, None));
}

/// A name of each kind: its greatest length, and what a text that is not empty is made of.
#[test]
fn names_have_their_greatest_length_and_not_a_byte_more() {
    fn bounds<T>(new: impl Fn(&str) -> Result<T, NameError>, max: usize) {
        assert!(new(&"a".repeat(max)).is_ok(), "{max}");
        assert_eq!(new(&"a".repeat(max + 1)).err(), Some(NameError::TooLong(max)));
        assert_eq!(new("").err(), Some(NameError::Empty));
    }
    let longest = stated("user name; access control path; texts without a limit of their own")[0];
    bounds(UserName::new, longest);
    bounds(AccessPath::new, longest);
    let longest = stated("user id, application, name of an attribute")[0];
    bounds(UserId::new, longest);
    bounds(ApplicationName::new, longest);
    bounds(Group::new, longest);
    for visible in ["!", "~"] {
        assert!(UserId::new(visible).is_ok() && AccessPath::new(visible).is_ok());
        assert!(ApplicationName::new(visible).is_ok());
    }
    for other in [" ", "\u{7F}", "\u{1F}", "\u{80}", "é"] {
        assert!(UserId::new(other).is_err() && AccessPath::new(other).is_err(), "{other:?}");
        assert!(ApplicationName::new(other).is_err(), "{other:?}");
    }
    let label = "a".repeat(63);
    let server = |last: usize| ServerName::new(&format!("{label}.{label}.{label}.{}", "a".repeat(last)));
    assert_eq!(server(61).map(|name| name.as_str().len()), Ok(253));
    assert_eq!(server(62), Err(NameError::TooLong(253)));
    assert!(ServerName::new(&label).is_ok() && ServerName::new(&format!("{label}a")).is_err());
}

#[test]
fn texts_and_forms_have_their_greatest_length_and_not_a_byte_more() {
    let text = |length| FieldValue::Text("x".repeat(length));
    let form = |entries: usize| Form((0..entries).map(|n| (n as u8, FieldValue::Boolean(true))).collect());
    let too_long =
        |decoded: Result<(), WireError>| assert_eq!(decoded.unwrap_err().problem, Problem::TooLong);
    assert_eq!(again(&text(4096)), Ok(()));
    too_long(again(&text(4097)));
    assert_eq!((again(&form(0)), again(&form(16))), (Ok(()), Ok(())));
    too_long(again(&form(17)));
    assert_eq!((again(&String::new()), again(&"x".repeat(255))), (Ok(()), Ok(())));
    too_long(again(&"x".repeat(256)));
    let lists = |count| again(&vec![Txn::new([0; 16]); count]);
    assert_eq!((lists(1), lists(16)), (Ok(()), Ok(())));
    too_long(lists(17));
    assert_eq!(lists(0).unwrap_err().problem, Problem::TooShort);
}

/// Identifiers have one length alone.
#[test]
fn identifiers_have_their_length() {
    for (length, problem) in [(15, Problem::TooShort), (17, Problem::TooLong)] {
        let bytes = encode(&Bytes::<0, 99>(&ZEROS[..length]));
        for error in [
            wire::decode::<KeyId>(&bytes, "test", 99).unwrap_err(),
            wire::decode::<Alias>(&bytes, "test", 99).unwrap_err(),
            wire::decode::<Txn>(&bytes, "test", 99).unwrap_err(),
            wire::decode::<[u8; 16]>(&bytes, "test", 99).unwrap_err(),
        ] {
            assert_eq!(error.problem, problem);
        }
    }
}
