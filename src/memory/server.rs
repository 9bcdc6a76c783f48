//! An authentication server's keys in memory.

use crate::certificate::leaf::Leaf;
use crate::certificate::{CertificateError, Chain, RevocationList};
use crate::hash;
use crate::id::{Digest, ServerName};
use crate::key::{KemPrivateKey, OfferKey};
use crate::policy::{SuiteId, SuiteList};
use crate::port::auth_server::{AuthServer, AuthServerError, Decapsulated, Encapsulated, OfferMaterial};
use crate::random::{RandomSource, draw};
use crate::secret::Secret;
use crate::settings::ServerSettings;
use crate::suite::{Suite, find};
use crate::time::{Period, UnixTime};
use std::boxed::Box;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::vec::Vec;
use thiserror::Error;
use zeroize::Zeroizing;

/// Seconds for which one ephemeral key is issued.
const ISSUED_FOR: u64 = 60;

/// An [`AuthServer`] whose keys are in this process's memory.
///
/// Ephemeral keys are never anywhere else: after a restart the offers made before are not known any
/// more, and tokens start again. One lock guards the random source and the
/// ephemeral keys; it is not held while RSA works.
pub struct Server {
    inner: Mutex<Inner>,
    name: ServerName,
    offer_ttl: u64,
}

struct Inner {
    identities: Vec<std::sync::Arc<Identity>>,
    ephemerals: Vec<Ephemeral>,
    crl: Option<RevocationList>,
    random: Box<dyn RandomSource + Send>,
}

/// The keys of one certificate.
struct Identity {
    certificate: Digest,
    chain: Vec<Vec<u8>>,
    suites: SuiteList,
    not_after: UnixTime,
    kem_key: KemPrivateKey,
    offer_key: OfferKey,
}

struct Ephemeral {
    id: [u8; 16],
    suite: SuiteId,
    private: Secret,
    public: Vec<u8>,
    made: UnixTime,
}

/// An error for a certificate and keys that do not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServerKeyError {
    /// The certificate is not one for this name.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The certificate is for other keys.
    #[error("the certificate is for other keys")]
    OtherKeys,
}

impl Server {
    /// Makes a server with one certificate. Its name and the seconds for which an offer is good come from
    /// the settings that the server's steps are given, too.
    ///
    /// # Errors
    /// [`ServerKeyError`] when the certificate is not for the settings' name and these keys.
    pub fn new(
        settings: &ServerSettings,
        chain: &Chain,
        kem_key: KemPrivateKey,
        offer_key: OfferKey,
        random: impl RandomSource + Send + 'static,
    ) -> Result<Self, ServerKeyError> {
        let inner =
            Inner { identities: Vec::new(), ephemerals: Vec::new(), crl: None, random: Box::new(random) };
        let server = Self {
            inner: Mutex::new(inner),
            name: settings.name.clone(),
            offer_ttl: settings.offer_ttl.into(),
        };
        server.add_certificate(chain, kem_key, offer_key)?;
        Ok(server)
    }

    /// Adds a certificate, for rotation: of those that are valid, the one that is so longest is
    /// offered; requests to the others are answered until they expire.
    ///
    /// # Errors
    /// [`ServerKeyError`] when it is not for the server's name and these keys.
    pub fn add_certificate(
        &self,
        chain: &Chain,
        kem_key: KemPrivateKey,
        offer_key: OfferKey,
    ) -> Result<(), ServerKeyError> {
        let leaf = Leaf::of_chain(chain, &self.name)?;
        if leaf.kem_key != *kem_key.public() || leaf.offer_key != offer_key.public() {
            return Err(ServerKeyError::OtherKeys);
        }
        let chain: Vec<Vec<u8>> = chain.as_der().into_iter().map(Vec::from).collect();
        let identity = Identity {
            certificate: hash::sha256(&[chain.first().map_or(&[][..], Vec::as_slice)]),
            chain,
            suites: leaf.suites,
            not_after: leaf.not_after,
            kem_key,
            offer_key,
        };
        self.lock().identities.push(identity.into());
        Ok(())
    }

    /// Staples a revocation list to every offer from now on.
    pub fn staple(&self, list: RevocationList) {
        self.lock().crl = Some(list);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change under the lock is a single assignment or push: nothing is half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn identity(&self, certificate: &Digest) -> Result<std::sync::Arc<Identity>, AuthServerError> {
        let inner = self.lock();
        let held = inner.identities.iter().find(|identity| identity.certificate == *certificate);
        held.cloned().ok_or(AuthServerError::NoSuchKey)
    }
}

impl core::fmt::Debug for Server {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Server(..)")
    }
}

impl Inner {
    /// Erases the ephemeral keys whose last offer has ended.
    fn forget_lapsed(&mut self, now: UnixTime, offer_ttl: u64) {
        let keep = ISSUED_FOR.saturating_add(offer_ttl);
        self.ephemerals.retain(|key| !Period::new(key.made, keep).is_over(now));
    }

    /// The ephemeral key now issued for a suite.
    fn ephemeral(&mut self, suite: &'static dyn Suite, now: UnixTime, offer_ttl: u64) -> (Vec<u8>, [u8; 16]) {
        self.forget_lapsed(now, offer_ttl);
        let issued =
            |key: &&Ephemeral| key.suite == suite.id() && !Period::new(key.made, ISSUED_FOR).is_over(now);
        if let Some(key) = self.ephemerals.iter().find(issued) {
            return (key.public.clone(), key.id);
        }
        let random = &mut *self.random;
        let (private, public) = suite.kem().generate(random);
        let key = Ephemeral { id: draw(random), suite: suite.id(), private, public, made: now };
        let issued = (key.public.clone(), key.id);
        self.ephemerals.push(key);
        issued
    }
}

impl AuthServer for Server {
    fn offer_material(&self, suites: &SuiteList, now: UnixTime) -> Result<OfferMaterial, AuthServerError> {
        let mut inner = self.lock();
        let valid = inner.identities.iter().filter(|identity| now <= identity.not_after);
        let identity =
            valid.max_by_key(|identity| identity.not_after).ok_or(AuthServerError::NoCertificate)?.clone();
        let first = suites.codes().find(|code| identity.suites.codes().any(|certified| certified == *code));
        let suite = first.and_then(SuiteId::from_code).and_then(find).ok_or(AuthServerError::NoSuite)?;
        let (pk_e, ephemeral) = inner.ephemeral(suite, now, self.offer_ttl);
        Ok(OfferMaterial {
            suite: suite.id(),
            suites: identity.suites,
            chain: identity.chain.clone(),
            certificate: identity.certificate,
            pk_e,
            ephemeral,
            crl: inner.crl.as_ref().map(|crl| crl.as_der().to_vec()),
        })
    }

    fn sign_offer(&self, certificate: &Digest, transcript: &Digest) -> Result<[u8; 64], AuthServerError> {
        Ok(self.identity(certificate)?.offer_key.sign(transcript))
    }

    fn decapsulate(&self, sealed: &Encapsulated, now: UnixTime) -> Result<Decapsulated, AuthServerError> {
        let identity = self.identity(&sealed.certificate)?;
        let (seed, ss_e) = {
            let mut inner = self.lock();
            inner.forget_lapsed(now, self.offer_ttl);
            let kem = find(sealed.suite).map(Suite::kem);
            let key =
                inner.ephemerals.iter().find(|key| key.id == sealed.ephemeral && key.suite == sealed.suite);
            let ss_e = key.zip(kem).map(|(key, kem)| kem.decapsulate(&key.private, &sealed.ct_e));
            (Zeroizing::new(draw::<32>(&mut *inner.random)), ss_e)
        };
        let ss_e = ss_e.ok_or(AuthServerError::NoSuchKey)?;
        // Drawn under the lock, used without it.
        let mut drawn =
            |out: &mut [u8]| out.iter_mut().zip(seed.iter()).for_each(|(slot, byte)| *slot = *byte);
        let ssk1 = identity.kem_key.decapsulate(&sealed.ct, &sealed.fallback, &mut drawn);
        let ss_e = ss_e.map_err(|_| AuthServerError::Ciphertext)?;
        Ok(Decapsulated { ssk1, ss_e })
    }
}
