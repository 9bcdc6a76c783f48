//! Ends of a registration, the same for both drivers.

use super::connect_error::ConnectError;
use crate::exchange::{News, TokenExchangeError};
use crate::id::ServerName;
use crate::record::{TokenRegistration, Waiting};
use crate::registration::TokenRegistrationError;
use crate::registration::token::Rejection;
use crate::session::TokenSessionError;

/// How a registration ended for now.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one, and it is moved once")]
pub enum RegistrationOutcome {
    /// Registered, and both sides have proved it.
    Active(TokenRegistration),
    /// The operator has not decided: come back with
    /// [`Credential::Ticket`](crate::registration::token::Credential::Ticket).
    Waiting(Waiting),
    /// Refused, authentically.
    Refused(Rejection),
    /// Another registration took the name or the code first.
    Lost,
}

/// One result of a recovery: of one attempt that a crash or a lost message left open.
#[derive(Debug)]
pub struct Recovered {
    /// The server of the attempt.
    pub server_name: ServerName,
    /// How the attempt ended for now. After an error it is still held, and may be recovered later.
    pub result: Result<RegistrationOutcome, ConnectError>,
}

/// Reads the end of a registration off the exchange's news.
pub(crate) fn outcome(news: News) -> Result<RegistrationOutcome, ConnectError> {
    Ok(match news {
        News::Registered(registration) => RegistrationOutcome::Active(*registration),
        News::Waiting(waiting) => RegistrationOutcome::Waiting(*waiting),
        News::Rejected(rejection) => RegistrationOutcome::Refused(rejection),
        News::Lost { .. } => RegistrationOutcome::Lost,
        news => return Err(unexpected(news)),
    })
}

/// Tells whether nothing else will come after this error: the server has answered with E0, or the token fails.
/// After any other, with the exchange still there, a frame was forged or damaged, and the answer may come yet.
pub(crate) const fn is_answer(error: &TokenExchangeError) -> bool {
    matches!(
        error,
        TokenExchangeError::Registration(
            TokenRegistrationError::ErrorMessage(_) | TokenRegistrationError::Token(_)
        ) | TokenExchangeError::Session(TokenSessionError::Refused(_))
            | TokenExchangeError::Token(_)
    )
}

/// Makes an error of news that are not what was wanted.
pub(crate) fn unexpected(news: News) -> ConnectError {
    match news {
        News::Failed(error) => error.into(),
        News::NotActive(status) => ConnectError::NotActive(status),
        _ => ConnectError::Ended,
    }
}
