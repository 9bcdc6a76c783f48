//! Stores in databases: the tables of [`crate::store`] as SQL, for every database that speaks it.
//!
//! The SQL is that which SQLite, PostgreSQL and what is wire-compatible with PostgreSQL (CockroachDB,
//! YugabyteDB, Citus) have in common: plain tables and indexes, primary keys, `SELECT`, `INSERT`,
//! `UPDATE` and `DELETE` of single rows. No sequences, advisory locks, triggers or notifications.
//!
//! Every row has a version, by which two that change it at once are told apart wherever the database
//! itself does not, and a seal: its secrets under the storage key, with all the rest of the row as
//! associated data. A stolen database shows who is registered, and no key; in a database that was
//! changed without the storage key, what was changed is refused as damaged. An attacker who can write
//! to the database may still delete rows, and put back older versions of them.

pub(crate) mod migration;
mod open;
mod rows;
mod seal;

pub use open::OpenError;
pub(crate) use open::{create, open};
pub(crate) use rows::{Rows, Shared};

use crate::port::StoreError;
use crate::store::entity::Trouble;
use crate::store::value::Value;
use alloc::vec::Vec;

/// A database within one transaction.
///
/// The SQL has parameters `$1`, `$2` … in the order of their first appearance.
pub(crate) trait Database: Send {
    const DIALECT: Dialect;

    /// The rows that a query gives.
    fn query(
        &mut self,
        sql: &str,
        parameters: &[Value],
    ) -> impl Future<Output = Result<Vec<Vec<Value>>, Trouble>> + Send;

    /// How many rows a statement has changed. [`Trouble::Conflict`] when a key is there already.
    fn execute(
        &mut self,
        sql: &str,
        parameters: &[Value],
    ) -> impl Future<Output = Result<u64, Trouble>> + Send;
}

/// In what databases differ: the words for bytes and integers, and what follows the columns of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    pub(crate) bytes: &'static str,
    pub(crate) int: &'static str,
    pub(crate) table: &'static str,
    /// Counts the tables named `halfkey_schema` where the store would be.
    pub(crate) exists: &'static str,
}

pub(crate) const fn damaged() -> Trouble {
    Trouble::Error(StoreError::Damaged)
}
