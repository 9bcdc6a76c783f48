//! Why a client's loop ends early.

use crate::configuration::TokenConfigurationError as ConfigurationError;
use crate::port::TokenError;
use crate::port::entitlement_store::Status;
use crate::registration::{Recoverable, TokenRegistrationError};
use crate::session::{ChannelError, SessionError};
use crate::template::FormError;
use std::io;
use thiserror::Error;

/// Why a client's loop ends early. The token has lost nothing: see [`Client::recover`](super::Client::recover).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The transport's.
    #[error(transparent)]
    Transport(#[from] io::Error),
    /// The peer ended the connection where an answer was due.
    #[error("the connection ended where an answer was due")]
    Ended,
    /// In registration.
    #[error(transparent)]
    Registration(#[from] TokenRegistrationError),
    /// In opening a session.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The server has proved that the key opens no session.
    #[error("the registration stands as {0:?}")]
    NotActive(Status),
    /// In the session's channel.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// In configuration.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The token's.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The user's: the form.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The user does not want to go on.
    #[error("the user does not want to go on")]
    Declined,
}

impl<S> From<Recoverable<S>> for ClientError {
    fn from(kept: Recoverable<S>) -> Self {
        Self::Registration(kept.error)
    }
}
