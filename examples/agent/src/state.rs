//! State of the program's gates beside the token: nothing of it is secret.
//!
//! Only the process that has the token open writes it, and the token's lock sees to that.

use crate::failure::Failure;
use halfkey::configuration::digest;
use halfkey::port::entitlement_store::Document;
use halfkey::{Digest, KeyId, ServerName, UnixTime};
use halfkey_common::file::{create_new, sync_directory};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The gates, by name.
pub(crate) type Gates = BTreeMap<ServerName, Known>;

/// State of one gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    /// Its address: a name or an IP address, and a port.
    pub(crate) address: String,
    /// Values that the user filled in when registering, for renewals.
    #[serde(default)]
    pub(crate) answers: BTreeMap<String, String>,
    /// The key of the registration, and when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) made: Option<Made>,
    /// Set where the key came from another machine, and is to be renewed before it is used.
    #[serde(default)]
    pub(crate) moved: bool,
    /// Set where the key was given to another machine, which is to renew it first.
    #[serde(default)]
    pub(crate) given: bool,
    /// The last list of services, which the token has the digest of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) services: Option<String>,
}

/// A key, and when it was made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Made {
    /// The key.
    pub(crate) key_id: KeyId,
    /// When, in seconds since 1970.
    pub(crate) at: u64,
}

impl Known {
    /// When this key was made, if that is known.
    pub(crate) fn made_at(&self, key_id: &KeyId) -> Option<UnixTime> {
        let made = self.made.as_ref().filter(|made| made.key_id == *key_id)?;
        Some(UnixTime::from_secs(made.at))
    }

    /// The list of services, if it is the one of this digest.
    pub(crate) fn services_of(&self, held: &Digest) -> Option<&str> {
        let document = |body: &String| Document {
            media_type: halfkey_service::MEDIA_TYPE.into(),
            body: body.clone().into_bytes(),
        };
        self.services.as_ref().filter(|body| digest(Some(&document(body))) == *held).map(String::as_str)
    }
}

/// The gates in their file.
#[derive(Debug)]
pub(crate) struct State {
    path: PathBuf,
    gates: Mutex<Gates>,
}

/// Reads the file; there need not be one.
pub(crate) fn read(path: &Path) -> Result<Gates, Failure> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Gates::new()),
        Err(error) => return Err(Failure::file(path, error)),
    };
    serde_json::from_slice(&text).map_err(|error| Failure::file(path, error.into()))
}

impl State {
    pub(crate) fn open(path: PathBuf) -> Result<Self, Failure> {
        Ok(Self { gates: Mutex::new(read(&path)?), path })
    }

    fn lock(&self) -> MutexGuard<'_, Gates> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All gates, as they stand now.
    pub(crate) fn gates(&self) -> Gates {
        self.lock().clone()
    }

    /// One gate, as it stands now.
    pub(crate) fn known(&self, server: &ServerName) -> Option<Known> {
        self.lock().get(server).cloned()
    }

    /// Changes what is known, durably or not at all.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Gates)) -> Result<(), Failure> {
        let mut gates = self.lock();
        let mut draft = gates.clone();
        change(&mut draft);
        if draft != *gates {
            write(&self.path, &draft).map_err(|error| Failure::file(&self.path, error))?;
            *gates = draft;
        }
        Ok(())
    }

    /// Changes what is known of one gate.
    pub(crate) fn note(&self, server: &ServerName, change: impl FnOnce(&mut Known)) -> Result<(), Failure> {
        self.change(|gates| change(gates.entry(server.clone()).or_default()))
    }
}

/// Puts a new file in the place of the old one.
fn write(path: &Path, gates: &Gates) -> io::Result<()> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = create_new(&new)?;
    file.write_all(&serde_json::to_vec_pretty(gates)?)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_directory(path)
}
