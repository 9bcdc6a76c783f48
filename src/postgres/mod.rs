//! An entitlement store in PostgreSQL: for any number of servers on one database.
//!
//! ```no_run
//! use halfkey::postgres::{Store, deadpool_postgres, tokio_postgres};
//! use halfkey::store::{StorageKeys, UniqueNames};
//! use halfkey::{Secret, SystemRandom};
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let (config, tls) = ("host=/run/postgresql dbname=halfkey".parse()?, tokio_postgres::NoTls);
//! let manager = deadpool_postgres::Manager::new(config, tls);
//! let pool = deadpool_postgres::Pool::builder(manager).max_size(16).build()?;
//! let key = Secret::random(&mut SystemRandom); // keep it, apart from the database
//! let store = Store::create(pool.clone(), StorageKeys::new(key.clone()), UniqueNames::Always).await?;
//! # drop(store);
//! let store = Store::open(pool, StorageKeys::new(key)).await?; // every other server, every other time
//! # Ok(())
//! # }
//! ```
//! The methods of [`Store`] have the names of [`crate::port::EntitlementStore`]'s, and go between the
//! `wanted` and the `supply` of the steps. [`Blocking`] is that port for blocking programs. The pool,
//! and with it TLS, passwords and the schema (`search_path`) that the tables are in, is the caller's,
//! and so is tokio, with I/O and time enabled.
//!
//! # What is guaranteed
//! * Answers are durable, as far as the database is: leave `fsync` and `synchronous_commit` on.
//! * Each write is one transaction at `SERIALIZABLE`. After a conflict or a lost connection it is run again,
//!   with growing pauses, for up to ten seconds; then it is [`StoreError::Contended`]. Reads see one
//!   snapshot. A statement waits for at most five seconds, and a call for at most ten until the pool has a
//!   connection to spare.
//! * When the connection is lost *while a transaction is being committed*, it is not known whether it was
//!   committed: [`StoreError::Unavailable`]. Every question may then be asked again: an outcome, a
//!   confirmation and a report get the same answer as before, and a challenge that was spent stays spent.
//!   An operation of the operator may have been done; look before doing it again.
//! * Dropping a future undoes its transaction, unless it was being committed.
//!
//! # Databases that are wire-compatible
//! The SQL is that of [`crate::store`]'s tables and nothing else: see `src/sql`. Besides the isolation
//! of the database, every row has a version that is compared when the row changes, and all that only one
//! may have (a name, a code, an old key's place, a challenge, a serial) is one row or one primary key.
//! So where a database isolates less than it is told (Citus across shards), there is still one winner of
//! each, and serials rise; what such a database may get wrong is only this: an activation code issued
//! for a name that is being taken at that moment (it is of no use to anybody, and goes by
//! [`WithdrawCode`](crate::store::operation::WithdrawCode)), a rival that stays pending until it
//! confirms and loses, and a user in a group or two more than there may be.
//!
//! # What its operator does
//! Expired rows are not removed with outcomes, since servers would be in each other's way: run
//! [`Purge`](crate::store::operation::Purge) and [`PurgeEvents`](crate::store::operation::PurgeEvents)
//! every few minutes, from any number of servers. [`Store::migrate`] is never done unasked, since other
//! servers may still run the version before.
//!
//! # The numbers of [`StoreError::Unavailable`]
//! PostgreSQL's SQLSTATE, read as a number of base 36 (`u32::from_str_radix("53300", 36)`), or
//!
//! | number | |
//! | --- | --- |
//! | 0 | there was no connection to be had in time, or the pool is closed |
//! | 0x8000_0011 | the connection was lost while the transaction was being committed: it may have been |
//! | 0x8000_0012 | the database did not answer in time: what was being written may have been |

mod blocking;
mod connection;
mod error;
mod store;
mod transact;

pub use crate::store::OpenError;
pub use blocking::Blocking;
pub use deadpool_postgres::{self, tokio_postgres};
pub use store::Store;

#[cfg(doc)]
use crate::port::StoreError;
