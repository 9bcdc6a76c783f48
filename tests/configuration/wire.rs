//! Bytes: sizes, strict decoding, and every way to say nonsense in well-formed CBOR.

use super::*;
use halfkey::configuration::server::{push, receive_request};
use halfkey::configuration::token::{Instruction, receive_push};
use halfkey::configuration::{InformationError, ServerConfigurationError};
use halfkey::message::{ConfigRequest, Held};
use halfkey::wire::{Problem, WireError, message_type};
use halfkey::{AttributeName, Fault, NameError};
use std::collections::BTreeMap;

fn longest_application() -> ApplicationName {
    ApplicationName::new(&"a".repeat(64)).unwrap()
}

const LAST: ConfigurationSerial = ConfigurationSerial { epoch: u32::MAX, number: u64::MAX };

fn longest_c0() -> ConfigRequest {
    let line = || Some("l".repeat(255));
    ConfigRequest {
        request_id: u32::MAX,
        application: longest_application(),
        information: UserInformation { location: line(), system: line(), attributes: attributes(0..8) },
        held: Some(Held { serial: LAST, digest: Digest::new([0; 32]) }),
    }
}

fn attributes(numbers: std::ops::Range<u8>) -> BTreeMap<AttributeName, String> {
    let name = |n| AttributeName::new(&format!("{}{n}", "a".repeat(63))).unwrap();
    numbers.map(|n| (name(n), "v".repeat(255))).collect()
}

fn longest_document() -> Document {
    Document { media_type: format!("a/{}", "b".repeat(125)), body: vec![7; 57_344] }
}

fn longest_c1(document: &Document) -> Configuration<'_> {
    let label = "a".repeat(63);
    let server_name = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    Configuration {
        request_id: u32::MAX,
        scope: Scope {
            user_id: UserId::new(&"u".repeat(64)).unwrap(),
            server_name: ServerName::new(&server_name).unwrap(),
            application: longest_application(),
        },
        valid_for: Some(u32::MAX),
        server_time: u64::MAX,
        ..c1(LAST, document)
    }
}

fn longest_c2() -> Applied {
    Applied { request_id: u32::MAX, application: longest_application(), serial: LAST, result: 4 }
}

#[test]
fn the_longest_messages_are_as_long_as_allowed() {
    let document = longest_document();
    let (c0, c1, c2) = (longest_c0().encode(), longest_c1(&document).encode(), longest_c2().encode());
    assert_eq!(c0.as_bytes().len(), <ConfigRequest as Message<'_>>::MAX);
    assert_eq!(c1.as_bytes().len(), <Configuration<'_> as Message<'_>>::MAX);
    assert_eq!(c2.as_bytes().len(), <Applied as Message<'_>>::MAX);
    assert_eq!(ConfigRequest::decode(c0.as_bytes()).unwrap(), longest_c0());
    assert_eq!(Configuration::decode(c1.as_bytes()).unwrap(), longest_c1(&document));
    assert_eq!(Applied::decode(c2.as_bytes()).unwrap(), longest_c2());
    let types = [&c0.as_bytes(), &c1.as_bytes(), &c2.as_bytes()].map(|bytes| message_type(bytes).unwrap());
    assert_eq!(types, [12, 13, 14]);
    let need = receive_request(c0.as_bytes(), &principal()).unwrap();
    assert_eq!(need.wanted().query.held, Some(LAST));

    let entitlement = Entitlement { document: Some(longest_document()), ..entitled(1, "") };
    let step = push(&principal(), &mail(), &entitlement, at(SERVER)).unwrap();
    let need = to_apply(receive_push(step.send.as_bytes(), &registration(), at(T)).unwrap());
    assert_eq!(need.wanted(), &Instruction::Install(longest_document()));
}

#[test]
fn a_byte_too_much_is_refused_by_its_field() {
    let too_long = |field| WireError { message: "C1 Configuration", field, problem: Problem::TooLong };
    let document = Document { media_type: format!("a/{}", "b".repeat(126)), ..document("") };
    assert_eq!(
        answer(&registration(), &c1(serial(1), &document)).unwrap_err(),
        too_long("media_type").into()
    );
    let document = Document { body: vec![0; 57_345], media_type: "a/b".into() };
    assert_eq!(answer(&registration(), &c1(serial(1), &document)).unwrap_err(), too_long("body").into());

    let mut c0 = ConfigRequest { request_id: 1, held: None, ..longest_c0() };
    c0.information.location = Some("l".repeat(256));
    let error = receive_request(c0.encode().as_bytes(), &principal()).unwrap_err();
    let message = "C0 ConfigRequest.information";
    let expected = WireError { message, field: "location", problem: Problem::TooLong };
    assert_eq!((error.clone(), error.fault()), (expected.into(), Fault::Peer));
}

/// Returns true if the step that takes such a message accepts these bytes.
type Accepts = fn(&[u8]) -> bool;

/// A message of each kind, and who takes it.
fn everything() -> Vec<(Vec<u8>, Accepts)> {
    let by_server: Accepts = |bytes| receive_request(bytes, &principal()).is_ok();
    let by_token: Accepts = |bytes| {
        let held = holding(registration(), serial(1), &document("held"));
        ask(&held, 1, T).1.receive(bytes, &held, at(T)).is_ok()
    };
    let by_await: Accepts = |bytes| {
        let step = push(&principal(), &mail(), &entitled(5, "new"), at(SERVER)).unwrap();
        step.next.receive_applied(bytes).is_ok()
    };
    let held = document("held");
    let unchanged = Configuration { kind: 0, media_type: None, body: None, ..c1(serial(1), &held) };
    let unknown = Configuration { kind: 3, serial: None, digest: None, ..revoked(serial(1)) };
    let c2 = Applied { request_id: 0, application: mail(), serial: serial(5), result: 0 };
    vec![
        (ask(&registration(), 1, T).0, by_server),
        (ask(&holding(registration(), serial(1), &held), 1, T).0, by_server),
        (longest_c0().encode().into_bytes(), by_server),
        (unchanged.encode().into_bytes(), by_token),
        (revoked(serial(2)).encode().into_bytes(), by_token),
        (c1(serial(2), &document("new")).encode().into_bytes(), by_token),
        (unknown.encode().into_bytes(), by_token),
        (c2.encode().into_bytes(), by_await),
    ]
}

#[test]
fn cut_short_or_extended_nothing_is_accepted() {
    for (bytes, accepts) in everything() {
        assert!(accepts(&bytes));
        for length in 0..bytes.len() {
            assert!(!accepts(&bytes[..length]), "{length} of {}", bytes.len());
        }
        for extra in [0x00, 0xF6, 0xFF] {
            assert!(!accepts(&[&bytes[..], &[extra]].concat()));
        }
        // A map that claims one entry more, has a key twice, or has one that no message has.
        let mut more = bytes.clone();
        more[0] += 1;
        assert!(!accepts(&more));
        for key in [[0x00, 0x00], [0x01, 0x01], [0x0A, 0x00], [0x20, 0x00]] {
            assert!(!accepts(&[&more[..], &key].concat()));
        }
        // Of another type.
        for code in (0..=15).filter(|code| *code != bytes[2]) {
            let mut other = bytes.clone();
            other[2] = code;
            assert!(!accepts(&other), "type {code}");
        }
    }
}

#[test]
fn flipped_bits_do_no_harm() {
    for (bytes, accepts) in everything() {
        for place in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[place / 8] ^= 1 << (place % 8);
            // Bytes that still decode are another message of the channel's peer, and must not cause a panic.
            accepts(&flipped);
        }
    }
}

#[test]
fn c1_has_the_fields_of_its_kind_and_no_others() {
    let held = document("held");
    let record = holding(registration(), serial(1), &held);
    // For each kind: serial, digest, valid_for, media_type, body; 0 never, 1 always, 2 maybe.
    let kinds = [[1, 1, 2, 0, 0], [1, 1, 0, 0, 0], [1, 1, 2, 1, 1], [0, 0, 0, 0, 0]];
    for kind in 0..=5u8 {
        for present in 0..32u8 {
            let has = |bit: u8| present >> bit & 1 == 1;
            let full = c1(serial(1), &held);
            let c1 = Configuration {
                kind,
                serial: full.serial.filter(|_| has(0)),
                digest: full
                    .digest
                    .map(|fits| if kind == 1 { digest(None) } else { fits })
                    .filter(|_| has(1)),
                valid_for: full.valid_for.filter(|_| has(2)),
                media_type: full.media_type.filter(|_| has(3)),
                body: full.body.filter(|_| has(4)),
                ..full
            };
            let rules = kinds.get(usize::from(kind));
            let good = rules.is_some_and(|rules| {
                (0u8..).zip(rules).all(|(bit, rule)| *rule == 2 || (*rule == 1) == has(bit))
            });
            let verdict = answer(&record, &c1);
            assert_eq!(verdict.is_ok(), good, "kind {kind}, fields {present:05b}");
            if let Err(error) = verdict {
                assert!(matches!(error, TokenConfigurationError::Wire(_)), "{error}");
            }
            let pushed = Configuration { request_id: 0, ..c1 }.encode();
            let verdict = receive_push(pushed.as_bytes(), &record, at(T));
            assert_eq!(verdict.is_ok(), good && matches!(kind, 1 | 2), "a push always has news");
        }
    }
}

#[test]
fn a_media_type_is_one() {
    for bad in ["abc", "a/ b", "/ab", "ab/", "a/b;\r\n"] {
        let document = Document { media_type: bad.into(), ..document("") };
        let error = answer(&registration(), &c1(serial(1), &document)).unwrap_err();
        let message = "C1 Configuration";
        assert_eq!(error, WireError { message, field: "media_type", problem: Problem::OutOfRange }.into());
    }
}

#[test]
fn information_is_a_line_of_composed_text() {
    let said = |text: &str| UserInformation { system: Some(text.into()), ..UserInformation::default() };
    let receive = |information: UserInformation| {
        let c0 = ConfigRequest { request_id: 1, application: mail(), information, held: None }.encode();
        receive_request(c0.as_bytes(), &principal())
    };
    assert!(receive(said("")).is_ok() && receive(said("kiosk 7, Zürich")).is_ok());
    let bad = [("a\nb", NameError::Character), ("Zu\u{308}rich", NameError::NotNormalised)];
    for (text, problem) in bad {
        let field = "system";
        let error = WireError { message: "C0 ConfigRequest", field, problem: Problem::Name(problem) };
        assert_eq!(receive(said(text)).unwrap_err(), error.into());
    }
    // The token composes what it is given, and refuses the rest before it is sent.
    let id = NonZeroU32::MIN;
    let ask = |text: &str| token::request(&registration(), &mail(), &said(text), id, at(T)).map(|_| ());
    assert_eq!(ask("Zu\u{308}rich"), Ok(()));
    for (text, why) in [("a\nb".into(), NameError::Character), ("x".repeat(256), NameError::TooLong(255))] {
        let error = ask(&text).unwrap_err();
        assert_eq!(
            (error, error.fault()),
            (TokenConfigurationError::Information(InformationError::Line(why)), Fault::User)
        );
    }
}

#[test]
fn attributes_are_few_named_normalised_and_in_order() {
    let refused = |c0: &[u8]| receive_request(c0, &principal()).unwrap_err();
    let information = |attributes| UserInformation { attributes, ..UserInformation::default() };
    let c0 = |attributes| {
        let information = information(attributes);
        ConfigRequest { request_id: 1, application: mail(), information, held: None }.encode().into_bytes()
    };
    let fault = |message, problem| {
        ServerConfigurationError::from(WireError { message, field: "attributes", problem })
    };
    let inside = |problem| fault("C0 ConfigRequest.information", problem);
    let one = |value: &str| BTreeMap::from([("role".parse::<AttributeName>().unwrap(), value.to_string())]);
    assert!(receive_request(&c0(one("teller")), &principal()).is_ok());
    assert_eq!(refused(&c0(attributes(0..9))), inside(Problem::TooLong));
    assert_eq!(refused(&c0(one(&"x".repeat(256)))), inside(Problem::TooLong));
    let named = |problem| fault("C0 ConfigRequest", Problem::Name(problem));
    assert_eq!(refused(&c0(one("a\nb"))), named(NameError::Character));
    assert_eq!(refused(&c0(one("Zu\u{308}rich"))), named(NameError::NotNormalised));

    // `{3: [["a", ""], ["b", ""]]}` in the place of `{}`, and what may not stand there.
    let with = |information: &[u8]| {
        let empty = c0(BTreeMap::new());
        let [rest @ .., 3, 0xA0] = &empty[..] else { panic!("{empty:?}") };
        [rest, &[3, 0xA1, 3], information].concat()
    };
    assert!(receive_request(&with(b"\x82\x82\x61a\x60\x82\x61b\x60"), &principal()).is_ok());
    for (bytes, problem) in [
        (&b"\x80"[..], Problem::TooShort),
        (b"\x82\x82\x61b\x60\x82\x61a\x60", Problem::UnexpectedKey),
        (b"\x82\x82\x61a\x60\x82\x61a\x60", Problem::UnexpectedKey),
        (b"\x81\x82\x60\x60", Problem::Name(NameError::Empty)),
        (b"\x81\x82\x62a \x60", Problem::Name(NameError::CharacterAt { character: ' ', place: 2 })),
        (b"\x81\x81\x61a", Problem::WrongType),
        (b"\x81\x83\x61a\x60\x60", Problem::WrongType),
        (b"\xA1\x61a\x60", Problem::WrongType),
        (b"\x9F\x82\x61a\x60\xFF", Problem::NotCanonical),
        (b"\x9B\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", Problem::TooLong),
    ] {
        assert_eq!(refused(&with(bytes)), inside(problem), "{bytes:x?}");
    }

    // The token composes values, and sends no more than eight.
    let ask = |attributes| {
        token::request(&registration(), &mail(), &information(attributes), NonZeroU32::MIN, at(T)).map(|_| ())
    };
    assert_eq!(ask(one("Zu\u{308}rich")), Ok(()));
    assert_eq!(ask(attributes(0..9)), Err(InformationError::TooManyAttributes(9).into()));
    assert_eq!(ask(one("a\nb")), Err(InformationError::Line(NameError::Character).into()));
}

#[test]
fn request_id_0_is_the_server_s() {
    let c0 = ConfigRequest { request_id: 0, held: None, ..longest_c0() }.encode();
    let error = receive_request(c0.as_bytes(), &principal()).unwrap_err();
    let message = "C0 ConfigRequest";
    let expected = WireError { message, field: "request_id", problem: Problem::OutOfRange };
    assert_eq!(error, ServerConfigurationError::Wire(expected));
}
