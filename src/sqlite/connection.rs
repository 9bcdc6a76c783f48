//! SQLite behind [`crate::sql::Database`].

use crate::cause::Cause;
use crate::port::StoreError;
use crate::sql::{Database, Dialect};
use crate::store::OpenError;
use crate::store::tables::{TxError, Value};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, ErrorCode, MAIN_DB, OpenFlags, ToSql, ffi, params_from_iter};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

/// Time for which a writer waits for another one.
const PATIENCE: Duration = Duration::from_secs(5);

/// Most bytes of a row: documents and outcomes are shorter than a message of the protocol, and a longer
/// row was tampered with.
const ROW_MAX: i32 = 1 << 20;

/// Statements that a connection keeps prepared: those of sessions and registrations, and some of the operator's.
const STATEMENTS: usize = 64;

/// Makes a new empty file that only its owner can read. It is an error where there is a file.
pub(super) fn new_file(path: &Path) -> Result<(), OpenError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(OpenError::Exists),
        Err(error) => Err(OpenError::Store(match error.kind() {
            ErrorKind::StorageFull => StoreError::Full,
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => StoreError::ReadOnly,
            _ => StoreError::Unavailable(error.raw_os_error().unwrap_or(0).unsigned_abs()),
        })),
    }
}

/// Prepares a connection, without changing anything in the file.
pub(super) fn guard(connection: &Connection) -> Result<(), StoreError> {
    guards(connection).map_err(|error| trouble(&error))?;
    // SQLite opens a file that cannot be written without an error.
    match connection.is_readonly(MAIN_DB).map_err(|error| trouble(&error))? {
        true => Err(StoreError::ReadOnly),
        false => Ok(()),
    }
}

/// Connects to a file that nobody changes, without making another file beside it.
pub(super) fn unchanging(path: &Path) -> Result<Connection, StoreError> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if std::fs::metadata(log).is_ok_and(|log| log.len() > 0) {
        return Err(StoreError::ReadOnly);
    }
    // A path in a URI: all but these bytes stand for themselves.
    let absolute = std::path::absolute(path).map_err(|error| StoreError::Failed(Cause::new(error)))?;
    let name = absolute.to_str().ok_or(StoreError::ReadOnly)?;
    let name = name.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let uri = alloc::format!("file:{name}?immutable=1");
    let connection = Connection::open_with_flags(uri, flags).map_err(|error| trouble(&error))?;
    guards(&connection).map_err(|error| trouble(&error))?;
    Ok(connection)
}

/// Keeps SQLite from running anything in a file that was tampered with, and from reading rows of any
/// length.
fn guards(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
    ] {
        connection.set_db_config(setting, on)?;
    }
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, ROW_MAX).done()?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "cell_size_check", true)
}

/// The answer to setting a limit: until rusqlite 0.34 the earlier limit alone, since then a `Result`.
trait Done {
    fn done(self) -> rusqlite::Result<()>;
}

impl Done for i32 {
    fn done(self) -> rusqlite::Result<()> {
        Ok(())
    }
}

impl Done for rusqlite::Result<i32> {
    fn done(self) -> rusqlite::Result<()> {
        self.map(drop)
    }
}

/// Turns on a write-ahead log that is synchronised with every commit: answers survive a loss of power.
pub(super) fn log(connection: &Connection) -> Result<(), StoreError> {
    let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0));
    let mode: String = mode.map_err(|error| trouble(&error))?;
    connection.pragma_update(None, "synchronous", "full").map_err(|error| trouble(&error))?;
    // Some file systems have no shared memory, and then no write-ahead log.
    let no_log = || Cause::new("this file system has no shared memory, which a write-ahead log needs");
    if mode.eq_ignore_ascii_case("wal") { Ok(()) } else { Err(StoreError::Failed(no_log())) }
}

/// Writes all of the database into an empty file, and that to the disk.
pub(super) fn copy(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let io = |error| StoreError::Failed(Cause::new(error));
    let absolute = std::path::absolute(path).map_err(io)?;
    let name = absolute.to_str().ok_or_else(|| StoreError::Failed(Cause::new("the path is not UTF-8")))?;
    connection.execute("VACUUM INTO ?1", [name]).map_err(|error| trouble(&error))?;
    File::open(path).and_then(|file| file.sync_all()).map_err(io)?;
    // Not every system opens directories.
    match absolute.parent().filter(|_| cfg!(unix)) {
        Some(parent) => File::open(parent).and_then(|parent| parent.sync_all()).map_err(io),
        None => Ok(()),
    }
}

pub(super) fn application_id(connection: &Connection) -> Result<i32, StoreError> {
    let read = connection.pragma_query_value(None, "application_id", |row| row.get(0));
    read.map_err(|error| trouble(&error))
}

/// Transaction, undone when it is dropped before it is committed.
pub(super) struct Transaction<'c> {
    connection: &'c mut Connection,
}

impl<'c> Transaction<'c> {
    /// Begins a transaction. One that writes has the database to itself from the beginning.
    pub(super) fn begin(connection: &'c mut Connection, writes: bool) -> Result<Self, StoreError> {
        let begin = if writes { "BEGIN IMMEDIATE" } else { "BEGIN" };
        run(connection, begin)?;
        Ok(Self { connection })
    }

    pub(super) const fn lend(&mut self) -> Lent<'_> {
        Lent { connection: self.connection }
    }

    pub(super) fn set_application_id(&self, id: i32) -> Result<(), StoreError> {
        self.connection.pragma_update(None, "application_id", id).map_err(|error| trouble(&error))
    }

    pub(super) fn commit(self) -> Result<(), StoreError> {
        run(self.connection, "COMMIT")
    }
}

fn run(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    let prepared = connection.prepare_cached(sql);
    prepared.and_then(|mut statement| statement.execute([])).map(drop).map_err(|error| trouble(&error))
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // After some errors SQLite has undone it.
        if !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

/// Connection within a transaction.
pub(super) struct Lent<'c> {
    connection: &'c mut Connection,
}

struct Bound<'v>(&'v Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Database for Lent<'_> {
    const DIALECT: Dialect = Dialect {
        text: "TEXT",
        bytes: "BLOB",
        int: "INTEGER",
        table: " STRICT",
        alone: true,
        exists: "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'halfkey_schema'",
    };

    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, TxError> {
        query(self.connection, sql, parameters).map_err(|error| TxError::Error(trouble(&error)))
    }

    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, TxError> {
        let prepared = self.connection.prepare_cached(sql);
        let parameters = params_from_iter(parameters.iter().map(Bound));
        match prepared.and_then(|mut statement| statement.execute(parameters)) {
            Ok(rows) => Ok(u64::try_from(rows).unwrap_or(u64::MAX)),
            Err(error) if is_taken(&error) => Err(TxError::Conflict),
            Err(error) => Err(TxError::Error(trouble(&error))),
        }
    }
}

/// Tells whether a row has the key.
fn is_taken(error: &Error) -> bool {
    let codes = [ffi::SQLITE_CONSTRAINT_PRIMARYKEY, ffi::SQLITE_CONSTRAINT_UNIQUE];
    error.sqlite_error().is_some_and(|error| codes.contains(&error.extended_code))
}

fn query(connection: &Connection, sql: &str, parameters: &[Value]) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query(params_from_iter(parameters.iter().map(Bound)))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let values = (0..columns).map(|place| {
            Ok(match row.get_ref(place)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::Int(number),
                ValueRef::Text(text) => Value::Text(core::str::from_utf8(text)?.into()),
                ValueRef::Blob(bytes) => Value::Bytes(bytes.into()),
                ValueRef::Real(_) => return Err(Error::InvalidQuery),
            })
        });
        all.push(values.collect::<rusqlite::Result<_>>()?);
    }
    Ok(all)
}

/// Judges an error of SQLite.
pub(super) fn trouble(error: &Error) -> StoreError {
    let code = error.sqlite_error().map_or(0, |error| error.extended_code);
    match error.sqlite_error_code() {
        // Two connections that open the log at once are in each other's way for a moment.
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            StoreError::Contended
        }
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly,
        Some(ErrorCode::DiskFull) => StoreError::Full,
        // The index of the log is a file of its own, and grows before the log does.
        Some(ErrorCode::SystemIoFailure) if code == ffi::SQLITE_IOERR_SHMSIZE => StoreError::Full,
        // The SQL fits the tables of the store: where it does not, or a constraint is violated, the
        // tables were changed.
        Some(
            ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::Unknown
            | ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch
            | ErrorCode::TooBig
            | ErrorCode::SchemaChanged
            | ErrorCode::AuthorizationForStatementDenied,
        )
        | None => StoreError::Damaged,
        Some(_) => StoreError::Failed(Cause::new(alloc::format!("SQLite: {}", ffi::Error::new(code)))),
    }
}
