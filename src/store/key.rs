//! The keys under which a store in a database seals its rows.

use crate::hash::prf;
use crate::secret::Secret;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// The keys under which a store in a database seals what it writes, so that a stolen database alone
/// opens no session, and a changed one is noticed.
///
/// One is current, and seals; others open what they have sealed. Keep them apart from the database:
/// whoever has both has the registrations of all users. Every store has a key of its own: between
/// stores that share one, whoever can write to both databases could move rows.
///
/// To change the key of a store that several servers use:
/// 1. every server is given the new key besides the current one ([`StorageKeys::and`]);
/// 2. then every server is given the new key as the current one, and the old one besides it;
/// 3. [`crate::store::operation::Reseal`] runs through all tables, and again until it finds no more;
/// 4. the old key is taken away.
#[derive(Clone)]
pub struct StorageKeys {
    current: StorageKey,
    others: Vec<StorageKey>,
}

/// A key, and the id that stands beside what it has sealed: a pseudorandom value of the key, of 16
/// hexadecimal digits.
#[derive(Clone)]
pub(crate) struct StorageKey {
    pub(crate) id: String,
    pub(crate) secret: Secret,
}

impl StorageKey {
    fn new(secret: Secret) -> Self {
        let id = prf(&secret, b"halfkey/1 storage key id", &[]);
        let id = id.expose().iter().take(8).flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = id.filter_map(|digit| char::from_digit(digit.into(), 16));
        Self { id: digits.collect(), secret }
    }
}

impl StorageKeys {
    /// Just one key: 32 random bytes.
    #[must_use]
    pub fn new(current: Secret) -> Self {
        Self { current: StorageKey::new(current), others: Vec::new() }
    }

    /// The same keys, and one that was current before, or is going to be.
    #[must_use]
    pub fn and(mut self, other: Secret) -> Self {
        self.others.push(StorageKey::new(other));
        self
    }

    /// The id of the current key, as it stands in the column `sealed_by`.
    #[must_use]
    pub fn current_id(&self) -> String {
        self.current.id.to_string()
    }

    pub(crate) const fn current(&self) -> &StorageKey {
        &self.current
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Secret> {
        let mut keys = core::iter::once(&self.current).chain(&self.others);
        keys.find(|key| key.id == id).map(|key| &key.secret)
    }
}

impl fmt::Debug for StorageKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StorageKeys(current {}, {} others)", self.current.id, self.others.len())
    }
}
