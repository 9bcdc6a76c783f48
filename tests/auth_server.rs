//! The authentication server in memory: the contract, implementations that fail it, and rotation.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "a test may panic, and what tests share is not exported"
)]

mod common;

use common::{Counting, Issuer, START, kem_key, name};
use halfkey::certificate::{CertificateError, CertificateRequest, Chain, Validity};
use halfkey::key::OfferKey;
use halfkey::memory::{Server, ServerKeyError};
use halfkey::policy::{SuiteId, SuiteList};
use halfkey::port::CertificateAuthority;
use halfkey::port::auth_server::{AuthServer, AuthServerError, Decapsulated, Encapsulated, OfferMaterial};
use halfkey::port::contract::{ContractViolation, ServerUnderTest, auth_server};
use halfkey::{Digest, Secret, UnixTime};
use std::collections::BTreeSet;
use std::sync::Mutex;

const NOW: UnixTime = UnixTime::from_secs(START);

fn contract(issuer: &Issuer, server: &dyn AuthServer) -> Result<(), ContractViolation> {
    let (name, anchors) = (name("gate.example"), issuer.anchors());
    let test = ServerUnderTest { server, name: &name, anchors: &anchors, offer_ttl: 600, now: NOW };
    auth_server(&test, &mut Counting::new(1))
}

#[test]
fn the_server_in_memory_keeps_the_contract() {
    for suites in [&[1, 2][..], &[2, 1], &[2], &[1]] {
        let mut issuer = Issuer::new(1);
        let server = issuer.server(&name("gate.example"), 0, suites);
        assert_eq!(contract(&issuer, &server), Ok(()), "{suites:?}");
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Flaw {
    SignsWithAnotherKey,
    TellsBadCiphertexts,
    GivesZeros,
    OffersAnything,
    PrefersItsOwnOrder,
    NamesAnotherCertificate,
    NeverChangesTheEphemeralKey,
    KeepsEphemeralKeys,
    ErasesEphemeralKeysEarly,
    UsesEphemeralKeysOnce,
    OpensForStrangers,
}

struct Flawed {
    inner: Server,
    flaw: Flaw,
    used: Mutex<BTreeSet<[u8; 16]>>,
    certificate: Digest,
}

impl AuthServer for Flawed {
    fn offer_material(&self, suites: &SuiteList, now: UnixTime) -> Result<OfferMaterial, AuthServerError> {
        let all = SuiteList::of([SuiteId::X25519, SuiteId::XWing]).unwrap();
        let suites = match self.flaw {
            Flaw::OffersAnything => &all,
            Flaw::PrefersItsOwnOrder if suites.codes().count() > 1 => &all,
            _ => suites,
        };
        let now = if self.flaw == Flaw::NeverChangesTheEphemeralKey { NOW } else { now };
        let mut offer_material = self.inner.offer_material(suites, now)?;
        if self.flaw == Flaw::NamesAnotherCertificate {
            offer_material.certificate = Digest::new([0; 32]);
        }
        Ok(offer_material)
    }
    fn sign_offer(&self, certificate: &Digest, transcript: &Digest) -> Result<[u8; 64], AuthServerError> {
        let signature = self.inner.sign_offer(certificate, transcript)?;
        let other = OfferKey::generate(&mut Counting::new(99));
        Ok(if self.flaw == Flaw::SignsWithAnotherKey { other.sign(transcript) } else { signature })
    }
    fn decapsulate(&self, sealed: &Encapsulated, now: UnixTime) -> Result<Decapsulated, AuthServerError> {
        let now = match self.flaw {
            Flaw::KeepsEphemeralKeys => NOW,
            Flaw::ErasesEphemeralKeysEarly => now.after(120),
            _ => now,
        };
        let mut sealed = sealed.clone();
        if self.flaw == Flaw::OpensForStrangers {
            sealed.certificate = self.certificate;
        }
        if self.flaw == Flaw::UsesEphemeralKeysOnce && !self.used.lock().unwrap().insert(sealed.ephemeral) {
            return Err(AuthServerError::NoSuchKey);
        }
        let mut found = self.inner.decapsulate(&sealed, now)?;
        let fallback = found.ssk1.expose() == sealed.fallback.expose();
        match self.flaw {
            Flaw::TellsBadCiphertexts if fallback => return Err(AuthServerError::Ciphertext),
            Flaw::GivesZeros if fallback => found.ssk1 = Secret::absent(),
            _ => {}
        }
        Ok(found)
    }
}

#[test]
fn the_contract_notices_each_flaw() {
    for (flaw, clause) in [
        (Flaw::SignsWithAnotherKey, "an offer is signed with the certified offer key"),
        (Flaw::TellsBadCiphertexts, "a ciphertext that holds no SSK1 gives the fallback, and no error"),
        (Flaw::GivesZeros, "a ciphertext that holds no SSK1 gives the fallback, and no error"),
        (Flaw::OffersAnything, "a suite that is not certified is not offered"),
        (Flaw::PrefersItsOwnOrder, "the suite offered is the first of those asked for that is certified"),
        (Flaw::NamesAnotherCertificate, "an offer names the hash of its certificate"),
        (Flaw::NeverChangesTheEphemeralKey, "an ephemeral key is issued for at most 60 s"),
        (Flaw::KeepsEphemeralKeys, "an ephemeral key is erased when the last offer made with it has ended"),
        (
            Flaw::ErasesEphemeralKeysEarly,
            "an ephemeral key is kept until the last offer made with it has ended",
        ),
        (Flaw::UsesEphemeralKeysOnce, "what was encapsulated to an offer's keys is found"),
        (Flaw::OpensForStrangers, "nothing is found under a key that is not held"),
    ] {
        let mut issuer = Issuer::new(1);
        let inner = issuer.server(&name("gate.example"), 0, &[1, 2]);
        let certificate = inner.offer_material(&SuiteList::only(SuiteId::X25519), NOW).unwrap().certificate;
        let server = Flawed { inner, flaw, used: Mutex::default(), certificate };
        let violation = contract(&issuer, &server).map_err(|violation| violation.clause());
        assert_eq!(violation, Err(clause), "{flaw:?}");
    }
}

/// A chain for the key `which`, valid until `seconds` from now.
fn chain(issuer: &mut Issuer, which: usize, offer_key: &OfferKey, seconds: u64) -> Chain {
    let (name, kem_key) = (name("gate.example"), kem_key(which));
    let request =
        CertificateRequest::sign(&name, kem_key.public(), &SuiteList::only(SuiteId::XWing), offer_key)
            .unwrap();
    let validity = Validity::new(NOW, NOW.after(seconds)).unwrap();
    issuer.authority.issue(&request, validity, &mut Counting::new(40 + which as u8)).unwrap()
}

#[test]
fn a_new_certificate_is_offered_and_the_old_one_still_opens() {
    let mut issuer = Issuer::new(1);
    let settings = halfkey::ServerSettings::new(name("gate.example"), common::template(), &Secret::absent());
    let offer_keys = [50, 51].map(|seed| OfferKey::generate(&mut Counting::new(seed)));
    let first = chain(&mut issuer, 0, &offer_keys[0], 1000);
    let second = chain(&mut issuer, 1, &offer_keys[1], 5000);
    let new = |key, random| {
        Server::new(&settings, &first, kem_key(key), offer_keys[key].clone(), Counting::new(random))
    };
    assert_eq!(new(1, 60).err(), Some(ServerKeyError::OtherKeys), "keys that the certificate is not for");
    let server = new(0, 60).unwrap();

    let suites = SuiteList::only(SuiteId::XWing);
    let old = server.offer_material(&suites, NOW).unwrap();
    let ssk1 = Secret::new([7; 32]);
    let ct = kem_key(0).public().encapsulate(&ssk1, &mut Counting::new(61)).unwrap();
    let kem = halfkey::suite::find(SuiteId::XWing).unwrap().kem();
    let (ct_e, ss_e) = kem.encapsulate(&old.pk_e, &mut Counting::new(62)).unwrap();

    server.add_certificate(&second, kem_key(1), offer_keys[1].clone(), NOW).unwrap();
    let now = NOW.after(10);
    assert_ne!(server.offer_material(&suites, now).unwrap().certificate, old.certificate);
    let sealed =
        Encapsulated::new(SuiteId::XWing, old.certificate, old.ephemeral, ct, ct_e, Secret::absent());
    // Many threads at once, as a server's are.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let found = server.decapsulate(&sealed, now).unwrap();
                assert_eq!((found.ssk1.expose(), found.ss_e.expose()), (ssk1.expose(), ss_e.expose()));
            });
        }
    });
    let after_both = server.offer_material(&suites, NOW.after(5001)).err();
    assert_eq!(after_both, Some(AuthServerError::NoCertificate));
}

/// Certificates come and go while the server works: installed before their time, cut short, revoked.
#[test]
fn the_certificate_that_is_offered_is_valid_and_the_operators_choice() {
    let mut issuer = Issuer::new(1);
    let settings = halfkey::ServerSettings::new(name("gate.example"), common::template(), &Secret::absent());
    let offer_key = OfferKey::generate(&mut Counting::new(50));
    let request =
        CertificateRequest::sign(&name("gate.example"), kem_key(0).public(), &SuiteList::all(), &offer_key);
    let request = request.unwrap();
    let mut certified = |from: u64, to: u64| {
        let validity = Validity::new(NOW.after(from), NOW.after(to)).unwrap();
        issuer.authority.issue(&request, validity, &mut Counting::new(from as u8)).unwrap()
    };
    let (first, next, short) = (certified(0, 1000), certified(900, 9000), certified(10, 60));
    let hash =
        |chain: &Chain| Digest::new(<sha2::Sha256 as sha2::Digest>::digest(chain.leaf().as_der()).into());
    let server = Server::new(&settings, &first, kem_key(0), offer_key.clone(), Counting::new(60)).unwrap();
    let add =
        |chain: &Chain, now| server.add_certificate(chain, kem_key(0), offer_key.clone(), NOW.after(now));
    let material = |now| server.offer_material(&SuiteList::all(), NOW.after(now));
    let offered = |now| material(now).map(|material| material.certificate);
    let until = |now| server.offered_until(NOW.after(now));
    assert_eq!((until(0), until(1000), until(1001)), (Some(NOW.after(1000)), Some(NOW.after(1000)), None));

    // The next one, installed before its time, is offered when that has come.
    add(&next, 0).unwrap();
    for now in [0, 899] {
        assert_eq!(offered(now), Ok(hash(&first)), "{now}");
    }
    for now in [900, 1001, 9000] {
        assert_eq!(offered(now), Ok(hash(&next)), "{now}");
    }
    assert_eq!(offered(9001), Err(AuthServerError::NoCertificate));
    assert_eq!(until(0), Some(NOW.after(9000)));

    // A shorter-lived one takes its place, and gives way when it ends.
    add(&short, 0).unwrap();
    for (now, chain) in [(9, &first), (10, &short), (60, &short), (61, &first), (900, &next)] {
        assert_eq!(offered(now), Ok(hash(chain)), "{now}");
    }
    server.make_current(&hash(&first)).unwrap();
    assert_eq!(offered(10), Ok(hash(&first)));
    assert_eq!(offered(950), Ok(hash(&first)));
    server.make_current(&hash(&short)).unwrap();
    assert_eq!(offered(10), Ok(hash(&short)));

    let listed: Vec<_> = server.certificates().into_iter().map(|one| (one.certificate, one.serial)).collect();
    let expected = [&next, &first, &short].map(|chain| (hash(chain), chain.leaf().serial().clone()));
    assert_eq!(listed, expected);
    server.remove_certificate(&hash(&first)).unwrap();
    assert_eq!(
        (offered(5), until(5), until(10)),
        (Err(AuthServerError::NoCertificate), None, Some(NOW.after(60)))
    );
    for gone in [server.remove_certificate(&hash(&first)), server.make_current(&hash(&first))] {
        assert_eq!(gone, Err(AuthServerError::NoSuchKey));
    }
    let expired = CertificateError::Expired { not_after: NOW.after(1000), now: NOW.after(1001) };
    assert_eq!(add(&first, 1001), Err(ServerKeyError::Certificate(expired)));
    add(&first, 1000).unwrap();
    add(&first, 1000).unwrap();
    assert_eq!(server.certificates().len(), 3, "the same again is no other");

    // The end is told while it is near: the last third of such a short life.
    assert_eq!(material(20).unwrap().ends_soon, None);
    let end = NOW.after(9000);
    assert_eq!(material(6299).unwrap().ends_soon, None);
    for now in [6300, 9000] {
        assert_eq!(material(now).unwrap().ends_soon, Some(end), "{now}");
    }
}
