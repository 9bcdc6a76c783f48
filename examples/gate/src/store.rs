//! The two stores behind one name: a file of SQLite, or PostgreSQL.

use crate::config::{self, Config};
use halfkey::port::question::AsyncEntitlementStore;
use halfkey::postgres::{deadpool_postgres, tokio_postgres};
use halfkey::store::{OpenError, Operation, StorageKeys};
use halfkey::tokio::OffExecutor;
use halfkey::{UnixTime, postgres, sqlite};
use halfkey_common::file::{FileError, Readers};
use halfkey_common::{Program, key_file};
use std::path::PathBuf;
use std::sync::Arc;

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
        let store = Arc::clone(self.store());
        let ran = tokio::task::spawn_blocking(move || store.run(&operation, now)).await;
        ran.unwrap_or_else(|_| Err(halfkey::port::StoreError::Unavailable(0).into()))
    }
}

/// A store that does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeptError {
    /// The storage key.
    #[error("the storage key")]
    Key(#[from] FileError),
    /// The store's own.
    #[error("the store in {0}", .path.display())]
    File {
        /// Its file.
        path: PathBuf,
        /// The cause.
        source: OpenError,
    },
    /// The database's address.
    #[error("the address of the database")]
    Address(#[source] tokio_postgres::Error),
    /// The pool's settings.
    #[error("the pool of connections")]
    Pool(#[from] deadpool_postgres::BuildError),
    /// The database's.
    #[error("the store in PostgreSQL")]
    Database(#[source] OpenError),
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
pub(crate) fn sqlite(path: PathBuf, keys: StorageKeys) -> Result<OffExecutor<sqlite::Store>, KeptError> {
    let opened = sqlite::Store::open(&path, keys);
    Ok(OffExecutor::new(opened.map_err(|source| KeptError::File { path, source })?))
}

/// Opens a store in PostgreSQL.
///
/// # Errors
/// [`KeptError`].
pub(crate) async fn postgres(
    store: &config::Store,
    address: &str,
    keys: StorageKeys,
) -> Result<postgres::Store, KeptError> {
    let mut settings: tokio_postgres::Config = address.parse().map_err(KeptError::Address)?;
    // Of several hosts, the one that may be written to; a server that does not answer is passed over.
    settings.target_session_attrs(tokio_postgres::config::TargetSessionAttrs::ReadWrite);
    if settings.get_connect_timeout().is_none() {
        settings.connect_timeout(std::time::Duration::from_secs(3));
    }
    let manager = deadpool_postgres::Manager::new(settings, tokio_postgres::NoTls);
    let runtime = deadpool_postgres::Runtime::Tokio1;
    let pool = deadpool_postgres::Pool::builder(manager).max_size(store.pool).runtime(runtime).build()?;
    postgres::Store::open(pool, keys).await.map_err(KeptError::Database)
}
