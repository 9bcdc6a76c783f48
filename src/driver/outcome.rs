//! Ends of a registration, the same for both drivers.

use super::connect_error::ConnectError;
use crate::exchange::{News, TokenExchangeError};
use crate::id::ServerName;
use crate::record::{TokenRegistration, Waiting};
use crate::registration::TokenRegistrationError;
use crate::registration::token::Rejection;
use crate::session::TokenSessionError;

/// How a registration ended for now.
///
/// A user whom the operator has kept waiting comes back with the ticket, and the same form:
/// ```
/// use halfkey::driver::{ConnectError, Connector, RegistrationOutcome};
/// use halfkey::port::Token;
/// use halfkey::record::Attempt;
/// use halfkey::registration::token::Credential;
/// use std::net::TcpStream;
///
/// fn come_back(
///     connector: &Connector<impl Token + 'static>,
///     stream: TcpStream,
/// ) -> Result<Option<RegistrationOutcome>, ConnectError> {
///     let held = connector.token().attempts()?;
///     for attempt in held {
///         if let Attempt::Waiting(waiting) = attempt {
///             let (server, form) = (waiting.server_name.clone(), waiting.form.clone());
///             let fill = |_: &_, _: &_| Ok((form, Credential::Ticket(waiting)));
///             return connector.register(stream, &server, fill).map(Some);
///         }
///     }
///     Ok(None) // nobody waits
/// }
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
/// # use halfkey::driver::Acceptor;
/// # use halfkey::registration::server::{Decision, EnrolmentRequest};
/// # fn main() -> setting::Outcome {
/// # let setting = setting::Setting::new()?;
/// # let once = |request: &EnrolmentRequest| match request.ticket {
/// #     None => Decision::Wait { retry_after: 0 },
/// #     Some(_) => setting::grant(request),
/// # };
/// # let (settings, keys) = (setting.settings.clone(), setting.keys.clone());
/// # let address = setting::serve(Acceptor::builder(settings, keys, setting.store.clone()).approval(once).build())?;
/// # let connector = Connector::builder(setting.token()?).build();
/// # assert!(setting::register(&connector, &setting.name, address).is_err());
/// # let outcome = come_back(&connector, TcpStream::connect(address)?)?;
/// # assert!(matches!(outcome, Some(RegistrationOutcome::Active(_))), "{outcome:?}");
/// # Ok(()) }
/// ```
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
