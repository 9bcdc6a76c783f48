//! Where randomness comes from: a source handed to every step that draws.

/// A cryptographically secure source of random bytes.
///
/// Steps never reach for ambient randomness; they draw from the source they are handed, so a test
/// can fix every byte and a device can bring its own generator. A source must fill the whole buffer
/// with unpredictable bytes or not return: SSK1, SSK2 and every nonce stand on it.
///
/// A microcontroller without an operating system brings its hardware generator:
/// ```
/// use halfkey::{RandomSource, Secret};
/// # struct Register;
/// # impl Register { fn read(&mut self) -> u32 { 7 } }
///
/// struct Hardware(Register);
///
/// impl RandomSource for Hardware {
///     fn fill(&mut self, out: &mut [u8]) {
///         for part in out.chunks_mut(4) {
///             part.copy_from_slice(&self.0.read().to_ne_bytes()[..part.len()]);
///         }
///     }
/// }
///
/// let secret = Secret::random(&mut Hardware(Register));
/// ```
pub trait RandomSource {
    /// Fills `out` completely.
    fn fill(&mut self, out: &mut [u8]);

    /// Fills `out` with bytes drawn for a purpose. A source may give each purpose a stream of its own, as
    /// [`Moment`](crate::Moment) does; by default this is [`RandomSource::fill`].
    fn fill_for(&mut self, _purpose: Purpose, out: &mut [u8]) {
        self.fill(out);
    }
}

/// The value that random bytes are drawn for (PROTOCOL.md names each).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// txn of R0, 16 bytes.
    Txn = 1,
    /// nonce_t of R0, 32 bytes.
    TokenNonce = 2,
    /// offer_id of R1, 16 bytes.
    OfferId = 3,
    /// nonce_s of R1, 32 bytes.
    ServerNonce = 4,
    /// The seed of an encapsulation or of an ephemeral key pair.
    Kem = 5,
    /// The fresh part of the salt of R3, 32 bytes.
    Salt = 6,
    /// SSK2, 32 bytes.
    Ssk2 = 7,
    /// A key id, 16 bytes.
    KeyId = 8,
    /// The alias for the next session, 16 bytes.
    Alias = 9,
    /// A user identification code, 16 bytes.
    UserId = 10,
    /// The tag of an R3 that grants nothing, 32 bytes.
    NoTag = 11,
    /// N_s of S1, 32 bytes.
    ServerChallenge = 12,
    /// N_c of S2, 32 bytes.
    TokenChallenge = 13,
    /// x of S3 in mode `psk`, 32 bytes.
    Contribution = 14,
    /// The id of a parked challenge, 16 bytes.
    ChallengeId = 15,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 15] = [
        Self::Txn,
        Self::TokenNonce,
        Self::OfferId,
        Self::ServerNonce,
        Self::Kem,
        Self::Salt,
        Self::Ssk2,
        Self::KeyId,
        Self::Alias,
        Self::UserId,
        Self::NoTag,
        Self::ServerChallenge,
        Self::TokenChallenge,
        Self::Contribution,
        Self::ChallengeId,
    ];
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

/// Draws `N` bytes for a purpose.
pub(crate) fn draw_for<const N: usize>(random: &mut dyn RandomSource, purpose: Purpose) -> [u8; N] {
    let mut out = [0; N];
    random.fill_for(purpose, &mut out);
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

/// The operating system's random source, asked for every draw, so that draws are fresh after a fork or a
/// machine snapshot. What was drawn before is copied with the machine: an open session must not go on twice.
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

#[cfg(test)]
pub(crate) mod tests;
