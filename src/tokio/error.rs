//! Why a connection is not served to its end, or a client does not get on.

use super::connector::FillError;
use crate::exchange::TokenExchangeError;
use crate::port::TokenError;
use crate::port::entitlement_store::Status;
use std::io;
use thiserror::Error;

/// The reason why a connection is not served to its end. Nothing that was answered is lost.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The stream's; [`io::ErrorKind::TimedOut`] when the peer took longer than the
    /// [`Limits`](super::Limits) say.
    #[error("the connection")]
    Stream(#[from] io::Error),
    /// Every place is taken by sessions.
    #[error("every place is taken")]
    Full,
    /// The connection had no session yet, and a newcomer took its place.
    #[error("sent away for a newcomer")]
    SentAway,
    /// The server is shutting down.
    #[error("the server is shutting down")]
    ShuttingDown,
    /// A port has panicked.
    #[error("a port has panicked")]
    Panicked,
}

/// The reason why a client does not get on. The token has lost nothing: see
/// [`Connector::recover`](super::Connector::recover).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The stream's; [`io::ErrorKind::TimedOut`] when the server took longer than the
    /// [`Timeouts`](super::Timeouts) say.
    #[error("the connection")]
    Stream(#[from] io::Error),
    /// The server ended the connection where an answer was due.
    #[error("the connection ended where an answer was due")]
    Ended,
    /// The exchange's.
    #[error("the exchange does not get on")]
    Exchange(#[from] TokenExchangeError),
    /// The server has proved that the key opens no session.
    #[error("the registration's status is {0:?}")]
    NotActive(Status),
    /// The token's.
    #[error("the token")]
    Token(#[from] TokenError),
    /// The user's, or the program's that asks the user: the form is not filled in.
    #[error("the form is not filled in")]
    Form(#[source] FillError),
    /// The token or a callback has panicked.
    #[error("the token or a callback has panicked")]
    Panicked,
}
