//! Why a command is not done, in one sentence for people and one word for scripts.

use halfkey::certificate::{AnchorError, CertificateError, IssueError};
use halfkey::port::certificate_authority::AuthorityError;
use halfkey::registration::EnrolmentUriError;
use halfkey::server_files::{FileProblem, ServerFilesError};
use halfkey::store::OpenError;
use halfkey::store::operation::{Cursor, OperatorError};
use halfkey::{KeyId, NameError};
use halfkey_common::output::Unwritten;
use halfkey_common::store::{Place, PlaceError};
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
    /// The issuer refuses, or its files are of no use.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A certificate, a list or an anchor cannot be made as it is asked for.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// A certificate or a list cannot be written as text.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// An anchor cannot be made, or cannot be permitted what is asked.
    #[error(transparent)]
    Anchor(#[from] AnchorError),
    /// The name is none for an issuer.
    #[error("the issuer's name: {0}")]
    IssuerName(NameError),
    /// An enrolment URI cannot be made of what is given.
    #[error(transparent)]
    Uri(#[from] EnrolmentUriError),
    /// It is longer than a QR code.
    #[error("the enrolment URI is too long for a QR code; give an anchor with a shorter key, or none")]
    Qr,
    /// The text that should say where the store is does not.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The store is not opened.
    #[error("{path}")]
    Open {
        /// The store's place.
        path: String,
        /// Why not.
        #[source]
        error: OpenError,
    },
    /// A store is made in a new file, or in a database that has none.
    #[error("{place}: there is a {what} already")]
    Exists {
        /// Where.
        place: String,
        /// Noun for the thing that is there.
        what: &'static str,
    },
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
    /// It is no configuration of a gate; the text has line and column.
    #[error("{0}")]
    Gate(String),
    /// It is no list of services.
    #[error("{}", halfkey_common::sentence(.0))]
    Services(#[from] halfkey_service::ServicesError),
    /// Another import writes to it.
    #[error("another import is writing to it")]
    Locked,
    /// Fields that seem to be apart by something else than a comma.
    #[error(
        "line {0} has a semicolon or a tab and no comma: nothing is taken from the file; say --delimiter ';', or --delimiter , if names are written so"
    )]
    Delimiter(u64),
    /// More than any document, request or anchor has.
    #[error("it is longer than any such file may be")]
    TooLong,
    /// Its PEM is not of what is wanted.
    #[error("{0}")]
    Pem(String),
}

impl Failure {
    pub(crate) fn open(place: &Place, error: OpenError) -> Self {
        Self::Open { path: place.to_string(), error }
    }

    pub(crate) fn pem(path: &Path, error: impl std::error::Error) -> Self {
        Self::file(path, FileError::Pem(error.to_string()))
    }

    pub(crate) fn file(path: &Path, error: impl Into<FileError>) -> Self {
        Self::File { path: path.display().to_string(), error: error.into() }
    }
}

/// Returns the file and the problem with it, if those are what the authority failed for.
fn files_of(error: &AuthorityError) -> Option<&FileProblem> {
    let AuthorityError::Failed(cause) = error else { return None };
    cause.get().downcast_ref::<ServerFilesError>().map(|error| &error.problem)
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
            | Self::Exists { .. } => Exit::Refused,
            Self::Usage(_)
            | Self::Place(_)
            | Self::File { .. }
            | Self::SecretFile(_)
            | Self::IssuerName(_)
            | Self::Anchor(_)
            | Self::Uri(_)
            | Self::Qr
            | Self::Issue(IssueError::Validity) => Exit::Usage,
            Self::Authority(AuthorityError::UnknownSerial | AuthorityError::Refused) => Exit::Refused,
            Self::Authority(error) => match files_of(error) {
                Some(FileProblem::AlreadyExists) => Exit::Refused,
                _ => Exit::Unavailable,
            },
            Self::Issue(_) | Self::Certificate(_) => Exit::Unavailable,
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Operator(error) => operator(error),
            Self::Open { error, .. } => words::open(error),
            Self::Exists { .. } => "exists",
            Self::Unreadable => UNREADABLE_CODE,
            Self::CodeExists => "code-exists",
            Self::OtherServer(_) => "other-server",
            Self::Which(_) => "which",
            Self::Some { .. } => "some-failed",
            Self::Usage(_) | Self::Place(_) | Self::IssuerName(_) | Self::Anchor(_) => "usage",
            Self::Uri(_) | Self::Qr | Self::Issue(IssueError::Validity) => "usage",
            Self::Authority(AuthorityError::UnknownSerial) => "no-such-certificate",
            Self::Authority(error) => match files_of(error) {
                Some(FileProblem::AlreadyExists) => "exists",
                Some(FileProblem::InUse) => "busy",
                Some(_) => "issuer-files",
                None => "issuer",
            },
            Self::Issue(_) | Self::Certificate(_) => "issuer",
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
