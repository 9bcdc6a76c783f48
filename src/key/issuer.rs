//! The certificate authority's key pair, the patent's P_i: RSA, ECDSA or Ed25519.

use super::blinding::Blinding;
use super::ecdsa::{self, Curve, EcdsaKey};
use super::{KeyError, MAX_ENCODED, OfferKey, OfferPublicKey, pem, rsa_parts};
use crate::random::{Lent, RandomSource};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use der::Decode;
use pkcs8::{AlgorithmIdentifierRef, PrivateKeyInfoRef, SubjectPublicKeyInfoRef};
use sha2::Sha256;
use zeroize::Zeroizing;

/// P_i as tokens embed it: RSA (2048 to 8192 bits, exponent as for [`super::KemPublicKey`]), ECDSA on P-256 or
/// P-384 (a named curve, the point not compressed), or Ed25519.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuerPublicKey(Vec<u8>);

impl IssuerPublicKey {
    /// Reads a DER SubjectPublicKeyInfo: rsaEncryption, id-ecPublicKey or Ed25519.
    ///
    /// # Errors
    /// [`KeyError`] for another structure, algorithm, size or exponent.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        if der.len() > MAX_ENCODED {
            return Err(KeyError::TooLong);
        }
        let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyError::Malformed)?;
        if rsa_parts::is_rsa(&spki.algorithm) {
            rsa_parts::public_from_spki(der)?;
        } else if ecdsa::is_elliptic(&spki.algorithm) {
            ecdsa::check_spki(&spki)?;
        } else if spki.algorithm.oid == ed25519_dalek::pkcs8::ALGORITHM_OID {
            OfferPublicKey::from_spki_der(der)?;
        } else {
            return Err(KeyError::algorithm(&spki.algorithm, ecdsa::WANTED));
        }
        Ok(Self(der.into()))
    }

    /// Reads a PEM `PUBLIC KEY`.
    ///
    /// # Errors
    /// As [`Self::from_spki_der`].
    pub fn from_spki_pem(text: &str) -> Result<Self, KeyError> {
        Self::from_spki_der(&pem::decode(text, pem::PUBLIC_KEY)?)
    }

    /// The DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn as_spki_der(&self) -> &[u8] {
        &self.0
    }

    /// The PEM `PUBLIC KEY`.
    ///
    /// # Errors
    /// Only when memory cannot hold the text.
    pub fn to_spki_pem(&self) -> Result<String, KeyError> {
        Ok(pem::encode(&self.0, pem::PUBLIC_KEY)?)
    }
}

impl fmt::Debug for IssuerPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuerPublicKey({} bytes)", self.0.len())
    }
}

#[derive(Clone)]
enum Private {
    Rsa(Box<rsa::PrivateKey>),
    Ecdsa(EcdsaKey),
    // The same primitive as the offer key, over bare messages: never one key for both.
    Ed25519(Box<OfferKey>),
}

/// The private half of P_i: signs certificates and revocation lists. Erased when dropped.
///
/// RSA signs with RSASSA-PKCS1-v1_5 and SHA-256 (RFC 8017, section 8.2), always blinded; ECDSA with SHA-256 on
/// P-256 and with SHA-384 on P-384, and with deterministic nonces (RFC 6979).
///
/// ```
/// use halfkey::SystemRandom;
/// use halfkey::key::IssuerKey;
///
/// let key = IssuerKey::generate_p256(&mut SystemRandom)?;
/// let text = key.to_pkcs8_pem()?; // erased from memory when dropped
/// assert_eq!(IssuerKey::from_pkcs8_pem(&text)?.public(), key.public());
/// # Ok::<(), halfkey::key::KeyError>(())
/// ```
#[derive(Clone)]
pub struct IssuerKey {
    private: Private,
    public: IssuerPublicKey,
}

impl IssuerKey {
    fn new(private: Private) -> Result<Self, KeyError> {
        let public = IssuerPublicKey(match &private {
            Private::Rsa(key) => rsa_parts::public_to_spki(key.as_public_key())?,
            Private::Ecdsa(key) => key.to_spki_der()?,
            Private::Ed25519(key) => key.public().to_spki_der()?,
        });
        Ok(Self { private, public })
    }

    /// Makes an RSA key of `bits` bits.
    ///
    /// # Errors
    /// [`KeyError::TooSmall`] or [`KeyError::TooLarge`] outside 2048 to 8192 bits.
    pub fn generate_rsa(bits: usize, random: &mut dyn RandomSource) -> Result<Self, KeyError> {
        Self::new(Private::Rsa(Box::new(rsa_parts::generate(bits, random)?)))
    }

    /// Makes an ECDSA key on the curve P-256 from 32 bytes of `random`.
    ///
    /// # Errors
    /// Only when memory cannot hold its encoding.
    pub fn generate_p256(random: &mut dyn RandomSource) -> Result<Self, KeyError> {
        Self::new(Private::Ecdsa(EcdsaKey::generate(Curve::P256, &mut Blinding::new(random))))
    }

    /// Makes an ECDSA key on the curve P-384 from 32 bytes of `random`, which are enough for its 192 bits of security.
    ///
    /// # Errors
    /// Only when memory cannot hold its encoding.
    pub fn generate_p384(random: &mut dyn RandomSource) -> Result<Self, KeyError> {
        Self::new(Private::Ecdsa(EcdsaKey::generate(Curve::P384, &mut Blinding::new(random))))
    }

    /// Makes an Ed25519 key.
    ///
    /// # Errors
    /// Only when memory cannot hold its encoding.
    pub fn generate_ed25519(random: &mut dyn RandomSource) -> Result<Self, KeyError> {
        Self::new(Private::Ed25519(Box::new(OfferKey::generate(random))))
    }

    /// Reads a DER PKCS#8 private key: RSA, ECDSA on P-256 or P-384, or Ed25519.
    ///
    /// # Errors
    /// [`KeyError`] for another structure, algorithm, size or exponent, or parts that do not fit.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        if der.len() > MAX_ENCODED {
            return Err(KeyError::TooLong);
        }
        let info = PrivateKeyInfoRef::from_der(der).map_err(|_| KeyError::Malformed)?;
        Self::new(if rsa_parts::is_rsa(&info.algorithm) {
            Private::Rsa(Box::new(rsa_parts::private_from_pkcs8(der)?))
        } else if ecdsa::is_elliptic(&info.algorithm) {
            Private::Ecdsa(EcdsaKey::from_pkcs8_der(der)?)
        } else if info.algorithm.oid == ed25519_dalek::pkcs8::ALGORITHM_OID {
            Private::Ed25519(Box::new(OfferKey::from_pkcs8_der(der)?))
        } else {
            return Err(KeyError::algorithm(&info.algorithm, ecdsa::WANTED));
        })
    }

    /// Reads a PEM `PRIVATE KEY`.
    ///
    /// # Errors
    /// As [`Self::from_pkcs8_der`].
    pub fn from_pkcs8_pem(text: &str) -> Result<Self, KeyError> {
        Self::from_pkcs8_der(&pem::decode(text, pem::PRIVATE_KEY)?)
    }

    /// The DER PKCS#8 private key, unencrypted: store it as you would the key itself.
    ///
    /// # Errors
    /// [`KeyError::Operation`] should the arithmetic fail; no key that was accepted does.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match &self.private {
            Private::Rsa(key) => rsa_parts::private_to_pkcs8(key),
            Private::Ecdsa(key) => key.to_pkcs8_der(),
            Private::Ed25519(key) => key.to_pkcs8_der(),
        }
    }

    /// The PEM `PRIVATE KEY`, unencrypted.
    ///
    /// # Errors
    /// As [`Self::to_pkcs8_der`].
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        Ok(Zeroizing::new(pem::encode(&self.to_pkcs8_der()?, pem::PRIVATE_KEY)?))
    }

    /// The public half, for trust anchors.
    #[must_use]
    pub const fn public(&self) -> &IssuerPublicKey {
        &self.public
    }

    /// Signs a to-be-signed structure; `random` blinds the private operation of RSA.
    pub(crate) fn sign(&self, message: &[u8], random: &mut dyn RandomSource) -> Result<Vec<u8>, KeyError> {
        match &self.private {
            Private::Rsa(key) => key
                .pkcs1v15_sign_with_rng::<Sha256, _>(&mut Lent(&mut Blinding::new(random)), message)
                .map_err(|_| KeyError::Operation),
            Private::Ecdsa(key) => key.sign(message),
            Private::Ed25519(key) => Ok(key.sign_bare(message).into()),
        }
    }

    /// The algorithm of [`Self::sign`]'s signatures: sha256WithRSAEncryption (RFC 4055, section 5),
    /// ecdsa-with-SHA256 or -SHA384 (RFC 5758) or Ed25519 (RFC 8410).
    pub(crate) const fn signature_algorithm(&self) -> AlgorithmIdentifierRef<'static> {
        match &self.private {
            Private::Rsa(_) => AlgorithmIdentifierRef {
                oid: der::oid::ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11"),
                parameters: Some(der::asn1::AnyRef::NULL),
            },
            Private::Ecdsa(key) => key.signature_algorithm(),
            Private::Ed25519(_) => ed25519_dalek::pkcs8::ALGORITHM_ID,
        }
    }
}

impl fmt::Debug for IssuerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IssuerKey(..)")
    }
}
