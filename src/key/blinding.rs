//! Blinding for one private-key operation, expanded from one draw of 32 bytes.
//!
//! The RSA crate draws again until a number fits, so a source that repeats its bytes would hold it up
//! for ever. Expanded, the numbers differ whatever the source does.

use crate::hash;
use crate::random::RandomSource;
use crate::secret::Secret;

pub(super) struct Blinding {
    seed: Secret,
    drawn: u64,
}

impl Blinding {
    pub(super) fn new(random: &mut dyn RandomSource) -> Self {
        Self { seed: Secret::random(random), drawn: 0 }
    }
}

impl RandomSource for Blinding {
    fn fill(&mut self, out: &mut [u8]) {
        for part in out.chunks_mut(32) {
            let block = hash::hmac(&self.seed, &[b"halfkey/1 blinding", &[0], &self.drawn.to_be_bytes()]);
            self.drawn = self.drawn.wrapping_add(1);
            part.iter_mut().zip(block).for_each(|(slot, byte)| *slot = byte);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_block_repeats_whatever_the_source_does() {
        let mut blinding = Blinding::new(&mut |out: &mut [u8]| out.fill(0));
        let (mut one, mut two) = ([0; 40], [0; 40]);
        blinding.fill(&mut one);
        blinding.fill(&mut two);
        assert_ne!(one, two);
        assert_ne!(one[..8], one[32..]);
        let mut other = Blinding::new(&mut |out: &mut [u8]| out.fill(1));
        other.fill(&mut two);
        assert_ne!(one, two);
    }
}
