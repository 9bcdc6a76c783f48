//! Enrolment URIs: read as they are written, strictly, and without showing their code.

use crate::common::Issuer;
use halfkey::certificate::{IssuerName, TrustAnchor};
use halfkey::key::IssuerKey;
use halfkey::registration::{ActivationCode, EnrolmentUri, EnrolmentUriError as Error, Host};
use halfkey::{NameError, ServerName, UserName};
use proptest::prelude::*;
use std::num::NonZeroU16;

const PORT: NonZeroU16 = NonZeroU16::new(4500).unwrap();

fn server() -> ServerName {
    ServerName::new("gate.example").unwrap()
}

fn anchor() -> TrustAnchor {
    let key = IssuerKey::generate_ed25519(&mut |out: &mut [u8]| out.fill(7)).unwrap();
    TrustAnchor::new(IssuerName::common_name("Gate CA").unwrap(), key.public().clone())
}

fn code() -> ActivationCode {
    ActivationCode::parse("9G3K-M2VQ-0RXT-ABCD").unwrap()
}

fn reveal(uri: &EnrolmentUri) -> String {
    uri.reveal().unwrap().to_string()
}

/// All parts, in a form that can be compared.
fn parts(uri: &EnrolmentUri) -> impl PartialEq + std::fmt::Debug + use<> {
    (
        (uri.host().clone(), uri.port(), uri.server().clone()),
        (uri.name().cloned(), uri.code().map(ActivationCode::reveal), uri.anchor().cloned()),
    )
}

#[test]
fn a_uri_is_read_as_it_is_written() {
    let plain = EnrolmentUri::new(server(), PORT);
    assert_eq!(reveal(&plain), "halfkey://gate.example:4500/");
    let full = plain.with_code(UserName::new("bjørn&co").unwrap(), code()).with_anchor(anchor());
    let text = reveal(&full);
    let begin = "halfkey://gate.example:4500/?name=bj%C3%B8rn%26co&code=9G3KM2VQ0RXTABCD&anchor=";
    assert!(text.starts_with(begin), "{text}");
    assert_eq!(parts(&text.parse().unwrap()), parts(&full));
    let address = EnrolmentUri::at("2001:DB8::1".parse().unwrap(), PORT, server());
    assert_eq!(reveal(&address), "halfkey://[2001:db8::1]:4500/?server=gate.example");
    let other = EnrolmentUri::at("proxy.example".parse().unwrap(), PORT, server());
    assert_eq!(reveal(&other), "halfkey://proxy.example:4500/?server=gate.example");
    // As people and programs change it.
    let typed = " HalfKey://Gate.Example:04500?code=9g3k-m2vq-0rxt-abcd&name=%62en\n";
    let read: EnrolmentUri = typed.parse().unwrap();
    assert_eq!((read.port(), read.server(), read.name().unwrap().as_str()), (4500, &server(), "ben"));
    assert_eq!(read.code().unwrap().reveal(), code().reveal());
}

#[test]
fn what_is_none_is_refused() {
    for (text, error) in [
        ("", Error::Scheme),
        ("halfkey:gate.example:4500", Error::Scheme),
        ("https://gate.example:4500/", Error::Scheme),
        ("halfkey:/é/gate.example:4500/", Error::Scheme),
        ("halfkey://gate.example/", Error::Port),
        ("halfkey://gate.example:0/", Error::Port),
        ("halfkey://gate.example:+4500/", Error::Port),
        ("halfkey://gate.example:65536/", Error::Port),
        ("halfkey://:4500/", Error::Host),
        ("halfkey://ann@gate.example:4500/", Error::Host),
        ("halfkey://2001:db8::1:4500/", Error::Host),
        ("halfkey://[192.0.2.1]:4500/?server=a", Error::Host),
        ("halfkey://[::1:4500/?server=a", Error::Host),
        ("halfkey://gate_example:4500/", Error::Host),
        ("halfkey://gate.example:4500/x", Error::Path),
        ("halfkey://gate.example:4500//", Error::Path),
        ("halfkey://gate.example:4500/#code=1", Error::Path),
        ("halfkey://gate.example:4500/?code=1#x", Error::Path),
        ("halfkey://192.0.2.1:4500/", Error::NoServer),
        ("halfkey://gate.example:4500/?colour=red", Error::Parameter),
        ("halfkey://gate.example:4500/?Code=1", Error::Parameter),
        ("halfkey://gate.example:4500/?code", Error::Parameter),
        ("halfkey://gate.example:4500/?name=ann&", Error::Parameter),
        ("halfkey://gate.example:4500/?name=ann&name=ann", Error::Twice("name")),
        ("halfkey://gate.example:4500/?name=ann%", Error::Encoding("name")),
        ("halfkey://gate.example:4500/?name=ann%2", Error::Encoding("name")),
        ("halfkey://gate.example:4500/?name=%+1", Error::Encoding("name")),
        ("halfkey://gate.example:4500/?name=%FF", Error::Encoding("name")),
        ("halfkey://gate.example:4500/?name=bjørn", Error::Encoding("name")),
        ("halfkey://gate.example:4500/?anchor=a+b/", Error::Encoding("anchor")),
        ("halfkey://gate.example:4500/?name=Ann", Error::Name(NameError::NotNormalised)),
        ("halfkey://gate.example:4500/?server=", Error::Server(NameError::Empty)),
    ] {
        assert_eq!(text.parse::<EnrolmentUri>().unwrap_err(), error, "{text}");
    }
    let long = format!("halfkey://gate.example:4500/?name={}", "a".repeat(EnrolmentUri::MAX));
    assert_eq!(long.parse::<EnrolmentUri>().unwrap_err(), Error::TooLong);
    for bad in ["code=123", "anchor=AAAA"] {
        let text = format!("halfkey://gate.example:4500/?{bad}");
        assert!(matches!(text.parse::<EnrolmentUri>(), Err(Error::Code(_) | Error::Anchor(_))), "{bad}");
    }
    assert!("ann@gate".parse::<Host>().is_err());
}

#[test]
fn the_code_shows_in_no_debug_output_and_in_no_error() {
    let uri = EnrolmentUri::new(server(), PORT).with_code(UserName::new("ann").unwrap(), code());
    let debug = format!("{uri:?}");
    assert!(debug.contains("gate.example") && !debug.contains("9G3K"), "{debug}");
    let wrong = reveal(&uri).replace("0RXT", "URXT");
    let error = wrong.parse::<EnrolmentUri>().unwrap_err();
    assert!(!format!("{error:?} {error}").contains("9G3K"));
}

/// An anchor with a key of 3,072 bits is 215 bytes longer.
#[test]
fn a_qr_code_holds_an_rsa_anchor() {
    let anchor = Issuer::new(1).anchors().as_slice()[0].clone();
    let name = UserName::new(&"ø".repeat(127)).unwrap();
    let text = reveal(&EnrolmentUri::new(server(), PORT).with_code(name, code()).with_anchor(anchor));
    assert!(text.len() + 215 < 2953, "{}", text.len());
}

proptest! {
    #[test]
    fn every_uri_comes_back(
        host in prop_oneof![
            any::<std::net::IpAddr>().prop_map(Host::Address),
            "[a-z][a-z0-9]{0,9}(\\.[a-z]{1,9}){0,3}".prop_map(|name| name.parse().unwrap()),
        ],
        port in any::<NonZeroU16>(),
        server in "[a-z][a-z0-9]{0,9}(\\.[a-z]{1,9}){0,3}",
        name in "\\PC{1,20}",
        seed in any::<u8>(),
        with in any::<[bool; 3]>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut uri = EnrolmentUri::at(host, port, ServerName::new(&server).unwrap());
        if let (true, Ok(name)) = (with[0], UserName::normalise(&name)) {
            uri = uri.with_name(name);
        }
        if with[1] {
            let name = UserName::new("ann").unwrap();
            uri = uri.with_code(name, ActivationCode::generate_long(&mut |out: &mut [u8]| out.fill(seed)));
        }
        if with[2] {
            uri = uri.with_anchor(anchor().with_minimum_suite(seed.into()));
        }
        let text = reveal(&uri);
        prop_assert_eq!(parts(&text.parse().unwrap()), parts(&uri));
        // A piece of it may be another URI, and what it is is written and read again.
        if let Ok(piece) = text[..cut.index(text.len())].parse::<EnrolmentUri>() {
            prop_assert_eq!(parts(&reveal(&piece).parse().unwrap()), parts(&piece));
        }
    }

    #[test]
    fn no_text_is_too_much(place in "\\PC{0,40}", query in "[a-z=&%0-9A-F+]{0,60}") {
        for text in [place.clone(), format!("halfkey://{place}"), format!("halfkey://a:1/?{query}")] {
            if let Ok(uri) = text.parse::<EnrolmentUri>() {
                prop_assert_eq!(parts(&reveal(&uri).parse().unwrap()), parts(&uri));
            }
        }
    }
}
