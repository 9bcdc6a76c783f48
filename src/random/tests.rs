//! How evenly a code for people to type is drawn.
#![allow(clippy::arithmetic_side_effects, reason = "a test may overflow")]

use super::RandomSource;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use sha2::{Digest as _, Sha256};

const SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const DRAWS: usize = 4096;
/// Six standard deviations about the mean of 128, for an event that comes once in 32 draws.
const CHANCE: RangeInclusive<usize> = 61..=195;

/// Returns the place of a symbol in Crockford's base 32.
fn value(symbol: u8) -> usize {
    SYMBOLS.iter().position(|other| *other == symbol).unwrap()
}

/// Checks that `generate` makes codes of `length` symbols, each of which has five bits of the source and
/// none in common with another.
pub(crate) fn assert_even(length: usize, generate: impl Fn(&mut dyn RandomSource) -> Vec<u8>) {
    // Without chance: of the 256 values of a byte, each symbol has eight.
    let mut exact = vec![[0; 32]; length];
    for byte in 0..=u8::MAX {
        let code = generate(&mut |out: &mut [u8]| out.fill(byte));
        assert_eq!(code.len(), length);
        code.iter().zip(&mut exact).for_each(|(symbol, counts)| counts[value(*symbol)] += 1);
    }
    assert_eq!(exact, vec![[8; 32]; length]);

    let mut blocks = 0u64;
    let mut source = |out: &mut [u8]| {
        for part in out.chunks_mut(32) {
            let block = Sha256::digest(blocks.to_be_bytes());
            part.copy_from_slice(&block[..part.len()]);
            blocks += 1;
        }
    };
    let codes: Vec<_> = (0..DRAWS).map(|_| generate(&mut source)).collect();
    for place in 0..length {
        for symbol in SYMBOLS {
            let count = codes.iter().filter(|code| code[place] == *symbol).count();
            assert!(CHANCE.contains(&count), "{} at place {place}: {count}", char::from(*symbol));
        }
        for other in 0..place {
            let count = codes.iter().filter(|code| code[place] == code[other]).count();
            assert!(CHANCE.contains(&count), "places {other} and {place} alike: {count}");
        }
        let count = codes.windows(2).filter(|two| two[0][place] == two[1][place]).count();
        assert!(CHANCE.contains(&count), "place {place} alike in two codes: {count}");
    }
}
