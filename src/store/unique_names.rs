//! The rule for holding user names.

use super::cell::words;

/// Rule for holding a user name when several users register under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UniqueNames {
    /// The first user who becomes active under the name.
    #[default]
    Always,
    /// Only a user who proved a right to the name, by an activation code or the operator's approval.
    /// Others may register under one name side by side, and only their user ids tell them apart.
    Proven,
}

words! { UniqueNames { Always = "always", Proven = "proven" } }
