//! Errors of opening a store.

use super::tables::TxError;
use crate::port::StoreError;
use thiserror::Error;

/// Error of opening or creating a store in a database, which is left as it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The database holds no store.
    #[error("there is no store in this database")]
    NotAStore,
    /// The database holds a store already.
    #[error("there is a store in this database already")]
    Exists,
    /// A later version of this crate made the store, or migrated it.
    #[error("the store's schema has version {found}; this program knows no later one than {known}")]
    Newer {
        /// Version of the store's schema.
        found: u64,
        /// Version that this program keeps.
        known: u64,
    },
    /// An earlier version of this crate made the store: it must be migrated first.
    #[error("the store's schema has version {found} and has to be migrated to {known}")]
    Older {
        /// Version of the store's schema.
        found: u64,
        /// Version that this program keeps.
        known: u64,
    },
    /// An earlier version of this crate made the store, whose tables can no longer be read.
    #[error("the store's tables have version {found}, and none before {oldest} can be read")]
    TooOld {
        /// Version of the store's tables.
        found: u64,
        /// Oldest version that can be migrated.
        oldest: u64,
    },
    /// The store is sealed under another storage key, or was changed without the storage key.
    #[error("the store is sealed under another storage key, or damaged")]
    StorageKey,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<TxError> for OpenError {
    fn from(error: TxError) -> Self {
        match error {
            TxError::Conflict => Self::Store(StoreError::Contended),
            TxError::Error(StoreError::StorageKey) => Self::StorageKey,
            TxError::Error(error) => Self::Store(error),
        }
    }
}
