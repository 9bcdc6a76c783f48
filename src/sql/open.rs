//! A database is made a store, or found to be one.

use super::Database;
use super::migration::{self, CURRENT};
use super::rows::{Rows, Shared};
use crate::port::StoreError;
use crate::store::entity::{Tables, Trouble};
use crate::store::rows::Schema;
use crate::store::value::Value;
use crate::store::{StorageKeys, UniqueNames};
use alloc::vec;
use core::sync::atomic::AtomicU32;
use thiserror::Error;

/// Why a database is not opened as a store. It is as good, or bad, as before.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no store in it.
    #[error("there is no store in this database")]
    NotAStore,
    /// There is a store in it already.
    #[error("there is a store in this database already")]
    Exists,
    /// A later version of this crate has made it, or migrated it.
    #[error("the store's schema has version {found}; this program knows no later one than {known}")]
    Newer {
        /// The version of its schema.
        found: u64,
        /// The version that this program keeps.
        known: u64,
    },
    /// An earlier version of this crate has made it, and it has to be migrated first.
    #[error("the store's schema has version {found} and has to be migrated to {known}")]
    Older {
        /// The version of its schema.
        found: u64,
        /// The version that this program keeps.
        known: u64,
    },
    /// It is sealed under a storage key that is not at hand, or was changed without any.
    #[error("the store is sealed under another storage key, or damaged")]
    StorageKey,
    /// The database does not answer, or not well.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Trouble> for OpenError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Conflict => Self::Store(StoreError::Contended),
            Trouble::Error(StoreError::StorageKey) => Self::StorageKey,
            Trouble::Error(error) => Self::Store(error),
        }
    }
}

const ID: &str = "halfkey";

/// Makes a store in a database that has none.
pub(crate) async fn create<D: Database>(
    database: D,
    keys: StorageKeys,
    unique: UniqueNames,
) -> Result<Shared, OpenError> {
    let shared = Shared { keys, unique, ticks: AtomicU32::new(0) };
    let mut rows = Rows { database, shared: &shared };
    if rows.exists().await? {
        return Err(OpenError::Exists);
    }
    migration::migrate(&mut rows.database, 0, CURRENT).await?;
    rows.insert(Schema { id: ID.into(), migration: CURRENT, unique_names: unique }).await?;
    Ok(shared)
}

/// Opens the store in a database; one of an earlier version is migrated only if `migrate` says so.
pub(crate) async fn open<D: Database>(
    database: D,
    keys: StorageKeys,
    migrate: bool,
) -> Result<Shared, OpenError> {
    let mut shared = Shared { keys, unique: UniqueNames::default(), ticks: AtomicU32::new(0) };
    let mut rows = Rows { database, shared: &shared };
    if !rows.exists().await? {
        return Err(OpenError::NotAStore);
    }
    // Before anything else of the row is read: a later version may have changed it.
    let found = rows.database.query("SELECT migration FROM halfkey_schema", &[]).await?;
    let found = match found.first().and_then(|row| row.first()) {
        Some(Value::Int(found)) => u64::try_from(*found).map_err(|_| OpenError::NotAStore)?,
        _ => return Err(OpenError::NotAStore),
    };
    if found > CURRENT {
        return Err(OpenError::Newer { found, known: CURRENT });
    }
    // Only who has the storage key migrates.
    let schema = rows.get::<Schema>(vec![ID.into()]).await.map_err(|error| match error {
        Trouble::Error(StoreError::Damaged) => OpenError::StorageKey,
        other => other.into(),
    })?;
    let mut schema = schema.ok_or(OpenError::NotAStore)?;
    if found < CURRENT {
        if !migrate {
            return Err(OpenError::Older { found, known: CURRENT });
        }
        migration::migrate(&mut rows.database, found, CURRENT).await?;
        schema.migration = CURRENT;
        rows.update(&mut schema).await?;
    }
    shared.unique = schema.row.unique_names;
    Ok(shared)
}

impl<D: Database> Rows<'_, D> {
    async fn exists(&mut self) -> Result<bool, Trouble> {
        let rows = self.database.query(D::DIALECT.exists, &[]).await?;
        Ok(matches!(rows.first().and_then(|row| row.first()), Some(Value::Int(1..))))
    }
}
