//! Stores made of a back end's tables.

use super::at_once::at_once;
use super::entity::{Tables, Versioned};
use super::key::StorageKeys;
use super::open_error::OpenError;
use super::operation::{Operation, operation};
use super::rows::SchemaRow;
use super::rules::get_by_key;
use super::sealing::{SealedTables, Shared};
use super::tables::{Backend, BlockingBackend, Query, TxError, VERSION};
use super::unique_names::UniqueNames;
use crate::port::StoreError;
use crate::time::UnixTime;
use core::fmt;

/// Most times that a transaction is begun before the store is [`StoreError::Contended`].
const ATTEMPTS: u32 = 100;

/// A store over a [`Backend`], for asynchronous programs: an
/// [`AsyncEntitlementStore`](crate::port::question::AsyncEntitlementStore).
///
/// **Not yet stable**, as [`crate::store::tables`].
pub struct AsyncTableStore<B> {
    backend: B,
    shared: Shared,
    tidy: usize,
}

/// Expired rows of each kind that are removed with each outcome that is stored.
const TIDY: usize = 16;

impl<B: Backend> AsyncTableStore<B> {
    /// Makes a store in a back end that holds none. Its tables must be there, and empty.
    ///
    /// # Errors
    /// [`OpenError::Exists`] or [`OpenError::Store`].
    pub async fn create(backend: B, keys: StorageKeys, unique: UniqueNames) -> Result<Self, OpenError> {
        let store = Self { backend, shared: Shared::new(keys, unique), tidy: TIDY };
        store.run(&Create(unique), UnixTime::default()).await?;
        Ok(store)
    }

    /// Opens the store in a back end.
    ///
    /// # Errors
    /// [`OpenError`]; [`OpenError::Older`] where [`AsyncTableStore::migrate`] must be called first.
    pub async fn open(backend: B, keys: StorageKeys) -> Result<Self, OpenError> {
        Self::opened(backend, keys, &Open).await
    }

    /// Opens the store in a back end, and marks it as migrated to [`VERSION`] where an earlier version of
    /// this crate made it. A back end with columns of its own adds the new ones before; one that keeps
    /// [`Row::encode`](crate::store::tables::Row::encode) has nothing to do. Keys have changed with version
    /// 3: earlier ones are [`OpenError::TooOld`].
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn migrate(backend: B, keys: StorageKeys) -> Result<Self, OpenError> {
        Self::opened(backend, keys, &Migrate).await
    }

    async fn opened<O>(backend: B, keys: StorageKeys, operation: &O) -> Result<Self, OpenError>
    where
        O: Operation<Answer = UniqueNames, Error = OpenError>,
    {
        let mut store = Self { backend, shared: Shared::new(keys, UniqueNames::default()), tidy: TIDY };
        store.shared.unique = store.run(operation, UnixTime::default()).await?;
        Ok(store)
    }

    /// Sets how many expired rows of each kind but codes are removed with each outcome that is stored; 16 unless
    /// told otherwise. With 0 the operator runs [`Purge`](crate::store::operation::Purge).
    #[must_use]
    pub const fn tidying(mut self, rows: usize) -> Self {
        self.tidy = rows;
        self
    }

    /// Performs an operation: as a whole, durably, or not at all. After a conflict it is performed again
    /// from its beginning, up to a hundred times.
    ///
    /// # Errors
    /// The operation's.
    pub async fn run<O: Operation>(&self, operation: &O, now: UnixTime) -> Result<O::Answer, O::Error> {
        for attempt in 1..=ATTEMPTS {
            match self.attempt(operation, now).await {
                Ok(answer) => return Ok(answer),
                Err(TxError::Error(error)) => return Err(error),
                Err(TxError::Conflict) => self.backend.pause(attempt).await,
            }
        }
        Err(StoreError::Contended.into())
    }

    async fn attempt<O: Operation>(
        &self,
        operation: &O,
        now: UnixTime,
    ) -> Result<O::Answer, TxError<O::Error>> {
        let transaction = self.backend.begin(O::WRITES).await.map_err(TxError::widened)?;
        let mut tables = SealedTables::new(transaction, &self.shared);
        let answer = operation.perform(&mut tables, now).await?;
        if O::WRITES {
            self.backend.commit(tables.transaction).await.map_err(TxError::widened)?;
        }
        Ok(answer)
    }

    /// Returns the back end.
    pub const fn backend(&self) -> &B {
        &self.backend
    }

    pub(super) const fn tidy(&self) -> usize {
        self.tidy
    }
}

impl<B> fmt::Debug for AsyncTableStore<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AsyncTableStore({:?})", self.shared.keys)
    }
}

/// A store over a [`BlockingBackend`]: an [`EntitlementStore`](crate::port::EntitlementStore).
///
/// **Not yet stable**, as [`crate::store::tables`].
pub struct TableStore<B> {
    inner: AsyncTableStore<B>,
}

impl<B: BlockingBackend> TableStore<B> {
    /// Makes a store, as [`AsyncTableStore::create`].
    ///
    /// # Errors
    /// [`OpenError::Exists`] or [`OpenError::Store`].
    pub fn create(backend: B, keys: StorageKeys, unique: UniqueNames) -> Result<Self, OpenError> {
        Self::of(AsyncTableStore::create(backend, keys, unique))
    }

    /// Opens a store, as [`AsyncTableStore::open`].
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(backend: B, keys: StorageKeys) -> Result<Self, OpenError> {
        Self::of(AsyncTableStore::open(backend, keys))
    }

    /// Opens a store and migrates it, as [`AsyncTableStore::migrate`].
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn migrate(backend: B, keys: StorageKeys) -> Result<Self, OpenError> {
        Self::of(AsyncTableStore::migrate(backend, keys))
    }

    fn of(made: impl Future<Output = Result<AsyncTableStore<B>, OpenError>>) -> Result<Self, OpenError> {
        Ok(Self { inner: at_once(made).ok_or_else(waited)?? })
    }

    /// Sets how many expired rows of each kind but codes are removed with each outcome that is stored; 16 unless
    /// told otherwise. With 0 the operator runs [`Purge`](crate::store::operation::Purge).
    #[must_use]
    pub const fn tidying(mut self, rows: usize) -> Self {
        self.inner.tidy = rows;
        self
    }

    /// Performs an operation, as [`AsyncTableStore::run`].
    ///
    /// # Errors
    /// The operation's.
    pub fn run<O: Operation>(&self, operation: &O, now: UnixTime) -> Result<O::Answer, O::Error> {
        at_once(self.inner.run(operation, now)).ok_or_else(waited)?
    }

    /// Returns the back end.
    pub const fn backend(&self) -> &B {
        self.inner.backend()
    }

    pub(super) const fn tidy(&self) -> usize {
        self.inner.tidy
    }
}

/// Makes the error for a back end that waits although it is a [`BlockingBackend`].
const fn waited() -> StoreError {
    StoreError::Unavailable(0)
}

impl<B> fmt::Debug for TableStore<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TableStore({:?})", self.inner.shared.keys)
    }
}

/// Oldest version whose rows are found under their keys of now.
const OLDEST: u64 = 3;

struct Create(UniqueNames);

operation! { Create writes -> (), OpenError; |self, tables, _now| {
    if tables.count::<SchemaRow>(Query::all()).await? > 0 {
        return Err(OpenError::Exists.into());
    }
    let row = SchemaRow::new(self.0, tables.storage_key());
    Ok(tables.insert(row).await?)
} }

struct Open;

operation! { Open reads -> UniqueNames, OpenError; |self, tables, _now| {
    let schema = schema(tables).await?;
    match schema.migration {
        VERSION => Ok(schema.unique_names),
        found => Err(OpenError::Older { found, known: VERSION }.into()),
    }
} }

struct Migrate;

operation! { Migrate writes -> UniqueNames, OpenError; |self, tables, _now| {
    let mut schema = schema(tables).await?;
    if schema.migration < VERSION {
        schema.migration = VERSION;
        schema.sealing = schema.row.sealing.take().or_else(|| tables.storage_key());
        tables.update(&mut schema).await?;
    }
    Ok(schema.unique_names)
} }

/// Reads the row that tells what store this is, which is of no later version than this one.
async fn schema<T: Tables>(tables: &mut T) -> Result<Versioned<SchemaRow>, TxError<OpenError>> {
    let schema = get_by_key::<SchemaRow, _>(tables, &SchemaRow::ID).await.map_err(|error| match error {
        TxError::Error(StoreError::Damaged) => TxError::Error(OpenError::StorageKey),
        error => error.into(),
    })?;
    let schema = schema.ok_or(TxError::Error(OpenError::NotAStore))?;
    match schema.migration {
        found if found > VERSION => Err(OpenError::Newer { found, known: VERSION }.into()),
        found if found < OLDEST => Err(OpenError::TooOld { found, oldest: OLDEST }.into()),
        _ => Ok(schema),
    }
}

impl From<TxError> for TxError<OpenError> {
    fn from(error: TxError) -> Self {
        match error {
            TxError::Conflict => Self::Conflict,
            TxError::Error(error) => Self::Error(OpenError::from(TxError::Error(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Store;

    struct Made(u64);

    operation! { Made writes -> (), OpenError; |self, tables, _now| {
        let row = SchemaRow { migration: self.0, ..SchemaRow::new(UniqueNames::Always, None) };
        Ok(tables.insert(row).await?)
    } }

    #[test]
    fn another_version_is_refused_by_a_sentence() {
        let now = UnixTime::default();
        for found in 0..=VERSION + 1 {
            let store = Store::new();
            store.run(&Made(found), now).unwrap();
            let expected = match found {
                _ if found < OLDEST => Err(OpenError::TooOld { found, oldest: OLDEST }),
                _ if found > VERSION => Err(OpenError::Newer { found, known: VERSION }),
                _ => Ok(UniqueNames::Always),
            };
            assert_eq!(store.run(&Open, now), expected);
            assert_eq!(store.run(&Migrate, now), expected);
        }
        let text = alloc::string::ToString::to_string(&OpenError::TooOld { found: 2, oldest: 3 });
        assert_eq!(text, "the store's tables have version 2, and none before 3 can be read");
    }
}
