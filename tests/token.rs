//! Tokens: the contract, implementations that fail it, and the software token's PIN and file. A token over a
//! device that keeps its keys is the example `hsm_token`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

#[path = "token/file.rs"]
mod file;
#[path = "token/flaws.rs"]
mod flaws;
#[path = "token/form.rs"]
mod form;
#[path = "token/full.rs"]
mod full;
#[path = "token/software.rs"]
mod software;

use halfkey::SystemRandom;
use halfkey::certificate::{IssuerName, TrustAnchor, TrustAnchors};
use halfkey::key::{IssuerKey, KemPrivateKey};
use halfkey::port::Token;
use halfkey::port::contract::{ContractViolation, token};
use halfkey::software::{LoadError, PinSettings, SecretString, SoftwareToken, UnblockingCode};
use std::sync::OnceLock;

fn anchors() -> TrustAnchors {
    static ANCHORS: OnceLock<TrustAnchors> = OnceLock::new();
    let make = || {
        let issuer = IssuerKey::generate_ed25519(&mut SystemRandom).unwrap();
        TrustAnchor::new(IssuerName::common_name("Contract").unwrap(), issuer.public().clone()).into()
    };
    ANCHORS.get_or_init(make).clone()
}

fn server_key() -> &'static KemPrivateKey {
    static KEY: OnceLock<KemPrivateKey> = OnceLock::new();
    KEY.get_or_init(|| KemPrivateKey::from_pkcs8_pem(include_str!("data/test-key-rsa-2048-a.pem")).unwrap())
}

fn pin(digits: &str) -> SecretString {
    digits.into()
}

fn software() -> (SoftwareToken, UnblockingCode) {
    SoftwareToken::new(anchors(), &pin("1234"), PinSettings::for_tests(), Box::new(SystemRandom)).unwrap()
}

fn load(file: &[u8]) -> Result<SoftwareToken, LoadError> {
    SoftwareToken::load(file, PinSettings::for_tests(), Box::new(SystemRandom))
}

fn contract(mut make: impl FnMut() -> Box<dyn Token>) -> Result<(), ContractViolation> {
    token(&mut make, server_key(), &mut SystemRandom)
}

#[test]
fn the_software_token_keeps_the_contract() {
    assert_eq!(contract(|| Box::new(software().0)), Ok(()));
}

#[test]
fn a_software_token_that_restarts_before_every_call_keeps_the_contract() {
    assert_eq!(contract(|| Box::new(software::Restarting::new())), Ok(()));
}
