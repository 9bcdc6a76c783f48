//! The signature algorithms of certificates and revocation lists, as webpki asks for them.

use super::CertificateError;
use super::signed::Signed;
use crate::key::ecdsa::Curve;
use crate::key::rsa_parts;
use crate::key::{IssuerPublicKey, OfferPublicKey};
use alloc::vec::Vec;
use der::asn1::AnyRef;
use der::{Decode, Encode};
use pkcs8::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// All that a token accepts: RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2), ECDSA (RFC 5758) and Ed25519 (RFC 8410).
pub(super) const ACCEPTED: &[&dyn SignatureVerificationAlgorithm] = &[
    &Rsa(Hash::Sha256, Parameters::Null),
    &Rsa(Hash::Sha384, Parameters::Null),
    &Rsa(Hash::Sha512, Parameters::Null),
    &Rsa(Hash::Sha256, Parameters::Absent),
    &Rsa(Hash::Sha384, Parameters::Absent),
    &Rsa(Hash::Sha512, Parameters::Absent),
    &Ecdsa(Curve::P256, Hash::Sha256),
    &Ecdsa(Curve::P256, Hash::Sha384),
    &Ecdsa(Curve::P256, Hash::Sha512),
    &Ecdsa(Curve::P384, Hash::Sha256),
    &Ecdsa(Curve::P384, Hash::Sha384),
    &Ecdsa(Curve::P384, Hash::Sha512),
    &Ed25519,
];

/// Checks the signature of a structure as webpki checks those of certificates: the algorithm must be one of
/// these, and go with the key.
pub(super) fn verify(key: &IssuerPublicKey, signed: &Signed<'_>) -> Result<(), CertificateError> {
    let malformed = |_: der::Error| CertificateError::Malformed;
    let spki = SubjectPublicKeyInfoRef::from_der(key.as_spki_der()).map_err(malformed)?;
    let content = |algorithm: &AlgorithmIdentifierRef<'_>| -> der::Result<Vec<u8>> {
        Ok(AnyRef::from_der(&algorithm.to_der()?)?.value().into())
    };
    let of_key = content(&spki.algorithm).map_err(malformed)?;
    let of_signature = content(&signed.algorithm).map_err(malformed)?;
    let mut accepted = ACCEPTED.iter().filter(|algorithm| {
        *algorithm.public_key_alg_id() == *of_key && *algorithm.signature_alg_id() == *of_signature
    });
    let algorithm = accepted.next().ok_or(CertificateError::Algorithm)?;
    let bits = (spki.subject_public_key.as_bytes(), signed.signature.as_bytes());
    let (Some(key), Some(signature)) = bits else { return Err(CertificateError::Malformed) };
    let tbs = signed.tbs.to_der().map_err(malformed)?;
    algorithm.verify_signature(key, &tbs, signature).map_err(|_| CertificateError::BadSignature)
}

#[derive(Clone, Copy, Debug)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// Parameters of an RSA signature's algorithm: "MUST be NULL", but "implementations MUST accept the parameters
/// being absent as well as present" (RFC 4055, section 5).
#[derive(Debug)]
enum Parameters {
    Null,
    Absent,
}

/// RSA keys of 2048 to 8192 bits, PKCS#1 v1.5 padding.
#[derive(Debug)]
struct Rsa(Hash, Parameters);

impl SignatureVerificationAlgorithm for Rsa {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let key = rsa_parts::public_from_pkcs1(key).map_err(|_| InvalidSignature)?;
        match self.0 {
            Hash::Sha256 => key.pkcs1v15_verify::<Sha256>(message, signature),
            Hash::Sha384 => key.pkcs1v15_verify::<Sha384>(message, signature),
            Hash::Sha512 => key.pkcs1v15_verify::<Sha512>(message, signature),
        }
        .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::RSA_ENCRYPTION
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        // The identifiers sha256WithRSAEncryption, sha384With.. and sha512With.., 1.2.840.113549.1.1.11 to 13.
        macro_rules! absent {
            ($last:literal) => {
                AlgorithmIdentifier::from_slice(&[6, 9, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 1, $last])
            };
        }
        match (self.0, &self.1) {
            (Hash::Sha256, Parameters::Null) => alg_id::RSA_PKCS1_SHA256,
            (Hash::Sha384, Parameters::Null) => alg_id::RSA_PKCS1_SHA384,
            (Hash::Sha512, Parameters::Null) => alg_id::RSA_PKCS1_SHA512,
            (Hash::Sha256, Parameters::Absent) => absent!(11),
            (Hash::Sha384, Parameters::Absent) => absent!(12),
            (Hash::Sha512, Parameters::Absent) => absent!(13),
        }
    }
}

/// Uncompressed points of the curve; the hash need not be as long as the curve.
#[derive(Debug)]
struct Ecdsa(Curve, Hash);

impl SignatureVerificationAlgorithm for Ecdsa {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let digest: Vec<u8> = match self.1 {
            Hash::Sha256 => Sha256::digest(message).to_vec(),
            Hash::Sha384 => Sha384::digest(message).to_vec(),
            Hash::Sha512 => Sha512::digest(message).to_vec(),
        };
        self.0.verify(key, &digest, signature).map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        match self.0 {
            Curve::P256 => alg_id::ECDSA_P256,
            Curve::P384 => alg_id::ECDSA_P384,
        }
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match self.1 {
            Hash::Sha256 => alg_id::ECDSA_SHA256,
            Hash::Sha384 => alg_id::ECDSA_SHA384,
            Hash::Sha512 => alg_id::ECDSA_SHA512,
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
