//! The store that a program works on: a file of SQLite or a database of PostgreSQL, named by one text.

use halfkey::port::{EntitlementStore, StoreError};
use halfkey::postgres::deadpool_postgres::{Manager, Pool, Runtime as PoolRuntime};
use halfkey::postgres::tokio_postgres::config::{Config, Host};
use halfkey::postgres::tokio_postgres::{self, NoTls};
use halfkey::postgres::{self, Blocking};
use halfkey::store::operation::Operation;
use halfkey::store::{OpenError, StorageKeys, UniqueNames};
use halfkey::{UnixTime, sqlite};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::runtime::{Builder, Runtime};

/// Place of a store: the path of a file, or `postgres://USER@HOST:PORT,HOST:PORT/DATABASE`, whose hosts are tried in
/// their order.
///
/// Without a password in it, that of the environment variable `PGPASSWORD` is taken. The connection is not encrypted:
/// a database on another machine wants a tunnel. `Display` and `Debug` show no password.
#[derive(Clone)]
pub enum Place {
    /// File of SQLite.
    File(PathBuf),
    /// Database of PostgreSQL.
    Database(Box<Config>),
}

/// Error of a text that begins like a URL of PostgreSQL and is none. It does not repeat the text.
#[derive(Debug, Error)]
#[error("this is no URL of PostgreSQL")]
pub struct PlaceError(#[from] tokio_postgres::Error);

/// Schemes of a database's URL.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
/// Time for a host to answer before the next one is tried, unless the URL has a `connect_timeout`.
const CONNECT: Duration = Duration::from_secs(3);
/// Connections of a program that does one thing at a time, and one for what it has given up.
const CONNECTIONS: usize = 2;

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if !SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
            return Ok(Self::File(text.into()));
        }
        let mut config: Config = text.parse()?;
        if config.get_password().is_none()
            && let Some(password) = std::env::var_os("PGPASSWORD")
        {
            config.password(password.as_encoded_bytes());
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        Ok(Self::Database(Box::new(config)))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = match self {
            Self::File(path) => return path.display().fmt(f),
            Self::Database(config) => config,
        };
        f.write_str("postgres://")?;
        if let Some(user) = config.get_user() {
            write!(f, "{user}@")?;
        }
        for (place, host) in config.get_hosts().iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}")?,
                #[cfg(unix)]
                Host::Unix(path) => write!(f, "{comma}{}", path.display())?,
            }
            let ports = config.get_ports();
            if let Some(port) = ports.get(place).or_else(|| ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({self})")
    }
}

impl Place {
    /// Returns the path, if it is a file.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Database(_) => None,
        }
    }

    /// Returns a pool of at most `connections` to a database, for the asynchronous store. Nothing is connected yet.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when there is no tokio to wait on.
    pub fn pool(config: &Config, connections: usize) -> Result<Pool, StoreError> {
        let manager = Manager::new(config.clone(), NoTls);
        let pool = Pool::builder(manager).max_size(connections).runtime(PoolRuntime::Tokio1).build();
        pool.map_err(|_| StoreError::Unavailable(0))
    }

    /// Makes a store where there is none.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn create(&self, keys: StorageKeys, unique: UniqueNames) -> Result<Store, OpenError> {
        match self {
            Self::File(path) => sqlite::Store::create(path, keys, unique).map(Store::Sqlite),
            Self::Database(config) => {
                Store::database(config, |pool| postgres::Store::create(pool, keys, unique))
            }
        }
    }

    /// Opens the store; a file that cannot be written, to read it.
    ///
    /// # Errors
    /// [`OpenError`]; [`OpenError::Older`] where a database has to be migrated first.
    pub fn open(&self, keys: StorageKeys) -> Result<Store, OpenError> {
        match self {
            Self::File(path) => match sqlite::Store::open(path, keys.clone()) {
                Err(OpenError::Store(StoreError::ReadOnly)) => sqlite::Store::open_read_only(path, keys),
                opened => opened,
            }
            .map(Store::Sqlite),
            Self::Database(config) => Store::database(config, |pool| postgres::Store::open(pool, keys)),
        }
    }

    /// Opens the store, and migrates it where an earlier version made it.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn migrate(&self, keys: StorageKeys) -> Result<Store, OpenError> {
        match self {
            Self::File(path) => sqlite::Store::open(path, keys).map(Store::Sqlite),
            Self::Database(config) => Store::database(config, |pool| postgres::Store::migrate(pool, keys)),
        }
    }
}

/// A store for a program that blocks.
#[derive(Debug)]
pub enum Store {
    /// In a file.
    Sqlite(sqlite::Store),
    /// In a database.
    Postgres {
        /// The store.
        store: Blocking,
        /// Thread that does its work.
        runtime: Runtime,
    },
}

impl Store {
    fn database<F>(config: &Config, open: impl FnOnce(Pool) -> F) -> Result<Self, OpenError>
    where
        F: Future<Output = Result<postgres::Store, OpenError>>,
    {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|_| StoreError::Unavailable(0))?;
        let pool = Place::pool(config, CONNECTIONS)?;
        let store = Blocking::new(runtime.block_on(open(pool))?, runtime.handle().clone());
        Ok(Self::Postgres { store, runtime })
    }

    /// Performs an operation.
    ///
    /// # Errors
    /// The operation's.
    pub fn run<O>(&self, operation: &O, now: UnixTime) -> Result<O::Answer, O::Error>
    where
        O: Operation<Answer: 'static, Error: 'static> + Clone + 'static,
    {
        match self {
            Self::Sqlite(store) => store.run(operation, now),
            Self::Postgres { store, .. } => store.run(operation, now),
        }
    }

    /// Performs an operation that is a part of long work, and then leaves a file to others for half as long as it took.
    ///
    /// SQLite keeps no queue: a process that finds the file locked looks again every tenth of a second, and gives up
    /// after five. Work that took the lock again at once would be met by all of these looks. A database has a queue.
    ///
    /// # Errors
    /// The operation's.
    pub fn run_in_turn<O>(&self, operation: &O, now: UnixTime) -> Result<O::Answer, O::Error>
    where
        O: Operation<Answer: 'static, Error: 'static> + Clone + 'static,
    {
        let began = Instant::now();
        let done = self.run(operation, now);
        if matches!(self, Self::Sqlite(_)) {
            std::thread::sleep(began.elapsed().checked_div(2).unwrap_or_default());
        }
        done
    }

    /// Returns the port that a server's exchange asks.
    #[must_use]
    pub fn port(&self) -> &dyn EntitlementStore {
        match self {
            Self::Sqlite(store) => store,
            Self::Postgres { store, .. } => store,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_shown_without_its_password() {
        let shown = |text: &str| text.parse::<Place>().unwrap().to_string();
        assert_eq!(shown("gate.db"), "gate.db");
        assert_eq!(shown("postgresql.db"), "postgresql.db");
        let place = "postgres://ann:hunter2@one.example:5433,two.example:5434/gate?connect_timeout=3";
        assert_eq!(shown(place), "postgres://ann@one.example:5433,two.example:5434/gate");
        assert!(!format!("{:?}", place.parse::<Place>().unwrap()).contains("hunter2"));
        let error = "postgres://ann:hunter2@one:x/gate".parse::<Place>().unwrap_err();
        assert!(!crate::sentence(&error).contains("hunter2"), "{error:?}");
    }
}
