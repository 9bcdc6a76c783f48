//! Back ends and their transactions.

use super::query::Query;
use super::row::Row;
use super::schema::Table;
use super::value::Key;
use crate::port::StoreError;
use alloc::vec::Vec;
use core::future::ready;

/// Error of a transaction, which then has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxError<E = StoreError> {
    /// Another transaction was quicker. The transaction is run again from its beginning.
    Conflict,
    /// The operation failed, or the store did. Running it again does not help.
    Error(E),
}

impl TxError {
    /// Tells whether the error is about one row that cannot be read, where others can.
    pub(crate) const fn is_of_a_row(&self) -> bool {
        matches!(self, Self::Error(StoreError::Damaged | StoreError::StorageKey))
    }

    /// Converts the store's error into the error of an operation.
    pub(crate) fn widened<E: From<StoreError>>(self) -> TxError<E> {
        match self {
            Self::Conflict => TxError::Conflict,
            Self::Error(error) => TxError::Error(error.into()),
        }
    }
}

impl<E> From<E> for TxError<E> {
    fn from(error: E) -> Self {
        Self::Error(error)
    }
}

/// A back end: a place that keeps the tables named in [`Table::all`] and changes them in
/// transactions.
pub trait Backend: Send + Sync {
    /// A transaction of this back end.
    type Transaction<'b>: Transaction
    where
        Self: 'b;

    /// Begins a transaction; one that does not `write` only reads.
    ///
    /// Transactions must look as if they ran one after the other. A back end may let them run side by
    /// side and end one of them with [`TxError::Conflict`]. Two that each see the tables from before the
    /// other (write skew) let two users take one name.
    ///
    /// # Errors
    /// [`TxError`].
    fn begin(&self, write: bool) -> impl Future<Output = Result<Self::Transaction<'_>, TxError>> + Send;

    /// Makes the changes of a transaction durable.
    ///
    /// Returning before they are: a crash sends out a key that the server does not know.
    ///
    /// # Errors
    /// [`TxError::Conflict`] only where there is certainly no effect; [`StoreError::Unavailable`] where
    /// that is not known.
    fn commit<'b>(
        &'b self,
        transaction: Self::Transaction<'b>,
    ) -> impl Future<Output = Result<(), TxError>> + Send;

    /// Waits before a transaction that met a conflict is run again for the `attempt`-th time, from 1.
    /// Without an implementation of its own, a back end does not wait.
    fn pause(&self, attempt: u32) -> impl Future<Output = ()> + Send {
        let _ = attempt;
        ready(())
    }
}

/// A back end whose futures are ready when they are first polled, since it blocks or keeps everything in
/// memory. A [`TableStore`](crate::store::TableStore) takes only those.
///
/// A future that waits all the same ends its operation with
/// [`StoreError::Unavailable`]`(0)`, without effect.
pub trait BlockingBackend: Backend {}

/// A transaction of a [`Backend`]. What it changes is there for its own later calls at once, and for
/// others when [`Backend::commit`] has returned. Dropping it instead undoes its changes.
///
/// A back end that blocks writes these methods as `async fn` and does not wait in them.
pub trait Transaction: Send {
    /// Returns the row with this key.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for a row that cannot be decoded.
    fn get(
        &mut self,
        table: &'static Table,
        key: &Key,
    ) -> impl Future<Output = Result<Option<Row>, TxError>> + Send;

    /// Returns the rows that a query asks for, in its order.
    ///
    /// # Errors
    /// As [`Transaction::get`].
    fn select(
        &mut self,
        table: &'static Table,
        query: &Query,
    ) -> impl Future<Output = Result<Vec<Row>, TxError>> + Send;

    /// Adds a row.
    ///
    /// # Errors
    /// [`TxError::Conflict`] where a row has this key.
    fn insert(&mut self, row: Row) -> impl Future<Output = Result<(), TxError>> + Send;

    /// Puts a row in the place of the one with the same key.
    ///
    /// # Errors
    /// [`TxError::Conflict`] where there is none, or [`Row::version`] of the one there is not `version`.
    fn update(&mut self, row: Row, version: i64) -> impl Future<Output = Result<(), TxError>> + Send;

    /// Removes the row with this key. Without a version it removes any row, also one that cannot be
    /// decoded, and it is no error where there is none.
    ///
    /// # Errors
    /// [`TxError::Conflict`] where a version is given, and there is no such row or its version is another.
    fn delete(
        &mut self,
        table: &'static Table,
        key: &Key,
        version: Option<i64>,
    ) -> impl Future<Output = Result<(), TxError>> + Send;

    /// Tells whether no other transaction that writes can run beside this one: then the log is in one order, whatever
    /// its entries are about. Without an implementation of its own, a back end does not promise that.
    fn is_alone(&self) -> bool {
        false
    }

    /// Returns the keys of the rows that a query asks for, in its order.
    ///
    /// Without an implementation of its own, a back end reads the rows. One that reads only keys lets an
    /// operator find and pass over rows that cannot be decoded.
    ///
    /// # Errors
    /// [`TxError`].
    fn keys(
        &mut self,
        table: &'static Table,
        query: &Query,
    ) -> impl Future<Output = Result<Vec<Key>, TxError>> + Send {
        async move { Ok(self.select(table, query).await?.iter().map(Row::key).collect()) }
    }

    /// Counts the rows that a query asks for, whatever its limit.
    ///
    /// Without an implementation of its own, a back end reads the rows.
    ///
    /// # Errors
    /// [`TxError`].
    fn count(
        &mut self,
        table: &'static Table,
        query: &Query,
    ) -> impl Future<Output = Result<u64, TxError>> + Send {
        async move {
            let all = Query { limit: None, ..query.clone() };
            Ok(u64::try_from(self.select(table, &all).await?.len()).unwrap_or(u64::MAX))
        }
    }
}
