//! The server's key pair P_u and P_r (patent step 70), which carries SSK1: RSAES-OAEP.

use super::blinding::Blinding;
use super::{DEFAULT_RSA_BITS, KeyError, pem, rsa_parts};
use crate::random::{Lent, RandomSource};
use crate::secret::Secret;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use rsa::Oaep;
use rsa::traits::PublicKeyParts;
use sha2::Sha256;
use subtle::Choice;
use zeroize::Zeroizing;

/// RSAES-OAEP (RFC 8017, section 7.1) with SHA-256 as hash and in MGF1, and with the empty label: most PKCS#11
/// modules take no other. The purpose is in the certificate and in the transcripts.
fn oaep() -> Oaep<Sha256> {
    Oaep::new()
}

/// P_u, the public key in a server's certificate: RSA of 2048 to 8192 bits with an odd exponent
/// from 65537 to 2^32 - 1.
#[derive(Clone)]
pub struct KemPublicKey {
    rsa: rsa::PublicKey,
    spki: Vec<u8>,
}

impl KemPublicKey {
    fn new(rsa: rsa::PublicKey) -> Result<Self, KeyError> {
        let spki = rsa_parts::public_to_spki(&rsa)?;
        Ok(Self { rsa, spki })
    }

    /// Reads a DER SubjectPublicKeyInfo with the algorithm rsaEncryption (RFC 3279, section 2.3.1).
    ///
    /// # Errors
    /// [`KeyError`] for another structure, algorithm, size or exponent.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::new(rsa_parts::public_from_spki(der)?)
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
        &self.spki
    }

    /// The PEM `PUBLIC KEY`.
    ///
    /// # Errors
    /// Only when memory cannot hold the text.
    pub fn to_spki_pem(&self) -> Result<String, KeyError> {
        Ok(pem::encode(&self.spki, pem::PUBLIC_KEY)?)
    }

    /// Length of the modulus in bits.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.rsa.n().bit_width_vartime() as usize
    }

    /// Length of every ciphertext under this key, in bytes.
    #[must_use]
    pub fn ciphertext_len(&self) -> usize {
        self.rsa.size()
    }

    /// The key itself, for another use of RSA than SSK1's.
    #[cfg(feature = "historic")]
    pub(crate) const fn rsa(&self) -> &rsa::PublicKey {
        &self.rsa
    }

    /// Wraps SSK1 for the holder of P_r (patent step 130).
    ///
    /// Draws exactly 32 bytes from `random`, the OAEP seed; the same source gives the same bytes.
    ///
    /// # Errors
    /// [`KeyError::Operation`] should the arithmetic fail; no key that was accepted does.
    pub fn encapsulate(&self, ssk1: &Secret, random: &mut dyn RandomSource) -> Result<Vec<u8>, KeyError> {
        self.rsa.encrypt(&mut Lent(random), oaep(), ssk1.expose()).map_err(|_| KeyError::Operation)
    }
}

impl PartialEq for KemPublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki == other.spki
    }
}

impl Eq for KemPublicKey {}

impl fmt::Debug for KemPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KemPublicKey({} bits)", self.bits())
    }
}

/// P_r, with which the server opens SSK1 (patent step 140). Erased from memory when dropped.
///
/// ```no_run
/// use halfkey::SystemRandom;
/// use halfkey::key::{DEFAULT_RSA_BITS, KemPrivateKey};
///
/// let key = KemPrivateKey::generate(DEFAULT_RSA_BITS, &mut SystemRandom)?; // takes seconds
/// let text = key.to_pkcs8_pem()?; // erased from memory when dropped
/// assert_eq!(KemPrivateKey::from_pkcs8_pem(&text)?.public(), key.public());
/// # Ok::<(), halfkey::key::KeyError>(())
/// ```
#[derive(Clone)]
pub struct KemPrivateKey {
    rsa: rsa::PrivateKey,
    public: KemPublicKey,
}

impl KemPrivateKey {
    /// Length of the modulus of new keys in bits, unless you ask for another.
    pub const DEFAULT_BITS: usize = DEFAULT_RSA_BITS;

    fn new(rsa: rsa::PrivateKey) -> Result<Self, KeyError> {
        let public = KemPublicKey::new(rsa.to_public_key())?;
        Ok(Self { rsa, public })
    }

    /// Makes a key pair with a modulus of `bits` bits and the exponent 65537.
    ///
    /// Takes a second or so for 3072 bits on a desktop machine, many times that for 8192 bits or in
    /// an unoptimised build; how long varies from key to key.
    ///
    /// # Errors
    /// [`KeyError::TooSmall`] or [`KeyError::TooLarge`] outside 2048 to 8192 bits.
    pub fn generate(bits: usize, random: &mut dyn RandomSource) -> Result<Self, KeyError> {
        Self::new(rsa_parts::generate(bits, random)?)
    }

    /// Reads a DER PKCS#8 private key (unencrypted).
    ///
    /// # Errors
    /// [`KeyError`] for another structure, algorithm, size or exponent, or parts that do not fit.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::new(rsa_parts::private_from_pkcs8(der)?)
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
        rsa_parts::private_to_pkcs8(&self.rsa)
    }

    /// The PEM `PRIVATE KEY`, unencrypted.
    ///
    /// # Errors
    /// As [`Self::to_pkcs8_der`].
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        Ok(Zeroizing::new(pem::encode(&self.to_pkcs8_der()?, pem::PRIVATE_KEY)?))
    }

    /// P_u, to be certified.
    #[must_use]
    pub const fn public(&self) -> &KemPublicKey {
        &self.public
    }

    /// The key itself, for another use of RSA than SSK1's. Decrypt blinded.
    #[cfg(feature = "historic")]
    pub(crate) const fn rsa(&self) -> &rsa::PrivateKey {
        &self.rsa
    }

    /// Opens `ciphertext` and gives SSK1, or `fallback` when it does not open (implicit rejection).
    ///
    /// Never reports failure: a wrong length, padding, label or plaintext length, and a fault in
    /// the arithmetic, all give `fallback`. For the rejection to be implicit, `fallback` must be
    /// unpredictable and always the same for the same `ciphertext`: a MAC of it under a secret.
    ///
    /// The private operation is always blinded, with numbers expanded from 32 bytes of `random`. Only a ciphertext of the
    /// wrong length, or not below the modulus, is answered without one; both are public facts.
    #[must_use]
    pub fn decapsulate(&self, ciphertext: &[u8], fallback: &Secret, random: &mut dyn RandomSource) -> Secret {
        // The crate below checks the padding in constant time, but tells the outcome by Ok or Err: what
        // is left to see from outside is the copy of 32 bytes.
        let mut blinding = Blinding::new(random);
        let plaintext =
            self.rsa.decrypt_blinded(&mut Lent(&mut blinding), oaep(), ciphertext).map(Zeroizing::new);
        let mut opened = Zeroizing::new([0; Secret::LEN]);
        let fits = match &plaintext {
            Ok(plaintext) if plaintext.len() == Secret::LEN => {
                opened.copy_from_slice(plaintext);
                Choice::from(1)
            }
            _ => Choice::from(0),
        };
        Secret::select(fallback, &Secret::new(*opened), fits)
    }
}

impl fmt::Debug for KemPrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KemPrivateKey(..)")
    }
}
