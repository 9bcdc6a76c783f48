//! The sub-keys of a shared key, as they are kept.

use crate::secret::Secret;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The sub-keys of a shared key: all that either side keeps of it.
#[derive(Clone, Debug, Zeroize, ZeroizeOnDrop)]
pub struct KeySet {
    pub(crate) auth: Secret,
    pub(crate) derive: Secret,
    pub(crate) confirm: Secret,
    pub(crate) renew: Secret,
}

impl KeySet {
    /// A set of keys that were stored, in the order auth, derive, confirm, renew.
    #[must_use]
    pub const fn from_stored(auth: Secret, derive: Secret, confirm: Secret, renew: Secret) -> Self {
        Self { auth, derive, confirm, renew }
    }

    /// The keys to store, in the same order.
    #[must_use]
    pub const fn stored(&self) -> [&Secret; 4] {
        [&self.auth, &self.derive, &self.confirm, &self.renew]
    }
}
