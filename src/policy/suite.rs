//! Cipher suites by name, and lists of them.

use crate::wire::{Codes, Problem, Put, Value, WireError};
use core::fmt;
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
    /// 0xFF00 to 0xFFFF: a suite of a third party, for its own use. A list that has one has it on purpose: it
    /// ranks above all others.
    Private(u16),
}

impl SuiteId {
    /// Every suite that this version of the crate knows, best first.
    pub const ALL: [Self; 2] = [Self::XWing, Self::X25519];

    /// Returns the code point on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::X25519 => 1,
            Self::XWing => 2,
            Self::Private(code) => code,
        }
    }

    /// Returns the suite with a code point; `None` for one that this version does not know.
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

/// A list of 1 to 8 different suites, most wanted first: what a token offers, what a certificate lists and
/// what a policy allows.
///
/// A list that comes from elsewhere may name suites that this version of the crate does not know. They keep
/// their place, and [`Self::iter`] passes over them.
///
/// # Example
/// ```
/// use halfkey::policy::{SuiteId, SuiteList};
///
/// let list = SuiteList::all();
/// assert!(list.contains(SuiteId::XWing));
/// assert_eq!(list.codes().collect::<Vec<_>>(), [2, 1]);
/// assert_eq!(SuiteList::of([SuiteId::X25519]), Some(SuiteList::only(SuiteId::X25519)));
/// assert_eq!(SuiteList::of([]), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SuiteList(Codes);

impl SuiteList {
    /// The longest list.
    pub const MAX: usize = Codes::MAX;

    /// Every suite that this version of the crate knows, best first.
    #[must_use]
    pub fn all() -> Self {
        let [best, ..] = SuiteId::ALL;
        Self::of(SuiteId::ALL).unwrap_or_else(|| Self::only(best))
    }

    /// Just the suite with this code point, which this version of the crate need not know.
    #[cfg(feature = "historic")]
    pub(crate) const fn only_code(code: u16) -> Self {
        Self(Codes::one(code))
    }

    /// Just one suite.
    #[must_use]
    pub const fn only(suite: SuiteId) -> Self {
        Self(Codes::one(suite.code()))
    }

    /// The given suites in this order; `None` when there are none or more than [`Self::MAX`], or when one is
    /// given twice.
    #[must_use]
    pub fn of(suites: impl IntoIterator<Item = SuiteId>) -> Option<Self> {
        Self::from_codes(suites.into_iter().map(SuiteId::code))
    }

    /// The suites with these code points, which this version of the crate need not know; otherwise as
    /// [`Self::of`].
    #[must_use]
    pub fn from_codes(codes: impl IntoIterator<Item = u16>) -> Option<Self> {
        Codes::new(codes).map(Self)
    }

    /// Returns whether the list has `suite`.
    #[must_use]
    pub fn contains(&self, suite: SuiteId) -> bool {
        self.0.contains(suite.code())
    }

    /// Returns the suites that this version of the crate knows, in order.
    pub fn iter(&self) -> impl Iterator<Item = SuiteId> + '_ {
        self.codes().filter_map(SuiteId::from_code)
    }

    /// Returns the code points of all suites, in order.
    pub fn codes(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter()
    }

    /// The list itself, if this version of the crate knows one of its suites: a policy needs that.
    pub(crate) fn with_one_known(self) -> Option<Self> {
        self.iter().next().is_some().then_some(self)
    }

    /// Returns the known suites of this list, but `chosen`, that `certified` lists too; `None` when there are
    /// none.
    pub(crate) fn also(&self, certified: &Self, chosen: SuiteId) -> Option<Self> {
        Self::of(self.iter().filter(|suite| *suite != chosen && certified.contains(*suite)))
    }

    /// Returns the suites at least as good as the weakest of `old`; `old` when there are none.
    pub(super) fn no_weaker_than(self, old: Self) -> Self {
        let floor = old.iter().min();
        Self::of(self.iter().filter(|suite| Some(*suite) >= floor)).unwrap_or(old)
    }
}

impl fmt::Debug for SuiteList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.codes()).finish()
    }
}

impl<'b> Value<'b> for SuiteList {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        self.0.put(to)
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        Codes::get(from).map(Self)
    }
}
