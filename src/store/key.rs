//! Keys under which a store in a database seals its rows.

use crate::hash::prf;
use crate::secret::Secret;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// Keys under which a store in a database seals its rows, so that a stolen database alone opens no
/// session, and a changed one is noticed.
///
/// The current key seals; the others only open what they sealed before. Keep them apart from the
/// database: an attacker with both has the registrations of all users. Every store has a key of its
/// own: where stores share one, an attacker who can write to both databases could move rows from one to
/// the other.
///
/// The store says which key seals: a program that has another one as its current key seals with the store's all
/// the same, and one that does not hold the store's key changes nothing ([`StoreError::StorageKey`](crate::port::StoreError::StorageKey)). To change
/// the key of a store that several servers use:
/// 1. every server is given the new key besides the current one ([`StorageKeys::and`]);
/// 2. a program whose current key is the new one performs [`AnnounceKey`](crate::store::operation::AnnounceKey). A server that lacks the key says
///    so in the log, the next time that it changes something;
/// 3. a minute later it performs [`Reseal`](crate::store::operation::Reseal), which is refused while a server has said so. From then on all
///    seal with the new key. It runs through all tables, and again until it finds no more;
/// 4. the old key is taken away.
///
/// ```
/// use halfkey::store::StorageKeys;
/// use halfkey::{Secret, SystemRandom};
///
/// let (old, new) = (Secret::random(&mut SystemRandom), Secret::random(&mut SystemRandom));
/// let keys = StorageKeys::new(old.clone()).and(new.clone()); // on every server, first
/// let turned = StorageKeys::new(new).and(old); // in the program that announces and reseals
/// assert_ne!(keys.current_id(), turned.current_id());
/// ```
#[derive(Clone)]
pub struct StorageKeys {
    current: StorageKey,
    others: Vec<StorageKey>,
}

/// A storage key and its id, which stands beside what the key sealed: a pseudorandom value of the key,
/// of 16 hexadecimal digits.
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
    /// Takes one key: 32 random bytes.
    #[must_use]
    pub fn new(current: Secret) -> Self {
        Self { current: StorageKey::new(current), others: Vec::new() }
    }

    /// Adds a key that was current before, or will be.
    #[must_use]
    pub fn and(mut self, other: Secret) -> Self {
        self.others.push(StorageKey::new(other));
        self
    }

    /// Returns the id of the current key, as it stands in the column `sealed_by`.
    #[must_use]
    pub fn current_id(&self) -> String {
        self.current.id.to_string()
    }

    pub(crate) const fn current(&self) -> &StorageKey {
        &self.current
    }

    pub(crate) fn find(&self, id: &str) -> Option<&StorageKey> {
        let mut keys = core::iter::once(&self.current).chain(&self.others);
        keys.find(|key| key.id == id)
    }
}

impl fmt::Debug for StorageKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StorageKeys(current {}, {} others)", self.current.id, self.others.len())
    }
}
