//! Nothing secret shows in `Debug`, nor in any error.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;
#[path = "support/supply.rs"]
mod supply;

use common::{Issuer, PIN, START, World};
use halfkey::certificate::Revocation;
use halfkey::exchange::TokenReply;
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::Store;
use halfkey::message::{Address, OutcomeBody};
use halfkey::port::auth_server::Decapsulated;
use halfkey::port::entitlement_store::Document;
use halfkey::port::token::JoinRequest;
use halfkey::port::{EntitlementStore, Token, TokenError};
use halfkey::record::{Activation, Effect, ExpectedTags, ProofKey, StoredKeys, WaitingRequest};
use halfkey::registration::server::{Decision, Lookup, receive_confirm, receive_hello, receive_request};
use halfkey::registration::token::{Credential, RenewalTags, ServerDecision, hello};
use halfkey::registration::{ActivationCode, Recoverable};
use halfkey::schedule::KeySet;
use halfkey::session::server::{Entry, receive_open};
use halfkey::session::token::{self as session, Options};
use halfkey::session::{Content, OpenedRecord};
use halfkey::software::{PinSettings, SoftwareToken, UnblockingCode};
use halfkey::store::operation::{IssueCode, ListEvents};
use halfkey::suite::SUITES;
use halfkey::template::FieldValue;
use halfkey::{RandomSource, Secret, UnixTime, UserName};
use std::fmt::{Debug, Display};
use supply::*;

/// Byte of which all secrets here consist.
const MARK: u8 = 0xA7;
/// Text of which all user input here consists.
const WORD: &str = "xyzzyplugh";

fn secret() -> Secret {
    Secret::new([MARK; 32])
}

/// Draws of 32 bytes, which is what halves and keys are, are marked; ids are not.
#[derive(Default)]
struct Marked(u8);

impl RandomSource for Marked {
    fn fill(&mut self, out: &mut [u8]) {
        self.0 = self.0.wrapping_add(1);
        out.fill(if out.len() == 32 { MARK } else { self.0 });
    }
}

/// Neither the word nor a run of marks shows: in hexadecimal, decimal, escaped or in base64. Four in a
/// row, for two stand in what is encrypted and shown by chance, once in thirty runs or so.
fn text_is_mute(text: &str) {
    let squeezed: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    let marks = ["a7", "a7,", "a7:", "a7-", "0xa7,", "\\xa7", "167,"].map(|mark| mark.repeat(4));
    let marks = marks.iter().map(|run| run.trim_end_matches([',', ':', '-']));
    for leak in marks.chain(["p6enp6", WORD]) {
        assert!(!squeezed.contains(leak), "{leak} in {text}");
    }
}

fn mute<T: Debug>(value: T) -> T {
    text_is_mute(&format!("{value:?}"));
    text_is_mute(&format!("{value:#?}"));
    value
}

fn error_is_mute<T, E: Debug + Display>(result: Result<T, E>) {
    let Err(error) = result else { panic!("no error") };
    text_is_mute(&format!("{error}"));
    mute(error);
}

/// No run of 4 bytes of `bytes` shows, in hexadecimal or decimal.
fn holds_back(value: impl Debug, bytes: &[u8]) {
    let text = format!("{value:?}{value:#?}");
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    for run in bytes.windows(4) {
        let hexadecimal: String = run.iter().map(|byte| format!("{byte:02x}")).collect();
        let decimal = run.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
        assert!(!text.contains(&hexadecimal) && !text.contains(&decimal), "{text}");
    }
}

#[test]
#[should_panic(expected = "167,167")]
fn a_leak_would_be_seen() {
    mute([MARK; 32]);
}

#[test]
#[should_panic(expected = "in Some")]
fn a_word_would_be_seen() {
    mute(Some(WORD));
}

#[test]
fn plain_values() {
    mute(secret());
    mute(KeySet::from_stored(secret(), secret(), secret(), secret()));
    mute(StoredKeys { auth: secret(), derive: secret(), renew: secret() });
    let txn = halfkey::Txn::new([1; 16]);
    mute(ExpectedTags { txn, confirm: secret(), done: secret(), lost: secret() });
    mute(ProofKey::Secret(secret()));
    mute(RenewalTags { proof: secret(), mix: secret() });
    mute(Decapsulated { ssk1: secret(), ss_e: secret() });
    mute(FieldValue::from(WORD));
    mute(Document { media_type: "text/plain".into(), body: vec![MARK; 64] });
    mute(OpenedRecord::Data(zeroize::Zeroizing::new(vec![MARK; 64])));
    mute(OpenedRecord::Configuration(zeroize::Zeroizing::new(vec![MARK; 64])));
    let _ = mute(TokenReply { data: Some(vec![MARK; 64].into()), ..TokenReply::default() });
    let _ = mute(halfkey::exchange::ServerReply { data: Some(vec![MARK; 64].into()), ..Default::default() });
    mute(common::settings("gate.example"));
    mute(OutcomeBody::Granted {
        user_id: "u".parse().unwrap(),
        ssk2: secret(),
        key_id: halfkey::KeyId::new([1; 16]),
        alias: halfkey::Alias::new([2; 16]),
        access_path: "/".parse().unwrap(),
        policy: halfkey::policy::Policy::default(),
        confirm_by: 1,
    });
}

#[test]
fn keys() {
    let pem = include_str!("data/test-key-rsa-2048-a.pem");
    let kem = KemPrivateKey::from_pkcs8_pem(pem).unwrap();
    // The primes and what follows from them: behind the public numbers.
    let der = kem.to_pkcs8_der().unwrap();
    holds_back(&kem, &der[der.len() - 900..]);
    let issuer = IssuerKey::from_pkcs8_pem(pem).unwrap();
    holds_back(&issuer, &der[der.len() - 900..]);
    let mut marked = Marked::default();
    mute(OfferKey::generate(&mut marked));
    mute(IssuerKey::generate_ed25519(&mut marked).unwrap());
    error_is_mute(OfferKey::from_pkcs8_der(&[MARK; 64]));
    error_is_mute(KemPrivateKey::from_pkcs8_pem(&pem.replace("PRIVATE", "PUBLIC")));
    error_is_mute(IssuerKey::from_pkcs8_der(&[MARK; 64]));
}

#[test]
fn codes_and_forms() {
    let code = ActivationCode::parse("XYZZYP1VGHXYZZYP").unwrap();
    for shown in [format!("{code:?}"), format!("{code:#?}"), format!("{:?}", Credential::Activation(code))] {
        assert!(!shown.contains("XYZZY"), "{shown}");
    }
    error_is_mute(ActivationCode::parse(&format!("{WORD}!")));
    error_is_mute(WORD.parse::<UnblockingCode>());
    error_is_mute(UserName::normalise(&format!("{WORD}\u{7}")));
    let template = common::template();
    let wrong = [("name", FieldValue::from(WORD)), ("department", FieldValue::from(&*WORD.repeat(30)))];
    error_is_mute(template.fill(wrong));
    let right = [("name", FieldValue::from(WORD)), ("terms", FieldValue::from(true))];
    mute(template.fill(right).unwrap());
}

#[test]
fn tokens_and_stores() {
    let issuer = Issuer::new(1);
    let random = Box::new(Marked::default());
    let (token, code) =
        SoftwareToken::new(issuer.anchors(), &WORD.into(), PinSettings::for_tests(), random).unwrap();
    mute(&code);
    assert!(!format!("{code:?}").contains(code.reveal().as_str()));
    let mut token = mute(token);
    token.lock();
    mute(&token);
    error_is_mute(token.unlock(&"plugh".into()));
    error_is_mute(token.change_pin(&WORD.into(), &"x".into()));
    error_is_mute(token.registrations());
    token.unlock(&WORD.into()).unwrap();
    let file = token.save();
    let cut = file.get(..file.len() / 2).unwrap();
    error_is_mute(SoftwareToken::load(cut, PinSettings::for_tests(), Box::new(Marked::default())));

    let store = Store::new();
    let code = IssueCode { name: UserName::new("ada").unwrap(), secret: secret(), expires: None };
    mute(&code);
    let id = store.run(&code, UnixTime::from_secs(START)).unwrap();
    mute(Activation { id, secret: secret() });
    mute(&store);
    let file = store.save(&secret(), &mut Marked::default());
    error_is_mute(Store::load(&file, &Secret::new([1; 32])));
}

/// A whole registration and a session of it, every state on the way looked at.
#[test]
fn every_state_on_the_way() {
    let world = World::new(&mut Issuer::new(1), "gate.example", 0);
    let (settings, server, store, now) = (&world.settings, &world.server, &world.store, world.now());
    mute(server);
    let (marked, random) = (&mut Marked::default(), Box::new(Marked(100)));
    let anchors = Issuer::new(1).anchors();
    let (mut token, _) =
        SoftwareToken::new(anchors.clone(), &PIN.into(), PinSettings::for_tests(), random).unwrap();
    let token = &mut token;

    // The nonces of R0 and R1 are as long as secrets, and public.
    let public = &mut common::Counting::new(7);
    let step = mute(hello(settings.name.clone(), SUITES, public).unwrap());
    let need = mute(receive_hello(step.send.as_bytes(), settings).unwrap());
    let need = mute(need.supply_from(server, b"peer", settings, now, public).unwrap());
    let offer = need.supply_from(server).unwrap();

    let need = mute(step.next.receive_offer(offer.as_bytes(), &anchors, &Revocation::Ignore, now).unwrap());
    let form = need.wanted().fill([("name", FieldValue::from(WORD)), ("terms", true.into())]).unwrap();
    let need = mute(need.supply(form, Credential::None).unwrap());
    let need = mute(need.supply_from(token, marked).unwrap());
    let need = mute(need.supply_from(token, now).unwrap());
    mute(need.wanted());
    let step = mute(need.supply_from(token).unwrap());
    mute(token.attempts().unwrap());

    let need = receive_request(step.send.as_bytes()).unwrap();
    let Lookup::New(need) = need.supply_from(store, b"peer", settings, now).unwrap() else { panic!() };
    mute(need.wanted());
    let need = need.supply_from(server, settings, now).unwrap();
    secrets_alone(&need);
    let judged = need.supply_from(store, settings, now).unwrap();
    secrets_alone(&judged);
    let need = judged.decide(|_| common::grant(), settings, now, marked).unwrap();
    secrets_alone(&need);
    let Effect::Granted(_) = &need.wanted().outcome.effect else { panic!() };
    let outcome = need.supply_from(store, now).unwrap();

    let Err(Recoverable { state, error }) = step.next.receive_outcome(&[MARK; 99]) else { panic!() };
    text_is_mute(&format!("{error} {error:?}"));
    let opened = mute(state.receive_outcome(outcome.as_bytes()).unwrap()).supply_from(token, now).unwrap();
    let ServerDecision::Granted(need) = mute(opened) else { panic!() };
    let join: &JoinRequest = mute(need.wanted());
    assert_eq!(join.ssk2.expose(), &[MARK; 32], "the marks are where the secrets are");
    let step = need.supply_from(token).unwrap();
    mute(&step.next);
    let need = mute(receive_confirm(step.send.as_bytes()).unwrap()).supply_from(store, now).unwrap();
    let done = mute(need).supply_from(store, now).unwrap();
    let need = mute(step.next.receive_done(done.as_bytes()).unwrap());
    let _ = mute(need.supply_from(token).unwrap());

    let registration = token.registrations().unwrap().remove(0);
    secrets_alone(&store.registration(&Address::Key(registration.key_id), now).unwrap());
    secrets_alone(&world.registrations());
    secrets_alone(&world.run(&ListEvents::default()));
    let step = mute(session::open(&registration, &Options::default()).unwrap());
    let need = mute(receive_open(step.send.as_bytes(), settings).unwrap());
    let challenged = mute(need.supply_from(store, now, marked).unwrap());
    let need = mute(step.next.receive_challenge(challenged.send.as_bytes(), marked).unwrap());
    let step = mute(need.supply_from(token).unwrap());
    let need = mute(challenged.next.receive_response(step.send.as_bytes(), now, marked).unwrap());
    let accepted = mute(need.supply_from(store, now).unwrap());
    let need = mute(step.next.receive_accept(accepted.send.as_bytes()).unwrap());
    let session::SessionOutcome::Session(mut session) = mute(need.supply_from(token).unwrap()) else {
        panic!()
    };
    let Entry::Session(mut established) = mute(accepted.next) else { panic!() };
    let record = session.channel.seal(Content::Data, WORD.as_bytes()).unwrap();
    mute(established.channel.open(&record).unwrap());
    error_is_mute(established.channel.open(&record));
    let _ = mute(established);
}

/// The operator sees who registers under what name; secrets not even the operator.
fn secrets_alone(value: &impl Debug) {
    text_is_mute(&format!("{value:?}").replace(WORD, ""));
    text_is_mute(&format!("{value:#?}").replace(WORD, ""));
}

#[test]
fn an_application_that_waits() {
    let form = common::template().fill([("name", FieldValue::from(WORD)), ("terms", true.into())]).unwrap();
    let hold_until = UnixTime::from_secs(START);
    let ticket_id = halfkey::TicketId::new([1; 16]);
    let name = UserName::new(WORD).unwrap();
    secrets_alone(&WaitingRequest { ticket_id, ticket: secret(), name, form, takes: None, hold_until });
    mute(Decision::Wait { retry_after: 1 });
    mute(TokenError::WrongPin { tries_left: 1 });
}
