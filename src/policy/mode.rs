//! Modes of a session, and sets of them.

use crate::wire::{Codes, Put, Value, WireError, code_points};
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};

/// A way in which a session makes its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// 1: from the shared key alone; nothing but HMACs, no forward secrecy.
    Psk,
    /// 2: from the shared key and an ephemeral KEM: forward secret. The default.
    PskKem,
}

impl Mode {
    /// Every mode that this version of the crate knows, best first.
    pub const ALL: [Self; 2] = [Self::PskKem, Self::Psk];
}

// 3 is kept for a ratchet.
code_points! { Mode: u16 { 1 => Psk, 2 => PskKem } }

/// A set of modes, never empty. One that comes from elsewhere may have modes that this version of the crate does
/// not know; [`Self::iter`] passes over them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Modes(Codes);

impl Modes {
    /// Every mode that this version of the crate knows, best first.
    #[must_use]
    pub fn all() -> Self {
        let [best, ..] = Mode::ALL;
        Self::of(Mode::ALL).unwrap_or_else(|| Self::only(best))
    }

    /// Just one mode.
    #[must_use]
    pub const fn only(mode: Mode) -> Self {
        Self(Codes::one(mode.code()))
    }

    /// The given modes, best first; `None` when there are none or one is given twice.
    #[must_use]
    pub fn of(modes: impl IntoIterator<Item = Mode>) -> Option<Self> {
        Codes::new(modes.into_iter().map(Mode::code)).map(Self)
    }

    /// Returns whether the set has `mode`.
    #[must_use]
    pub fn allows(&self, mode: Mode) -> bool {
        self.0.contains(mode.code())
    }

    pub(crate) const fn codes(&self) -> &Codes {
        &self.0
    }

    /// A set with at least one mode that this version of the crate knows.
    #[cfg(feature = "std")]
    pub(crate) fn from_codes(codes: Codes) -> Option<Self> {
        let set = Self(codes);
        set.iter().next().is_some().then_some(set)
    }

    /// The modes that this version of the crate knows, in order.
    pub fn iter(&self) -> impl Iterator<Item = Mode> + '_ {
        self.0.iter().filter_map(Mode::from_code)
    }

    /// Returns the best mode in both sets.
    #[must_use]
    pub fn best_in(&self, offered: &Codes) -> Option<Mode> {
        self.iter().filter(|mode| offered.contains(mode.code())).max()
    }

    /// Those at least as good as the weakest of `old`; the best of `old` when none is.
    pub(super) fn no_weaker_than(self, old: Self) -> Self {
        let floor = old.iter().min();
        Self::of(self.iter().filter(|mode| Some(*mode) >= floor)).unwrap_or(old)
    }
}

impl<'b> Value<'b> for Modes {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        self.codes().put(to)
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        Codes::get(from).map(Self)
    }
}
