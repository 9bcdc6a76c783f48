//! Cipher suites, protocol-sized: hash and tag a transcript, derive, seal, encapsulate.
//!
//! The steps know a suite only through these traits, so a suite of a third party, or a symbolic one
//! for a model check, drives the very same steps. With the feature `contract`, `conformance::check` says whether it may.

#[cfg(feature = "contract")]
pub mod conformance;
mod standard;
mod x25519;
mod x_wing;

use crate::id::Digest;
use crate::policy::SuiteId;
use crate::random::RandomSource;
use crate::secret::Secret;
use crate::{aead, hash};
use alloc::boxed::Box;
use alloc::vec::Vec;
use thiserror::Error;

pub use crate::aead::{Aead, SealBroken};
pub use standard::{X25519, XWING};

/// Cryptography for one run of the protocol. `parts` are hashed as their plain concatenation; the
/// callers see to it that it is unambiguous.
///
/// A suite for private use, whose ephemeral KEM is another suite's:
/// ```
/// use halfkey::policy::SuiteId;
/// use halfkey::suite::{Kem, Suite, X25519};
///
/// struct Ours;
///
/// impl Suite for Ours {
///     fn id(&self) -> SuiteId {
///         SuiteId::Private(0xFF01)
///     }
///     fn kem(&self) -> &'static dyn Kem {
///         X25519.kem()
///     }
/// }
///
/// static SUITES: &[&dyn Suite] = &[&Ours, &X25519]; // for `ConnectorBuilder::suites` and `ServerSettings::suites`
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// halfkey::suite::conformance::check(&Ours, &mut halfkey::SystemRandom)?; // in a test, with the feature `contract`
/// # Ok(()) }
/// ```
pub trait Suite: Send + Sync {
    /// Returns the code point that stands for this suite in messages and transcripts.
    fn id(&self) -> SuiteId;

    /// Returns the ephemeral KEM.
    fn kem(&self) -> &'static dyn Kem;

    /// Returns a collision-resistant hash of 32 bytes.
    fn hash(&self, parts: &[&[u8]]) -> Digest {
        hash::sha256(parts)
    }

    /// Returns a pseudorandom function and MAC of 32 bytes (HMAC, RFC 2104).
    fn mac(&self, key: &Secret, parts: &[&[u8]]) -> [u8; 32] {
        hash::hmac(key, parts)
    }

    /// Extracts a pseudorandom key from weak key material, or from several pieces of it (HKDF-Extract, RFC
    /// 5869).
    fn extract(&self, salt: &[u8; 32], material: &[&Secret]) -> Secret {
        hash::extract(salt, material)
    }

    /// Fills `out`, at most 8160 bytes, with key material for `info` (HKDF-Expand, RFC 5869).
    fn expand(&self, key: &Secret, info: &[&[u8]], out: &mut [u8]) {
        hash::expand(key, info, out);
    }

    /// Returns the authenticated encryption under `key`: AES-256-GCM, with a tag of 16 bytes.
    fn aead(&self, key: &Secret) -> Box<dyn Aead> {
        Box::new(aead::Aes256Gcm::new(key))
    }
}

impl core::fmt::Debug for dyn Suite {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.id().fmt(f)
    }
}

/// A key encapsulation mechanism (NIST SP 800-227) for one-time keys.
pub trait Kem: Send + Sync {
    /// Returns the length of a public key, in bytes.
    fn public_key_len(&self) -> usize;

    /// Returns the length of a ciphertext, in bytes.
    fn ciphertext_len(&self) -> usize;

    /// Draws a key pair: the private key as its 32-byte seed, and the public key.
    fn generate(&self, random: &mut dyn RandomSource) -> (Secret, Vec<u8>);

    /// Draws a shared secret of 32 bytes for the holder of `public`: ciphertext and secret.
    ///
    /// # Errors
    /// [`KemError`] when `public` is no public key.
    fn encapsulate(
        &self,
        public: &[u8],
        random: &mut dyn RandomSource,
    ) -> Result<(Vec<u8>, Secret), KemError>;

    /// Returns the shared secret in `ciphertext`.
    ///
    /// # Errors
    /// [`KemError`] for a ciphertext that no honest peer makes. Another wrong ciphertext gives
    /// another secret.
    fn decapsulate(&self, private: &Secret, ciphertext: &[u8]) -> Result<Secret, KemError>;
}

/// A KEM key or ciphertext that no honest peer makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not a KEM key or ciphertext of this suite")]
pub struct KemError;

/// The suites that this crate ships, best first.
pub const SUITES: &[&'static dyn Suite] = &[&XWING, &X25519];

/// Returns the suite with this code point among those that the crate ships.
#[must_use]
pub fn find(id: SuiteId) -> Option<&'static dyn Suite> {
    SUITES.iter().copied().find(|suite| suite.id() == id)
}

/// `prf(key, info) = HMAC(key, info ‖ 0x01)`, which is HKDF-Expand to 32 bytes.
pub(crate) fn prf(suite: &dyn Suite, key: &Secret, label: &[u8], info: &[u8]) -> Secret {
    Secret::new(suite.mac(key, &[label, &[0], info, &[1]]))
}
