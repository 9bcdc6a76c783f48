//! Configuration (C0 to C2): both sides against each other, and a token against a server that does wrong.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod properties;
mod rules;
mod story;
#[path = "../support/supply.rs"]
mod supply;
mod wire;

use halfkey::configuration::server::Principal;
use halfkey::configuration::token::{Applying, AwaitConfiguration, NeedApply, Verdict};
use halfkey::configuration::{TokenConfigurationError, digest, token};
use halfkey::message::{Applied, Configuration, Scope, UserInformation};
use halfkey::policy::{Policy, SuiteId};
use halfkey::port::entitlement_store::{ConfigurationSerial, Document, Entitlement};
use halfkey::record::{Progress, TokenRegistration};
use halfkey::wire::{Bytes, Message, Text};
use halfkey::{AccessPath, ApplicationName, Digest, KeyId, ServerName, Step, UnixTime, UserId};
use std::num::NonZeroU32;

/// The token's clock at the start of every test; the server's is a minute ahead.
const T: u64 = 1_700_000_000;
const SERVER: u64 = T + 60;

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_secs(seconds)
}

fn mail() -> ApplicationName {
    ApplicationName::new("mail").unwrap()
}

fn serial(number: u64) -> ConfigurationSerial {
    ConfigurationSerial { epoch: 0, number }
}

fn document(text: &str) -> Document {
    Document { media_type: "text/plain".into(), body: text.as_bytes().into() }
}

fn entitled(number: u64, text: &str) -> Entitlement {
    Entitlement {
        serial: serial(number),
        valid_for: Some(3600),
        document: Some(document(text)),
        last_applied: None,
    }
}

fn registration() -> TokenRegistration {
    TokenRegistration {
        key_id: KeyId::new([1; 16]),
        server_name: ServerName::new("gate.example").unwrap(),
        certificate: Digest::new([2; 32]),
        certificate_end: UnixTime::from_secs(4_000_000_000),
        anchor: Digest::new([3; 32]),
        user_id: UserId::new("u-17").unwrap(),
        access_path: AccessPath::new("/staff").unwrap(),
        suite: SuiteId::XWing,
        policy: Policy::default(),
        alias: None,
        progress: Progress::Active,
        supersedes: None,
        configurations: vec![],
        clock_floor: UnixTime::default(),
        not_active: None,
    }
}

fn principal() -> Principal {
    let TokenRegistration { key_id, user_id, access_path, server_name, .. } = registration();
    Principal { key_id, user_id, access_path, server_name }
}

fn ask(registration: &TokenRegistration, id: u32, now: u64) -> (Vec<u8>, AwaitConfiguration) {
    let id = NonZeroU32::new(id).unwrap();
    let Step { send, next } =
        token::request(registration, &mail(), &UserInformation::default(), id, at(now)).unwrap();
    (send.into_bytes(), next)
}

fn scope() -> Scope {
    Scope { user_id: registration().user_id, server_name: registration().server_name, application: mail() }
}

/// A C1 that brings `document` to the asking token as answer to request 1.
fn c1<'d>(serial: ConfigurationSerial, document: &'d Document) -> Configuration<'d> {
    Configuration {
        request_id: 1,
        scope: scope(),
        serial: Some(serial),
        digest: Some(digest(Some(document))),
        valid_for: Some(3600),
        server_time: SERVER,
        kind: 2,
        media_type: Some(Text(&document.media_type)),
        body: Some(Bytes(&document.body)),
    }
}

fn revoked(serial: ConfigurationSerial) -> Configuration<'static> {
    Configuration {
        request_id: 1,
        scope: scope(),
        serial: Some(serial),
        digest: Some(digest(None)),
        valid_for: None,
        server_time: SERVER,
        kind: 1,
        media_type: None,
        body: None,
    }
}

/// Gives `c1` to the token as the answer to request 1, asked at T and answered at T + 1.
fn answer(
    registration: &TokenRegistration,
    c1: &Configuration<'_>,
) -> Result<Verdict, TokenConfigurationError> {
    let (_, waiting) = ask(registration, 1, T);
    let received = waiting.receive(c1.encode().as_bytes(), registration, at(T + 1))?;
    assert!(received.waiting.is_none());
    Ok(received.verdict)
}

fn to_apply(verdict: Verdict) -> Box<NeedApply> {
    let Verdict::Apply(need) = verdict else { panic!("not to be applied: {verdict:?}") };
    need
}

/// The registration after `document` was applied under `serial`, asked at T.
fn holding(
    mut registration: TokenRegistration,
    serial: ConfigurationSerial,
    document: &Document,
) -> TokenRegistration {
    let need = to_apply(answer(&registration, &c1(serial, document)).unwrap());
    let Step { send, next } = need.supply(Applying::Applied, &registration).unwrap();
    assert_eq!(result(send.as_bytes()), (serial, 0));
    registration = *next;
    registration
}

/// Serial and result in a C2.
fn result(c2: &[u8]) -> (ConfigurationSerial, u8) {
    let c2 = Applied::decode(c2).unwrap();
    assert_eq!(c2.application, mail());
    (c2.serial, c2.result)
}
