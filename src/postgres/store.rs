//! The store, and its questions.

use super::connection::Lent;
use super::transact::{Work, transact};
use crate::port::StoreError;
use crate::sql::{self, Statements};
use crate::store::sealing::{SealedTables, Shared};
use crate::store::tables::TxError;
use crate::store::{OpenError, Operation, StorageKeys, UniqueNames, entitlement_store};
use crate::time::UnixTime;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;
use deadpool_postgres::Pool;

/// Expired rows removed with each outcome: none, since servers would be in each other's way.
const TIDY: usize = 0;

/// An entitlement store in PostgreSQL, for asynchronous programs. A clone is the same store.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    shared: Arc<Shared>,
}

impl Store {
    /// Makes a store in a database that holds none, and sets who may hold a user name.
    ///
    /// # Errors
    /// [`OpenError::Exists`] or [`OpenError::Store`].
    pub async fn create(pool: Pool, keys: StorageKeys, unique: UniqueNames) -> Result<Self, OpenError> {
        let shared = transact(&pool, &Create(keys, unique)).await?;
        Ok(Self { pool, shared: Arc::new(shared) })
    }

    /// Opens the store in a database.
    ///
    /// # Errors
    /// [`OpenError`]; [`OpenError::Older`] where [`Store::migrate`] has to be called first.
    pub async fn open(pool: Pool, keys: StorageKeys) -> Result<Self, OpenError> {
        let shared = transact(&pool, &Open::<false>(keys)).await?;
        Ok(Self { pool, shared: Arc::new(shared) })
    }

    /// Opens the store in a database, and migrates it where an earlier version of this crate made it.
    /// Stop the servers of that version before: they do not know the new schema.
    ///
    /// # Errors
    /// [`OpenError`]; the database is as it was.
    pub async fn migrate(pool: Pool, keys: StorageKeys) -> Result<Self, OpenError> {
        let shared = transact(&pool, &Open::<true>(keys)).await?;
        Ok(Self { pool, shared: Arc::new(shared) })
    }

    /// Performs an operation: as a whole, durably, or not at all; where the connection is lost at the
    /// very end, either of them ([`StoreError::Unavailable`], see [`crate::postgres`]).
    ///
    /// # Errors
    /// The operation's.
    pub async fn run<O: Operation>(&self, operation: &O, now: UnixTime) -> Result<O::Answer, O::Error> {
        transact(&self.pool, &Perform { operation, now, shared: &self.shared }).await
    }
}

entitlement_store!(async Store, TIDY);

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres::Store({:?})", self.shared.keys)
    }
}

/// Time for which a question is asked again after conflicts.
const QUESTION: Duration = Duration::from_secs(10);

struct Perform<'a, O> {
    operation: &'a O,
    now: UnixTime,
    shared: &'a Shared,
}

impl<O: Operation> Work for Perform<'_, O> {
    type Answer = O::Answer;
    type Error = O::Error;
    const WRITES: bool = O::WRITES;
    const PATIENCE: Duration = QUESTION;

    async fn perform(&self, database: Lent<'_>) -> Result<O::Answer, TxError<O::Error>> {
        let mut tables = SealedTables::new(Statements(database), self.shared);
        self.operation.perform(&mut tables, self.now).await
    }
}

/// Time for changes of the schema, which may have to wait for other transactions.
const TABLES: Duration = Duration::from_secs(300);

struct Create(StorageKeys, UniqueNames);

impl Work for Create {
    type Answer = Shared;
    type Error = OpenError;
    const WRITES: bool = true;
    const PATIENCE: Duration = TABLES;

    async fn perform(&self, database: Lent<'_>) -> Result<Shared, TxError<OpenError>> {
        sql::create(database, self.0.clone(), self.1).await.map_err(again)
    }
}

/// Opens the store; it writes where the schema is migrated.
struct Open<const MIGRATE: bool>(StorageKeys);

impl<const MIGRATE: bool> Work for Open<MIGRATE> {
    type Answer = Shared;
    type Error = OpenError;
    const WRITES: bool = MIGRATE;
    const PATIENCE: Duration = if MIGRATE { TABLES } else { QUESTION };

    async fn perform(&self, database: Lent<'_>) -> Result<Shared, TxError<OpenError>> {
        sql::open(database, self.0.clone(), MIGRATE).await.map_err(again)
    }
}

/// Has a transaction run again after a conflict.
fn again(error: OpenError) -> TxError<OpenError> {
    match error {
        OpenError::Store(StoreError::Contended) => TxError::Conflict,
        error => TxError::Error(error),
    }
}
