//! The two stores behind one name: a file of SQLite, or PostgreSQL.

use crate::config::{self, Config};
use halfkey::port::question::AsyncEntitlementStore;
use halfkey::postgres::tokio_postgres;
use halfkey::store::{OpenError, Operation, StorageKeys};
use halfkey::tokio::OffExecutor;
use halfkey::{UnixTime, postgres, sqlite};
use halfkey_common::file::{FileError, Readers};
use halfkey_common::store::Place;
use halfkey_common::{Program, key_file};
use std::num::NonZeroUsize;
use std::path::Path;

/// A store that serves, and performs operations.
pub trait Kept: AsyncEntitlementStore + Clone + 'static {
    /// Performs an operation.
    fn run<O>(&self, operation: O, now: UnixTime) -> impl Future<Output = Result<O::Answer, O::Error>> + Send
    where
        O: Operation + 'static;
}

impl Kept for postgres::Store {
    async fn run<O: Operation + 'static>(&self, operation: O, now: UnixTime) -> Result<O::Answer, O::Error> {
        Self::run(self, &operation, now).await
    }
}

impl Kept for OffExecutor<sqlite::Store> {
    async fn run<O: Operation + 'static>(&self, operation: O, now: UnixTime) -> Result<O::Answer, O::Error> {
        self.perform(move |store| store.run(&operation, now)).await?
    }
}

/// A store that does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeptError {
    /// A storage key.
    #[error("the storage key")]
    Key(#[from] FileError),
    /// The store's own.
    #[error("the store {place}")]
    Open {
        /// Where it is.
        place: String,
        /// The cause.
        source: OpenError,
    },
}

/// Reads the storage keys.
///
/// # Errors
/// [`FileError`].
pub(crate) fn keys(config: &Config, program: Program) -> Result<StorageKeys, FileError> {
    let key = |path| key_file::read(program, &config.path(path), Readers::Owner);
    let current = StorageKeys::new(key(&config.store.key_file)?);
    config.store.other_key_files.iter().try_fold(current, |keys, path| Ok(keys.and(key(path)?)))
}

/// Opens a file of SQLite.
///
/// # Errors
/// [`KeptError`].
pub(crate) fn sqlite(path: &Path, keys: StorageKeys) -> Result<OffExecutor<sqlite::Store>, KeptError> {
    let opened = sqlite::Store::open(path, keys);
    let store = opened.map_err(|source| KeptError::Open { place: path.display().to_string(), source })?;
    // Its one connection answers one question after the other.
    Ok(OffExecutor::new(store).at_once(NonZeroUsize::MIN))
}

/// Opens a store in PostgreSQL, on the one of several hosts that may be written to.
///
/// # Errors
/// [`KeptError`].
pub(crate) async fn postgres(
    store: &config::Store,
    settings: &tokio_postgres::Config,
    keys: StorageKeys,
) -> Result<postgres::Store, KeptError> {
    let open = |source| KeptError::Open { place: store.place.to_string(), source };
    let mut settings = settings.clone();
    settings.target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
    let pool = Place::pool(&settings, store.pool).map_err(|error| open(error.into()))?;
    postgres::Store::open(pool, keys).await.map_err(open)
}
