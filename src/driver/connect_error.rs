//! Why a client does not get on.

use crate::exchange::TokenExchangeError;
use crate::port::TokenError;
use crate::port::entitlement_store::Status;
use crate::session::ChannelError;
use std::io;
use thiserror::Error;

/// Why a form is not filled in.
pub type FillError = Box<dyn std::error::Error + Send + Sync>;

/// The reason why a client does not get on. The token has lost nothing: see
/// [`Connector::recover`](super::Connector::recover).
///
/// An error's own text leaves its causes out. They follow by `source`, each once, as `{:#}` of `anyhow` prints them:
/// ```
/// use halfkey::driver::ConnectError;
/// use std::error::Error;
/// use std::io;
///
/// fn with_causes(error: &dyn Error) -> String {
///     let causes = std::iter::successors(error.source(), |&cause| cause.source());
///     causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
/// }
///
/// let error = ConnectError::from(io::Error::new(io::ErrorKind::ConnectionRefused, "nobody listens"));
/// assert_eq!(with_causes(&error), "the connection: nobody listens");
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The stream's.
    #[error("the connection")]
    Stream(#[from] io::Error),
    /// The server ended the connection where an answer was due.
    #[error("the connection ended where an answer was due")]
    Ended,
    /// The exchange's.
    #[error(transparent)]
    Exchange(#[from] TokenExchangeError),
    /// The server has proved that the key opens no session.
    #[error("the registration is {0}")]
    NotActive(Status),
    /// The token's.
    #[error("the token")]
    Token(#[from] TokenError),
    /// The user's, or the program's that asks the user: the form is not filled in.
    #[error("the form is not filled in")]
    Form(#[source] FillError),
}

impl From<ChannelError> for ConnectError {
    fn from(error: ChannelError) -> Self {
        Self::Exchange(error.into())
    }
}
