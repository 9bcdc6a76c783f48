//! Where randomness comes from: a source handed to every step that draws.

/// A cryptographically secure source of random bytes.
///
/// Steps never reach for ambient randomness; they draw from the source they are handed, so a test
/// can fix every byte and a device can bring its own generator. A source must fill the whole buffer
/// with unpredictable bytes or not return: SSK1, SSK2 and every nonce stand on it.
pub trait RandomSource {
    /// Fills `out` completely.
    fn fill(&mut self, out: &mut [u8]);
}

impl<F: FnMut(&mut [u8])> RandomSource for F {
    fn fill(&mut self, out: &mut [u8]) {
        self(out);
    }
}

/// Draws `N` bytes.
pub(crate) fn draw<const N: usize>(random: &mut dyn RandomSource) -> [u8; N] {
    let mut out = [0; N];
    random.fill(&mut out);
    out
}

/// Lends a [`RandomSource`] to the crates that speak `rand_core`.
pub(crate) struct Lent<'r>(pub(crate) &'r mut dyn RandomSource);

impl rand_core::TryRng for Lent<'_> {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(u32::from_le_bytes(draw(self.0)))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(u64::from_le_bytes(draw(self.0)))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(out);
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Lent<'_> {}

/// The operating system's random source, asked anew for every draw: safe across forks and machine
/// snapshots.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

#[cfg(feature = "std")]
impl RandomSource for SystemRandom {
    /// # Panics
    /// When the operating system has no randomness to give: going on would be worse.
    #[allow(clippy::panic, reason = "no safe answer exists without randomness; no input reaches this")]
    fn fill(&mut self, out: &mut [u8]) {
        use rand::TryRng;
        if let Err(error) = rand::rngs::SysRng.try_fill_bytes(out) {
            panic!("the operating system's random source failed: {error}");
        }
    }
}
