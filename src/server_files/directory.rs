//! The directory with a server's files: read strictly, written atomically.

use super::error::{FileProblem, ServerFilesError};
use crate::durable::{Place, PlaceError};
use crate::key::pem;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::string::String;
use zeroize::Zeroizing;

/// Longest file that is read, in bytes.
const MOST: usize = 64 * 1024;

/// A directory that only its owner may write to.
pub(super) struct Directory(PathBuf);

impl Directory {
    /// Makes the directory where it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, ServerFilesError> {
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
    pub(super) fn save_attempt(&self) -> Result<Place, ServerFilesError> {
        let held = |problem: FileProblem| ServerFilesError::at(&self.path("server.lock"), problem);
        let mut place = self.place("server")?;
        place.save_attempt().map_err(|error| held(error.into()))?;
        self.place("server.lock")?.readable().map_err(|error| held(error.into()))?;
        Ok(place)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Returns whether there is something of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        fs::symlink_metadata(self.path(name)).is_ok()
    }

    /// Reads a file with a PEM block, if it is there. A secret one must be its owner's alone.
    pub(super) fn read(
        &self,
        name: &str,
        wanted: &'static str,
        secret: bool,
    ) -> Result<Option<Zeroizing<String>>, ServerFilesError> {
        let at = |problem: FileProblem| ServerFilesError::at(&self.path(name), problem);
        let place = self.place(name)?;
        let absent =
            |error: &PlaceError| matches!(error, PlaceError::Io(io) if io.kind() == ErrorKind::NotFound);
        match place.readable() {
            Err(error) if absent(&error) => return Ok(None),
            Err(PlaceError::Exposed | PlaceError::Linked) if !secret => {}
            other => other.map_err(|error| at(error.into()))?,
        }
        let bytes = place.read(MOST.saturating_add(1)).map_err(|error| at(error.into()))?;
        if bytes.len() > MOST {
            return Err(at(FileProblem::TooLong));
        }
        let text = core::str::from_utf8(&bytes).map_err(|_| at(FileProblem::NoBlock(wanted)))?;
        tidy(text, wanted).map(Some).map_err(at)
    }

    /// Writes a file, durably and whole; only its owner may read it.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), ServerFilesError> {
        let at = |problem: FileProblem| ServerFilesError::at(&self.path(name), problem);
        self.place(name)?.replace(text.as_bytes()).map_err(|error| at(error.into()))
    }

    fn place(&self, name: &str) -> Result<Place, ServerFilesError> {
        let path = self.path(name);
        Place::new(&path).map_err(|error| ServerFilesError::at(&path, error))
    }
}

/// Returns the PEM blocks of a text without what editors and other tools leave around them: a byte order mark,
/// carriage returns, blank lines, spaces at the ends of lines and remarks before a block.
fn tidy(text: &str, wanted: &'static str) -> Result<Zeroizing<String>, FileProblem> {
    let mut tidied = Zeroizing::new(String::with_capacity(text.len().saturating_add(1)));
    let mut inside = false;
    for line in text.trim_start_matches('\u{FEFF}').lines().map(str::trim) {
        if let Some(label) = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----")) {
            if label != wanted {
                return Err(FileProblem::Block { found: label.into(), wanted });
            }
            inside = true;
        }
        if inside && !line.is_empty() {
            tidied.push_str(line);
            tidied.push('\n');
        }
        inside &= !line.starts_with("-----END ");
    }
    if tidied.is_empty() { Err(FileProblem::NoBlock(wanted)) } else { Ok(tidied) }
}

/// Makes a PEM block around secret bytes.
pub(super) fn block(bytes: &[u8], label: &str) -> Result<Zeroizing<String>, FileProblem> {
    pem::encode(bytes, label).map(Zeroizing::new).map_err(|_| FileProblem::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_leave_is_passed_over() {
        let plain = "-----BEGIN A-----\nQUJD\n-----END A-----\n";
        for text in [
            plain.into(),
            std::format!("\u{FEFF}{plain}\n\n"),
            plain.replace('\n', " \r\n"),
            std::format!("Bag Attributes\n  a: b\n{plain}trailing remark\n"),
            plain.replace("QUJD", "\nQUJD\n"),
        ] {
            assert_eq!(tidy(&text, "A").map(|text| (*text).clone()).ok().as_deref(), Some(plain), "{text:?}");
        }
        assert!(matches!(tidy(plain, "B"), Err(FileProblem::Block { found, wanted: "B" }) if found == "A"));
        assert!(matches!(tidy("", "B"), Err(FileProblem::NoBlock("B"))));
    }
}
