//! The primitives that every shipped suite shares: SHA-256, HMAC, HKDF and AES-256-GCM.

use super::x_wing::XWingKem;
use super::x25519::DhKem;
use super::{Kem, SealBroken, Suite};
use crate::id::Digest;
use crate::policy::SuiteId;
use crate::secret::Secret;
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use alloc::vec::Vec;
use hkdf::{Hkdf, HkdfExtract};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

/// Suite 2: X-Wing.
pub struct XWing;
/// Suite 1: X25519.
pub struct X25519Suite;

/// Suite 2, the default: X-Wing as the ephemeral KEM.
pub static XWING: XWing = XWing;
/// Suite 1: X25519 as the ephemeral KEM.
pub static X25519: X25519Suite = X25519Suite;

impl Suite for XWing {
    fn id(&self) -> SuiteId {
        SuiteId::XWing
    }
    fn kem(&self) -> &'static dyn Kem {
        &XWingKem
    }
}

impl Suite for X25519Suite {
    fn id(&self) -> SuiteId {
        SuiteId::X25519
    }
    fn kem(&self) -> &'static dyn Kem {
        &DhKem
    }
}

pub(super) fn hash(parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    Digest(hasher.finalize().into())
}

pub(super) fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes a key of any length; the error is a formality of the trait.
    <Hmac<Sha256> as KeyInit>::new_from_slice(key).map_or([0; 32], |mut mac| {
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    })
}

pub(super) fn extract(salt: &Digest, material: &[&Secret]) -> Secret {
    let mut extract = HkdfExtract::<Sha256>::new(Some(&salt.0));
    material.iter().for_each(|secret| extract.input_ikm(secret.expose()));
    Secret::new(extract.finalize().0.into())
}

pub(super) fn expand(key: &Secret, info: &[&[u8]], out: &mut [u8]) {
    // Both can fail for lengths alone: the key is 32 bytes, and no label asks for over 8160.
    let expanded = Hkdf::<Sha256>::from_prk(key.expose()).map(|hkdf| hkdf.expand_multi_info(info, out));
    debug_assert!(matches!(expanded, Ok(Ok(()))));
}

pub(super) fn seal(key: &Secret, nonce: &[u8; 12], aad: &[u8], text: &mut Vec<u8>) {
    // Fails only for texts of 64 GiB; then nothing of it may leave.
    if Aes256Gcm::new(key.expose().into()).encrypt_in_place(&Nonce::from(*nonce), aad, text).is_err() {
        text.clear();
    }
}

pub(super) fn open(key: &Secret, nonce: &[u8; 12], aad: &[u8], text: &mut Vec<u8>) -> Result<(), SealBroken> {
    Aes256Gcm::new(key.expose().into())
        .decrypt_in_place(&Nonce::from(*nonce), aad, text)
        .map_err(|_| SealBroken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        core::array::from_fn(|i| u8::from_str_radix(&text[i.saturating_mul(2)..][..2], 16).unwrap())
    }

    /// RFC 4231, test case 1 (a key of 20 bytes 0x0b is the same as one zero-padded to 32).
    #[test]
    fn hmac_known_answer() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let expected = hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        assert_eq!(mac(&key, &[b"Hi ", b"There"]), expected);
    }

    /// RFC 5869, A.1: Expand.
    #[test]
    fn hkdf_known_answer() {
        let prk = Secret::new(hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"));
        let mut okm = [0; 42];
        expand(&prk, &[&hex::<5>("f0f1f2f3f4"), &hex::<5>("f5f6f7f8f9")], &mut okm);
        let expected: [u8; 42] =
            hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
        assert_eq!(okm, expected);
    }

    /// The GCM specification, test case 14 (AES-256, one zero block).
    #[test]
    fn aes_gcm_known_answer() {
        let mut text = alloc::vec![0; 16];
        seal(&Secret::new([0; 32]), &[0; 12], &[], &mut text);
        let expected: [u8; 32] = hex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
        assert_eq!(text, expected);
        assert_eq!(open(&Secret::new([0; 32]), &[0; 12], &[], &mut text), Ok(()));
        assert_eq!(text, [0; 16]);
    }
}
