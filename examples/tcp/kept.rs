//! The server's store: one sealed file, or with the feature `sqlite` a file of SQLite that `admin` looks after.

use crate::tcp::{Arguments, Outcome, read_or_make, replace, say};
use halfkey::driver::{Acceptor, AcceptorBuilder};
use halfkey::server_files::Ready;
use halfkey::store::Operation;
use halfkey::{ServerSettings, SystemRandom, UnixTime, memory};
use std::path::Path;
use std::sync::Arc;

/// A store, of one of two kinds. A clone is the same store.
#[derive(Clone)]
pub(crate) enum Kept {
    /// In memory; every change is in a sealed file before the answer that rests on it leaves.
    Sealed(Arc<memory::Store>),
    #[cfg(feature = "sqlite")]
    Sqlite(Arc<halfkey::sqlite::Store>),
}

impl Kept {
    /// Opens the store of `--db`, which `admin init` has made, or the sealed file in `dir`, which is made where it
    /// is missing.
    pub(crate) fn open(dir: &Path, arguments: &Arguments, files: &Ready) -> Outcome<Self> {
        if let Some(db) = arguments.value("--db") {
            return sqlite(Path::new(db), arguments);
        }
        let random = &mut SystemRandom;
        let (path, key) = (dir.join("store.sealed"), files.secret("store-key", random)?);
        let file = read_or_make(&path, || Ok(memory::Store::new().save(&key, random)))?;
        let store = memory::Store::load(&file, &key)?;
        let store = store.saved_by(key, Box::new(SystemRandom), move |bytes| replace(&path, bytes));
        say(format_args!("{store:?} in {}", dir.display()));
        Ok(Self::Sealed(Arc::new(store)))
    }

    /// Performs an operation of the operator.
    pub(crate) fn run<O: Operation>(&self, operation: &O) -> Result<O::Answer, O::Error> {
        match self {
            Self::Sealed(store) => store.run(operation, UnixTime::now()),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => store.run(operation, UnixTime::now()),
        }
    }

    /// Begins an acceptor over the store.
    pub(crate) fn acceptor(&self, settings: Arc<ServerSettings>, keys: memory::Server) -> AcceptorBuilder {
        match self {
            Self::Sealed(store) => Acceptor::builder(settings, keys, Arc::clone(store)),
            #[cfg(feature = "sqlite")]
            Self::Sqlite(store) => Acceptor::builder(settings, keys, Arc::clone(store)),
        }
    }
}

#[cfg(feature = "sqlite")]
fn sqlite(path: &Path, arguments: &Arguments) -> Outcome<Kept> {
    use halfkey::store::StorageKeys;
    // As `admin keygen` writes it: 64 hexadecimal digits.
    let key = |file: &str| -> Outcome<halfkey::Secret> {
        let text = zeroize::Zeroizing::new(
            std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?,
        );
        let key =
            text.trim_end().parse::<halfkey::Digest>().map_err(|_| format!("{file}: no storage key"))?;
        Ok(halfkey::Secret::new(*key.as_bytes()))
    };
    let mut keys = StorageKeys::new(key(arguments.required("--key-file")?)?);
    for file in arguments.all("--other-key-file").flatten() {
        keys = keys.and(key(file)?);
    }
    let store =
        halfkey::sqlite::Store::open(path, keys).map_err(|error| format!("{}: {error}", path.display()))?;
    say(format_args!("the store is {}", path.display()));
    Ok(Kept::Sqlite(Arc::new(store)))
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(_: &Path, _: &Arguments) -> Outcome<Kept> {
    Err("for --db, build this program with --features sqlite".into())
}
