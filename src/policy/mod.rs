//! Permissions of a registration: suites, modes, lifetime.

mod mode;
mod suite;

use crate::wire::stored::stored;
use crate::wire::{Problem, Record};
use thiserror::Error;

pub use mode::{Mode, Modes};
pub use suite::{SuiteId, SuiteList};

/// Permissions of a registration. They arrive inside R3, both sides keep them, and a renewal never weakens
/// them.
///
/// A key for a year, without the suites that a quantum computer breaks:
/// ```
/// use halfkey::policy::{Policy, SuiteId, SuiteList};
///
/// let policy = Policy {
///     suites: SuiteList::only(SuiteId::XWing),
///     lifetime: Some(365 * 86_400),
///     ..Policy::default()
/// };
/// assert!(policy.no_weaker_than(&Policy::default()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// The modes allowed.
    pub modes: Modes,
    /// The suites allowed.
    pub suites: SuiteList,
    /// Seconds from the grant (R3) until the key expires; absent for never.
    pub lifetime: Option<u32>,
    /// Permission for the token to open a session by key id when its alias is refused.
    pub allow_key_id: bool,
}

stored! { Policy, "Policy" { 1 => modes, 2 => suites, 3 => lifetime, 4 => allow_key_id } }

impl Record for Policy {
    const NAME: &'static str = "stored policy";
    const MAX: usize = 256;

    fn problem(&self) -> Option<Problem> {
        let usable = self.modes.iter().next().is_some() && self.suites.with_one_known().is_some();
        (!usable).then_some(Problem::OutOfRange)
    }
}

/// A fault of the server's: the policy or the user of a grant is not one that the token takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GrantError {
    /// No suite is left of those that the token offered and its trust anchor accepts.
    #[error("the policy granted allows no suite that this token offered and its trust anchor accepts")]
    Suites,
    /// No mode is left that the token knows.
    #[error("the policy granted allows no mode that this token knows")]
    Modes,
    /// A renewal allows a mode or a suite that is weaker than all that the earlier key's policy allows.
    #[error("the renewal's policy is weaker than that of the key that it renews")]
    Weaker,
    /// A renewal is for another user than the earlier key.
    #[error("the renewal is for another user than the key that it renews")]
    OtherUser,
}

impl Default for Policy {
    /// Mode `psk-kem`, every suite, no expiry, falling back to the key id allowed.
    fn default() -> Self {
        Self {
            modes: Modes::only(Mode::PskKem),
            suites: SuiteList::all(),
            lifetime: None,
            allow_key_id: true,
        }
    }
}

impl Policy {
    /// Returns the policy of a renewal: `wanted`, but never weaker than `old` in mode or suite.
    #[must_use]
    pub fn renewed(old: &Self, wanted: &Self) -> Self {
        Self {
            modes: wanted.modes.no_weaker_than(old.modes),
            suites: wanted.suites.no_weaker_than(old.suites),
            ..*wanted
        }
    }

    /// Returns the policy without the suites outside of `offered`, and without suites and modes that this
    /// version of the crate does not know.
    ///
    /// # Errors
    /// [`GrantError::Suites`] or [`GrantError::Modes`] if none is left.
    pub fn within(&self, offered: &SuiteList) -> Result<Self, GrantError> {
        let suites = SuiteList::of(self.suites.iter().filter(|suite| offered.contains(*suite)));
        Ok(Self {
            modes: Modes::of(self.modes.iter()).ok_or(GrantError::Modes)?,
            suites: suites.ok_or(GrantError::Suites)?,
            ..*self
        })
    }

    /// Returns true if no mode and no suite is weaker than the weakest that `old` allows.
    #[must_use]
    pub fn no_weaker_than(&self, old: &Self) -> bool {
        let same = Self::renewed(old, self);
        (same.modes, same.suites) == (self.modes, self.suites)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Value;

    /// A set with a mode of a later version, alone or beside one of this.
    fn with_later(encoded: &[u8]) -> Modes {
        Modes::get(&mut minicbor::Decoder::new(encoded)).unwrap()
    }

    #[test]
    fn what_later_versions_add_is_left_out_of_a_grant() {
        let offered = SuiteList::all();
        let mixed = Policy { modes: with_later(&[0x82, 9, 1]), ..Policy::default() };
        let within = mixed.within(&offered).unwrap();
        assert_eq!((within.modes, within.suites), (Modes::only(Mode::Psk), offered));
        let later = Policy { modes: with_later(&[0x81, 9]), ..Policy::default() };
        assert_eq!(later.within(&offered), Err(GrantError::Modes));
        let later = Policy { suites: SuiteList::from_codes([0x7777]).unwrap(), ..Policy::default() };
        assert_eq!(later.within(&offered), Err(GrantError::Suites));
    }

    #[test]
    fn a_stored_policy_has_a_mode_and_a_suite_that_are_known() {
        let good = Policy { modes: with_later(&[0x82, 9, 1]), ..Policy::default() };
        assert_eq!(good.problem(), None);
        let (modes, suites) = (with_later(&[0x81, 9]), SuiteList::from_codes([0x7777]).unwrap());
        for policy in [Policy { modes, ..good }, Policy { suites, ..good }, Policy { modes, suites, ..good }]
        {
            assert!(policy.problem().is_some(), "{policy:?}");
        }
    }

    #[test]
    fn a_renewal_never_weakens() {
        let strong = Policy { suites: SuiteList::only(SuiteId::XWing), ..Policy::default() };
        let weak = Policy { modes: Modes::all(), suites: SuiteList::all(), ..Policy::default() };
        let renewed = Policy::renewed(&strong, &weak);
        assert_eq!((renewed.modes, renewed.suites), (strong.modes, strong.suites));
        assert_eq!(Policy::renewed(&weak, &strong).modes, strong.modes);
        let psk = Policy { modes: Modes::only(Mode::Psk), ..weak };
        assert_eq!(Policy::renewed(&strong, &psk).modes, strong.modes);
    }
}
