//! A token's end of an open session.

use super::connect_error::ConnectError;
use super::split::WriteHalf;
use super::stream::{End, Session, Taken, broken};
use crate::exchange::{Configured, News, TokenExchange, TokenExchangeError, TokenReply, TokenTurn};
use crate::id::ApplicationName;
use crate::message::UserInformation;
use crate::moment::Moment;
use crate::record::TokenRegistration;
use crate::session::token::Session as Established;
use crate::session::{Channel, ChannelError};
use core::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

/// A token's end of an open session, over its stream.
pub type ClientSession<S> = Session<S, TokenEnd>;

/// The hands that a token's end needs.
pub(super) trait Perform: Send + Sync {
    /// The present moment.
    fn moment(&self) -> Moment;
    /// Performs a turn to its end.
    fn perform(&self, turn: TokenTurn) -> TokenReply;
    /// Tells what became of a configuration that nobody waits for.
    fn configured(&self, application: &ApplicationName, configured: &Configured);
}

/// A token's end of an open session, with the hands that it needs.
pub struct TokenEnd {
    hands: Arc<dyn Perform>,
    /// None once the session is over.
    exchange: Option<TokenExchange>,
    registration: TokenRegistration,
    /// The application whose configuration a caller waits for, and what came of it.
    awaited: Option<ApplicationName>,
    answer: Option<Result<Configured, TokenExchangeError>>,
    /// A caller waits for a configuration that the server sends unasked, and what came of the first.
    listening: bool,
    pushed: Option<(ApplicationName, Configured)>,
    /// The end of the session, once it is over.
    ended: Result<(), ChannelError>,
}

impl TokenEnd {
    pub(super) fn new(
        hands: Arc<dyn Perform>,
        exchange: TokenExchange,
        registration: TokenRegistration,
    ) -> Self {
        Self {
            hands,
            exchange: Some(exchange),
            registration,
            awaited: None,
            answer: None,
            listening: false,
            pushed: None,
            ended: Err(ChannelError::Closed),
        }
    }

    fn open(&mut self) -> Result<&mut TokenExchange, ChannelError> {
        self.exchange.as_mut().ok_or(ChannelError::Closed)
    }

    fn configure(
        &mut self,
        application: &ApplicationName,
        information: UserInformation,
    ) -> Result<Taken, ConnectError> {
        let exchange = self.exchange.take().ok_or(ChannelError::Closed)?;
        let turn = exchange.configure(application.clone(), information, self.hands.moment());
        let mut reply = self.hands.perform(turn);
        match (reply.news.take(), &reply.next) {
            (Some(News::Failed(error)), next) => {
                self.ended = next.as_ref().map_or(Err(ChannelError::Broken), |_| Ok(()));
                self.exchange = reply.next;
                Err(error.into())
            }
            (news, _) => {
                reply.news = news;
                Ok(self.take(reply)?)
            }
        }
    }

    fn take(&mut self, reply: TokenReply) -> io::Result<Taken> {
        let TokenReply { send, data, closed, news, next, .. } = reply;
        if next.is_none() {
            self.ended = if closed { Ok(()) } else { Err(ChannelError::Broken) };
        }
        self.exchange = next;
        let mut ended = None;
        match news {
            Some(News::Failed(TokenExchangeError::Ended(end))) => {
                // Whoever waits for a configuration is told with the stream.
                (self.awaited, ended) = (None, Some(end));
            }
            Some(News::Failed(error)) if self.exchange.is_none() => Err(match error {
                TokenExchangeError::Channel(error) => broken(error),
                error => io::Error::new(io::ErrorKind::InvalidData, error),
            })?,
            Some(News::Failed(error)) => self.answer = self.awaited.take().map(|_| Err(error)),
            Some(News::Configured(application, configured)) => self.configured(&application, configured),
            _ => {}
        }
        Ok(Taken { send, data, closed, ended })
    }

    /// An answer that is waited for, or a configuration that was sent unasked.
    fn configured(&mut self, application: &ApplicationName, configured: Configured) {
        let answers = self.awaited.as_ref() == Some(application)
            && self.exchange.as_ref().is_some_and(|exchange| !exchange.is_awaiting(application));
        if answers {
            (self.awaited, self.answer) = (None, Some(Ok(configured)));
        } else if self.listening && self.pushed.is_none() {
            self.pushed = Some((application.clone(), configured));
        } else {
            self.hands.configured(application, &configured);
        }
    }
}

impl End for TokenEnd {
    fn receive(&mut self, record: &[u8]) -> io::Result<Taken> {
        let exchange = self.exchange.take().ok_or_else(|| broken(ChannelError::Closed))?;
        let turn = exchange.receive(record, self.hands.moment());
        let reply = self.hands.perform(turn);
        self.take(reply)
    }

    fn seal_into(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChannelError> {
        self.open()?.seal_into(data, out)
    }

    fn close(&mut self) -> Result<Vec<Vec<u8>>, ChannelError> {
        self.open()?.close()
    }

    fn finish(&self) -> Result<(), ChannelError> {
        self.exchange.as_ref().map_or(self.ended, TokenExchange::finish)
    }

    fn channel(&self) -> Option<&Channel> {
        Some(&self.exchange.as_ref()?.session()?.channel)
    }
}

impl<S: Read + Write> ClientSession<S> {
    /// The registration whose key opened the session, as it stood then.
    pub const fn registration(&self) -> &TokenRegistration {
        &self.end().registration
    }

    /// The session: its name, its mode and its exporter. `None` once it is over.
    #[must_use]
    pub fn established(&self) -> Option<&Established> {
        self.end().exchange.as_ref()?.session()
    }

    /// Waits for a configuration that the server sends unasked, and has it put in force (patent step 390).
    /// Data that comes meanwhile is read afterwards.
    ///
    /// # Errors
    /// [`ConnectError`]; [`ConnectError::Ended`] when the server closes its side.
    pub fn next_configuration(&mut self) -> Result<(ApplicationName, Configured), ConnectError> {
        self.end_mut().listening = true;
        let waited = self.wait_for_push();
        self.end_mut().listening = false;
        waited
    }

    fn wait_for_push(&mut self) -> Result<(ApplicationName, Configured), ConnectError> {
        loop {
            let goes_on = self.awaiting()?;
            if let Some(pushed) = self.end_mut().pushed.take() {
                return Ok(pushed);
            }
            if !goes_on {
                return Err(ConnectError::Ended);
            }
        }
    }

    /// Asks for the configuration of an application, has it put in force, and reports back: C0 to C2 (patent
    /// steps 360 to 390). Data that comes meanwhile is read afterwards.
    ///
    /// ```
    /// use halfkey::ApplicationName;
    /// use halfkey::configuration::UserInformation;
    /// use halfkey::driver::Configured;
    /// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
    ///
    /// # fn main() -> setting::Outcome {
    /// # let setting = setting::Setting::new()?;
    /// # let (connector, address) = (halfkey::driver::Connector::builder(setting.token()?).build(), setting.serve()?);
    /// # let registration = setting::register(&connector, &setting.name, address)?;
    /// # let mut session = connector.open(std::net::TcpStream::connect(address)?, &registration.key_id)?;
    /// let application = ApplicationName::new("mail")?;
    /// let here = UserInformation { location: Some("Hartford".into()), ..UserInformation::default() };
    /// match session.configure(&application, here)? {
    ///     Configured::Installed => println!("the function given to `on_configuration` has put it in force"),
    ///     Configured::Unknown => println!("the server has no configuration of that application"),
    ///     other => println!("{other:?}"),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConnectError`]. After an error of the stream's or the channel's the session is over.
    pub fn configure(
        &mut self,
        application: &ApplicationName,
        information: UserInformation,
    ) -> Result<Configured, ConnectError> {
        let end = self.end_mut();
        (end.awaited, end.answer) = (Some(application.clone()), None);
        let taken = end.configure(application, information)?;
        self.send(&taken.send)?;
        loop {
            if let Some(answer) = self.end_mut().answer.take() {
                return Ok(answer?);
            }
            if !self.awaiting()? {
                return Err(ConnectError::Ended);
            }
        }
    }

    /// Takes the next record while something is waited for.
    fn awaiting(&mut self) -> Result<bool, ConnectError> {
        let goes_on = self.advance();
        match self.ended() {
            Some(ended) => Err(TokenExchangeError::Ended(ended).into()),
            None => Ok(goes_on?),
        }
    }
}

impl<S: Read + Write> WriteHalf<S, TokenEnd> {
    /// Asks for the configuration of an application: C0. The answer comes while the other half reads, and
    /// goes to [`ConnectorBuilder::on_configured`](super::ConnectorBuilder::on_configured).
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn request_configuration(
        &mut self,
        application: &ApplicationName,
        information: UserInformation,
    ) -> Result<(), ConnectError> {
        self.with(|end| end.configure(application, information).map(|taken| taken.send))
    }
}

impl fmt::Debug for TokenEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenEnd(..)")
    }
}
