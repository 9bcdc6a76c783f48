//! The attacks: each one succeeds against the letter of 1996, and the same attempt fails against the
//! real protocol.

mod configuration;
mod fake;
mod forced_key;
mod grant;
mod middle;
mod oracle;
mod passive;
mod reflection;
mod relay;
mod search;
mod stolen;

use cipher::{BlockCipherDecrypt, KeyInit};
use halfkey::RandomSource;
use halfkey::historic::registration::Grant;
use halfkey::historic::{Combiner, Des, Key};

/// The exclusive-or of two byte strings.
fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

/// A random source whose first draw is chosen: with it a party that means ill runs the honest steps.
fn first_draw<'a>(first: &[u8], then: &'a mut dyn RandomSource) -> impl FnMut(&mut [u8]) + use<'a> {
    let mut first = Some(first.to_vec());
    move |out: &mut [u8]| match first.take() {
        Some(first) => out.copy_from_slice(&first),
        None => then.fill(out),
    }
}

/// Computes the key as an attacker that has SSK1 and the recorded grant, whose last 8 bytes are SSK2.
fn key_in_grant(ssk1: &Key<Des>, grant: &Grant) -> Key<Des> {
    let cipher = Des::new_from_slice(ssk1.expose()).unwrap();
    let mut text = Vec::new();
    for pair in grant.encrypted.windows(16).step_by(8) {
        let mut block = cipher::Block::<Des>::try_from(&pair[8..]).unwrap();
        cipher.decrypt_block(&mut block);
        text.extend(block.iter().zip(pair).map(|(block, before)| block ^ before));
    }
    let padding = usize::from(*text.last().unwrap());
    let end = text.len() - padding;
    Combiner::Xor.combine(ssk1, &text[end - 8..end]).unwrap()
}
