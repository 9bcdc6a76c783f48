//! Choices of a client.

use crate::certificate::Revocation;
use crate::id::KeyId;
use crate::suite::{SUITES, Suite};
use core::fmt;

/// Choices of a client for its registrations.
#[derive(Clone)]
pub struct RegisterOptions {
    /// The suites to offer, most wanted first. Default: all of this crate's.
    pub suites: &'static [&'static dyn Suite],
    /// The policy on revocation. Default: [`Revocation::Ignore`].
    pub revocation: Revocation,
    /// The key that the token erases once the new one is active: one that the server refuses, so that it cannot
    /// be renewed. Default: none.
    pub replaces: Option<KeyId>,
}

impl Default for RegisterOptions {
    fn default() -> Self {
        Self { suites: SUITES, revocation: Revocation::Ignore, replaces: None }
    }
}

impl fmt::Debug for RegisterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suites = self.suites.iter().map(|suite| suite.id());
        f.debug_list().entries(suites).entry(&self.revocation).finish()
    }
}
