//! Sealing of what is written to files: one fresh key for each text.

use crate::aead::{self, Aes256Gcm, SealBroken, TAG};
use crate::hash::prf;
use crate::random::{RandomSource, draw};
use crate::secret::Secret;

use alloc::boxed::Box;
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// A hook that makes a sealed state durable, or returns its driver's number for the failure.
pub(crate) type Keep = Box<dyn FnMut(&[u8]) -> Result<(), u32> + Send>;

/// Length of the salt before the sealed text, in bytes.
const SALT: usize = 32;

/// `salt(32) ‖ AES-256-GCM(prf(key, label ‖ 0x00 ‖ salt), nonce 0, aad, text)`: the salt makes the
/// key a fresh one, so that no nonce is ever used twice, however often a file is written.
pub(crate) fn seal(
    key: &Secret,
    label: &[u8],
    aad: &[u8],
    text: &[u8],
    random: &mut dyn RandomSource,
) -> Vec<u8> {
    let salt: [u8; SALT] = draw(random);
    // Room for the tag: without it the text would be moved and a copy of it stay behind.
    let mut sealed = Vec::with_capacity(text.len().saturating_add(TAG));
    sealed.extend_from_slice(text);
    aead::seal(&Aes256Gcm::new(&prf(key, label, &salt)), &[0; 12], aad, &mut sealed);
    [&salt, sealed.as_slice()].concat()
}

/// Undoes [`seal`].
pub(crate) fn open(
    key: &Secret,
    label: &[u8],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealBroken> {
    let (salt, sealed) = sealed.split_at_checked(SALT).ok_or(SealBroken)?;
    let mut text = Zeroizing::new(Vec::from(sealed));
    aead::open(&Aes256Gcm::new(&prf(key, label, salt)), &[0; 12], aad, &mut text)?;
    Ok(text)
}
