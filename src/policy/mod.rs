//! Permissions of a registration: suites, modes, lifetime.

mod mode;
mod suite;

use crate::wire::records;
use crate::wire::stored::stored;

pub use mode::{Mode, Modes};
pub use suite::{SuiteId, SuiteList};

/// Permissions of a registration. They arrive inside R3, both sides keep them, and a renewal never weakens
/// them.
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

stored! { Policy, "Policy" { 1 => modes, 2 => suites as suite::known, 3 => lifetime, 4 => allow_key_id } }

records! { Policy, "stored policy", 256; }

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
}

#[cfg(test)]
mod tests {
    use super::*;

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
