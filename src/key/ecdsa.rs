//! ECDSA keys of issuers, on the curves P-256 and P-384 (FIPS 186-5): the default of most new authorities.

use super::KeyError;
use crate::random::{Lent, RandomSource};
use alloc::boxed::Box;
use alloc::vec::Vec;
use der::Decode;
use der::oid::{AssociatedOid, ObjectIdentifier};
use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use p256::elliptic_curve::{ALGORITHM_OID, Generate};
use pkcs8::{
    AlgorithmIdentifierRef, EncodePrivateKey, EncodePublicKey, PrivateKeyInfoRef, SubjectPublicKeyInfoRef,
};
use sha2::{Digest, Sha256, Sha384};
use zeroize::Zeroizing;

/// First byte of a point in the uncompressed form, the only one that is taken (RFC 5480, section 2.2).
const UNCOMPRESSED: u8 = 4;

/// What an issuer's key may be for.
pub(super) const WANTED: &str = "RSA, ECDSA on P-256 or P-384, or Ed25519";

/// A curve of ECDSA keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
}

impl Curve {
    /// Returns the named curve of an id-ecPublicKey algorithm, if it is one of these.
    pub(super) fn of(algorithm: &AlgorithmIdentifierRef<'_>) -> Option<Self> {
        match algorithm.parameters_oid() {
            _ if !is_elliptic(algorithm) => None,
            Ok(p256::NistP256::OID) => Some(Self::P256),
            Ok(p384::NistP384::OID) => Some(Self::P384),
            _ => None,
        }
    }

    /// Checks that `point` is an uncompressed point of the curve and not the one at infinity.
    fn check(self, point: &[u8]) -> Result<(), KeyError> {
        if point.first() != Some(&UNCOMPRESSED) {
            return Err(KeyError::Malformed);
        }
        match self {
            Self::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(point).map(drop),
            Self::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(point).map(drop),
        }
        .map_err(|_| KeyError::Malformed)
    }

    /// Checks an ECDSA-Sig-Value in DER over a digest of at least half the curve's length.
    pub(crate) fn verify(self, point: &[u8], digest: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        macro_rules! verify {
            ($curve:ident) => {{
                let key = $curve::ecdsa::VerifyingKey::from_sec1_bytes(point);
                let signature = $curve::ecdsa::Signature::from_der(signature);
                key.and_then(|key| key.verify_prehash(digest, &signature?))
            }};
        }
        self.check(point)?;
        let verified = match self {
            Self::P256 => verify!(p256),
            Self::P384 => verify!(p384),
        };
        verified.map_err(|_| KeyError::BadSignature)
    }
}

/// Returns whether the algorithm is id-ecPublicKey, on whatever curve.
pub(super) fn is_elliptic(algorithm: &AlgorithmIdentifierRef<'_>) -> bool {
    algorithm.oid == ALGORITHM_OID
}

/// Checks a public key in a DER SubjectPublicKeyInfo with id-ecPublicKey (RFC 5480, section 2).
pub(super) fn check_spki(spki: &SubjectPublicKeyInfoRef<'_>) -> Result<(), KeyError> {
    let curve = Curve::of(&spki.algorithm).ok_or_else(|| KeyError::algorithm(&spki.algorithm, WANTED))?;
    curve.check(spki.subject_public_key.as_bytes().ok_or(KeyError::Malformed)?)
}

/// A private key on one of the curves. Erased when dropped.
#[derive(Clone)]
pub(super) enum EcdsaKey {
    P256(Box<p256::ecdsa::SigningKey>),
    P384(Box<p384::ecdsa::SigningKey>),
}

impl EcdsaKey {
    /// Makes a key. `random` must not end in a loop: numbers that do not fit are drawn again.
    pub(super) fn generate(curve: Curve, random: &mut dyn RandomSource) -> Self {
        let random = &mut Lent(random);
        match curve {
            Curve::P256 => Self::P256(Box::new(p256::ecdsa::SigningKey::generate_from_rng(random))),
            Curve::P384 => Self::P384(Box::new(p384::ecdsa::SigningKey::generate_from_rng(random))),
        }
    }

    /// Reads a DER PKCS#8 private key (RFC 5915 inside), whose public key must belong to it.
    pub(super) fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfoRef::from_der(der).map_err(|_| KeyError::Malformed)?;
        match Curve::of(&info.algorithm).ok_or_else(|| KeyError::algorithm(&info.algorithm, WANTED))? {
            Curve::P256 => info.try_into().map(|key| Self::P256(Box::new(key))),
            Curve::P384 => info.try_into().map(|key| Self::P384(Box::new(key))),
        }
        .map_err(|_| KeyError::Malformed)
    }

    pub(super) fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let document = match self {
            Self::P256(key) => key.to_pkcs8_der(),
            Self::P384(key) => key.to_pkcs8_der(),
        };
        Ok(document.map_err(|_| KeyError::Operation)?.to_bytes())
    }

    /// Returns the public half in a DER SubjectPublicKeyInfo.
    pub(super) fn to_spki_der(&self) -> Result<Vec<u8>, KeyError> {
        let document = match self {
            Self::P256(key) => key.verifying_key().to_public_key_der(),
            Self::P384(key) => key.verifying_key().to_public_key_der(),
        };
        Ok(document.map_err(|_| KeyError::Operation)?.into_vec())
    }

    /// Signs a message, hashed with the function as long as the curve. The nonce comes from key and message
    /// (RFC 6979).
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = match self {
            Self::P256(key) => {
                let signed: Result<p256::ecdsa::DerSignature, _> = key.sign_prehash(&Sha256::digest(message));
                signed.map(|signature| signature.as_bytes().to_vec())
            }
            Self::P384(key) => {
                let signed: Result<p384::ecdsa::DerSignature, _> = key.sign_prehash(&Sha384::digest(message));
                signed.map(|signature| signature.as_bytes().to_vec())
            }
        };
        signature.map_err(|_| KeyError::Operation)
    }

    /// Returns the algorithm of [`Self::sign`]: ecdsa-with-SHA256 or ecdsa-with-SHA384 (RFC 5758, section 3.2).
    pub(super) const fn signature_algorithm(&self) -> AlgorithmIdentifierRef<'static> {
        let oid = match self {
            Self::P256(_) => "1.2.840.10045.4.3.2",
            Self::P384(_) => "1.2.840.10045.4.3.3",
        };
        AlgorithmIdentifierRef { oid: ObjectIdentifier::new_unwrap(oid), parameters: None }
    }
}
