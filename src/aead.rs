//! AES-256-GCM (NIST SP 800-38D), in place.

use crate::secret::Secret;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::U12;
use aes_gcm::aes::Aes256Enc;
use aes_gcm::{AesGcm, KeyInit, Nonce};
use alloc::vec::Vec;
use thiserror::Error;

/// Length of a tag, in bytes.
pub(crate) const TAG: usize = 16;

/// A sealed text that does not open: another key, nonce or associated data, or a changed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the seal is broken")]
pub struct SealBroken;

/// Authenticated encryption under one key (RFC 5116), in the caller's buffer.
pub trait Aead: Send + Sync {
    /// Encrypts `text` in place and returns the tag. No nonce is ever used twice under one key.
    #[must_use]
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8]) -> [u8; TAG];

    /// Undoes [`Aead::seal`] in place. `text` is of no use after an error.
    ///
    /// # Errors
    /// [`SealBroken`] when any bit of key, nonce, aad, text or tag is not what it was.
    fn open(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &[u8; TAG]) -> Result<(), SealBroken>;
}

/// AES-256-GCM under one key, with its key schedule made; both are erased when it is dropped.
pub(crate) struct Aes256Gcm(AesGcm<Aes256Enc, U12>);

impl Aes256Gcm {
    pub(crate) fn new(key: &Secret) -> Self {
        Self(AesGcm::new(key.expose().into()))
    }
}

impl Aead for Aes256Gcm {
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8]) -> [u8; TAG] {
        let sealed = self.0.encrypt_inout_detached(&Nonce::from(*nonce), aad, text.into());
        // Fails for texts of 64 GiB alone. Such a text must not leave half encrypted.
        let Ok(tag) = sealed else { unreachable!("AES-GCM seals at most 64 GiB") };
        tag.into()
    }

    fn open(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &[u8; TAG]) -> Result<(), SealBroken> {
        self.0
            .decrypt_inout_detached(&Nonce::from(*nonce), aad, text.into(), &(*tag).into())
            .map_err(|_| SealBroken)
    }
}

/// Encrypts `text` in place and appends the tag.
pub(crate) fn seal(aead: &dyn Aead, nonce: &[u8; 12], aad: &[u8], text: &mut Vec<u8>) {
    let tag = aead.seal(nonce, aad, text);
    text.extend_from_slice(&tag);
}

/// Undoes [`seal`].
///
/// # Errors
/// [`SealBroken`] when anything differs from what was sealed.
pub(crate) fn open(
    aead: &dyn Aead,
    nonce: &[u8; 12],
    aad: &[u8],
    sealed: &mut Vec<u8>,
) -> Result<(), SealBroken> {
    let (text, tag) = sealed.split_last_chunk_mut::<TAG>().ok_or(SealBroken)?;
    aead.open(nonce, aad, text, tag)?;
    let length = text.len();
    sealed.truncate(length);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The GCM specification, test case 14 (AES-256, one zero block).
    #[test]
    fn aes_gcm_known_answer() {
        let aead = Aes256Gcm::new(&Secret::new([0; 32]));
        let mut text = alloc::vec![0; 16];
        seal(&aead, &[0; 12], &[], &mut text);
        let expected: [u8; 32] = [
            0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18,
            0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19,
        ];
        assert_eq!(text, expected);
        assert_eq!(open(&aead, &[0; 12], &[], &mut text), Ok(()));
        assert_eq!(text, [0; 16]);
        assert_eq!(open(&aead, &[0; 12], &[], &mut alloc::vec![0; 15]), Err(SealBroken));
    }
}
