//! Tables: what a back end has to keep, so that a store can be made of it.
//!
//! **Not yet stable**: minor versions of this crate may change this module.
//!
//! A store's rules and its operator's operations are written once, over tables. A back end (a database,
//! a key-value store, a service) keeps the rows and knows nothing else of the protocol:
//!
//! ```text
//!   TableStore / AsyncTableStore         runs rules and operations, again after a conflict
//!          │  typed rows                 their secrets encrypted, all of them authenticated
//!   Backend                              begin · commit
//!   Transaction                          get · select · insert · update · delete
//!   Row                                  values in columns, or bytes by Row::encode
//! ```
//!
//! A back end implements these seven methods, and where it can do better than their defaults `keys`,
//! `count` and `pause`. One that
//! keeps bytes under ordered keys writes [`Row::encode`] under [`Key::sort_key`], and looks rows up by
//! [`Query::range`], or reads a whole table and lets [`Query::pick`] choose. One with columns of its own
//! makes its tables of [`Table::all`]. Seals, versions, typed rows and identifiers are the store's: a
//! back end sees no secret, and rows that were changed behind the store are refused as damaged. Rows
//! that are removed or put back as they were before go unnoticed.
//!
//! # Example
//! A back end in a map. Each transaction works on a copy, and meets a conflict where another one was
//! committed meanwhile. `tests/tables` in the repository has one over the embedded database `redb`.
//! ```
//! use halfkey::store::tables::{Backend, BlockingBackend, Key, Query, Row, Table, Transaction, TxError};
//! use halfkey::store::operation::{IssueCode, ListCodes};
//! use halfkey::store::{StorageKeys, TableStore, UniqueNames};
//! use halfkey::{Secret, UnixTime, UserName};
//! use std::collections::BTreeMap;
//! use std::sync::{Mutex, PoisonError};
//!
//! type Rows = BTreeMap<(&'static str, Key), Row>;
//!
//! #[derive(Default)]
//! struct Map(Mutex<(u64, Rows)>); // how many were committed, and the rows
//! struct Copy { committed: u64, rows: Rows }
//!
//! impl Backend for Map {
//!     type Transaction<'b> = Copy;
//!     async fn begin(&self, _write: bool) -> Result<Copy, TxError> {
//!         let (committed, rows) = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
//!         Ok(Copy { committed, rows })
//!     }
//!     async fn commit(&self, copy: Copy) -> Result<(), TxError> {
//!         let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
//!         if map.0 != copy.committed {
//!             return Err(TxError::Conflict);
//!         }
//!         *map = (copy.committed + 1, copy.rows);
//!         Ok(())
//!     }
//! }
//! impl BlockingBackend for Map {}
//!
//! impl Transaction for Copy {
//!     async fn get(&mut self, table: &'static Table, key: &Key) -> Result<Option<Row>, TxError> {
//!         Ok(self.rows.get(&(table.name(), key.clone())).cloned())
//!     }
//!     async fn select(&mut self, table: &'static Table, query: &Query) -> Result<Vec<Row>, TxError> {
//!         let rows = self.rows.iter().filter(|((name, _), _)| *name == table.name());
//!         Ok(query.pick(rows.map(|(_, row)| row.clone())))
//!     }
//!     async fn insert(&mut self, row: Row) -> Result<(), TxError> {
//!         match self.rows.insert((row.table().name(), row.key()), row) {
//!             None => Ok(()),
//!             Some(_) => Err(TxError::Conflict),
//!         }
//!     }
//!     async fn update(&mut self, row: Row, version: i64) -> Result<(), TxError> {
//!         self.delete(row.table(), &row.key(), Some(version)).await?;
//!         self.insert(row).await
//!     }
//!     async fn delete(
//!         &mut self,
//!         table: &'static Table,
//!         key: &Key,
//!         version: Option<i64>,
//!     ) -> Result<(), TxError> {
//!         let before = self.rows.remove(&(table.name(), key.clone())).map(|row| row.version());
//!         if version.is_some() && before != version { Err(TxError::Conflict) } else { Ok(()) }
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = StorageKeys::new(Secret::new([7; 32]));
//! let store = TableStore::create(Map::default(), keys, UniqueNames::Always)?;
//! let (name, secret) = (UserName::normalise("Alice")?, Secret::new([1; 32]));
//! store.run(&IssueCode { name, secret, expires: None }, UnixTime::now())?;
//! assert_eq!(store.run(&ListCodes::default(), UnixTime::now())?.entries.len(), 1);
//! # Ok(())
//! # }
//! ```

mod backend;
mod query;
mod row;
mod schema;
mod value;

pub use backend::{Backend, BlockingBackend, Transaction, TxError};
pub use query::{Condition, Query};
pub use row::Row;
pub(crate) use schema::Field;
pub use schema::{Column, ColumnKind, Table, VERSION};
pub use value::{Key, Value};
