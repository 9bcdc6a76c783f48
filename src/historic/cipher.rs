//! The block cipher, and the numbers that it enciphers.

use crate::random::RandomSource;
use alloc::vec::Vec;
use cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

/// Block cipher by the traits of the `cipher` crate: `des::Des`, the triple DES of the same crate, AES, or
/// any other. Implemented for every type that has those traits.
pub trait Cipher: BlockCipherEncrypt + BlockCipherDecrypt + KeyInit + 'static {}

impl<C: BlockCipherEncrypt + BlockCipherDecrypt + KeyInit + 'static> Cipher for C {}

/// Returns the length in bytes of N1, N2 and their combinations: the length of a key, rounded up to whole
/// blocks, so that a key can be cut out of it.
#[must_use]
pub fn number_len<C: Cipher>() -> usize {
    C::key_size().next_multiple_of(C::block_size().max(1))
}

/// Draws a number: N1 (claims 4a, 10) or N2 (step 310).
pub(super) fn draw_number<C: Cipher>(random: &mut dyn RandomSource) -> Vec<u8> {
    let mut number = alloc::vec![0; number_len::<C>()];
    random.fill(&mut number);
    number
}

/// Returns the exclusive-or of two byte strings of equal length: the patent's "one-way function".
pub(super) fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}
