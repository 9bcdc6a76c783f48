//! A client over the exchange whose token, clock and randomness a test holds: one frame at a time.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "each test crate uses its part, and a test may panic"
)]

pub use halfkey::driver::RegistrationOutcome;
pub use halfkey::exchange::Configured;

use halfkey::certificate::{Revocation, VerifiedServer};
use halfkey::configuration::TokenConfigurationError;
use halfkey::configuration::token::{Applying, Instruction};
use halfkey::driver::Transport;
use halfkey::exchange::{
    DeviceTurn, News, RegisterOptions, TokenExchange, TokenExchangeError, TokenReply, TokenTurn, UserTurn,
};
use halfkey::message::UserInformation;
use halfkey::port::entitlement_store::Status;
use halfkey::port::{Token, TokenError};
use halfkey::record::{Attempt, InFlight, Progress, TokenRegistration};
use halfkey::registration::TokenRegistrationError;
use halfkey::registration::token::{Credential, abandon_lapsed};
use halfkey::session::token::{Options, Session};
use halfkey::session::{ChannelError, TokenSessionError};
use halfkey::suite::{SUITES, Suite};
use halfkey::template::{Form, FormError, Template};
use halfkey::{ApplicationName, KeyId, Moment, RandomSource, ServerName, UnixTime};
use std::io;
use zeroize::Zeroizing;

/// Shows the user who asks and for what, and takes the answer.
pub type Fill<'a> = dyn FnMut(&VerifiedServer, &Template) -> Result<(Form, Credential), ClientError> + 'a;

/// Puts a configuration in force.
pub type Apply<'a> = dyn FnMut(&ApplicationName, &Instruction) -> Applying + 'a;

/// Reason why a client's loop ends early.
#[derive(Debug)]
pub enum ClientError {
    Transport(io::Error),
    /// The peer ended the connection where an answer was due.
    Ended,
    Registration(TokenRegistrationError),
    Session(TokenSessionError),
    NotActive(Status),
    Channel(ChannelError),
    Configuration(TokenConfigurationError),
    Token(TokenError),
    Form(FormError),
    Declined,
}

/// The innermost reason, for tests that compare texts.
impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Transport(error) => error.fmt(f),
            Self::Ended => f.write_str("the connection ended where an answer was due"),
            Self::Registration(error) => error.fmt(f),
            Self::Session(error) => error.fmt(f),
            Self::NotActive(status) => write!(f, "the registration stands as {status:?}"),
            Self::Channel(error) => error.fmt(f),
            Self::Configuration(error) => error.fmt(f),
            Self::Token(error) => error.fmt(f),
            Self::Form(error) => error.fmt(f),
            Self::Declined => f.write_str("the user does not want to go on"),
        }
    }
}

impl std::error::Error for ClientError {}

macro_rules! wrapped {
    ($($variant:ident($error:ty))*) => {$(
        impl From<$error> for ClientError {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )*};
}

wrapped! {
    Transport(io::Error)
    Registration(TokenRegistrationError)
    Session(TokenSessionError)
    Channel(ChannelError)
    Configuration(TokenConfigurationError)
    Token(TokenError)
    Form(FormError)
}

impl From<TokenExchangeError> for ClientError {
    fn from(error: TokenExchangeError) -> Self {
        match error {
            TokenExchangeError::Registration(error) => Self::Registration(error),
            TokenExchangeError::Session(error) => Self::Session(error),
            TokenExchangeError::Channel(error) => Self::Channel(error),
            TokenExchangeError::Configuration(error) => Self::Configuration(error),
            TokenExchangeError::Token(error) => Self::Token(error),
            TokenExchangeError::Declined => Self::Declined,
            error => panic!("{error:?}"),
        }
    }
}

/// A token, with what its loops need.
pub struct Client<'a> {
    pub token: &'a mut dyn Token,
    pub random: &'a mut dyn RandomSource,
    pub clock: &'a dyn Fn() -> UnixTime,
    pub suites: &'static [&'static dyn Suite],
}

impl<'a> Client<'a> {
    pub fn new(token: &'a mut dyn Token, random: &'a mut dyn RandomSource) -> Self {
        Self { token, random, clock: &UnixTime::now, suites: SUITES }
    }

    fn moment(&mut self) -> Moment {
        Moment::new((self.clock)(), self.random)
    }

    /// Registers: R0 to R5.
    pub fn register(
        &mut self,
        transport: &mut dyn Transport,
        server_name: &ServerName,
        revocation: &Revocation,
        fill: &mut Fill<'_>,
    ) -> Result<RegistrationOutcome, ClientError> {
        let options = RegisterOptions { suites: self.suites, revocation: revocation.clone(), replaces: None };
        let turn = TokenExchange::register(server_name.clone(), options, self.moment());
        outcome(self.converse(transport, turn, fill)?.0)
    }

    /// Sends R2 again.
    pub fn resume(
        &mut self,
        transport: &mut dyn Transport,
        half: InFlight,
    ) -> Result<RegistrationOutcome, ClientError> {
        let turn = TokenExchange::resume(half, self.suites, self.moment());
        outcome(self.converse(transport, turn, &mut nobody)?.0)
    }

    /// Sends R4 again.
    pub fn confirm(
        &mut self,
        transport: &mut dyn Transport,
        registration: TokenRegistration,
    ) -> Result<RegistrationOutcome, ClientError> {
        let turn = TokenExchange::confirm(registration, self.moment());
        outcome(self.converse(transport, turn, &mut nobody)?.0)
    }

    /// Opens a session: S0 to S3.
    pub fn open<T: Transport>(
        &mut self,
        mut transport: T,
        key_id: &KeyId,
        options: &Options,
    ) -> Result<ClientSession<T>, ClientError> {
        let turn = TokenExchange::open(*key_id, *options, self.moment());
        match self.converse(&mut transport, turn, &mut nobody)? {
            (News::Opened(_), Some(exchange)) => {
                Ok(ClientSession { exchange: Some(exchange), ended: ChannelError::Closed, transport })
            }
            (news, _) => Err(unexpected(news)),
        }
    }

    /// Finishes what a crash or a lost message left open. The first error ends it.
    pub fn recover(
        &mut self,
        connect: &mut dyn FnMut(&ServerName) -> io::Result<Box<dyn Transport>>,
    ) -> Result<Vec<RegistrationOutcome>, ClientError> {
        abandon_lapsed(self.token, (self.clock)())?;
        let mut ends = Vec::new();
        for attempt in self.token.attempts()? {
            if let Attempt::InFlight(half) = attempt {
                let mut transport = connect(&half.server_name)?;
                ends.push(self.resume(&mut *transport, half)?);
            }
        }
        for registration in self.token.registrations()? {
            if let Progress::Joined { .. } = registration.progress {
                let mut transport = connect(&registration.server_name)?;
                let key_id = registration.key_id;
                ends.push(match self.confirm(&mut *transport, registration) {
                    Err(ClientError::Registration(TokenRegistrationError::ErrorMessage(_))) => {
                        self.settle_by_session(transport, &key_id)?
                    }
                    confirmed => confirmed?,
                });
            }
        }
        Ok(ends)
    }

    /// The first session proves the key as R4 does.
    fn settle_by_session(
        &mut self,
        transport: Box<dyn Transport>,
        key_id: &KeyId,
    ) -> Result<RegistrationOutcome, ClientError> {
        match self.open(transport, key_id, &Options::default()) {
            Ok(session) => {
                session.close()?;
                let all = self.token.registrations()?;
                let found = all.into_iter().find(|registration| registration.key_id == *key_id);
                Ok(RegistrationOutcome::Active(found.ok_or(TokenError::NoSuchKey)?))
            }
            Err(ClientError::NotActive(Status::Lost)) => Ok(RegistrationOutcome::Lost),
            Err(error) => Err(error),
        }
    }

    /// Carries frames until there is news. A failure ends it, also where the exchange would go on.
    fn converse(
        &mut self,
        transport: &mut dyn Transport,
        mut turn: TokenTurn,
        fill: &mut Fill<'_>,
    ) -> Result<(News, Option<TokenExchange>), ClientError> {
        loop {
            turn = match turn {
                TokenTurn::Device(need) => need.ask(self.token),
                TokenTurn::User(need) => filled(need, fill)?,
                TokenTurn::Client(need) => panic!("{need:?} without a session"),
                TokenTurn::Done(TokenReply { send, news, next, .. }) => {
                    send.iter().try_for_each(|frame| transport.send(frame))?;
                    match (news, next) {
                        (Some(News::Failed(error)), _) => return Err(error.into()),
                        (Some(news), next) => return Ok((news, next)),
                        (None, next) => {
                            let frame = transport.receive()?.ok_or(ClientError::Ended)?;
                            next.expect("an answer is due").receive(&frame, self.moment())
                        }
                    }
                }
            };
        }
    }
}

/// No form is filled in where none is asked for.
fn nobody(_: &VerifiedServer, _: &Template) -> Result<(Form, Credential), ClientError> {
    Err(ClientError::Declined)
}

fn filled(need: UserTurn, fill: &mut Fill<'_>) -> Result<TokenTurn, ClientError> {
    let (server, template, _) = need.wanted();
    let (form, credential) = fill(server, template)?;
    Ok(need.supply(form, credential).unwrap())
}

fn outcome(news: News) -> Result<RegistrationOutcome, ClientError> {
    Ok(match news {
        News::Registered(registration) => RegistrationOutcome::Active(*registration),
        News::Waiting(waiting) => RegistrationOutcome::Waiting(*waiting),
        News::Rejected(rejection) => RegistrationOutcome::Refused(rejection),
        News::Lost { .. } => RegistrationOutcome::Lost,
        news => return Err(unexpected(news)),
    })
}

fn unexpected(news: News) -> ClientError {
    match news {
        News::NotActive(status) => ClientError::NotActive(status),
        news => panic!("{news:?}"),
    }
}

/// An open session over its transport.
#[derive(Debug)]
pub struct ClientSession<T> {
    /// None once the session is over.
    exchange: Option<TokenExchange>,
    /// What a session that is over says.
    ended: ChannelError,
    transport: T,
}

/// What the server sends in a session.
#[derive(Debug)]
pub enum Incoming {
    Data(Zeroizing<Vec<u8>>),
    /// A configuration that has been dealt with.
    Configuration(Configured),
    /// The server has closed its side.
    Closed,
}

impl<T: Transport> ClientSession<T> {
    pub fn session(&self) -> &Session {
        self.exchange.as_ref().and_then(TokenExchange::session).expect("the session is open")
    }

    pub fn send(&mut self, data: &[u8]) -> Result<(), ClientError> {
        let records = self.exchange.as_mut().ok_or(self.ended)?.send(data)?;
        Ok(records.iter().try_for_each(|record| self.transport.send(record))?)
    }

    /// Asks for a configuration, and waits for its answer: C0 to C2. Data that comes meanwhile goes to `data`.
    pub fn configure(
        &mut self,
        client: &mut Client<'_>,
        application: &ApplicationName,
        information: &UserInformation,
        apply: &mut Apply<'_>,
        data: &mut dyn FnMut(&[u8]),
    ) -> Result<Configured, ClientError> {
        let exchange = self.exchange.take().ok_or(self.ended)?;
        let turn = exchange.configure(application.clone(), information.clone(), client.moment());
        let mut reply = self.perform(client, turn, apply)?;
        loop {
            if let Some(bytes) = &reply.data {
                data(bytes);
            }
            if reply.closed {
                return Err(ClientError::Ended);
            }
            match reply.news {
                Some(News::Configured(of, configured)) if of == *application && !self.awaits(application) => {
                    return Ok(configured);
                }
                _ => reply = self.next_reply(client, apply)?,
            }
        }
    }

    fn awaits(&self, application: &ApplicationName) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.is_awaiting(application))
    }

    /// Receives what the server sends; a configuration sent unasked goes to `apply`.
    pub fn receive(
        &mut self,
        client: &mut Client<'_>,
        apply: &mut Apply<'_>,
    ) -> Result<Incoming, ClientError> {
        loop {
            match self.next_reply(client, apply)? {
                TokenReply { data: Some(bytes), .. } => return Ok(Incoming::Data(bytes)),
                TokenReply { news: Some(News::Configured(_, configured)), .. } => {
                    return Ok(Incoming::Configuration(configured));
                }
                TokenReply { closed: true, .. } => return Ok(Incoming::Closed),
                _ => {}
            }
        }
    }

    fn next_reply(
        &mut self,
        client: &mut Client<'_>,
        apply: &mut Apply<'_>,
    ) -> Result<TokenReply, ClientError> {
        let record = self.next_record()?;
        let exchange = self.exchange.take().ok_or(self.ended)?;
        let turn = exchange.receive(&record, client.moment());
        self.perform(client, turn, apply)
    }

    fn next_record(&mut self) -> Result<Vec<u8>, ClientError> {
        let ended = || match &self.exchange {
            Some(exchange) => exchange.finish().err().map_or(ClientError::Ended, ClientError::Channel),
            None => self.ended.into(),
        };
        match self.transport.receive()? {
            Some(record) => Ok(record),
            None => Err(ended()),
        }
    }

    /// Performs every turn of one frame. A failure is returned; the exchange is kept where it goes on.
    fn perform(
        &mut self,
        client: &mut Client<'_>,
        mut turn: TokenTurn,
        apply: &mut Apply<'_>,
    ) -> Result<TokenReply, ClientError> {
        loop {
            turn = match turn {
                TokenTurn::Device(need) => need.ask(client.token),
                TokenTurn::User(need) => panic!("{need:?} in a session"),
                TokenTurn::Client(need) => {
                    let (application, instruction) = need.wanted();
                    let applying = apply(application, instruction);
                    need.supply(applying)
                }
                TokenTurn::Done(reply) => return self.keep(reply),
            };
        }
    }

    fn keep(&mut self, mut reply: TokenReply) -> Result<TokenReply, ClientError> {
        self.exchange = reply.next.take();
        if self.exchange.is_none() && !reply.closed {
            self.ended = ChannelError::Broken;
        }
        reply.send.iter().try_for_each(|record| self.transport.send(record))?;
        match reply.news {
            Some(News::Failed(error)) => Err(error.into()),
            _ => Ok(reply),
        }
    }

    /// Closes the session, waits until the server has closed its side too, and hands the transport back. What
    /// the server still sends meanwhile is dropped.
    pub fn close(mut self) -> Result<T, ClientError> {
        for record in self.exchange.as_mut().ok_or(self.ended)?.close()? {
            self.transport.send(&record)?;
        }
        loop {
            let record = self.next_record()?;
            let exchange = self.exchange.take().ok_or(self.ended)?;
            // No draw is made of it: the session sends nothing more.
            let reply = match exchange.receive(&record, Moment::at(UnixTime::default())) {
                TokenTurn::Done(reply) => self.keep(reply)?,
                // A configuration on the way: the token has no answer, and the session goes on.
                TokenTurn::Device(DeviceTurn::Registrations(need)) => {
                    match need.supply(Err(TokenError::NoSuchKey)) {
                        TokenTurn::Done(reply) => {
                            self.exchange = reply.next;
                            continue;
                        }
                        turn => panic!("{turn:?}"),
                    }
                }
                turn => panic!("{turn:?}"),
            };
            if reply.closed {
                return Ok(self.transport);
            }
        }
    }
}
