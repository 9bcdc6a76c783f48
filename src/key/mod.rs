//! Keys of servers and issuers, in and out as PKCS#8 and SPKI, each in DER and PEM.
//!
//! | key | who holds the private half | what it does |
//! | --- | --- | --- |
//! | [`KemPrivateKey`] (the patent's P_r) | the authentication server | opens SSK1 (patent step 140); never signs |
//! | [`OfferKey`] | the authentication server | signs offers (R1) and certificate requests, nothing else |
//! | [`IssuerKey`] (the patent's P_i) | the certificate authority | signs certificates and revocation lists |
//!
//! Whoever steals P_r *and* the offer key can impersonate the server to tokens that register
//! without a proof; keep the two apart where you can.
//!
//! ```
//! # fn main() -> Result<(), halfkey::key::KeyError> {
//! use halfkey::key::{OfferKey, OfferPublicKey};
//! let mut random = |out: &mut [u8]| out.fill(7); // a fixed source, for the example only
//! let key = OfferKey::generate(&mut random);
//! let again = OfferKey::from_pkcs8_pem(&key.to_pkcs8_pem()?)?;
//! assert_eq!(key.public(), again.public());
//! # Ok(())
//! # }
//! ```

mod blinding;
pub(crate) mod ecdsa;
mod issuer;
mod kem;
mod offer;
pub(crate) mod pem;
pub(crate) mod rsa_parts;

pub use issuer::{IssuerKey, IssuerPublicKey};
pub use kem::{KemPrivateKey, KemPublicKey};
pub use offer::{OfferKey, OfferPublicKey};
pub use pem::PemError;

use der::oid::ObjectIdentifier;
use ecdsa::Curve;
use pkcs8::AlgorithmIdentifierRef;
use thiserror::Error;

/// Smallest RSA modulus, in bits, for any key here.
pub const MIN_RSA_BITS: usize = 2048;
/// Largest RSA modulus, in bits: bounds the work that a certificate can ask of a token.
pub const MAX_RSA_BITS: usize = 8192;
/// RSA modulus, in bits, for new keys: about 128 bits of security (NIST SP 800-57, table 2).
pub const DEFAULT_RSA_BITS: usize = 3072;
/// Smallest RSA public exponent; it must be odd as well.
pub const MIN_RSA_EXPONENT: u64 = 65_537;
/// Largest RSA public exponent: bounds the work of a public-key operation.
pub const MAX_RSA_EXPONENT: u64 = 0xFFFF_FFFF;

/// Longest DER encoding of a key, in bytes; an RSA key of 8192 bits takes about 4700.
pub(crate) const MAX_ENCODED: usize = 8192;

/// A reason for refusing a key, or a failure of an operation with it. It never holds key material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The input is longer than any key of this kind.
    #[error("the encoded key is too long")]
    TooLong,
    /// Not the PEM that was asked for.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Not the DER structure that was asked for, or numbers that make no key.
    #[error("the key's encoding is malformed")]
    Malformed,
    /// A well-formed key for another algorithm.
    #[error("the key is for {found}, and one for {wanted} is wanted")]
    WrongAlgorithm {
        /// Name of the algorithm.
        found: &'static str,
        /// Name of the wanted algorithm, or of several.
        wanted: &'static str,
    },
    /// An RSA modulus below [`MIN_RSA_BITS`].
    #[error("an RSA key of {bits} bits is too small")]
    TooSmall {
        /// Length of the modulus in bits.
        bits: usize,
    },
    /// An RSA modulus above [`MAX_RSA_BITS`].
    #[error("an RSA key of {bits} bits is too large")]
    TooLarge {
        /// Length of the modulus in bits.
        bits: usize,
    },
    /// An RSA exponent that is even or outside [`MIN_RSA_EXPONENT`]..=[`MAX_RSA_EXPONENT`].
    #[error("the RSA public exponent is out of range")]
    Exponent,
    /// An Ed25519 public key of small order, under which anybody can sign.
    #[error("the Ed25519 key has small order")]
    SmallOrder,
    /// The signature is not this key's over this message.
    #[error("the signature does not verify")]
    BadSignature,
    /// The arithmetic failed its own check: a broken key or a hardware fault.
    #[error("the key operation failed")]
    Operation,
}

impl KeyError {
    /// The error for a key whose algorithm is not the one that is `wanted`.
    fn algorithm(found: &AlgorithmIdentifierRef<'_>, wanted: &'static str) -> Self {
        Self::WrongAlgorithm { found: algorithm_name(found), wanted }
    }
}

/// Returns the name of a key's algorithm.
fn algorithm_name(algorithm: &AlgorithmIdentifierRef<'_>) -> &'static str {
    const EC: ObjectIdentifier = p256::elliptic_curve::ALGORITHM_OID;
    const NAMES: [(ObjectIdentifier, &str); 8] = [
        (rsa::pkcs1::ALGORITHM_OID, "RSA"),
        (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.7"), "RSAES-OAEP alone"),
        (ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10"), "RSASSA-PSS alone"),
        (ObjectIdentifier::new_unwrap("1.2.840.10040.4.1"), "DSA"),
        (ObjectIdentifier::new_unwrap("1.3.101.110"), "X25519"),
        (ObjectIdentifier::new_unwrap("1.3.101.111"), "X448"),
        (ed25519_dalek::pkcs8::ALGORITHM_OID, "Ed25519"),
        (ObjectIdentifier::new_unwrap("1.3.101.113"), "Ed448"),
    ];
    match Curve::of(algorithm) {
        Some(Curve::P256) => "ECDSA on P-256",
        Some(Curve::P384) => "ECDSA on P-384",
        None if algorithm.oid == EC => "another elliptic curve",
        None => NAMES
            .iter()
            .find(|(oid, _)| *oid == algorithm.oid)
            .map_or("an unknown algorithm", |(_, name)| name),
    }
}
