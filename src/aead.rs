//! AES-256-GCM (NIST SP 800-38D), in place.

use crate::secret::Secret;
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use alloc::vec::Vec;
use thiserror::Error;

/// A sealed text that does not open: another key, nonce or associated data, or a changed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the seal is broken")]
pub struct SealBroken;

/// Encrypts `text` in place and appends the tag of 16 bytes.
pub(crate) fn seal(key: &Secret, nonce: &[u8; 12], aad: &[u8], text: &mut Vec<u8>) {
    let sealed = Aes256Gcm::new(key.expose().into()).encrypt_in_place(&Nonce::from(*nonce), aad, text);
    // Fails for texts of 64 GiB alone. Such a text must not leave half encrypted.
    assert!(sealed.is_ok(), "AES-GCM seals at most 64 GiB");
}

/// Undoes [`seal`].
///
/// # Errors
/// [`SealBroken`] when anything differs from what was sealed.
pub(crate) fn open(key: &Secret, nonce: &[u8; 12], aad: &[u8], text: &mut Vec<u8>) -> Result<(), SealBroken> {
    Aes256Gcm::new(key.expose().into())
        .decrypt_in_place(&Nonce::from(*nonce), aad, text)
        .map_err(|_| SealBroken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The GCM specification, test case 14 (AES-256, one zero block).
    #[test]
    fn aes_gcm_known_answer() {
        let mut text = alloc::vec![0; 16];
        seal(&Secret::new([0; 32]), &[0; 12], &[], &mut text);
        let expected: [u8; 32] = [
            0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18,
            0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19,
        ];
        assert_eq!(text, expected);
        assert_eq!(open(&Secret::new([0; 32]), &[0; 12], &[], &mut text), Ok(()));
        assert_eq!(text, [0; 16]);
    }
}
