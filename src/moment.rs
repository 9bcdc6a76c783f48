//! Time and randomness of one turn: given once, used inside.

use crate::random::{Purpose, RandomSource};
use crate::secret::Secret;
use crate::time::UnixTime;
use alloc::boxed::Box;
use chacha20::ChaCha20Rng;
use core::fmt;
use rand_core::{Rng, SeedableRng};

/// Time and randomness of one turn of an exchange.
///
/// It is used once: it can be neither cloned nor serialised, since a seed that is used twice repeats keys.
/// All draws of the turn are expanded from one seed of 32 bytes with ChaCha20 (RFC 8439), each from a
/// stream of its own that its [`Purpose`] names. A turn that draws nothing asks the source for nothing
/// where the moment is [`Moment::now`].
///
/// ```
/// use halfkey::{Moment, SystemRandom, UnixTime};
///
/// let moment = Moment::now(); // the system's clock and generator
/// let elsewhere = Moment::new(UnixTime::from_secs(1_800_000_000), &mut SystemRandom); // a device's own
/// assert_eq!(elsewhere.time().as_secs(), 1_800_000_000);
/// # drop(moment);
/// ```
#[must_use]
pub struct Moment {
    now: UnixTime,
    generator: Generator,
    /// The purposes drawn for, one bit each.
    drawn: u32,
}

/// None until the first draw, where the operating system is the source.
#[cfg(feature = "std")]
type Generator = Option<Box<ChaCha20Rng>>;
#[cfg(not(feature = "std"))]
type Generator = Box<ChaCha20Rng>;

impl Moment {
    /// A moment at `now`, with a seed of 32 bytes drawn from `random`.
    pub fn new(now: UnixTime, random: &mut dyn RandomSource) -> Self {
        #[cfg(feature = "std")]
        let generator = Some(seeded(random));
        #[cfg(not(feature = "std"))]
        let generator = seeded(random);
        Self { now, generator, drawn: 0 }
    }

    /// The present moment by the system's clock. A seed is drawn from the operating system when the turn
    /// first needs one.
    #[cfg(feature = "std")]
    pub fn now() -> Self {
        Self::at(UnixTime::now())
    }

    /// A moment at `now`, by a clock of the caller's, with the operating system's randomness.
    #[cfg(feature = "std")]
    pub const fn at(now: UnixTime) -> Self {
        Self { now, generator: None, drawn: 0 }
    }

    #[cfg(feature = "std")]
    fn generator(&mut self) -> &mut ChaCha20Rng {
        self.generator.get_or_insert_with(|| seeded(&mut crate::random::SystemRandom))
    }

    #[cfg(not(feature = "std"))]
    fn generator(&mut self) -> &mut ChaCha20Rng {
        &mut self.generator
    }

    /// The time, in seconds since 1970.
    #[must_use]
    pub const fn time(&self) -> UnixTime {
        self.now
    }
}

/// A generator of its own for each turn: 32 bytes are all that is drawn from the source.
fn seeded(random: &mut dyn RandomSource) -> Box<ChaCha20Rng> {
    Box::new(ChaCha20Rng::from_seed(*Secret::random(random).expose()))
}

impl RandomSource for Moment {
    /// Draws from the stream that goes on from draw to draw.
    fn fill(&mut self, out: &mut [u8]) {
        self.generator().fill_bytes(out);
    }

    /// Draws from the purpose's own stream; for a purpose that was drawn for before, from the stream that
    /// goes on, so that no bytes are ever given twice.
    fn fill_for(&mut self, purpose: Purpose, out: &mut [u8]) {
        let bit = 1_u32.checked_shl(purpose as u32).unwrap_or_default();
        if self.drawn & bit != 0 {
            return self.fill(out);
        }
        self.drawn |= bit;
        let generator = self.generator();
        let place = generator.get_word_pos();
        generator.set_stream(purpose as u64);
        generator.set_word_pos(0);
        generator.fill_bytes(out);
        generator.set_stream(0);
        generator.set_word_pos(place);
    }
}

/// Shows the time alone.
impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Moment({})", self.now.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn moment() -> Moment {
        Moment::new(UnixTime::default(), &mut |out: &mut [u8]| out.fill(7))
    }

    fn drawn(moment: &mut Moment, purpose: Purpose) -> [u8; 48] {
        let mut out = [0; 48];
        moment.fill_for(purpose, &mut out);
        out
    }

    #[test]
    fn a_draw_depends_on_its_purpose_and_not_on_other_draws() {
        let alone = drawn(&mut moment(), Purpose::Ssk2);
        let mut after = moment();
        after.fill(&mut [0; 100]);
        let other = drawn(&mut after, Purpose::Alias);
        assert_eq!(drawn(&mut after, Purpose::Ssk2), alone);
        assert_ne!(other, alone);
    }

    #[test]
    fn nothing_is_ever_drawn_twice() {
        let mut moment = moment();
        let mut seen = std::collections::BTreeSet::new();
        for purpose in Purpose::ALL.into_iter().chain(Purpose::ALL) {
            assert!(seen.insert(drawn(&mut moment, purpose)), "{purpose:?}");
            let mut out = [0; 48];
            moment.fill(&mut out);
            assert!(seen.insert(out), "after {purpose:?}");
        }
    }

    #[test]
    fn the_seed_is_drawn_once() {
        let mut calls = Vec::new();
        let mut source = |out: &mut [u8]| {
            calls.push(out.len());
            out.fill(1);
        };
        let mut moment = Moment::new(UnixTime::default(), &mut source);
        for purpose in Purpose::ALL {
            let _ = drawn(&mut moment, purpose);
        }
        moment.fill(&mut [0; 4096]);
        assert_eq!(calls, [32]);
    }
}
