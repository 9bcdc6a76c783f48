//! Finishing what a crash, a lost message or a dropped future left open.

use super::link::Link;
use super::{ConnectError, Connector, Recovered, RegistrationOutcome};
use crate::driver::{outcome, unexpected};
use crate::exchange::{News, TokenExchange, TokenExchangeError};
use crate::id::ServerName;
use crate::port::entitlement_store::Status;
use crate::port::{Token, TokenError};
use crate::record::{Attempt, InFlight, Progress, TokenRegistration};
use crate::registration::TokenRegistrationError;
use crate::registration::token::abandon_lapsed;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};

impl<T: Token + 'static> Connector<T> {
    /// Goes on with an attempt whose R3 was lost: sends the same R2 again.
    ///
    /// # Errors
    /// [`ConnectError`]; the attempt is still held, until it is abandoned or its time is over.
    pub async fn resume<S>(&self, stream: S, attempt: InFlight) -> Result<RegistrationOutcome, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let turn = TokenExchange::resume(attempt, self.calling.options.suites, self.calling.moment());
        let (news, _) = self.calling.converse(&mut Link::new(stream), turn, None).await?;
        outcome(news)
    }

    /// Sends R4 again for a registration whose R5 was lost; one that is active stays so.
    ///
    /// # Errors
    /// [`ConnectError`]; the registration is as it was.
    pub async fn confirm<S>(
        &self,
        stream: S,
        registration: TokenRegistration,
    ) -> Result<RegistrationOutcome, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        self.confirm_over(&mut Link::new(stream), registration).await
    }

    async fn confirm_over<S>(
        &self,
        link: &mut Link<S>,
        registration: TokenRegistration,
    ) -> Result<RegistrationOutcome, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let turn = TokenExchange::confirm(registration, self.calling.moment());
        outcome(self.calling.converse(link, turn, None).await?.0)
    }

    /// Finishes what a crash, a lost message or a dropped future left open: sends R2 again for each attempt
    /// under way, and R4, or else opens a session, for each registration that is joined and not active.
    /// Attempts whose time is over are abandoned; requests that wait for the operator are left to wait.
    /// Gives one result for each attempt: a server that is down does not stop the others, and what is not
    /// finished is still held.
    ///
    /// A program calls it when it starts:
    /// ```
    /// use halfkey::port::Token;
    /// use halfkey::tokio::{ConnectError, Connector, RegistrationOutcome};
    /// use tokio::net::TcpStream;
    ///
    /// async fn recover(connector: &Connector<impl Token + 'static>) -> Result<(), ConnectError> {
    ///     let connect = |server: halfkey::ServerName| async move { TcpStream::connect((server.as_str(), 4500)).await };
    ///     for end in connector.recover(connect).await? {
    ///         match end.result {
    ///             Ok(RegistrationOutcome::Active(_)) => println!("{}: registered", end.server_name),
    ///             Ok(outcome) => println!("{}: {outcome:?}", end.server_name),
    ///             Err(error) => println!("{}: later, since {error}", end.server_name),
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
    /// # #[tokio::main]
    /// # async fn main() -> setting::Outcome {
    /// # Ok(recover(&Connector::builder(setting::Setting::new()?.token()?).build()).await?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ConnectError::Token`] when the token does not say what it holds.
    pub async fn recover<S, C, A>(&self, mut connect: C) -> Result<Vec<Recovered>, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
        C: FnMut(ServerName) -> A + Send,
        A: Future<Output = io::Result<S>> + Send,
    {
        let now = self.calling.moment().time();
        let held = self.with_token(move |token| {
            abandon_lapsed(token, now)?;
            Ok::<_, TokenError>((token.attempts()?, token.registrations()?))
        });
        let (attempts, registrations) = held.await??;
        let mut ends = Vec::new();
        for attempt in attempts {
            if let Attempt::InFlight(attempt) = attempt {
                let server_name = attempt.server_name.clone();
                let result = match connect(server_name.clone()).await {
                    Ok(stream) => self.resume(stream, attempt).await,
                    Err(error) => Err(error.into()),
                };
                ends.push(Recovered { server_name, result });
            }
        }
        for registration in registrations {
            if let Progress::Joined { .. } = registration.progress {
                let server_name = registration.server_name.clone();
                let result = match connect(server_name.clone()).await {
                    Ok(stream) => self.settle(stream, registration).await,
                    Err(error) => Err(error.into()),
                };
                ends.push(Recovered { server_name, result });
            }
        }
        Ok(ends)
    }

    /// Sends R4 again; where the server does not want it, the first session proves the key as R4 does.
    async fn settle<S>(
        &self,
        stream: S,
        registration: TokenRegistration,
    ) -> Result<RegistrationOutcome, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let (mut link, key_id) = (Link::new(stream), registration.key_id);
        match self.confirm_over(&mut link, registration).await {
            Err(ConnectError::Exchange(TokenExchangeError::Registration(
                TokenRegistrationError::ErrorMessage(_),
            ))) => {}
            confirmed => return confirmed,
        }
        let turn = TokenExchange::open(key_id, self.calling.session_options(), self.calling.moment());
        match self.calling.converse(&mut link, turn, None).await? {
            (News::Opened(registration), Some(mut exchange)) => {
                let frames = exchange.close().unwrap_or_default();
                self.calling.send(&mut link, &frames).await?;
                Ok(RegistrationOutcome::Active(*registration))
            }
            (News::NotActive(Status::Lost), _) => Ok(RegistrationOutcome::Lost),
            (news, _) => Err(unexpected(news)),
        }
    }
}
