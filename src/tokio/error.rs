//! Why a connection is not served to its end.

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
