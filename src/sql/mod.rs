//! Stores in databases: the tables of [`crate::store`] as SQL, for every database that speaks it.
//!
//! The SQL is the part that SQLite, PostgreSQL and wire-compatible databases (CockroachDB, YugabyteDB,
//! Citus) have in common: plain tables and indexes, primary keys, `SELECT`, `INSERT`, `UPDATE` and
//! `DELETE` of single rows; a migration may rename, copy and drop tables. It has no sequences, advisory
//! locks, triggers or notifications.
//!
//! Rows are sealed (`store::sealing`). A stolen database shows who is registered, and no key; rows that
//! were changed without the storage key are refused as damaged. An attacker who can write to the
//! database can still delete rows, and put back older versions of them.

pub(crate) mod migration;
mod open;
mod rows;

pub(crate) use open::{create, open};
pub(crate) use rows::Statements;

use crate::port::StoreError;
use crate::store::tables::{TxError, Value};
use alloc::vec::Vec;

/// Database within one transaction.
///
/// The SQL has parameters `$1`, `$2` … in the order of their first appearance.
pub(crate) trait Database: Send {
    const DIALECT: Dialect;

    /// Returns the rows of a query.
    fn query(
        &mut self,
        sql: &str,
        parameters: &[Value],
    ) -> impl Future<Output = Result<Vec<Vec<Value>>, TxError>> + Send;

    /// Runs a statement and returns how many rows it changed. [`TxError::Conflict`] where a row has the
    /// key.
    fn execute(
        &mut self,
        sql: &str,
        parameters: &[Value],
    ) -> impl Future<Output = Result<u64, TxError>> + Send;
}

/// Differences between databases: the words for texts that compare by their bytes, for bytes and for
/// integers, and the words after the columns of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    pub(crate) text: &'static str,
    pub(crate) bytes: &'static str,
    pub(crate) int: &'static str,
    pub(crate) table: &'static str,
    /// Query that counts the tables named `halfkey_schema` in the place of the store.
    pub(crate) exists: &'static str,
    /// True where one transaction writes at a time: then one may look at the end of the log without meeting others.
    pub(crate) alone: bool,
}

pub(crate) const fn damaged() -> TxError {
    TxError::Error(StoreError::Damaged)
}
