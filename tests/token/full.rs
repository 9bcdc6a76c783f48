//! A token with no room: it says so before a server has registered anybody.

use super::software::{form, number, register, renew, waiting};
use super::{server_key, software};
use halfkey::policy::{SuiteId, SuiteList};
use halfkey::port::{Token, TokenError};
use halfkey::record::{Attempt, InFlight, Progress, ProofKey};
use halfkey::schedule::Ssk1Use;
use halfkey::software::SoftwareToken;
use halfkey::{Digest, KeyId, Secret, ServerName, TicketId, Txn, UnixTime};

/// A run up to the point at which its R2 may leave.
fn apply(token: &mut SoftwareToken, n: u16, renews: Option<u16>) -> Result<(), TokenError> {
    let txn = Txn::new(number(n));
    token.wrap(&txn, SuiteId::XWing, server_key().public())?;
    token.save_attempt(Attempt::InFlight(InFlight {
        txn,
        suite: SuiteId::XWing,
        offered: SuiteList::all(),
        server_name: ServerName::new("gate.example").unwrap(),
        certificate: Digest::new([4; 32]),
        certificate_end: UnixTime::from_secs(4_000_000_000),
        anchor: Digest::new([5; 32]),
        request: vec![0; 8],
        transcript: Digest::new([3; 32]),
        ss_e: Secret::absent(),
        proof_key: ProofKey::None,
        renews: renews.map(number).map(KeyId::new),
        replaces: None,
        form: form(),
        ticket: (TicketId::new(number(n)), Secret::new([0xEE; 32])),
        outcome_size: 1024,
        resend: halfkey::Period::new(UnixTime::from_secs(0), 600),
    }))
}

#[test]
fn a_token_is_full_at_last() {
    let (mut token, _) = software();
    for n in 0..64 {
        token.save_attempt(waiting(n)).unwrap();
    }
    assert_eq!(token.save_attempt(waiting(64)), Err(TokenError::Full));
    let txn = Txn::new([0xFF; 16]);
    assert_eq!(token.wrap(&txn, SuiteId::XWing, server_key().public()).err(), Some(TokenError::Full));
    token.save_attempt(waiting(63)).unwrap();
    token.abandon(&Txn::new(number(0))).unwrap();
    // Halves without an attempt make room for newer ones: runs that broke off fill no token.
    for n in 0..3 {
        token.wrap(&Txn::new([0xF0 + n; 16]), SuiteId::XWing, server_key().public()).unwrap();
    }
    assert!(token.derive_from_ssk1(&Txn::new([0xF2; 16]), Ssk1Use::Request, &Digest::new([0; 32])).is_ok());
    assert_eq!(token.attempts().unwrap().len(), 63);

    for n in 0..256 {
        register(&mut token, n).unwrap();
    }
    assert_eq!(register(&mut token, 256), Err(TokenError::Full));
    token.remove(&KeyId::new(number(7))).unwrap();
    register(&mut token, 256).unwrap();
}

#[test]
fn who_has_no_place_for_a_key_asks_no_server_for_one() {
    let (mut token, _) = software();
    for n in 0..255 {
        register(&mut token, n).unwrap();
    }
    // The last place is that of the run that was first, however often it is held.
    apply(&mut token, 1000, None).unwrap();
    apply(&mut token, 1000, None).unwrap();
    assert_eq!(apply(&mut token, 1001, None), Err(TokenError::Full));
    assert_eq!(apply(&mut token, 1001, Some(999)), Err(TokenError::Full), "it renews what is not there");
    assert_eq!(register(&mut token, 255), Err(TokenError::Full));
    token.abandon(&Txn::new(number(1000))).unwrap();
    register(&mut token, 255).unwrap();
    assert_eq!(apply(&mut token, 1001, None), Err(TokenError::Full));
    assert_eq!(token.attempts().unwrap().len(), 0);
}

#[test]
fn a_full_token_renews() {
    let (mut token, _) = software();
    for n in 0..256 {
        register(&mut token, n).unwrap();
    }
    let old = KeyId::new(number(7));
    apply(&mut token, 1000, Some(7)).unwrap();
    assert_eq!(apply(&mut token, 1001, Some(7)), Err(TokenError::Full), "one place is taken once");
    token.abandon(&Txn::new(number(1000))).unwrap();
    let joined = Progress::Joined {
        txn: Txn::new([1; 16]),
        transcript: Digest::new([3; 32]),
        tag_c: [0; 32],
        confirm: halfkey::Period::new(UnixTime::from_secs(0), 600),
    };
    renew(&mut token, 256, joined, Some(old)).unwrap();
    assert_eq!(token.registrations().unwrap().len(), 257);
    assert_eq!(apply(&mut token, 1001, None), Err(TokenError::Full));
    // A registration that is not yet active gives up no place, or a chain of them would have no end.
    assert_eq!(apply(&mut token, 1001, Some(256)), Err(TokenError::Full));
    assert_eq!(renew(&mut token, 257, joined, Some(KeyId::new(number(256)))), Err(TokenError::Full));
    let mut renewed = token.registrations().unwrap().pop().unwrap();
    renewed.progress = Progress::Active;
    token.update(&renewed).unwrap();
    assert_eq!(token.registrations().unwrap().len(), 256);
    assert_eq!(token.label(&old), Err(TokenError::NoSuchKey));
    apply(&mut token, 1001, Some(256)).unwrap();
}
