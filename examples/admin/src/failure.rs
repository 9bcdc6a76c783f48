//! Why a command is not done, in one sentence for people and one word for scripts.

use halfkey::KeyId;
use halfkey::sqlite::OpenError;
use halfkey::store::operation::{Cursor, OperatorError};
use halfkey_common::output::Unwritten;
use halfkey_common::{About, Exit, ProgramError, file, words};
use std::io;
use std::path::Path;
use thiserror::Error;

/// Why a command is not done.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The store refuses, or does not answer.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The store is not opened.
    #[error("{path}")]
    Open {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        error: OpenError,
    },
    /// A store is made in a new file and in no other, be there a store in that or not.
    #[error("{0}: there is a file already")]
    Exists(String),
    /// Some rows of a list are left out, each of which has been told.
    #[error("what the store holds there {UNREADABLE}")]
    Unreadable,
    /// The store is another server's.
    #[error("this store is of the server {0}: a code for another one would never work")]
    OtherServer(String),
    /// The words fit no registration, or several.
    #[error("{0}")]
    Which(String),
    /// It would put a code out of use that somebody may hold.
    #[error("there is an unused activation code for this name; reissue it to make another")]
    CodeExists,
    /// Each has been told by itself.
    #[error("{failed} of {all} could not be done")]
    Some {
        /// How many.
        failed: u64,
        /// Of how many.
        all: u64,
    },
    /// The arguments ask for what makes no sense.
    #[error("{0}")]
    Usage(&'static str),
    /// A file named in the arguments cannot be used.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: FileError,
    },
    /// A file with a secret cannot be used.
    #[error(transparent)]
    SecretFile(#[from] file::FileError),
    /// Nobody takes the answer.
    #[error(transparent)]
    Output(#[from] Unwritten),
}

/// Why a row of a list cannot be read: a list does not tell which of the two it is.
pub(crate) const UNREADABLE: &str =
    "is damaged, or sealed under a storage key that is not at hand (--older-key-file)";

/// The same for scripts.
pub(crate) const UNREADABLE_CODE: &str = "unreadable";

/// Why a file cannot be used.
#[derive(Debug, Error)]
pub(crate) enum FileError {
    /// The system says so.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Something else is in it.
    #[error("line {0} is no name with its activation code, so this file is not added to")]
    NotCodes(u64),
    /// Another import writes to it.
    #[error("another import is writing to it")]
    Locked,
    /// Fields that seem to be apart by something else than a comma.
    #[error(
        "line {0} has a semicolon or a tab and no comma: nothing is taken from the file; say --delimiter ';', or --delimiter , if names are written so"
    )]
    Delimiter(u64),
    /// More than any document has.
    #[error("it is longer than any document may be")]
    TooLong,
}

impl Failure {
    pub(crate) fn open(path: &Path, error: OpenError) -> Self {
        Self::Open { path: path.display().to_string(), error }
    }

    pub(crate) fn file(path: &Path, error: impl Into<FileError>) -> Self {
        Self::File { path: path.display().to_string(), error: error.into() }
    }
}

impl ProgramError for Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::Operator(OperatorError::Store(_))
            | Self::Open { .. }
            | Self::Unreadable
            | Self::Output(_) => Exit::Unavailable,
            Self::Operator(_)
            | Self::CodeExists
            | Self::OtherServer(_)
            | Self::Which(_)
            | Self::Some { .. }
            | Self::Exists(_) => Exit::Refused,
            Self::Usage(_) | Self::File { .. } | Self::SecretFile(_) => Exit::Usage,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Operator(error) => operator(error),
            Self::Open { error, .. } => words::open(error),
            Self::Exists(_) => "exists",
            Self::Unreadable => UNREADABLE_CODE,
            Self::CodeExists => "code-exists",
            Self::OtherServer(_) => "other-server",
            Self::Which(_) => "which",
            Self::Some { .. } => "some-failed",
            Self::Usage(_) => "usage",
            Self::File { .. } | Self::SecretFile(_) => "file",
            Self::Output(_) => "output",
        }
    }

    fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.is_broken_pipe())
    }
}

/// A line of a file.
pub(crate) fn about_line(number: u64) -> About {
    About { field: "line", value: number.into(), called: format!("line {number}") }
}

/// A registration.
pub(crate) fn about_key(id: KeyId) -> About {
    About { field: "key_id", value: id.to_string().into(), called: id.to_string() }
}

/// A row of a list.
pub(crate) fn about_row(place: &Cursor) -> About {
    About { field: "row", value: place.to_string().into(), called: place.to_string() }
}

/// The word for what an operation says.
pub(crate) const fn operator(error: &OperatorError) -> &'static str {
    match error {
        OperatorError::NoSuchKey => "no-such-key",
        OperatorError::NoSuchTicket => "no-such-ticket",
        OperatorError::NoSuchCode => "no-such-code",
        OperatorError::NoSuchEntitlement => "no-such-entitlement",
        OperatorError::Unconditional => "unconditional",
        OperatorError::OtherState => "other-state",
        OperatorError::NameTaken => "name-taken",
        OperatorError::NameFree => "name-free",
        OperatorError::MediaType => "media-type",
        OperatorError::DocumentTooLong => "document-too-long",
        OperatorError::TooManyGroups => "too-many-groups",
        OperatorError::KeyNotAnnounced => "key-not-announced",
        OperatorError::KeyLacking => "key-lacking",
        OperatorError::OtherServer => "other-server",
        OperatorError::Store(error) => words::store(error),
        _ => "refused",
    }
}
