//! An authentication server's keys in memory.

use super::identities::{HeldCertificate, Identities, Identity};
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
///
/// ```
/// use halfkey::memory::Server;
/// use halfkey::{Secret, ServerName, ServerSettings, SystemRandom};
/// # use halfkey::certificate::{CertificateRequest, Validity};
/// # use halfkey::{UnixTime, key::OfferKey, policy::SuiteList, port::CertificateAuthority};
/// # use halfkey::template::{Field, FieldKind, Template};
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
///
/// # fn main() -> setting::Outcome {
/// # let (name, random) = (ServerName::new("gate.example")?, &mut SystemRandom);
/// # let (kem_key, offer_key) = (setting::kem_key()?, OfferKey::generate(random));
/// # let request = CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key)?;
/// # let chain = setting::authority()?.issue(&request, Validity::lasting(UnixTime::now(), 3600)?, random)?;
/// # let template = Template::new(vec![Field::required("name", FieldKind::UserName)])?;
/// # let master = Secret::random(random);
/// let settings = ServerSettings::new(name, template, &master);
/// let server = Server::new(&settings, &chain, kem_key, offer_key, SystemRandom)?;
/// for certificate in server.certificates() {
///     println!("{:?} ends at {}", certificate.serial, certificate.not_after.as_secs());
/// }
/// # Ok(()) }
/// ```
/// [`ServerFiles`](crate::server_files::ServerFiles) makes one from the files of a directory.
pub struct Server {
    inner: Mutex<Inner>,
    name: ServerName,
    offer_ttl: u64,
}

struct Inner {
    identities: Identities,
    ephemerals: Vec<Ephemeral>,
    crl: Option<RevocationList>,
    random: Box<dyn RandomSource + Send>,
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
    /// the settings that the server's steps are given, too. The certificate is offered while it is valid; if it
    /// is, is not asked here, where there is no clock.
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
        let inner = Inner {
            identities: Identities::default(),
            ephemerals: Vec::new(),
            crl: None,
            random: Box::new(random),
        };
        let server = Self {
            inner: Mutex::new(inner),
            name: settings.name.clone(),
            offer_ttl: settings.offer_ttl.into(),
        };
        let identity = server.identity_of(chain, kem_key, offer_key)?;
        server.lock().identities.add(identity);
        Ok(server)
    }

    /// Adds a certificate, for rotation. Of those that are valid, the one that was added last, or
    /// [made current](Self::make_current) since, is offered: one that is not valid yet, from its notBefore on.
    /// Requests to the others are answered until they are removed.
    ///
    /// # Errors
    /// [`ServerKeyError`] when it is not for the server's name and these keys, or has expired.
    pub fn add_certificate(
        &self,
        chain: &Chain,
        kem_key: KemPrivateKey,
        offer_key: OfferKey,
        now: UnixTime,
    ) -> Result<(), ServerKeyError> {
        let identity = self.identity_of(chain, kem_key, offer_key)?;
        let not_after = identity.held.not_after;
        if not_after < now {
            return Err(CertificateError::Expired { not_after, now }.into());
        }
        self.lock().identities.add(identity);
        Ok(())
    }

    /// The certificates that the server holds the keys of, valid or not: of those that are valid, the last one
    /// is offered.
    #[must_use]
    pub fn certificates(&self) -> Vec<HeldCertificate> {
        self.lock().identities.list()
    }

    /// Makes a certificate the one that is offered while it is valid, whatever others there are.
    ///
    /// # Errors
    /// [`AuthServerError::NoSuchKey`] when it is not held.
    pub fn make_current(&self, certificate: &Digest) -> Result<(), AuthServerError> {
        if self.lock().identities.prefer(certificate) { Ok(()) } else { Err(AuthServerError::NoSuchKey) }
    }

    /// Removes a certificate and erases its keys. Requests to it that are under way begin again.
    ///
    /// # Errors
    /// [`AuthServerError::NoSuchKey`] when it is not held.
    pub fn remove_certificate(&self, certificate: &Digest) -> Result<(), AuthServerError> {
        self.lock().identities.take(certificate).map(drop).ok_or(AuthServerError::NoSuchKey)
    }

    /// The last second from `now` on until which there is a certificate to offer without a gap; none if there
    /// is none now. Its approach is an event of each offer from two weeks before it on
    /// ([`ServerEvent::CertificateEnds`](crate::exchange::ServerEvent::CertificateEnds)), or from a third of the
    /// certificate's life, if that is shorter.
    #[must_use]
    pub fn offered_until(&self, now: UnixTime) -> Option<UnixTime> {
        self.lock().identities.offered_until(now)
    }

    fn identity_of(
        &self,
        chain: &Chain,
        kem_key: KemPrivateKey,
        offer_key: OfferKey,
    ) -> Result<Identity, ServerKeyError> {
        let leaf = Leaf::of_chain(chain, &self.name)?;
        if leaf.kem_key != *kem_key.public() || leaf.offer_key != offer_key.public() {
            return Err(ServerKeyError::OtherKeys);
        }
        let own = chain.leaf();
        let held = HeldCertificate {
            certificate: hash::sha256(&[own.as_der()]),
            serial: own.serial().clone(),
            not_before: own.not_before(),
            not_after: own.not_after(),
        };
        let chain = chain.as_der().into_iter().map(Vec::from).collect();
        Ok(Identity { held, chain, suites: leaf.suites, kem_key, offer_key })
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
        inner.identities.find(certificate).cloned().ok_or(AuthServerError::NoSuchKey)
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
        let identity = inner.identities.offered(now).ok_or(AuthServerError::NoCertificate)?.clone();
        let first = suites.codes().find(|code| identity.suites.codes().any(|certified| certified == *code));
        let suite = first.and_then(SuiteId::from_code).and_then(find).ok_or(AuthServerError::NoSuite)?;
        let (pk_e, ephemeral) = inner.ephemeral(suite, now, self.offer_ttl);
        Ok(OfferMaterial {
            suite: suite.id(),
            suites: identity.suites,
            chain: identity.chain.clone(),
            certificate: identity.held.certificate,
            pk_e,
            ephemeral,
            crl: inner.crl.as_ref().map(|crl| crl.as_der().to_vec()),
            ends_soon: inner.identities.ends_soon(now),
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

    fn forget(&self, now: UnixTime) -> Option<UnixTime> {
        let mut inner = self.lock();
        inner.forget_lapsed(now, self.offer_ttl);
        let keep = ISSUED_FOR.saturating_add(self.offer_ttl).saturating_add(1);
        inner.ephemerals.iter().map(|key| key.made.after(keep)).min()
    }
}
