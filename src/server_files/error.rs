//! Errors of the files of a server or an issuer.

use crate::certificate::{AnchorError, CertificateError, RequestError};
use crate::durable::PlaceError;
use crate::key::{KeyError, PemError};
use crate::memory::{ServerKeyError, StateError};
use std::io;
use std::path::{Path, PathBuf};
use std::string::String;
use thiserror::Error;

/// One of the files of a server or an issuer is not as it must be. Nothing was changed, except that files which had been missing
/// may have been made.
#[derive(Debug, Error)]
#[error("{}: {problem}", .path.display())]
#[non_exhaustive]
pub struct ServerFilesError {
    /// The file, or the directory.
    pub path: PathBuf,
    /// Problem with it.
    pub problem: FileProblem,
}

/// A problem with one of the files of a server or an issuer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// The operating system's error.
    #[error("{0}")]
    Io(io::Error),
    /// It is missing although a later file is there: put it back from a backup. Without it the server would
    /// not be the one that was certified.
    #[error("is missing, and cannot be made again; restore it from a backup")]
    Missing,
    /// Another process is making these files at this moment.
    #[error("another process is using it")]
    InUse,
    /// Others than its owner may read or write it (for a directory: write to it), and may have: take that
    /// right from them (mode 0600, for a directory 0700), and think about whether the secrets are still such.
    #[error("others than its owner may access it; file systems without access rights cannot keep secrets")]
    Exposed,
    /// It has more than one name (hard links).
    #[error("has more than one name (hard links)")]
    Linked,
    /// The file of its lock (`NAME.lock`) is a symbolic link, or no file.
    #[error("its lock is a link, or no file")]
    LockIsNoFile,
    /// It is not a file.
    #[error("is not a file")]
    NotAFile,
    /// It is longer than any such file.
    #[error("is too long")]
    TooLong,
    /// It has not the PEM block of a secret.
    #[error("{0}")]
    Pem(PemError),
    /// The private key in it is of no use.
    #[error("{0}")]
    Key(KeyError),
    /// The certificate request in it is of no use.
    #[error("{0}")]
    Request(RequestError),
    /// The certificate in it is not one for the server's name, or not of the profile.
    #[error("{0}")]
    Certificate(CertificateError),
    /// There is an issuer in this directory already.
    #[error("there is an issuer already")]
    AlreadyExists,
    /// The root certificate in it is none of an authority.
    #[error("{0}")]
    Root(AnchorError),
    /// The register in it is malformed, or another issuer's.
    #[error("{0}")]
    Register(StateError),
    /// It is about other keys than those in this directory.
    #[error("is about other keys than those in this directory")]
    OtherKeys,
    /// It is about a server of another name.
    #[error("is about the server {0}")]
    OtherName(String),
    /// The name is none of a file for a secret: use 1 to 64 lower-case letters, digits and hyphens, and not the
    /// name of one of the server's own files.
    #[error("is no name for a file with a secret")]
    Name,
}

impl ServerFilesError {
    pub(crate) fn at(path: &Path, problem: impl Into<FileProblem>) -> Self {
        Self { path: path.into(), problem: problem.into() }
    }
}

impl From<PlaceError> for FileProblem {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Io(error) => Self::Io(error),
            // Nothing asks for a vacant place here.
            PlaceError::AlreadyExists => Self::Io(io::ErrorKind::AlreadyExists.into()),
            PlaceError::InUse => Self::InUse,
            PlaceError::NotAFile => Self::NotAFile,
            PlaceError::Exposed => Self::Exposed,
            PlaceError::Linked => Self::Linked,
            PlaceError::LockIsNoFile => Self::LockIsNoFile,
            PlaceError::OpenDirectory | PlaceError::NoModes => Self::Exposed,
        }
    }
}

impl From<io::Error> for FileProblem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<PemError> for FileProblem {
    fn from(error: PemError) -> Self {
        Self::Pem(error)
    }
}

impl From<KeyError> for FileProblem {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

impl From<RequestError> for FileProblem {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<AnchorError> for FileProblem {
    fn from(error: AnchorError) -> Self {
        Self::Root(error)
    }
}

impl From<StateError> for FileProblem {
    fn from(error: StateError) -> Self {
        Self::Register(error)
    }
}

impl From<CertificateError> for FileProblem {
    fn from(error: CertificateError) -> Self {
        Self::Certificate(error)
    }
}

impl From<ServerKeyError> for FileProblem {
    fn from(error: ServerKeyError) -> Self {
        match error {
            ServerKeyError::Certificate(error) => Self::Certificate(error),
            ServerKeyError::OtherKeys => Self::OtherKeys,
        }
    }
}
