//! Errors of a configuration, and whose fault each is.

use crate::message::InformationError;
use crate::port::StoreError;
use crate::session::ChannelError;
use crate::step::{ErrorReason, Fault};
use crate::wire::WireError;
use thiserror::Error;

/// Why a token goes no further with a message. Nothing has changed; the session should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenConfigurationError {
    /// The server's: its message is malformed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The server answers with one word.
    #[error("the server answers: {0}")]
    ErrorMessage(ErrorReason),
    /// The server's: the configuration is for another user, server or application.
    #[error("the configuration is for another user, server or application")]
    WrongScope,
    /// The server's: an answer to another request.
    #[error("the answer belongs to another request")]
    WrongRequest,
    /// The server's: the digest is not that of the document.
    #[error("the digest is not that of the document")]
    WrongDigest,
    /// The server's: it calls unchanged what the token never had.
    #[error("the server calls unchanged what is not held")]
    NotHeld,
    /// The user's: information about the user that does not fit.
    #[error(transparent)]
    Information(#[from] InformationError),
    /// The caller's: the registration is not the one of the question.
    #[error("the registration is not the one of the question")]
    WrongRegistration,
    /// The caller's: another configuration of the application was applied meanwhile. Apply one at a time.
    #[error("another configuration was applied meanwhile")]
    Overtaken,
}

impl TokenConfigurationError {
    /// Returns whose fault it is, and so who can mend it.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Wire(_) | Self::WrongScope | Self::WrongRequest | Self::WrongDigest | Self::NotHeld => {
                Fault::Peer
            }
            Self::ErrorMessage(_) => Fault::Nobody,
            Self::Information(_) => Fault::User,
            Self::WrongRegistration | Self::Overtaken => Fault::Caller,
        }
    }
}

/// Why a server goes no further with a message. The token is told one word: [`ServerConfigurationError::refusal`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServerConfigurationError {
    /// The token's: its message is malformed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The token's: a report about another configuration than was sent.
    #[error("the report is about another configuration")]
    WrongReport,
    /// The operator's: a document whose media type is none, or longer than 127 bytes.
    #[error("the document's media type does not fit")]
    MediaType,
    /// The operator's: a document of more than 57 344 bytes.
    #[error("the document is {0} bytes long, and at most 57344 fit")]
    BodyTooLong(usize),
    /// The operator's: the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The session cannot carry it: it is closed, or not open.
    #[error(transparent)]
    Channel(#[from] ChannelError),
}

impl ServerConfigurationError {
    /// The one word that the token is told, as E0 inside the session.
    #[must_use]
    pub const fn refusal(&self) -> ErrorReason {
        match self {
            Self::Wire(_) | Self::WrongReport => ErrorReason::Refused,
            Self::MediaType | Self::BodyTooLong(_) | Self::Store(_) | Self::Channel(_) => ErrorReason::Busy,
        }
    }

    /// Returns whose fault it is, and so who can mend it.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Wire(_) | Self::WrongReport => Fault::Peer,
            Self::MediaType | Self::BodyTooLong(_) | Self::Store(_) => Fault::Operator,
            Self::Channel(_) => Fault::Caller,
        }
    }
}
