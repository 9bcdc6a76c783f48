//! Why a command is not done, in one sentence for people and one word for scripts.

use crate::output::{self, clean};
use halfkey::KeyId;
use halfkey::port::StoreError;
use halfkey::sqlite::OpenError;
use halfkey::store::operation::{Cursor, OperatorError};
use serde::Serialize;
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
    #[error("{path}: {error}")]
    Open {
        /// The file.
        path: String,
        /// Why not.
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
    /// Nobody takes the answer.
    #[error("the answer cannot be written: {0}")]
    Output(io::Error),
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
    /// Others could read the key in it.
    #[error("others than its owner may use it; chmod 600 it")]
    Mode,
    /// It holds no key.
    #[error("a key file holds 64 hexadecimal digits")]
    Key,
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

    /// Whether it is only that who reads the answer has read enough.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The exit code: 1 refused by the store's state, 2 usage, 3 the store does not answer.
    pub(crate) const fn exit(&self) -> u8 {
        match self {
            Self::Operator(OperatorError::Store(_))
            | Self::Open { .. }
            | Self::Unreadable
            | Self::Output(_) => 3,
            Self::Operator(_)
            | Self::CodeExists
            | Self::OtherServer(_)
            | Self::Which(_)
            | Self::Some { .. }
            | Self::Exists(_) => 1,
            Self::Usage(_) | Self::File { .. } => 2,
        }
    }

    /// A word that stays.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Operator(error) => operator(error),
            Self::Open { error, .. } => match error {
                OpenError::NotAStore => "not-a-store",
                OpenError::Newer { .. } => "newer-store",
                OpenError::Older { .. } => "older-store",
                OpenError::TooOld { .. } => "too-old-store",
                OpenError::StorageKey => "storage-key",
                OpenError::Store(error) => store(error),
                _ => "not-opened",
            },
            Self::Exists(_) => "exists",
            Self::Unreadable => UNREADABLE_CODE,
            Self::CodeExists => "code-exists",
            Self::OtherServer(_) => "other-server",
            Self::Which(_) => "which",
            Self::Some { .. } => "some-failed",
            Self::Usage(_) => "usage",
            Self::File { .. } => "file",
            Self::Output(_) => "output",
        }
    }

    /// One line on standard error.
    pub(crate) fn tell(&self, json: bool) {
        complain(json, None, &self.to_string(), self.code());
    }
}

/// What one of many complaints is about.
#[derive(Clone, Copy)]
pub(crate) enum About<'a> {
    /// A line of a file.
    Line(u64),
    /// A registration.
    Key(KeyId),
    /// A row of a list.
    Row(&'a Cursor),
}

#[derive(Serialize)]
struct Complaint<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<String>,
    error: &'a str,
    code: &'a str,
}

/// One line on standard error, about the whole or about one line or item of it. Where even that is not
/// taken, nothing is left to be done.
pub(crate) fn complain(json: bool, about: Option<About<'_>>, error: &str, code: &str) {
    use io::Write;
    let line = if json {
        let (mut line, mut key_id, mut row) = (None, None, None);
        match about {
            Some(About::Line(number)) => line = Some(number),
            Some(About::Key(id)) => key_id = Some(id.to_string()),
            Some(About::Row(place)) => row = Some(place.to_string()),
            None => {}
        }
        output::json(&Complaint { line, key_id, row, error, code })
    } else {
        match about {
            Some(About::Line(number)) => format!("admin: line {number}: {}", clean(error)),
            Some(About::Row(place)) => format!("admin: {}: {}", clean(&place.to_string()), clean(error)),
            Some(About::Key(id)) => format!("admin: {id}: {}", clean(error)),
            None => format!("admin: {}", clean(error)),
        }
    };
    let _ = writeln!(io::stderr().lock(), "{line}");
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
        OperatorError::Store(error) => store(error),
        _ => "refused",
    }
}

const fn store(error: &StoreError) -> &'static str {
    match error {
        StoreError::Damaged => "damaged",
        StoreError::Contended => "busy",
        StoreError::Full => "full",
        StoreError::ReadOnly => "read-only",
        StoreError::StorageKey => "storage-key",
        _ => "unavailable",
    }
}
