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
    /// The key that the token erases once the new one is active, and keeps until then: one that the server refuses,
    /// so that it cannot be renewed. Default: none.
    ///
    /// A server that was restored from a backup does not know the keys that were made since. Their users register
    /// with a new activation code, since a key that is not known cannot be renewed.
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
