//! The signature algorithms of certificates, as webpki asks for them.

use crate::key::OfferPublicKey;
use crate::key::rsa_parts;
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use sha2::{Sha256, Sha384, Sha512};

/// All that a token accepts: RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2) and Ed25519 (RFC 8410).
pub(super) const ACCEPTED: &[&dyn SignatureVerificationAlgorithm] =
    &[&Rsa::Sha256, &Rsa::Sha384, &Rsa::Sha512, &Ed25519];

/// RSA keys of 2048 to 8192 bits, PKCS#1 v1.5 padding.
#[derive(Debug)]
enum Rsa {
    Sha256,
    Sha384,
    Sha512,
}

impl SignatureVerificationAlgorithm for Rsa {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let key = rsa_parts::public_from_pkcs1(key).map_err(|_| InvalidSignature)?;
        match self {
            Self::Sha256 => key.pkcs1v15_verify::<Sha256>(message, signature),
            Self::Sha384 => key.pkcs1v15_verify::<Sha384>(message, signature),
            Self::Sha512 => key.pkcs1v15_verify::<Sha512>(message, signature),
        }
        .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match self {
            Self::Sha256 => alg_id::RSA_PKCS1_SHA256,
            Self::Sha384 => alg_id::RSA_PKCS1_SHA384,
            Self::Sha512 => alg_id::RSA_PKCS1_SHA512,
        }
    }
}

/// Strict verification: no small-order points, no second form of a signature.
#[derive(Debug)]
struct Ed25519;

impl SignatureVerificationAlgorithm for Ed25519 {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let key = key.try_into().map_err(|_| InvalidSignature)?;
        let signature = signature.try_into().map_err(|_| InvalidSignature)?;
        let key = OfferPublicKey::new(key).map_err(|_| InvalidSignature)?;
        key.verify_strict(message, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ED25519
    }
}
