//! Modes of operation: `E_K(number)` of a session, and longer texts in CBC.

use super::cipher::{Cipher, number_len};
use super::{Error, Key};
use crate::random::RandomSource;
use alloc::vec::Vec;
use cbc::{Decryptor, Encryptor};
use cipher::block_padding::Pkcs7;
use cipher::{BlockModeDecrypt, BlockModeEncrypt, InOutBuf, InnerIvInit, Iv, IvSizeUser};
use zeroize::Zeroizing;

/// Computes `E_K(number)`: a single block in ECB mode, several blocks in CBC mode with a zero
/// initialisation vector.
pub(super) fn encipher<C: Cipher>(key: &Key<C>, number: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = whole::<C>(number)?;
    let mut mode = Encryptor::inner_iv_init(key.cipher(), &Iv::<Encryptor<C>>::default());
    mode.encrypt_blocks_inout(InOutBuf::from(out.as_mut_slice()).into_chunks().0);
    Ok(out)
}

/// Computes `D_K(number)`, the inverse of [`encipher`].
pub(super) fn decipher<C: Cipher>(key: &Key<C>, number: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = whole::<C>(number)?;
    let mut mode = Decryptor::inner_iv_init(key.cipher(), &Iv::<Decryptor<C>>::default());
    mode.decrypt_blocks_inout(InOutBuf::from(out.as_mut_slice()).into_chunks().0);
    Ok(out)
}

fn whole<C: Cipher>(number: &[u8]) -> Result<Vec<u8>, Error> {
    if number.len() == number_len::<C>() { Ok(number.into()) } else { Err(Error::NumberLength) }
}

/// Encrypts a text of any length in CBC mode with PKCS#7 padding, after a random initialisation vector.
/// The ciphertext is not authenticated: a change of it may go unnoticed.
pub(super) fn seal<C: Cipher>(key: &Key<C>, text: &[u8], random: &mut dyn RandomSource) -> Vec<u8> {
    let mut iv = Iv::<Encryptor<C>>::default();
    random.fill(&mut iv);
    let mut out = Vec::with_capacity(text.len().saturating_add(iv.len().saturating_mul(2)));
    out.extend_from_slice(text);
    let padded = text.len().saturating_add(1).next_multiple_of(C::block_size().max(1));
    // PKCS#7: as many bytes as are missing, each of that value.
    let missing = padded.saturating_sub(text.len());
    out.resize(padded, u8::try_from(missing).unwrap_or(u8::MAX));
    let mut mode = Encryptor::inner_iv_init(key.cipher(), &iv);
    mode.encrypt_blocks_inout(InOutBuf::from(out.as_mut_slice()).into_chunks().0);
    out.splice(..0, iv.iter().copied());
    out
}

/// Decrypts the output of [`seal`], or any other bytes that decrypt to a valid padding.
pub(super) fn open<C: Cipher>(key: &Key<C>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let (iv, body) = sealed.split_at_checked(Decryptor::<C>::iv_size()).ok_or(Error::DoesNotOpen)?;
    let mode = Decryptor::inner_iv_slice_init(key.cipher(), iv).map_err(|_| Error::DoesNotOpen)?;
    let mut text = Zeroizing::new(Vec::from(body));
    let len = mode.decrypt_padded::<Pkcs7>(&mut text).map_err(|_| Error::DoesNotOpen)?.len();
    text.truncate(len);
    Ok(text)
}
