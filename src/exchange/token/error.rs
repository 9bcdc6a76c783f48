//! Reasons why a token's exchange does not get on.

use crate::configuration::TokenConfigurationError;
use crate::port::TokenError;
use crate::registration::TokenRegistrationError;
use crate::session::{ChannelError, SessionEnded, TokenSessionError};
use crate::step::Fault;
use thiserror::Error;

/// Reason why a token's exchange does not get on. What the token has stored is as it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenExchangeError {
    /// A registration does not go on.
    #[error("the registration does not go on")]
    Registration(#[from] TokenRegistrationError),
    /// A session does not come about.
    #[error("no session is opened")]
    Session(#[from] TokenSessionError),
    /// The channel of an open session does not go on.
    #[error("the session ends")]
    Channel(#[from] ChannelError),
    /// The server has ended the session.
    #[error(transparent)]
    Ended(#[from] SessionEnded),
    /// A configuration does not go on.
    #[error("the configuration does not go on")]
    Configuration(#[from] TokenConfigurationError),
    /// The token does not do as asked.
    #[error("the token does not do as asked")]
    Token(#[from] TokenError),
    /// The user does not want to go on.
    #[error("the user does not want to go on")]
    Declined,
}

impl TokenExchangeError {
    /// Returns whose fault it is, and so who can mend it.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Registration(error) => error.fault(),
            Self::Session(error) => error.fault(),
            Self::Channel(error) => error.fault(),
            Self::Configuration(error) => error.fault(),
            Self::Token(error) => error.fault(),
            Self::Ended(_) => Fault::Nobody,
            Self::Declined => Fault::User,
        }
    }
}
