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

use halfkey::RandomSource;

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
