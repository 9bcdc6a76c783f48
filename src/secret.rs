//! Secrets as opaque values: zeroized when dropped, compared in constant time, never printed.

use crate::random::{Purpose, RandomSource};
use alloc::boxed::Box;
use core::fmt;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Thirty-two secret bytes: a key, a pseudorandom key or a pseudorandom output.
///
/// There is no `Display`, no `PartialEq` and no serde: what must leave the process leaves through
/// [`Secret::expose`], which is easy to find in a review.
///
/// The bytes lie in one allocation for as long as the secret lives, so that moving it leaves no copy behind.
///
/// ```
/// use halfkey::{Secret, SystemRandom};
///
/// let secret = Secret::random(&mut SystemRandom);
/// assert_eq!(format!("{secret:?}"), "Secret(..)"); // never in a log
/// let kept: [u8; Secret::LEN] = *secret.expose(); // for the file that only this server reads
/// let again = Secret::new(kept);
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret(Box<[u8; Secret::LEN]>);

impl Secret {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// Takes 32 secret bytes, and erases the copy handed in. The caller's own, if there is one, is its affair.
    #[must_use]
    pub fn new(mut bytes: [u8; Self::LEN]) -> Self {
        let mut secret = Self::absent();
        secret.0.copy_from_slice(&bytes);
        bytes.zeroize();
        secret
    }

    /// Draws 32 secret bytes: for a server's master secret, say, or the key of a store's file.
    #[must_use]
    pub fn random(random: &mut dyn RandomSource) -> Self {
        let mut secret = Self::absent();
        random.fill(&mut *secret.0);
        secret
    }

    /// Draws 32 secret bytes for a purpose.
    pub(crate) fn random_for(random: &mut dyn RandomSource, purpose: Purpose) -> Self {
        let mut secret = Self::absent();
        random.fill_for(purpose, &mut *secret.0);
        secret
    }

    /// Returns the 32 zero bytes that stand for an absent secret (PROTOCOL.md, section 4).
    #[must_use]
    pub fn absent() -> Self {
        Self(Box::new([0; Self::LEN]))
    }

    /// Returns the secret bytes, for an implementation of a port or a suite.
    #[must_use]
    pub fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Returns `a` if `choice` is false and `b` if it is true, in constant time.
    pub(crate) fn select(a: &Self, b: &Self, choice: Choice) -> Self {
        let mut out = Self::absent();
        for ((out, a), b) in out.0.iter_mut().zip(a.expose()).zip(b.expose()) {
            *out = u8::conditional_select(a, b, choice);
        }
        out
    }
}

impl ConstantTimeEq for Secret {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&*other.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(alloc::format!("{:?}", Secret::new([0xA7; 32])), "Secret(..)");
    }

    #[test]
    fn select_picks_either_side() {
        let (a, b) = (Secret::new([1; 32]), Secret::new([2; 32]));
        assert_eq!(Secret::select(&a, &b, Choice::from(0)).expose(), &[1; 32]);
        assert_eq!(Secret::select(&a, &b, Choice::from(1)).expose(), &[2; 32]);
    }
}
