//! Refusals: strangers, which learn nothing, and known keys that are not active, which learn why.

use crate::supply::*;
use crate::world::*;
use halfkey::certificate::TrustAnchors;
use halfkey::key::KemPublicKey;
use halfkey::message::Address;
use halfkey::policy::{Mode, Policy, SuiteId};
use halfkey::port::entitlement_store::*;
use halfkey::port::token::JoinRequest;
use halfkey::port::{StoreError, Token, TokenError};
use halfkey::record::{
    Applicant, ApplicantRecord, Attempt, ExpectedTags, NewOutcome, ServerRegistration, TokenRegistration,
};
use halfkey::schedule::{KeyUse, Ssk1Use};
use halfkey::session::server::{self, Entry};
use halfkey::session::token::{self, Options, SessionOutcome};
use halfkey::session::{ServerSessionError, TokenSessionError, park};
use halfkey::{Digest, ErrorReason, Fault, KeyId, Secret, ServerName, Txn, UnixTime, suite};
use std::sync::atomic::{AtomicU32, Ordering};

/// Answers what sessions ask, and counts what they write.
struct Store {
    world: World,
    admitted: AtomicU32,
    down: bool,
}

impl EntitlementStore for Store {
    fn registration(&self, address: &Address, _: UnixTime) -> Result<Option<ServerRegistration>, StoreError> {
        if self.down { Err(StoreError::Unavailable(1)) } else { Ok(self.world.look_up(address)) }
    }
    fn admit(&self, admission: &Admission, _: UnixTime) -> Result<Admitted, StoreError> {
        self.admitted.fetch_add(1, Ordering::Relaxed);
        if self.down { Err(StoreError::Unavailable(1)) } else { Ok(self.world.admit(admission)) }
    }
    fn confirm_alias(&self, _: &KeyId, _: &Address, _: UnixTime) -> Result<(), StoreError> {
        Ok(())
    }
    fn outcome(&self, _: &Digest, _: UnixTime) -> Result<Option<Vec<u8>>, StoreError> {
        Err(StoreError::Damaged)
    }
    fn applicant(&self, _: &Applicant, _: UnixTime) -> Result<ApplicantRecord, StoreError> {
        Err(StoreError::Damaged)
    }
    fn commit(&self, _: &NewOutcome, _: UnixTime) -> Result<Committed, StoreError> {
        Err(StoreError::Damaged)
    }
    fn expected(&self, _: &KeyId, _: UnixTime) -> Result<Option<ExpectedTags>, StoreError> {
        Err(StoreError::Damaged)
    }
    fn confirm(&self, _: &KeyId, _: UnixTime) -> Result<Confirmed, StoreError> {
        Err(StoreError::Damaged)
    }
    fn entitlement(&self, _: &EntitlementQuery, _: UnixTime) -> Result<Option<Entitlement>, StoreError> {
        Err(StoreError::Damaged)
    }
    fn report(&self, _: &Report, _: UnixTime) -> Result<(), StoreError> {
        Err(StoreError::Damaged)
    }
}

/// Answers what sessions ask.
struct Card(Result<(), TokenError>);

impl Token for Card {
    fn derive(&mut self, _: &KeyId, question: &KeyUse) -> Result<Secret, TokenError> {
        self.0.clone().map(|()| keys().derive(&suite::XWING, question))
    }
    fn anchors(&self) -> Result<TrustAnchors, TokenError> {
        Err(TokenError::Full)
    }
    fn wrap(&mut self, _: &Txn, _: SuiteId, _: &KemPublicKey) -> Result<Vec<u8>, TokenError> {
        Err(TokenError::Full)
    }
    fn derive_from_ssk1(&mut self, _: &Txn, _: Ssk1Use, _: &Digest) -> Result<Secret, TokenError> {
        Err(TokenError::Full)
    }
    fn save_attempt(&mut self, _: Attempt) -> Result<(), TokenError> {
        Err(TokenError::Full)
    }
    fn attempts(&self) -> Result<Vec<Attempt>, TokenError> {
        Err(TokenError::Full)
    }
    fn abandon(&mut self, _: &Txn) -> Result<(), TokenError> {
        Err(TokenError::Full)
    }
    fn join(&mut self, _: &JoinRequest) -> Result<[u8; 32], TokenError> {
        Err(TokenError::Full)
    }
    fn registrations(&self) -> Result<Vec<TokenRegistration>, TokenError> {
        Err(TokenError::Full)
    }
    fn update(&mut self, _: &TokenRegistration) -> Result<(), TokenError> {
        Err(TokenError::Full)
    }
    fn remove(&mut self, _: &KeyId) -> Result<(), TokenError> {
        Err(TokenError::Full)
    }
}

fn store(world: World) -> Store {
    Store { world, admitted: AtomicU32::new(0), down: false }
}

#[test]
fn the_ports_answer_every_question() {
    for world in worlds() {
        let (mut store, mut card, mut dice) = (store(world), Card(Ok(())), Dice(5));
        let (s0, at_token) = store.world.open();
        let need = server::receive_open(&s0, &store.world.settings).unwrap();
        let step = need.supply_from(&store, NOW, &mut dice).unwrap();
        let parked = step.next.park(&store.world.settings, &mut dice);
        let need = at_token.receive_challenge(step.send.as_bytes(), &mut dice).unwrap();
        let s2 = need.supply_from(&mut card).unwrap();
        let at_server = park::resume(&parked, &store.world.settings, NOW).unwrap();
        let at_server = at_server.supply_from(&store, NOW).unwrap();
        let need = at_server.receive_response(s2.send.as_bytes(), NOW, &mut dice).unwrap();
        let s3 = need.supply_from(&store, NOW).unwrap();
        let opened = s2.next.receive_accept(s3.send.as_bytes()).unwrap().supply_from(&mut card).unwrap();
        let _ = Run { server: Ok(s3.next), token: Some(Ok(opened)) }.session();
        assert_eq!(store.admitted.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn a_port_that_does_not_answer_is_the_operators_or_the_users_to_mend() {
    let mut store = store(World::new(SuiteId::X25519, Mode::Psk));
    let mut dice = Dice(5);
    let (s0, at_token) = store.world.open();
    let (s1, at_server) = store.world.challenge(&s0).unwrap();
    let need = at_token.receive_challenge(&s1, &mut dice).unwrap();
    let error = need.supply_from(&mut Card(Err(TokenError::Locked))).unwrap_err();
    assert_eq!((error.clone(), error.fault()), (TokenSessionError::Token(TokenError::Locked), Fault::User));

    let (_, at_token) = store.world.open();
    let (s2, _) = store.world.respond(at_token, &s1).unwrap();
    store.down = true;
    let need = server::receive_open(&s0, &store.world.settings).unwrap();
    let error = need.supply_from(&store, NOW, &mut dice).unwrap_err();
    assert_eq!((error.refusal(), error.fault()), (ErrorReason::Busy, Fault::Operator));
    let need = at_server.receive_response(&s2, NOW, &mut dice).unwrap();
    assert_eq!(need.supply_from(&store, NOW).unwrap_err().refusal(), ErrorReason::Busy);
}

/// By content, length and draws, a stranger's key, a wrong key and no key at all are one.
#[test]
fn an_unknown_address_is_answered_like_a_wrong_key() {
    for mut world in worlds() {
        let (s0, _) = world.open();
        let mut stranger = world.registration.clone();
        stranger.alias = Some(halfkey::Alias::new([0x77; 16]));
        let unknown = token::open(&stranger, &Options::default()).unwrap().send.into_bytes();
        stranger.alias = None;
        stranger.key_id = KeyId::new([0x77; 16]);
        let unknown_key = token::open(&stranger, &Options::default()).unwrap().send.into_bytes();

        let first = s0.clone();
        let outcome = [&s0, &unknown, &unknown_key].map(|s0| {
            world.dice = Dice(9);
            let (s1, state) = world.challenge(s0).unwrap();
            let (_, mine) = world.open();
            // A proof by another key than the registration's.
            let need = mine.receive_challenge(&s1, &mut Dice(3)).unwrap();
            let s2 = need.supply(&Secret::new([0xEE; 32])).send;
            let error = state.receive_response(s2.as_bytes(), NOW, &mut world.dice).unwrap_err();
            // Told apart for the operator alone.
            let told =
                if *s0 == first { ServerSessionError::WrongProof } else { ServerSessionError::UnknownKey };
            assert_eq!((error.clone(), error.refusal()), (told, ErrorReason::Refused));
            (s1, world.dice.0)
        });
        assert_eq!(outcome[0], outcome[1]);
        assert_eq!(outcome[0], outcome[2]);
    }
}

/// A decoy goes by the settings' policy, through the same selection.
#[test]
fn a_decoy_has_the_servers_own_policy() {
    let mut world = World::new(SuiteId::X25519, Mode::PskKem);
    world.registration.policy.modes = halfkey::policy::Modes::only(Mode::Psk);
    let (known, _) = world.open();
    world.registration.alias = Some(halfkey::Alias::new([0x77; 16]));
    let (unknown, _) = world.open();
    assert_eq!(world.challenge(&known).unwrap_err(), ServerSessionError::Mode);
    assert_eq!(world.challenge(&unknown).unwrap_err(), ServerSessionError::Mode);
}

#[test]
fn a_forgery_costs_the_store_no_write() {
    let mut world = World::new(SuiteId::XWing, Mode::PskKem);
    let (s0, at_token) = world.open();
    let (s1, at_server) = world.challenge(&s0).unwrap();
    let (mut s2, _) = world.respond(at_token, &s1).unwrap();
    *s2.last_mut().unwrap() ^= 1;
    let (store, before) = (store(World::new(SuiteId::XWing, Mode::PskKem)), Dice(4));
    let mut dice = Dice(4);
    let accepted =
        at_server.receive_response(&s2, NOW, &mut dice).and_then(|need| need.supply_from(&store, NOW));
    assert_eq!(accepted.unwrap_err(), ServerSessionError::WrongProof);
    assert_eq!(store.admitted.load(Ordering::Relaxed), 0);
    // Nor a KEM operation.
    assert_eq!(dice.0, before.0);
}

#[test]
fn a_proven_key_out_of_order_learns_why_and_nothing_else() {
    let length = World::new(SuiteId::X25519, Mode::Psk).recording()[3].len();
    for status in [Status::Lost, Status::Suspended, Status::Revoked, Status::Expired] {
        let mut world = World::new(SuiteId::X25519, Mode::Psk);
        world.status = status;
        let mut s3_len = 0;
        let run = world.run(|_, bytes| s3_len = bytes.len());
        assert!(matches!(run.server, Ok(Entry::NotActive { status: said, .. }) if said == status));
        assert!(matches!(run.token, Some(Ok(SessionOutcome::NotActive(said))) if said == status));
        assert_eq!(s3_len, length);
    }
}

#[test]
fn a_key_past_its_time_is_expired() {
    for (expires, expired) in [(NOW.after(1), false), (NOW, true), (UnixTime::from_secs(0), true)] {
        let mut world = World::new(SuiteId::X25519, Mode::Psk);
        world.registered.expires = Some(expires);
        let run = world.run(|_, _| ());
        assert_eq!(matches!(run.token, Some(Ok(SessionOutcome::NotActive(Status::Expired)))), expired);
        assert_eq!(matches!(run.server, Ok(Entry::Session(_))), !expired);

        // Why it ended is told before that it also expired.
        world.status = Status::Revoked;
        let run = world.run(|_, _| ());
        assert!(matches!(run.token, Some(Ok(SessionOutcome::NotActive(Status::Revoked)))));
    }
}

#[test]
fn what_the_server_does_not_know_it_refuses() {
    let mut world = World::new(SuiteId::X25519, Mode::Psk);
    world.registration.server_name = ServerName::new("other.example").unwrap();
    let (s0, _) = world.open();
    let error = world.challenge(&s0).unwrap_err();
    assert_eq!((error.clone(), error.refusal()), (ServerSessionError::OtherServer, ErrorReason::Refused));

    let mut world = World::new(SuiteId::X25519, Mode::Psk);
    let (s0, _) = world.open();
    world.settings.suites = ONLY_XWING;
    assert_eq!(world.challenge(&s0).unwrap_err(), ServerSessionError::Suite(SuiteId::X25519.code()));

    let mut world = World::new(SuiteId::X25519, Mode::Psk);
    let run = world.run(|at, bytes| {
        // Key 1, the version, follows key 0 and the type.
        if at == 0 {
            assert_eq!(bytes[1..5], [0, 8, 1, 1]);
            bytes[4] = 2;
        }
    });
    assert_eq!(run.server.unwrap_err(), ServerSessionError::Version(2));
}

#[test]
fn a_token_that_may_only_go_by_alias_does() {
    let policy = Policy { allow_key_id: false, ..World::new(SuiteId::X25519, Mode::Psk).registration.policy };
    let world = World::with_policy(policy);
    let options = Options { by_key_id: true, ..Options::default() };
    let error = token::open(&world.registration, &options).unwrap_err();
    assert_eq!((error.clone(), error.fault()), (TokenSessionError::AliasRequired, Fault::Caller));
    let options = Options { suites: ONLY_XWING, ..Options::default() };
    assert_eq!(token::open(&world.registration, &options).unwrap_err(), TokenSessionError::NothingToOffer);
}
