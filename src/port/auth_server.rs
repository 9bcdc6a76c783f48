//! The authentication server (patent's 20): what only it holds, P_r above all.

use crate::cause::{Cause, Numbered};
use crate::id::Digest;
use crate::policy::{SuiteId, SuiteList};
use crate::secret::Secret;
use crate::time::UnixTime;
use alloc::vec::Vec;
use thiserror::Error;

/// Why an authentication server cannot serve. It is the operator's to mend.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AuthServerError {
    /// No certificate that is valid now.
    #[error("no valid certificate")]
    NoCertificate,
    /// None of the suites asked for is certified.
    #[error("none of the suites is certified")]
    NoSuite,
    /// No certificate or ephemeral key of that name is held, or not any more.
    #[error("the key asked for is not held")]
    NoSuchKey,
    /// The ciphertext is no ciphertext. Never told to the peer.
    #[error("not a ciphertext")]
    Ciphertext,
    /// The device that holds the keys failed; its driver's number for it.
    #[error("the device that holds the server's keys failed: {}", Numbered(*.0))]
    Device(u32),
    /// The holder of the keys failed, with the cause that its driver gives.
    #[error("the holder of the server's keys failed")]
    Failed(#[source] Cause),
}

/// Material of an offer.
#[derive(Clone, Debug)]
pub struct OfferMaterial {
    /// The suite: the first of those asked for that the certificate lists.
    pub suite: SuiteId,
    /// The suites that the certificate lists.
    pub suites: SuiteList,
    /// The server's certificate and those up to the token's anchor, in DER.
    pub chain: Vec<Vec<u8>>,
    /// SHA-256 of the server's certificate.
    pub certificate: Digest,
    /// The ephemeral KEM's public key, issued for at most 60 s.
    pub pk_e: Vec<u8>,
    /// A name for the ephemeral key.
    pub ephemeral: [u8; 16],
    /// A certificate revocation list in DER to staple, if there is one.
    pub crl: Option<Vec<u8>>,
    /// The last second in which there is a certificate to offer, if it is so near that the operator should know.
    pub ends_soon: Option<UnixTime>,
}

/// Two ciphertexts to open: SSK1 under P_u and ss_e under pk_e.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Encapsulated {
    /// The suite.
    pub suite: SuiteId,
    /// The certificate whose P_u it is.
    pub certificate: Digest,
    /// The name of the ephemeral key.
    pub ephemeral: [u8; 16],
    /// SSK1, encapsulated.
    pub ct: Vec<u8>,
    /// ss_e, encapsulated.
    pub ct_e: Vec<u8>,
    /// Answer in place of an SSK1 that does not decapsulate: implicit rejection.
    pub fallback: Secret,
}

impl Encapsulated {
    /// Makes the question from the two ciphertexts and the names of the keys that open them.
    #[must_use]
    pub const fn new(
        suite: SuiteId,
        certificate: Digest,
        ephemeral: [u8; 16],
        ct: Vec<u8>,
        ct_e: Vec<u8>,
        fallback: Secret,
    ) -> Self {
        Self { suite, certificate, ephemeral, ct, ct_e, fallback }
    }
}

/// Contents of the two ciphertexts.
#[derive(Clone, Debug)]
pub struct Decapsulated {
    /// The token's half; the fallback when there is none.
    pub ssk1: Secret,
    /// The ephemeral secret.
    pub ss_e: Secret,
}

/// The server's own keys: P_r, the offer key and the ephemeral keys.
///
/// Methods take `&self`: one server answers many tokens at once. An implementation over an HSM may
/// block; an asynchronous one is asked through the suspended states instead and never implements
/// this trait.
///
/// Drivers erase ephemeral keys when they are due; a program that runs exchanges without a driver asks for it:
/// ```
/// use halfkey::UnixTime;
/// use halfkey::port::AuthServer;
/// use std::time::Duration;
///
/// /// Erases what is due, and tells how long to wait until the next time.
/// fn tidy(keys: &dyn AuthServer) -> Duration {
///     let now = UnixTime::now();
///     Duration::from_secs(keys.forget(now).map_or(60, |due| due.since(now)))
/// }
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
/// # fn main() -> setting::Outcome {
/// # assert_eq!(tidy(&setting::Setting::new()?.keys), Duration::from_secs(60));
/// # Ok(()) }
/// ```
pub trait AuthServer: Send + Sync {
    /// What to offer to a token that speaks `suites` (best first). Issues one ephemeral key for at
    /// most 60 s, and keeps its private half, in volatile memory only, until the last offer made
    /// with it has ended: `offer_ttl` seconds after its last issue.
    ///
    /// # Errors
    /// [`AuthServerError`].
    fn offer_material(&self, suites: &SuiteList, now: UnixTime) -> Result<OfferMaterial, AuthServerError>;

    /// Signs thO with the offer key certified in `certificate`
    /// ([`crate::key::OfferKey::sign`]).
    ///
    /// # Errors
    /// [`AuthServerError`].
    fn sign_offer(&self, certificate: &Digest, transcript: &Digest) -> Result<[u8; 64], AuthServerError>;

    /// Decapsulates both (patent step 140). A wrong `ct` is no error: it gives the fallback, in
    /// constant time. [`AuthServerError::NoSuchKey`] says that the certificate or the ephemeral key is
    /// not held any more, which is a public fact; on [`AuthServerError::Ciphertext`] the step goes on
    /// with the fallback, and the peer learns nothing.
    ///
    /// # Errors
    /// [`AuthServerError`], for the operator alone.
    fn decapsulate(&self, sealed: &Encapsulated, now: UnixTime) -> Result<Decapsulated, AuthServerError>;

    /// Erases the ephemeral keys whose last offer has ended by now, and returns the time at which the next one is
    /// due; `None` while none is held. A driver asks when an offer was made and from then on when it is due, since
    /// nothing else may come for a month. Without it, keys are erased with the next question.
    fn forget(&self, _now: UnixTime) -> Option<UnixTime> {
        None
    }
}

impl<T: AuthServer + ?Sized> AuthServer for alloc::sync::Arc<T> {
    fn offer_material(&self, suites: &SuiteList, now: UnixTime) -> Result<OfferMaterial, AuthServerError> {
        (**self).offer_material(suites, now)
    }

    fn sign_offer(&self, certificate: &Digest, transcript: &Digest) -> Result<[u8; 64], AuthServerError> {
        (**self).sign_offer(certificate, transcript)
    }

    fn decapsulate(&self, sealed: &Encapsulated, now: UnixTime) -> Result<Decapsulated, AuthServerError> {
        (**self).decapsulate(sealed, now)
    }

    fn forget(&self, now: UnixTime) -> Option<UnixTime> {
        (**self).forget(now)
    }
}
