//! Finishing what a crash or a lost message left open.

use super::client_end::Perform;
use super::connect_error::ConnectError;
use super::outcome::{Recovered, RegistrationOutcome, outcome};
use super::{Connector, Framed, Transport};
use crate::exchange::{TokenExchange, TokenExchangeError};
use crate::id::ServerName;
use crate::port::entitlement_store::Status;
use crate::port::{Token, TokenError};
use crate::record::{Attempt, InFlight, Progress, TokenRegistration};
use crate::registration::TokenRegistrationError;
use crate::registration::token::abandon_lapsed;
use std::io::{self, Read, Write};

impl<T: Token + 'static> Connector<T> {
    /// Goes on with an attempt whose R3 was lost: sends the same R2 again.
    ///
    /// # Errors
    /// [`ConnectError`]; the attempt is still held, until it is abandoned or its time is over. After
    /// `restart` the offer is not known any more: abandon it and register again.
    pub fn resume<S: Read + Write>(
        &self,
        stream: S,
        attempt: InFlight,
    ) -> Result<RegistrationOutcome, ConnectError> {
        let turn = TokenExchange::resume(attempt, self.hands.options.suites, self.hands.moment());
        outcome(self.converse(&mut Framed(stream), turn, |need| Ok(need.cancel()))?.0)
    }

    /// Sends R4 again for a registration whose R5 was lost; one that is active stays so.
    ///
    /// [`Connector::recover`] does this for all registrations at once; for a single one:
    /// ```
    /// use halfkey::driver::Connector;
    /// use halfkey::record::Progress;
    /// use halfkey::port::Token;
    /// use std::net::TcpStream;
    /// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
    ///
    /// # fn main() -> setting::Outcome {
    /// # let setting = setting::Setting::new()?;
    /// # let (connector, address) = (Connector::builder(setting.token()?).build(), setting.serve()?);
    /// let held = connector.token().registrations()?;
    /// for registration in held {
    ///     if let Progress::Joined { .. } = registration.progress {
    ///         let outcome = connector.confirm(TcpStream::connect(address)?, registration)?;
    ///         println!("{outcome:?}");
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConnectError`]; the registration is as it was.
    pub fn confirm<S: Read + Write>(
        &self,
        stream: S,
        registration: TokenRegistration,
    ) -> Result<RegistrationOutcome, ConnectError> {
        self.confirm_over(&mut Framed(stream), registration)
    }

    fn confirm_over<S: Read + Write>(
        &self,
        link: &mut Framed<S>,
        registration: TokenRegistration,
    ) -> Result<RegistrationOutcome, ConnectError> {
        let turn = TokenExchange::confirm(registration, self.hands.moment());
        outcome(self.converse(link, turn, |need| Ok(need.cancel()))?.0)
    }

    /// Finishes what a crash or a lost message left open: sends R2 again for each attempt under way, and R4,
    /// or else opens a session, for each registration that is joined and not active. Attempts whose time is
    /// over are abandoned; requests that wait for the operator are left to wait. Gives one result for each:
    /// a server that is down does not stop the others.
    ///
    /// A program calls it when it starts:
    /// ```
    /// use halfkey::driver::{Connector, RegistrationOutcome};
    /// use halfkey::port::{Token, TokenError};
    /// use std::net::TcpStream;
    ///
    /// fn recover(connector: &Connector<impl Token + 'static>) -> Result<(), TokenError> {
    ///     for end in connector.recover(|server| TcpStream::connect((server.as_str(), 4500)))? {
    ///         match end.result {
    ///             Ok(RegistrationOutcome::Active(_)) => println!("{}: registered", end.server_name),
    ///             Ok(outcome) => println!("{}: {outcome:?}", end.server_name),
    ///             Err(error) => println!("{}: later, since {error}", end.server_name),
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
    /// # fn main() -> setting::Outcome {
    /// # Ok(recover(&Connector::builder(setting::Setting::new()?.token()?).build())?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// The token's, when it does not say what it holds.
    pub fn recover<S: Read + Write>(
        &self,
        mut connect: impl FnMut(&ServerName) -> io::Result<S>,
    ) -> Result<Vec<Recovered>, TokenError> {
        let (attempts, registrations) = {
            let mut token = self.token();
            abandon_lapsed(&mut *token, (self.hands.clock)())?;
            (token.attempts()?, token.registrations()?)
        };
        let mut ends = Vec::new();
        for attempt in attempts {
            if let Attempt::InFlight(attempt) = attempt {
                let server_name = attempt.server_name.clone();
                let stream = connect(&server_name).map_err(ConnectError::from);
                let result = stream.and_then(|stream| self.resume(stream, attempt));
                ends.push(Recovered { server_name, result });
            }
        }
        for registration in registrations {
            if let Progress::Joined { .. } = registration.progress {
                let server_name = registration.server_name.clone();
                let stream = connect(&server_name).map_err(ConnectError::from);
                let result = stream.and_then(|stream| self.settle(&mut Framed(stream), registration));
                ends.push(Recovered { server_name, result });
            }
        }
        Ok(ends)
    }

    /// Sends R4 again; where the server does not want it, the first session proves the key as R4 does.
    fn settle<S: Read + Write>(
        &self,
        link: &mut Framed<S>,
        registration: TokenRegistration,
    ) -> Result<RegistrationOutcome, ConnectError> {
        let key_id = registration.key_id;
        match self.confirm_over(link, registration) {
            Err(ConnectError::Exchange(TokenExchangeError::Registration(
                TokenRegistrationError::ErrorMessage(_),
            ))) => {}
            confirmed => return confirmed,
        }
        match self.open_over(link, key_id, self.hands.session_options()) {
            Ok((mut exchange, registration)) => {
                exchange
                    .close()
                    .map_err(ConnectError::from)?
                    .iter()
                    .try_for_each(|frame| link.send(frame))?;
                Ok(RegistrationOutcome::Active(registration))
            }
            Err(ConnectError::NotActive(Status::Lost)) => Ok(RegistrationOutcome::Lost),
            Err(error) => Err(error),
        }
    }
}
