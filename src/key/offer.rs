//! The server's Ed25519 key that signs offers (R1) and certificate requests.

use super::{KeyError, MAX_ENCODED, pem};
use crate::id::Digest;
use crate::random::{RandomSource, draw};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use der::Decode;
use ed25519_dalek::pkcs8::{KeypairBytes, PublicKeyBytes};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use pkcs8::{EncodePrivateKey, EncodePublicKey, PrivateKeyInfoRef, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

const OFFER: &[u8] = b"halfkey/1 offer";
const REQUEST: &[u8] = b"halfkey/1 certificate request";

/// `label ‖ 0x00 ‖ body`: no label is a prefix of another with its zero byte, so a signature for
/// one purpose never serves another.
fn labelled(label: &[u8], body: &[u8]) -> Vec<u8> {
    [label, &[0], body].concat()
}

/// The public half of an [`OfferKey`], as the certificate's private extension carries it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OfferPublicKey(VerifyingKey);

impl OfferPublicKey {
    /// Length in bytes.
    pub const LEN: usize = 32;
    /// Length of a signature in bytes.
    pub const SIGNATURE_LEN: usize = 64;

    /// Takes an encoded point (RFC 8032, section 5.1.5).
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if it is no point or not its one encoding, [`KeyError::SmallOrder`] if
    /// anybody could sign.
    pub fn new(bytes: &[u8; Self::LEN]) -> Result<Self, KeyError> {
        // y must be below 2^255 - 19; the crate below reads larger values modulo that.
        let [first, middle @ .., last] = bytes;
        if *first >= 0xED && middle.iter().all(|byte| *byte == 0xFF) && *last & 0x7F == 0x7F {
            return Err(KeyError::Malformed);
        }
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Malformed)?;
        if key.is_weak() { Err(KeyError::SmallOrder) } else { Ok(Self(key)) }
    }

    /// The encoded point.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        self.0.as_bytes()
    }

    /// Reads a DER SubjectPublicKeyInfo (RFC 8410).
    ///
    /// # Errors
    /// [`KeyError`] for another structure or algorithm, or as [`Self::new`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        if der.len() > MAX_ENCODED {
            return Err(KeyError::TooLong);
        }
        let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyError::Malformed)?;
        if spki.algorithm != ed25519_dalek::pkcs8::ALGORITHM_ID {
            return Err(KeyError::algorithm(&spki.algorithm, "Ed25519"));
        }
        Self::new(&PublicKeyBytes::try_from(spki).map_err(|_| KeyError::Malformed)?.0)
    }

    /// Reads a PEM `PUBLIC KEY`.
    ///
    /// # Errors
    /// As [`Self::from_spki_der`].
    pub fn from_spki_pem(text: &str) -> Result<Self, KeyError> {
        Self::from_spki_der(&pem::decode(text, pem::PUBLIC_KEY)?)
    }

    /// The DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// Only when memory cannot hold it.
    pub fn to_spki_der(&self) -> Result<Vec<u8>, KeyError> {
        let bytes = PublicKeyBytes(*self.as_bytes());
        Ok(bytes.to_public_key_der().map_err(|_| KeyError::Operation)?.into_vec())
    }

    /// The PEM `PUBLIC KEY`.
    ///
    /// # Errors
    /// Only when memory cannot hold it.
    pub fn to_spki_pem(&self) -> Result<String, KeyError> {
        Ok(pem::encode(&self.to_spki_der()?, pem::PUBLIC_KEY)?)
    }

    /// Checks the signature of an offer over its transcript thO, strictly (RFC 8032, section 5.1.7,
    /// without cofactor; no small-order points).
    ///
    /// # Errors
    /// [`KeyError::BadSignature`].
    pub fn verify(&self, th_o: &Digest, signature: &[u8; Self::SIGNATURE_LEN]) -> Result<(), KeyError> {
        self.verify_strict(&labelled(OFFER, th_o.as_bytes()), signature)
    }

    /// Checks the signature of a certificate request over its encoded info.
    pub(crate) fn verify_request(&self, info: &[u8], signature: &[u8; 64]) -> Result<(), KeyError> {
        self.verify_strict(&labelled(REQUEST, info), signature)
    }

    /// Checks a signature over the bare message, as certificates have it.
    pub(crate) fn verify_strict(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), KeyError> {
        let signature = Signature::from_bytes(signature);
        self.0.verify_strict(message, &signature).map_err(|_| KeyError::BadSignature)
    }
}

impl fmt::Debug for OfferPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OfferPublicKey({})", Digest::new(*self.as_bytes()))
    }
}

/// The private half: Ed25519 (RFC 8032). Erased from memory when dropped.
#[derive(Clone)]
pub struct OfferKey(SigningKey);

impl OfferKey {
    /// Makes a key from 32 bytes of `random`.
    #[must_use]
    pub fn generate(random: &mut dyn RandomSource) -> Self {
        Self(SigningKey::from_bytes(&Zeroizing::new(draw(random))))
    }

    /// Reads a DER PKCS#8 private key (RFC 8410, with or without its public key).
    ///
    /// # Errors
    /// [`KeyError`] for another structure or algorithm, or a public key that does not belong to it.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        if der.len() > MAX_ENCODED {
            return Err(KeyError::TooLong);
        }
        let info = PrivateKeyInfoRef::from_der(der).map_err(|_| KeyError::Malformed)?;
        if info.algorithm != ed25519_dalek::pkcs8::ALGORITHM_ID {
            return Err(KeyError::algorithm(&info.algorithm, "Ed25519"));
        }
        Ok(Self(SigningKey::try_from(info).map_err(|_| KeyError::Malformed)?))
    }

    /// Reads a PEM `PRIVATE KEY`.
    ///
    /// # Errors
    /// As [`Self::from_pkcs8_der`].
    pub fn from_pkcs8_pem(text: &str) -> Result<Self, KeyError> {
        Self::from_pkcs8_der(&pem::decode(text, pem::PRIVATE_KEY)?)
    }

    /// The DER PKCS#8 private key, unencrypted.
    ///
    /// # Errors
    /// Only when memory cannot hold it.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        // Version 1, without the public key: some readers refuse version 2.
        let bytes = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        Ok(bytes.to_pkcs8_der().map_err(|_| KeyError::Operation)?.to_bytes())
    }

    /// The PEM `PRIVATE KEY`, unencrypted.
    ///
    /// # Errors
    /// As [`Self::to_pkcs8_der`].
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        Ok(Zeroizing::new(pem::encode(&self.to_pkcs8_der()?, pem::PRIVATE_KEY)?))
    }

    /// The public half, to be certified.
    #[must_use]
    pub fn public(&self) -> OfferPublicKey {
        OfferPublicKey(self.0.verifying_key())
    }

    /// Signs an offer: Ed25519 over `"halfkey/1 offer" ‖ 0x00 ‖ thO`.
    #[must_use]
    pub fn sign(&self, th_o: &Digest) -> [u8; OfferPublicKey::SIGNATURE_LEN] {
        self.sign_bare(&labelled(OFFER, th_o.as_bytes()))
    }

    /// Signs a certificate request: Ed25519 over `"halfkey/1 certificate request" ‖ 0x00 ‖ info`.
    pub(crate) fn sign_request(&self, info: &[u8]) -> [u8; 64] {
        self.sign_bare(&labelled(REQUEST, info))
    }

    /// Signs the bare message, as an issuer does.
    pub(crate) fn sign_bare(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for OfferKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfferKey(..)")
    }
}
