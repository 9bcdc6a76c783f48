//! An entitlement store in a file of SQLite: for one machine, with any number of processes.
//!
//! ```
//! use halfkey::sqlite::Store;
//! use halfkey::store::{StorageKeys, UniqueNames};
//! use halfkey::{Secret, SystemRandom};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = Secret::random(&mut SystemRandom); // keep it, apart from the database
//! # let dir = std::env::temp_dir().join(format!("halfkey-doc-{}", std::process::id()));
//! # std::fs::create_dir(&dir)?;
//! # let path = dir.join("halfkey.db");
//! let store = Store::create(&path, StorageKeys::new(key.clone()), UniqueNames::Always)?; // once
//! drop(store);
//! let store = Store::open(&path, StorageKeys::new(key))?; // from then on
//! # drop(store);
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok(())
//! # }
//! ```
//! Every method is one transaction, on the disk when it returns (write-ahead log, `synchronous=FULL`).
//! With each outcome that is stored, a few expired rows are removed; a program may remove more with
//! [`crate::store::operation::Purge`]. Tables and columns are described in `src/sql/migration` and can
//! be read with the sqlite3 shell:
//! ```sql
//! SELECT name, state, datetime(confirmed_at, 'unixepoch') FROM halfkey_registration ORDER BY name;
//! ```
//! A row that was changed there is refused as damaged ([`StoreError::Damaged`]), since every row is sealed
//! under the storage key. So is a row that a damaged index gives in place of the one that was asked for; a
//! row that an index does not find any more counts as removed. Rows that are removed, and rows and whole
//! files that are put back as they were before, go unnoticed. Triggers and views in the file are not run.
//!
//! The store has one connection, for one call at a time: within a process calls wait for each other;
//! writers of different processes wait for up to five seconds, and then get [`StoreError::Contended`]. The
//! files that end in `-wal` and `-shm` belong to the store: copy a store with `VACUUM INTO` or `.backup`,
//! or while no program uses it.

mod connection;
#[cfg(test)]
mod schema;

pub use crate::store::OpenError;

use crate::port::StoreError;
use crate::sql::{self, Statements};
use crate::store::sealing::{SealedTables, Shared};
use crate::store::tables::TxError;
use crate::store::{Operation, StorageKeys, UniqueNames, at_once, entitlement_store};
use crate::time::UnixTime;
use connection::{Transaction, trouble};
use core::fmt;
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// SQLite's number for the kind of file: the letters `hkey`.
const APPLICATION_ID: i32 = 0x686B_6579;

/// Expired rows of each kind that are removed with each outcome that is stored.
const TIDY: usize = 16;

/// An [`crate::port::EntitlementStore`] in a file of SQLite.
pub struct Store {
    connection: Mutex<Connection>,
    shared: Shared,
}

impl Store {
    /// Makes a store in a new file, and sets who may hold a user name. A process that dies meanwhile
    /// leaves a file that is [`OpenError::NotAStore`], and has to be removed.
    ///
    /// # Errors
    /// [`OpenError::Exists`] when there is a file already; [`OpenError::Store`].
    pub fn create(path: impl AsRef<Path>, keys: StorageKeys, unique: UniqueNames) -> Result<Self, OpenError> {
        // The file is made here and nowhere else, by one process alone, for its owner's eyes.
        connection::new_file(path.as_ref())?;
        let made = Self::make(path.as_ref(), keys, unique);
        if made.is_err() {
            // The files are no store, and this process made them.
            for end in ["", "-wal", "-shm"] {
                let mut name = path.as_ref().as_os_str().to_owned();
                name.push(end);
                let _ = std::fs::remove_file(name);
            }
        }
        made
    }

    fn make(path: &Path, keys: StorageKeys, unique: UniqueNames) -> Result<Self, OpenError> {
        let mut connection = connect(path)?;
        connection::log(&connection)?;
        let mut transaction = Transaction::begin(&mut connection, true)?;
        let shared = at_once(sql::create(transaction.lend(), keys, unique)).ok_or(StoreError::Damaged)??;
        transaction.set_application_id(APPLICATION_ID)?;
        transaction.commit()?;
        Ok(Self { connection: Mutex::new(connection), shared })
    }

    /// Opens the store in a file. A store that an earlier version of this crate made is migrated.
    ///
    /// # Errors
    /// [`OpenError`], which leaves the file as it was; [`OpenError::NotAStore`] where there is no file.
    pub fn open(path: impl AsRef<Path>, keys: StorageKeys) -> Result<Self, OpenError> {
        if !path.as_ref().is_file() {
            return Err(OpenError::NotAStore);
        }
        let mut connection = connect(path.as_ref())?;
        // Before anything is changed in a file that may be another program's.
        match connection::application_id(&connection) {
            Ok(APPLICATION_ID) => {}
            Ok(_) | Err(StoreError::Damaged) => return Err(OpenError::NotAStore),
            Err(error) => return Err(error.into()),
        }
        connection::log(&connection)?;
        // A read-only open does not wait for writers and does not take the write lock.
        let shared = match Self::read(&mut connection, keys.clone(), false) {
            Err(OpenError::Older { .. }) => Self::read(&mut connection, keys, true),
            read => read,
        }?;
        Ok(Self { connection: Mutex::new(connection), shared })
    }

    /// Opens the store in a file that cannot be written, as one on a read-only file system, to look at it:
    /// operations that change something fail with [`StoreError::ReadOnly`]. No program may change the file
    /// meanwhile.
    ///
    /// # Errors
    /// [`OpenError`]; [`StoreError::ReadOnly`] where the write-ahead log beside the file is not empty: it holds
    /// changes that only a program that may write can put into the file.
    pub fn open_read_only(path: impl AsRef<Path>, keys: StorageKeys) -> Result<Self, OpenError> {
        if !path.as_ref().is_file() {
            return Err(OpenError::NotAStore);
        }
        let mut connection = connection::unchanging(path.as_ref())?;
        match connection::application_id(&connection) {
            Ok(APPLICATION_ID) => {}
            Ok(_) | Err(StoreError::Damaged) => return Err(OpenError::NotAStore),
            Err(error) => return Err(error.into()),
        }
        let shared = Self::read(&mut connection, keys, false)?;
        Ok(Self { connection: Mutex::new(connection), shared })
    }

    fn read(connection: &mut Connection, keys: StorageKeys, migrate: bool) -> Result<Shared, OpenError> {
        let mut transaction = Transaction::begin(connection, migrate)?;
        let shared = at_once(sql::open(transaction.lend(), keys, migrate)).ok_or(StoreError::Damaged)??;
        transaction.commit()?;
        Ok(shared)
    }

    /// Copies the store into a new file, for its owner's eyes, as the store is at one moment; others go on meanwhile.
    /// The copy is durable when this returns, and sealed under the same storage keys.
    ///
    /// # Errors
    /// [`OpenError::Exists`] when there is such a file; [`OpenError::Store`], with no file left behind.
    pub fn backup(&self, path: impl AsRef<Path>) -> Result<(), OpenError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection::new_file(path.as_ref())?;
        let copied = connection::copy(&connection, path.as_ref());
        if copied.is_err() {
            let _ = std::fs::remove_file(path);
        }
        Ok(copied?)
    }

    /// Performs an operation: as a whole, durably, or not at all.
    ///
    /// # Errors
    /// The operation's.
    pub fn run<O: Operation>(&self, operation: &O, now: UnixTime) -> Result<O::Answer, O::Error> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut transaction = Transaction::begin(&mut connection, O::WRITES)?;
        let lent = Statements(transaction.lend());
        let mut tables = SealedTables::new(lent, &self.shared);
        match at_once(operation.perform(&mut tables, now)) {
            Some(Ok(answer)) => {
                transaction.commit()?;
                Ok(answer)
            }
            Some(Err(TxError::Error(error))) => Err(error),
            // No other transaction runs: a row that is in the way stays there.
            Some(Err(TxError::Conflict)) | None => Err(StoreError::Damaged.into()),
        }
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| trouble(&error))?;
    connection::guard(&connection)?;
    Ok(connection)
}

entitlement_store!(Store, TIDY);

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite::Store({:?})", self.shared.keys)
    }
}
