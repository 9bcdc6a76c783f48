//! An authentication server that fails, and the secret that stands in for an SSK1 that is none.

use crate::applicant::{Applicant, answer_through, is, refusal, setting};
use crate::common::World;
use crate::distort::{bstr, content, with};
use crate::messages::asking;
use halfkey::message::{Offer, Outcome};
use halfkey::policy::SuiteList;
use halfkey::port::auth_server::{Decapsulated, Encapsulated, OfferMaterial};
use halfkey::port::{AuthServer, AuthServerError};
use halfkey::registration::TokenRegistrationError;
use halfkey::registration::token::Credential;
use halfkey::{Cause, Digest, ErrorReason, Secret, ServerSettings, UnixTime};
use std::sync::Mutex;

/// Where the keys fail.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Offer,
    Signature,
    Decapsulation,
    Nowhere,
}

/// The keys of a server, which fail at one question, and remember the stand-ins for SSK1 that they were given.
struct Failing<'s> {
    keys: &'s dyn AuthServer,
    at: At,
    error: AuthServerError,
    fallbacks: Mutex<Vec<[u8; 32]>>,
}

impl<'s> Failing<'s> {
    fn new(world: &'s World, at: At, error: AuthServerError) -> Self {
        Self { keys: &world.server, at, error, fallbacks: Mutex::default() }
    }

    fn fails(&self, at: At) -> Result<(), AuthServerError> {
        if self.at == at { Err(self.error.clone()) } else { Ok(()) }
    }
}

impl AuthServer for Failing<'_> {
    fn offer_material(&self, suites: &SuiteList, now: UnixTime) -> Result<OfferMaterial, AuthServerError> {
        self.fails(At::Offer)?;
        self.keys.offer_material(suites, now)
    }
    fn sign_offer(&self, certificate: &Digest, transcript: &Digest) -> Result<[u8; 64], AuthServerError> {
        self.fails(At::Signature)?;
        self.keys.sign_offer(certificate, transcript)
    }
    fn decapsulate(&self, sealed: &Encapsulated, now: UnixTime) -> Result<Decapsulated, AuthServerError> {
        self.fallbacks.lock().unwrap().push(*sealed.fallback.expose());
        self.fails(At::Decapsulation)?;
        self.keys.decapsulate(sealed, now)
    }
}

fn errors() -> [AuthServerError; 6] {
    [
        AuthServerError::NoCertificate,
        AuthServerError::NoSuite,
        AuthServerError::NoSuchKey,
        AuthServerError::Ciphertext,
        AuthServerError::Device(7),
        AuthServerError::Failed(Cause::new("the line is down")),
    ]
}

/// Each error at each question: the word that the peer is told, and that nothing is lost by it.
#[test]
fn each_failure_of_the_keys_has_its_answer() {
    for error in errors() {
        for at in [At::Offer, At::Signature, At::Decapsulation] {
            let (issuer, world) = setting();
            let mut applicant = Applicant::new(&issuer, 7);
            let keys = Failing::new(&world, at, error.clone());
            let through = |frame: &[u8]| answer_through(&world, &keys, &world.store, b"peer", frame);
            let (r0, _) = asking(&world.settings.name, &applicant);
            let r1 = through(&r0);
            let expected = match (at, &error) {
                (At::Offer, AuthServerError::NoSuite) => Some(ErrorReason::Refused),
                (At::Offer | At::Signature, _) => Some(ErrorReason::Busy),
                _ => None,
            };
            assert_eq!(refusal(&r1), expected, "{at:?} {error:?}");
            assert_eq!(is::<Offer<'_>>(&r1), expected.is_none());
            if at != At::Decapsulation {
                continue;
            }

            let applied = applicant.applied(&world, "alice", Credential::None);
            let r3 = through(&applied.r2);
            let expected = match &error {
                AuthServerError::NoSuchKey => Some(ErrorReason::Restart),
                AuthServerError::Device(_) | AuthServerError::Failed(_) => Some(ErrorReason::Busy),
                _ => None,
            };
            assert_eq!(refusal(&r3), expected, "{error:?}");
            assert!(world.registrations().is_empty());
            if expected.is_none() {
                // It looks like any other outcome, and is kept nowhere.
                assert!(is::<Outcome<'_>>(&r3));
                let sealed = content(&content(&r3, 1), 3).len();
                assert_eq!(sealed, usize::from(world.settings.outcome_size) + 16);
                let refused = applicant.refuses(&world, &applied.half, &r3);
                assert_eq!(refused, TokenRegistrationError::Sealed);
            }
            // The keys are back: the same R2 is granted.
            applicant.completes(&world, &applied);
            applicant.settled(&world);
        }
    }
}

/// The stand-in depends on the request and on the server's secret alone: the same for the same R2, another for
/// every other, and never one that a stranger could know.
#[test]
fn the_stand_in_for_a_bad_ciphertext_is_the_requests_and_the_servers() {
    let (issuer, mut world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    let stand_in = |world: &World, r2: &[u8]| {
        let keys = Failing::new(world, At::Nowhere, AuthServerError::Ciphertext);
        assert!(is::<Outcome<'_>>(&answer_through(
            world,
            &keys,
            &halfkey::memory::Store::new(),
            b"peer",
            r2
        )));
        let [fallback] = keys.fallbacks.lock().unwrap()[..] else { panic!() };
        fallback
    };
    let applied = applicant.applied(&world, "alice", Credential::None);
    let core = content(&applied.r2, 1);
    let changed = |place: usize| {
        let mut ct = content(&core, 4);
        ct[place] ^= 1;
        with(&applied.r2, 1, bstr(&with(&core, 4, bstr(&ct))))
    };
    let other = applicant.applied(&world, "bob", Credential::None);
    let all = [&applied.r2, &changed(0), &changed(255), &other.r2].map(|r2| stand_in(&world, r2));
    assert_eq!(stand_in(&world, &applied.r2), all[0]);
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
    assert!(!all.contains(&[0; 32]));

    // Another master secret, the same ciphertext.
    let settings = &world.settings;
    let (name, template) = (settings.name.clone(), settings.template.clone());
    world.settings = ServerSettings::new(name, template, &Secret::new([0x5F; 32]));
    let mut applicant = Applicant::new(&issuer, 7);
    let applied = applicant.applied(&world, "alice", Credential::None);
    assert_eq!(content(&content(&applied.r2, 1), 4), content(&core, 4));
    let fallback = stand_in(&world, &applied.r2);
    assert!(!all.contains(&fallback) && fallback != [0; 32]);
}
