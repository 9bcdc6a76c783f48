//! A token's side: registrations, recovery, and sessions opened.

use super::client_end::{ClientSession, Perform, TokenEnd};
use super::connect_error::{ConnectError, FillError};
use super::outcome::{RegistrationOutcome, is_answer, outcome, unexpected};
use super::stream::Session;
use super::{Framed, Transport};
use crate::certificate::{Revocation, VerifiedServer};
use crate::configuration::token::{Applying, Instruction};
use crate::exchange::{
    Configured, News, RegisterOptions, TokenExchange, TokenExchangeError, TokenReply, TokenTurn, UserTurn,
};
use crate::id::{ApplicationName, KeyId, ServerName};
use crate::moment::Moment;
use crate::port::Token;
use crate::record::TokenRegistration;
use crate::registration::TokenRegistrationError;
use crate::registration::token::Credential;
use crate::session::token::Options;
use crate::suite::Suite;
use crate::template::{Form, Template};
use crate::time::UnixTime;
use core::fmt;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time for an answer, where frames come that are none. While nothing comes, the stream's own timeout counts.
const ANSWER: Duration = Duration::from_secs(60);
/// Times that a message is sent again after answers that are none.
const TRIES: u32 = 8;

/// Registers a token and opens sessions with it, blocking. A clone has the same token, and may work on
/// another thread.
///
/// The token is locked while it answers, and never while a frame is awaited.
///
/// ```
/// use halfkey::configuration::token::{Applying, Instruction};
/// use halfkey::driver::Connector;
/// use halfkey::port::Token;
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
///
/// # fn main() -> setting::Outcome {
/// # let token = setting::Setting::new()?.token()?;
/// let connector = Connector::builder(token)
///     .on_configuration(|application, instruction| match instruction {
///         Instruction::Install(document) => {
///             println!("{application}: {} bytes of {}", document.body.len(), document.media_type);
///             Applying::Applied
///         }
///         Instruction::Remove => Applying::Applied,
///     })
///     .build();
/// let held = connector.token().registrations()?; // the token is still at hand
/// # assert!(held.is_empty());
/// # Ok(()) }
/// ```
pub struct Connector<T> {
    pub(super) hands: Arc<Hands<T>>,
}

/// The token, the client system, and what the program has chosen.
pub(super) struct Hands<T> {
    token: Arc<Mutex<T>>,
    pub(super) options: RegisterOptions,
    pub(super) clock: Box<dyn Fn() -> UnixTime + Send + Sync>,
    apply: Box<Apply>,
    configured: Box<Tell>,
}

type Apply = dyn Fn(&ApplicationName, &Instruction) -> Applying + Send + Sync;
type Tell = dyn Fn(&ApplicationName, &Configured) + Send + Sync;

/// Makes a [`Connector`].
#[must_use]
pub struct ConnectorBuilder<T> {
    hands: Hands<T>,
}

impl<T: Token + 'static> ConnectorBuilder<T> {
    /// Offers these suites, best first. Without it, all of this crate's.
    pub fn suites(mut self, suites: &'static [&'static dyn Suite]) -> Self {
        self.hands.options.suites = suites;
        self
    }

    /// Sets how certificates of servers are checked for revocation. Without it they are not.
    pub fn revocation(mut self, revocation: Revocation) -> Self {
        self.hands.options.revocation = revocation;
        self
    }

    /// Tells the time by `clock` instead of the system's clock.
    pub fn clock(mut self, clock: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        self.hands.clock = Box::new(clock);
        self
    }

    /// Has `apply` put configurations in force. Without it each fails, and the last good one stays in force.
    pub fn on_configuration<F>(mut self, apply: F) -> Self
    where
        F: Fn(&ApplicationName, &Instruction) -> Applying + Send + Sync + 'static,
    {
        self.hands.apply = Box::new(apply);
        self
    }

    /// Tells `news` what became of configurations that no call of [`ClientSession::configure`] or
    /// [`ClientSession::next_configuration`] waits for.
    pub fn on_configured<F>(mut self, news: F) -> Self
    where
        F: Fn(&ApplicationName, &Configured) + Send + Sync + 'static,
    {
        self.hands.configured = Box::new(news);
        self
    }

    /// Makes the connector.
    #[must_use]
    pub fn build(self) -> Connector<T> {
        Connector { hands: Arc::new(self.hands) }
    }
}

impl<T: Token + 'static> Connector<T> {
    /// Begins a connector with a token.
    pub fn builder(token: T) -> ConnectorBuilder<T> {
        Self::builder_shared(Arc::new(Mutex::new(token)))
    }

    /// Begins a connector with a token that other parts of the program use, too.
    pub fn builder_shared(token: Arc<Mutex<T>>) -> ConnectorBuilder<T> {
        ConnectorBuilder {
            hands: Hands {
                token,
                options: RegisterOptions::default(),
                clock: Box::new(UnixTime::now),
                apply: Box::new(|_, _| Applying::Failed),
                configured: Box::new(|_, _| ()),
            },
        }
    }

    /// Locks the token. Sessions of this connector wait for the lock where they need the token.
    pub fn token(&self) -> MutexGuard<'_, T> {
        self.hands.token()
    }

    /// The options with which registrations are made, as the builder has set them.
    #[must_use]
    pub fn options(&self) -> &RegisterOptions {
        &self.hands.options
    }

    /// Registers with `server_name`: R0 to R5 (patent steps 80 to 200). `fill` shows the user who asks and
    /// for what, and gives the form filled in. Attempts whose time is over are abandoned first.
    ///
    /// ```
    /// use halfkey::driver::{ConnectError, Connector, RegistrationOutcome};
    /// use halfkey::registration::{ActivationCode, token::Credential};
    /// use halfkey::{ServerName, port::Token};
    /// use std::net::TcpStream;
    ///
    /// /// Registers with an activation code that came by letter, and tells how it went.
    /// fn register(
    ///     connector: &Connector<impl Token + 'static>,
    ///     server: &ServerName,
    ///     stream: TcpStream,
    ///     code: ActivationCode,
    /// ) -> Result<String, ConnectError> {
    ///     let outcome = connector.register(stream, server, |_, form| {
    ///         Ok((form.fill([("name", "alice".into())])?, Credential::Activation(code)))
    ///     })?;
    ///     Ok(match outcome {
    ///         RegistrationOutcome::Active(registration) => format!("registered as {}", registration.user_id),
    ///         RegistrationOutcome::Waiting(waiting) => format!("ask again in {} s", waiting.retry.seconds()),
    ///         RegistrationOutcome::Refused(rejection) => format!("refused: {:?}", rejection.code),
    ///         RegistrationOutcome::Lost => "another was first".into(),
    ///     })
    /// }
    /// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
    /// # use halfkey::{SystemRandom, UnixTime, store::operation::IssueCode};
    /// # fn main() -> setting::Outcome {
    /// # let setting = setting::Setting::new()?;
    /// # let (name, code) = ("alice".parse()?, ActivationCode::generate(&mut SystemRandom));
    /// # let secret = code.secret(&setting.name, &name);
    /// # setting.store.run(&IssueCode { name, secret, expires: None }, UnixTime::now())?;
    /// # let (connector, address) = (Connector::builder(setting.token()?).build(), setting.serve()?);
    /// # let told = register(&connector, &setting.name, TcpStream::connect(address)?, code)?;
    /// # assert!(told.starts_with("registered"), "{told}");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConnectError`]. When the connection breaks after R2, the token holds the attempt: go on with
    /// [`Connector::recover`] or [`Connector::resume`].
    ///
    /// A form that takes longer than the offer is good for, and an offer that the server does not know any more,
    /// cost the user nothing: another offer is fetched over the same connection, and the same form goes with it.
    pub fn register<S, F>(
        &self,
        stream: S,
        server_name: &ServerName,
        fill: F,
    ) -> Result<RegistrationOutcome, ConnectError>
    where
        S: Read + Write,
        F: FnOnce(&VerifiedServer, &Template) -> Result<(Form, Credential), FillError>,
    {
        self.register_with(stream, server_name, self.hands.options.clone(), fill)
    }

    /// Registers as [`Connector::register`] does, with other options: change a clone of [`Connector::options`].
    ///
    /// # Errors
    /// Those of [`Connector::register`].
    pub fn register_with<S, F>(
        &self,
        stream: S,
        server_name: &ServerName,
        options: RegisterOptions,
        fill: F,
    ) -> Result<RegistrationOutcome, ConnectError>
    where
        S: Read + Write,
        F: FnOnce(&VerifiedServer, &Template) -> Result<(Form, Credential), FillError>,
    {
        let turn = TokenExchange::register(server_name.clone(), options, self.hands.moment());
        let mut fill = Some(fill);
        let (news, _) = self.converse(&mut Framed(stream), turn, |need| {
            let changed = TokenExchangeError::from(TokenRegistrationError::TemplateChanged);
            let fill = fill.take().ok_or(changed)?;
            let (server, template, _) = need.wanted();
            let (form, credential) = fill(server, template).map_err(ConnectError::Form)?;
            let turn = need.supply_at(form, credential, self.hands.moment());
            Ok(turn.map_err(|kept| TokenExchangeError::from(kept.error))?)
        })?;
        outcome(news)
    }

    /// Opens a session with a registration's key: S0 to S3 (patent steps 300 to 350). A joined registration
    /// becomes active by it, a lost one is removed. An alias that is refused is followed by the key id, where
    /// the policy allows that.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::net::TcpStream;
    /// use std::time::Duration;
    /// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
    ///
    /// # fn main() -> setting::Outcome {
    /// # let setting = setting::Setting::new()?;
    /// # let (connector, address) = (halfkey::driver::Connector::builder(setting.token()?).build(), setting.serve()?);
    /// # let registration = setting::register(&connector, &setting.name, address)?;
    /// let stream = TcpStream::connect(address)?;
    /// stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    /// let mut session = connector.open(stream, &registration.key_id)?;
    /// session.write_all(b"hello")?;
    /// let mut answer = [0; 5];
    /// session.read_exact(&mut answer)?;
    /// assert_eq!(&answer, b"hello");
    /// session.close()?; // the server has read everything
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConnectError`]; [`ConnectError::NotActive`] when the server has proved to say so.
    pub fn open<S: Read + Write>(&self, stream: S, key_id: &KeyId) -> Result<ClientSession<S>, ConnectError> {
        self.open_with(stream, key_id, self.hands.session_options())
    }

    /// Opens a session as [`Connector::open`] does, with other options.
    ///
    /// # Errors
    /// Those of [`Connector::open`].
    pub fn open_with<S: Read + Write>(
        &self,
        stream: S,
        key_id: &KeyId,
        options: Options,
    ) -> Result<ClientSession<S>, ConnectError> {
        let mut link = Framed(stream);
        let (exchange, registration) = self.open_over(&mut link, *key_id, options)?;
        let hands = Arc::<Hands<T>>::clone(&self.hands);
        Ok(Session::new(TokenEnd::new(hands, exchange, registration), link))
    }

    pub(super) fn open_over<S: Read + Write>(
        &self,
        link: &mut Framed<S>,
        key_id: KeyId,
        options: Options,
    ) -> Result<(TokenExchange, TokenRegistration), ConnectError> {
        let turn = TokenExchange::open(key_id, options, self.hands.moment());
        match self.converse(link, turn, |need| Ok(need.cancel()))? {
            (News::Opened(registration), Some(exchange)) => Ok((exchange, *registration)),
            (news, _) => Err(unexpected(news)),
        }
    }

    /// Plays turns and carries frames until there is news. A forged answer is passed over, a few times and for as
    /// long as an answer may take: the same message is sent again, since the right answer may have been damaged.
    pub(super) fn converse<S: Read + Write>(
        &self,
        link: &mut Framed<S>,
        mut turn: TokenTurn,
        mut user: impl FnMut(UserTurn) -> Result<TokenTurn, ConnectError>,
    ) -> Result<(News, Option<TokenExchange>), ConnectError> {
        let (mut forged, mut sent, mut last, mut tries) = (None, Instant::now(), Vec::new(), 0);
        loop {
            turn = match turn {
                TokenTurn::User(need) => user(need)?,
                TokenTurn::Device(need) => need.ask_all(&mut *self.token()),
                turn => {
                    let reply = self.hands.perform(turn);
                    if !reply.send.is_empty() {
                        reply.send.iter().try_for_each(|frame| link.send(frame))?;
                        (forged, sent, last, tries) = (None, Instant::now(), reply.send, TRIES);
                    }
                    let next = match (reply.news, reply.next) {
                        (None, Some(next)) => next,
                        (Some(News::Failed(error)), Some(next))
                            if !is_answer(&error) && tries > 0 && sent.elapsed() < ANSWER =>
                        {
                            (forged, tries) = (Some(error), tries.saturating_sub(1));
                            last.iter().try_for_each(|frame| link.send(frame))?;
                            next
                        }
                        (Some(news), next) => return Ok((news, next)),
                        (None, None) => return Err(ConnectError::Ended),
                    };
                    let came = link.receive().map_err(ConnectError::from);
                    match came.and_then(|frame| frame.ok_or(ConnectError::Ended)) {
                        Ok(frame) => next.receive(&frame, self.hands.moment()),
                        Err(error) => return Err(forged.map_or(error, ConnectError::Exchange)),
                    }
                }
            };
        }
    }
}

impl<T: Token> Hands<T> {
    fn token(&self) -> MutexGuard<'_, T> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn session_options(&self) -> Options {
        Options { suites: self.options.suites, ..Options::default() }
    }
}

impl<T: Token> Perform for Hands<T> {
    fn moment(&self) -> Moment {
        Moment::at((self.clock)())
    }

    fn perform(&self, mut turn: TokenTurn) -> TokenReply {
        loop {
            turn = match turn {
                TokenTurn::Device(need) => need.ask_all(&mut *self.token()),
                TokenTurn::User(need) => need.cancel(),
                TokenTurn::Client(need) => {
                    let (application, instruction) = need.wanted();
                    let applying = (self.apply)(application, instruction);
                    need.supply(applying)
                }
                TokenTurn::Done(reply) => return reply,
            };
        }
    }

    fn configured(&self, application: &ApplicationName, configured: &Configured) {
        (self.configured)(application, configured);
    }
}

impl<T> Clone for Connector<T> {
    fn clone(&self) -> Self {
        Self { hands: Arc::clone(&self.hands) }
    }
}

impl<T> fmt::Debug for Connector<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector(..)")
    }
}

impl<T> fmt::Debug for ConnectorBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectorBuilder(..)")
    }
}
