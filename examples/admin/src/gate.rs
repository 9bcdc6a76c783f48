//! The gate that a store belongs to, as its configuration has it: what else would have to be said each time.

use crate::failure::{Failure, FileError};
use crate::text_file;
use halfkey::ServerName;
use halfkey_common::store::Place;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Name of the configuration in the directory that `halfkey-gate init` makes.
const CONFIG: &str = "gate.toml";
/// Name of the file with the issuer's anchor beside it.
const ANCHOR: &str = "anchor.pem";

/// A gate, as far as an operator needs to know it.
pub(crate) struct Gate {
    /// Where the configuration is.
    home: PathBuf,
    config: Config,
}

/// The part of the gate's configuration that is read here; the gate itself reads all of it.
#[derive(Deserialize)]
struct Config {
    directory: PathBuf,
    listen: Vec<SocketAddr>,
    server: Server,
    store: Store,
}

#[derive(Deserialize)]
struct Server {
    name: ServerName,
}

#[derive(Deserialize)]
struct Store {
    place: String,
    key_file: PathBuf,
    #[serde(default)]
    other_key_files: Vec<PathBuf>,
}

impl Gate {
    /// Reads a configuration, or the one in a directory.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let path = if path.is_dir() { path.join(CONFIG) } else { path.to_owned() };
        let config: Config = toml::from_str(&text_file::read(&path)?)
            .map_err(|error| Failure::file(&path, FileError::Gate(error.to_string().trim_end().into())))?;
        let home = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok(Self { home, config })
    }

    fn path(&self, path: &Path) -> PathBuf {
        self.home.join(&self.config.directory).join(path)
    }

    /// Returns the place of the store.
    pub(crate) fn place(&self) -> Result<Place, Failure> {
        Ok(match self.config.store.place.parse::<Place>()? {
            Place::File(file) => Place::File(self.path(&file)),
            database => database,
        })
    }

    /// Returns the files of the storage keys, the one that seals first.
    pub(crate) fn key_files(&self) -> (PathBuf, Vec<PathBuf>) {
        let Store { key_file, other_key_files, .. } = &self.config.store;
        (self.path(key_file), other_key_files.iter().map(|file| self.path(file)).collect())
    }

    /// Returns the gate's name.
    pub(crate) const fn server(&self) -> &ServerName {
        &self.config.server.name
    }

    /// Returns the host and port that agents connect to: the name, and the port of the first listener.
    pub(crate) fn connect(&self) -> Option<String> {
        Some(format!("{}:{}", self.config.server.name, self.config.listen.first()?.port()))
    }

    /// Returns the file with the issuer's anchor, if it lies beside the configuration.
    pub(crate) fn anchor(&self) -> Option<PathBuf> {
        Some(self.home.join(ANCHOR)).filter(|file| file.is_file())
    }
}
