//! What a registration's key may be used for: suites, modes, lifetime. Both sides keep it.

use crate::wire::{Codes, Problem, Put, Value, WireError, code_points, map, records};
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};

/// A cipher suite: the KEMs, hash and AEAD of a run.
///
/// One fixed order says which is best, so that "no weaker than" has one meaning: the greater code
/// point is the better suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SuiteId {
    /// 1: RSAES-OAEP-SHA-256 static, X25519 ephemeral, HKDF-SHA-256, AES-256-GCM. Small messages;
    /// not safe against a quantum computer that reads the recording later.
    X25519,
    /// 2, the default: the same with X-Wing (X25519 and ML-KEM-768) as the ephemeral KEM.
    XWing,
    /// 0xFF00 to 0xFFFF: a suite of somebody else's, for their own use. Who lists one has chosen it: it
    /// ranks above all others.
    Private(u16),
}

impl SuiteId {
    /// Every suite that this version of the crate knows, best first.
    pub const ALL: [Self; 2] = [Self::XWing, Self::X25519];

    /// The code point on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::X25519 => 1,
            Self::XWing => 2,
            Self::Private(code) => code,
        }
    }

    /// The suite of a code point; `None` for one that this version does not know.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        let private = (code >= 0xFF00).then_some(Self::Private(code));
        Self::ALL.into_iter().find(|suite| suite.code() == code).or(private)
    }
}

impl<'b> Value<'b> for SuiteId {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        self.code().put(to)
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        Self::from_code(u16::get(from)?).ok_or_else(|| Problem::OutOfRange.into())
    }
}

/// How a session makes its key.
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

map! {
    /// What a registration allows. It arrives inside R3 and is kept on both sides; it only shrinks.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Policy, "Policy" {
        /// The modes allowed.
        1 => modes: Modes,
        /// The suites allowed.
        2 => suites: Suites,
        /// Seconds from the grant (R3) until the key expires; absent for never.
        3 => lifetime: Option<u32>,
        /// Whether the token may open a session by key id when its alias is refused.
        4 => allow_key_id: bool,
    }
}

records! { Policy, "stored policy", 256; }

impl Default for Policy {
    /// Mode `psk-kem`, every suite, no expiry, falling back to the key id allowed.
    fn default() -> Self {
        Self { modes: Modes::only(Mode::PskKem), suites: Suites::all(), lifetime: None, allow_key_id: true }
    }
}

impl Policy {
    /// The policy of a renewal: `wanted`, but never weaker than `old` in mode or suite.
    #[must_use]
    pub fn renewed(old: &Self, wanted: &Self) -> Self {
        Self {
            modes: wanted.modes.no_weaker_than(old.modes),
            suites: wanted.suites.no_weaker_than(old.suites),
            ..*wanted
        }
    }
}

macro_rules! code_set {
    ($(#[$doc:meta])* $set:ident of $item:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $set(Codes);

        impl $set {
            /// Every one known, best first.
            #[must_use]
            pub fn all() -> Self {
                let [best, ..] = $item::ALL;
                Self::of($item::ALL).unwrap_or_else(|| Self::only(best))
            }

            /// Just one.
            #[must_use]
            pub fn only(item: $item) -> Self {
                Self(Codes::one(item.code()))
            }

            /// Those given, best first; `None` when there are none or one is given twice.
            #[must_use]
            pub fn of(items: impl IntoIterator<Item = $item>) -> Option<Self> {
                Codes::new(items.into_iter().map($item::code)).map(Self)
            }

            /// Whether `item` is allowed.
            #[must_use]
            pub fn allows(&self, item: $item) -> bool {
                self.0.contains(item.code())
            }

            pub(crate) const fn codes(&self) -> &Codes {
                &self.0
            }

            /// A set with one at least that this version of the crate knows.
            pub(crate) fn from_codes(codes: Codes) -> Option<Self> {
                let set = Self(codes);
                set.iter().next().is_some().then_some(set)
            }

            /// Those that this version of the crate knows, in order.
            pub fn iter(&self) -> impl Iterator<Item = $item> + '_ {
                self.0.iter().filter_map($item::from_code)
            }
        }

        impl<'b> Value<'b> for $set {
            fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
                self.codes().put(to)
            }
            fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
                Self::from_codes(Codes::get(from)?).ok_or_else(|| Problem::OutOfRange.into())
            }
        }
    };
}

code_set! {
    /// A set of modes, never empty.
    Modes of Mode
}
code_set! {
    /// A set of suites, never empty.
    Suites of SuiteId
}

impl Modes {
    /// The best mode in both sets.
    #[must_use]
    pub fn best_in(&self, offered: &Codes) -> Option<Mode> {
        self.iter().filter(|mode| offered.contains(mode.code())).max()
    }

    /// Those at least as good as the weakest of `old`; the best of `old` when none is.
    fn no_weaker_than(self, old: Self) -> Self {
        let floor = old.iter().min();
        Self::of(self.iter().filter(|mode| Some(*mode) >= floor)).unwrap_or(old)
    }
}

impl Suites {
    /// Those at least as good as the weakest of `old`; `old` when none is.
    fn no_weaker_than(self, old: Self) -> Self {
        let floor = old.iter().min();
        Self::of(self.iter().filter(|suite| Some(*suite) >= floor)).unwrap_or(old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewal_never_weakens() {
        let strong = Policy { suites: Suites::only(SuiteId::XWing), ..Policy::default() };
        let weak = Policy { modes: Modes::all(), suites: Suites::all(), ..Policy::default() };
        let renewed = Policy::renewed(&strong, &weak);
        assert_eq!((renewed.modes, renewed.suites), (strong.modes, strong.suites));
        assert_eq!(Policy::renewed(&weak, &strong).modes, strong.modes);
        let psk = Policy { modes: Modes::only(Mode::Psk), ..weak };
        assert_eq!(Policy::renewed(&strong, &psk).modes, strong.modes);
    }
}
