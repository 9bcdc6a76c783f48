//! The directory with the files of a server or an issuer: read strictly, written atomically.

use super::error::{FileProblem, ServerFilesError};
use crate::durable::{Place, PlaceError};
use crate::key::PemError;
use std::format;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::string::String;
use std::vec::Vec;
use zeroize::Zeroizing;

/// Longest file that is read, in bytes.
const MOST: usize = 64 * 1024;

/// A directory that only its owner may write to.
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// Makes the directory where it is missing.
    pub(crate) fn open(path: &Path) -> Result<Self, ServerFilesError> {
        let at = |problem: FileProblem| ServerFilesError::at(path, problem);
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(|error| at(error.into()))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            // Who may write to it may put a file of their own in the place of any file in it.
            if fs::metadata(path).map_err(|error| at(error.into()))?.mode() & 0o022 != 0 {
                return Err(at(FileProblem::Exposed));
            }
        }
        Ok(Self(path.into()))
    }

    /// Keeps other processes from making the same files until the returned value is dropped. A file system
    /// without access rights is found out here, before there is a secret in it.
    pub(crate) fn save_attempt(&self, whose: &str) -> Result<Place, ServerFilesError> {
        let lock = format!("{whose}.lock");
        let held = |problem: FileProblem| ServerFilesError::at(&self.path(&lock), problem);
        let mut place = self.place(whose)?;
        place.save_attempt().map_err(|error| held(error.into()))?;
        self.place(&lock)?.readable().map_err(|error| held(error.into()))?;
        Ok(place)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Returns whether there is something of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        fs::symlink_metadata(self.path(name)).is_ok()
    }

    /// Reads a file with a PEM block, if it is there. A secret one must be its owner's alone.
    pub(crate) fn read(
        &self,
        name: &str,
        wanted: &'static str,
        secret: bool,
    ) -> Result<Option<Zeroizing<String>>, ServerFilesError> {
        let at = |problem: FileProblem| ServerFilesError::at(&self.path(name), problem);
        let Some(bytes) = self.read_bytes(name, secret, MOST)? else { return Ok(None) };
        let text = core::str::from_utf8(&bytes).map_err(|_| at(PemError::Missing { wanted }.into()))?;
        Ok(Some(Zeroizing::new(text.into())))
    }

    /// Reads a file of at most `most` bytes, if it is there. A secret one must be its owner's alone.
    pub(crate) fn read_bytes(
        &self,
        name: &str,
        secret: bool,
        most: usize,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, ServerFilesError> {
        let at = |problem: FileProblem| ServerFilesError::at(&self.path(name), problem);
        let place = self.place(name)?;
        let absent =
            |error: &PlaceError| matches!(error, PlaceError::Io(io) if io.kind() == ErrorKind::NotFound);
        match place.readable() {
            Err(error) if absent(&error) => return Ok(None),
            Err(PlaceError::Exposed | PlaceError::Linked) if !secret => {}
            other => other.map_err(|error| at(error.into()))?,
        }
        let bytes = place.read(most.saturating_add(1)).map_err(|error| at(error.into()))?;
        if bytes.len() > most {
            return Err(at(FileProblem::TooLong));
        }
        Ok(Some(bytes))
    }

    /// Writes a file, durably and whole; only its owner may read it.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> Result<(), ServerFilesError> {
        let at = |problem: FileProblem| ServerFilesError::at(&self.path(name), problem);
        self.place(name)?.replace(bytes.as_ref()).map_err(|error| at(error.into()))
    }

    fn place(&self, name: &str) -> Result<Place, ServerFilesError> {
        let path = self.path(name);
        Place::new(&path).map_err(|error| ServerFilesError::at(&path, error))
    }
}
