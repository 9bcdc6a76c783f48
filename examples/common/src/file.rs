//! Files with secrets, which only their owner may use.

use crate::program::Program;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;
use zeroize::Zeroizing;

/// Error of a file.
#[derive(Debug, Error)]
#[error("{}: {problem}", path.display())]
pub struct FileError {
    /// Path of the file.
    pub path: PathBuf,
    /// Problem with it.
    pub problem: FileProblem,
}

/// Problem with a file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// The operating system's error.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Others could read the secret in it.
    #[error("others than its owner may use it; chmod 600 it")]
    Mode,
    /// It holds no storage key.
    #[error("a key file holds 64 hexadecimal digits")]
    Key,
    /// It is longer than what it should hold.
    #[error("it is too long")]
    TooLong,
}

impl FileError {
    /// Gives a problem the path of its file.
    pub fn at(path: &Path, problem: impl Into<FileProblem>) -> Self {
        Self { path: path.into(), problem: problem.into() }
    }
}

/// Which users other than its owner may read a secret's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Readers {
    /// None.
    #[default]
    Owner,
    /// Its group, as Kubernetes mounts files with fsGroup; each time this is noted on standard error.
    Group,
}

/// Reads a file with a secret of at most `most` bytes.
///
/// # Errors
/// [`FileError`] when others may use the file, or it is longer.
pub fn read(
    program: Program,
    path: &Path,
    most: usize,
    readers: Readers,
) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let file = File::open(path).map_err(|error| FileError::at(path, error))?;
    owners_alone(program, path, &file, readers)?;
    // Room for all of it and one byte more at once: growing would leave a copy behind.
    let room = most.saturating_add(1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    let limit = u64::try_from(room).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut bytes).map_err(|error| FileError::at(path, error))?;
    if bytes.len() > most { Err(FileError::at(path, FileProblem::TooLong)) } else { Ok(bytes) }
}

#[cfg(unix)]
fn owners_alone(program: Program, path: &Path, file: &File, readers: Readers) -> Result<(), FileError> {
    use std::os::unix::fs::MetadataExt;
    let mode = file.metadata().map_err(|error| FileError::at(path, error))?.mode();
    let others = mode & 0o077;
    match others & !0o040 {
        0 if others == 0 => Ok(()),
        0 if readers == Readers::Group => {
            program.note(&format!(
                "{}: the group may read this key, as --group-may-read allows",
                path.display()
            ));
            Ok(())
        }
        _ => Err(FileError::at(path, FileProblem::Mode)),
    }
}

#[cfg(not(unix))]
fn owners_alone(_: Program, _: &Path, _: &File, _: Readers) -> Result<(), FileError> {
    Ok(())
}

/// Writes a secret to a file that was not there before, durably.
///
/// # Errors
/// [`FileError`] when there is such a file, or the file system keeps no access rights.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let written = create_new(path).and_then(|mut file| {
        keeps_modes(path, &file)?;
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| sync_directory(path)).map_err(|error| FileError::at(path, error))
}

/// Refuses, before anything secret is in it, a new file on a file system that keeps no access rights: it would be
/// refused when it is read.
fn keeps_modes(path: &Path, file: &File) -> io::Result<()> {
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::mode(&file.metadata()?) & 0o077 != 0 {
        let _ = std::fs::remove_file(path);
        return Err(io::Error::other("this file system keeps no access rights: others could read the key"));
    }
    #[cfg(not(unix))]
    let _ = (path, file);
    Ok(())
}

/// Makes a file that was not there before, for its owner's eyes, to be read and added to.
///
/// # Errors
/// The operating system's.
pub fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes sure that a new file is found again after a loss of power.
///
/// # Errors
/// The operating system's.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = File::open(parent.unwrap_or_else(|| Path::new(".")));
    // Not every system opens directories.
    if cfg!(unix) { directory?.sync_all() } else { Ok(()) }
}
