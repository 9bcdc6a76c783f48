//! Secrets as opaque values: zeroized when dropped, compared in constant time, never printed.

use crate::random::{Purpose, RandomSource};
use core::fmt;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Thirty-two secret bytes: a key, a pseudorandom key or a pseudorandom output.
///
/// There is no `Display`, no `PartialEq` and no serde: what must leave the process leaves through
/// [`Secret::expose`], which is easy to find in a review.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; Secret::LEN]);

impl Secret {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// Takes 32 secret bytes.
    #[must_use]
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Draws 32 secret bytes: for a server's master secret, say, or the key of a store's file.
    #[must_use]
    pub fn random(random: &mut dyn RandomSource) -> Self {
        let mut secret = Self::absent();
        random.fill(&mut secret.0);
        secret
    }

    /// Draws 32 secret bytes for a purpose.
    pub(crate) fn random_for(random: &mut dyn RandomSource, purpose: Purpose) -> Self {
        let mut secret = Self::absent();
        random.fill_for(purpose, &mut secret.0);
        secret
    }

    /// Returns the 32 zero bytes that stand for an absent secret (PROTOCOL.md, section 4).
    #[must_use]
    pub const fn absent() -> Self {
        Self([0; Self::LEN])
    }

    /// Returns the secret bytes, for an implementation of a port or a suite.
    #[must_use]
    pub const fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Returns `a` if `choice` is false and `b` if it is true, in constant time.
    pub(crate) fn select(a: &Self, b: &Self, choice: Choice) -> Self {
        let mut out = [0; Self::LEN];
        for ((out, a), b) in out.iter_mut().zip(&a.0).zip(&b.0) {
            *out = u8::conditional_select(a, b, choice);
        }
        Self(out)
    }
}

impl ConstantTimeEq for Secret {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    extern crate alloc;
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
