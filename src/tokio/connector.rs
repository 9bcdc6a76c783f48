//! A token's side: registrations, and sessions opened.

use super::calling::{Calling, Filler};
use super::client::{ClientSession, session};
use super::link::Link;
use super::timeouts::Timeouts;
use crate::certificate::{Revocation, VerifiedServer};
use crate::configuration::token::{Applying, Instruction};
use crate::driver::{ConnectError, FillError, RegistrationOutcome, outcome, unexpected};
use crate::exchange::{Configured, News, RegisterOptions, TokenExchange};
use crate::id::{ApplicationName, KeyId, ServerName};
use crate::port::Token;
use crate::registration::token::Credential;
use crate::session::token::Options;
use crate::suite::Suite;
use crate::template::{Form, Template};
use crate::time::UnixTime;
use core::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite};

/// Registers a token and opens sessions with it, on tokio. A clone has the same token.
///
/// The token is asked on threads for blocking work, under a lock that is held for one turn at a time. Every
/// future may be dropped at any await point: what the token has stored by then is recovered by
/// [`Connector::recover`].
///
/// ```
/// use halfkey::configuration::token::{Applying, Instruction};
/// use halfkey::tokio::{Connector, Timeouts};
/// use std::time::Duration;
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
///
/// # fn main() -> setting::Outcome {
/// # let token = setting::Setting::new()?.token()?;
/// let mut timeouts = Timeouts::default();
/// timeouts.answer = Duration::from_secs(20);
/// let connector = Connector::builder(token)
///     .timeouts(timeouts)
///     .on_configuration_async(async |application, instruction| {
///         if let Instruction::Install(document) = instruction {
///             println!("{application}: {} bytes", document.body.len());
///         }
///         Applying::Applied
///     })
///     .build();
/// # drop(connector);
/// # Ok(()) }
/// ```
pub struct Connector<T> {
    pub(super) calling: Arc<Calling<T>>,
}

/// Makes a [`Connector`].
#[must_use]
pub struct ConnectorBuilder<T> {
    calling: Calling<T>,
}

impl<T: Token + 'static> ConnectorBuilder<T> {
    /// Offers these suites, best first. Without it, all of this crate's.
    pub fn suites(mut self, suites: &'static [&'static dyn Suite]) -> Self {
        self.calling.options.suites = suites;
        self
    }

    /// Sets how certificates of servers are checked for revocation. Without it they are not.
    pub fn revocation(mut self, revocation: Revocation) -> Self {
        self.calling.options.revocation = revocation;
        self
    }

    /// Tells the time by `clock` instead of the system's clock.
    pub fn clock(mut self, clock: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        self.calling.clock = Box::new(clock);
        self
    }

    /// Sets the times to wait.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.calling.timeouts = timeouts;
        self
    }

    /// Has `apply` put configurations in force; it may block. Without it each fails, and the last good one
    /// stays in force.
    pub fn on_configuration<F>(mut self, apply: F) -> Self
    where
        F: Fn(&ApplicationName, &Instruction) -> Applying + Send + Sync + 'static,
    {
        let apply = Arc::new(apply);
        self.calling.apply = Box::new(move |application, instruction| {
            let apply = Arc::clone(&apply);
            Box::pin(async move {
                let applied = tokio::task::spawn_blocking(move || apply(&application, &instruction));
                applied.await.unwrap_or(Applying::Failed)
            })
        });
        self
    }

    /// Has `apply` put configurations in force, in its own time.
    pub fn on_configuration_async<F, A>(mut self, apply: F) -> Self
    where
        F: Fn(ApplicationName, Instruction) -> A + Send + Sync + 'static,
        A: Future<Output = Applying> + Send + 'static,
    {
        self.calling.apply =
            Box::new(move |application, instruction| Box::pin(apply(application, instruction)));
        self
    }

    /// Tells `news` what became of configurations that the server sent unasked.
    pub fn on_configured<F>(mut self, news: F) -> Self
    where
        F: Fn(&ApplicationName, &Configured) + Send + Sync + 'static,
    {
        self.calling.configured = Box::new(news);
        self
    }

    /// Makes the connector.
    #[must_use]
    pub fn build(self) -> Connector<T> {
        Connector { calling: Arc::new(self.calling) }
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
            calling: Calling {
                token,
                options: RegisterOptions::default(),
                clock: Box::new(UnixTime::now),
                timeouts: Timeouts::default(),
                apply: Box::new(|_, _| Box::pin(core::future::ready(Applying::Failed))),
                configured: Box::new(|_, _| ()),
            },
        }
    }

    /// Locks the token, which blocks while a turn is at it.
    pub fn token(&self) -> MutexGuard<'_, T> {
        self.calling.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `with` with the token, on a thread for blocking work.
    ///
    /// # Errors
    /// [`ConnectError::Stream`] where `with` panics.
    pub async fn with_token<R: Send + 'static>(
        &self,
        with: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Result<R, ConnectError> {
        self.calling.with_token(with).await
    }

    /// The options with which registrations are made, as the builder has set them.
    #[must_use]
    pub fn options(&self) -> &RegisterOptions {
        &self.calling.options
    }

    /// Registers with `server_name`: R0 to R5 (patent steps 80 to 200). `fill` shows the user who asks and
    /// for what, and gives the form filled in. Attempts whose time is over are abandoned first.
    ///
    /// ```
    /// use halfkey::ServerName;
    /// use halfkey::port::Token;
    /// use halfkey::registration::token::Credential;
    /// use halfkey::tokio::{Connector, FillError, RegistrationOutcome};
    /// use tokio::io::{AsyncRead, AsyncWrite};
    ///
    /// async fn register(
    ///     connector: &Connector<impl Token + 'static>,
    ///     server: &ServerName,
    ///     stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    /// ) -> Result<String, FillError> {
    ///     let outcome = connector.register(stream, server, |server, form| async move {
    ///         println!("{} asks for {} fields", server.name(), form.fields.len()); // await the user here
    ///         Ok((form.fill([("name", "alice".into())])?, Credential::None))
    ///     });
    ///     Ok(match outcome.await? {
    ///         RegistrationOutcome::Active(registration) => format!("registered as {}", registration.user_id),
    ///         RegistrationOutcome::Waiting(waiting) => format!("ask again in {} s", waiting.retry.seconds()),
    ///         RegistrationOutcome::Refused(rejection) => format!("refused: {:?}", rejection.code),
    ///         RegistrationOutcome::Lost => "another was first".into(),
    ///     })
    /// }
    /// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
    /// # mod on_tokio { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/on_tokio.rs")); }
    /// # #[tokio::main]
    /// # async fn main() -> setting::Outcome {
    /// # let setting = setting::Setting::new()?;
    /// # let (connector, acceptor) = (Connector::builder(setting.token()?).build(), on_tokio::acceptor(&setting));
    /// # let told = register(&connector, &setting.name, on_tokio::connect(&acceptor)).await?;
    /// # assert!(told.starts_with("registered"), "{told}");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConnectError`]. When the connection breaks after R2, or the future is dropped, the token holds the
    /// attempt: go on with [`Connector::recover`] or [`Connector::resume`].
    ///
    /// A form that takes longer than the offer is good for, and an offer that the server does not know any more,
    /// cost the user nothing: another offer is fetched over the same connection, and the same form goes with it.
    pub async fn register<S, F, A>(
        &self,
        stream: S,
        server_name: &ServerName,
        fill: F,
    ) -> Result<RegistrationOutcome, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
        F: FnOnce(VerifiedServer, Template) -> A + Send + 'static,
        A: Future<Output = Result<(Form, Credential), FillError>> + Send + 'static,
    {
        self.register_with(stream, server_name, self.calling.options.clone(), fill).await
    }

    /// Registers as [`Connector::register`] does, with other options: change a clone of [`Connector::options`].
    ///
    /// # Errors
    /// Those of [`Connector::register`].
    pub async fn register_with<S, F, A>(
        &self,
        stream: S,
        server_name: &ServerName,
        options: RegisterOptions,
        fill: F,
    ) -> Result<RegistrationOutcome, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
        F: FnOnce(VerifiedServer, Template) -> A + Send + 'static,
        A: Future<Output = Result<(Form, Credential), FillError>> + Send + 'static,
    {
        let fill: Filler = Box::new(move |server, template| Box::pin(fill(server, template)));
        let turn = TokenExchange::register(server_name.clone(), options, self.calling.moment());
        let (news, _) = self.calling.converse(&mut Link::new(stream), turn, Some(fill)).await?;
        outcome(news)
    }

    /// Opens a session with a registration's key: S0 to S3 (patent steps 300 to 350). A joined registration
    /// becomes active by it, a lost one is removed. An alias that is refused is followed by the key id, where
    /// the policy allows that.
    ///
    /// ```
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    /// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
    /// # mod on_tokio { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/on_tokio.rs")); }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> setting::Outcome {
    /// # let setting = setting::Setting::new()?;
    /// # let acceptor = on_tokio::acceptor(&setting);
    /// # let connector = halfkey::tokio::Connector::builder(setting.token()?).build();
    /// # let registration = on_tokio::register(&connector, &setting, &acceptor).await?;
    /// # let stream = on_tokio::connect(&acceptor);
    /// let mut session = connector.open(stream, &registration.key_id).await?;
    /// session.write_all(b"hello").await?;
    /// session.flush().await?; // writing fills a buffer
    /// let mut answer = [0; 5];
    /// session.read_exact(&mut answer).await?;
    /// assert_eq!(&answer, b"hello");
    /// session.close().await?; // the server has read everything
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ConnectError`]; [`ConnectError::NotActive`] when the server has proved to say so.
    pub async fn open<S>(&self, stream: S, key_id: &KeyId) -> Result<ClientSession<S>, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.open_with(stream, key_id, self.calling.session_options()).await
    }

    /// Opens a session as [`Connector::open`] does, with other options.
    ///
    /// # Errors
    /// Those of [`Connector::open`].
    pub async fn open_with<S>(
        &self,
        stream: S,
        key_id: &KeyId,
        options: Options,
    ) -> Result<ClientSession<S>, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let turn = TokenExchange::open(*key_id, options, self.calling.moment());
        let mut link = Link::new(stream);
        // In a box, so that a task that goes on with the session does not keep room for it.
        match Box::pin(self.calling.converse(&mut link, turn, None)).await? {
            (News::Opened(registration), Some(exchange)) => {
                session(Arc::<Calling<T>>::clone(&self.calling), link, exchange, *registration)
            }
            (news, _) => Err(unexpected(news)),
        }
    }
}

impl<T> Clone for Connector<T> {
    fn clone(&self) -> Self {
        Self { calling: Arc::clone(&self.calling) }
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
