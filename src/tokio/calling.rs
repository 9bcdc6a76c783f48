//! A client's loop over one connection, and the hands that perform a token's turns.

use super::end::Boxed;
use super::link::{Link, Patience};
use super::timeouts::Timeouts;
use crate::certificate::VerifiedServer;
use crate::configuration::token::{Applying, Instruction};
use crate::driver::{ConnectError, FillError, is_answer};
use crate::exchange::{
    Configured, News, RegisterOptions, TokenExchange, TokenExchangeError, TokenReply, TokenTurn,
};
use crate::id::ApplicationName;
use crate::moment::Moment;
use crate::port::Token;
use crate::registration::TokenRegistrationError;
use crate::registration::token::Credential;
use crate::session::token::Options;
use crate::template::{Form, Template};
use crate::time::UnixTime;
use core::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

/// Fills a form in.
pub(super) type Filler =
    Box<dyn FnOnce(VerifiedServer, Template) -> Boxed<Result<(Form, Credential), FillError>> + Send>;
/// Puts a configuration in force.
type Apply = Box<dyn Fn(ApplicationName, Instruction) -> Boxed<Applying> + Send + Sync>;

/// Tells what became of a configuration.
type TellConfigured = Box<dyn Fn(&ApplicationName, &Configured) + Send + Sync>;

/// A client: the token, the client system and the choices.
pub(super) struct Calling<T> {
    pub(super) token: Arc<Mutex<T>>,
    pub(super) options: RegisterOptions,
    pub(super) clock: Box<dyn Fn() -> UnixTime + Send + Sync>,
    pub(super) timeouts: Timeouts,
    pub(super) apply: Apply,
    pub(super) configured: TellConfigured,
}

impl<T: Token + 'static> Calling<T> {
    pub(super) fn moment(&self) -> Moment {
        Moment::at((self.clock)())
    }

    pub(super) fn session_options(&self) -> Options {
        Options { suites: self.options.suites, ..Options::default() }
    }

    pub(super) async fn with_token<R: Send + 'static>(
        &self,
        with: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Result<R, ConnectError> {
        let token = Arc::clone(&self.token);
        let called = spawn_blocking(move || with(&mut token.lock().unwrap_or_else(PoisonError::into_inner)));
        called
            .await
            .map_err(|_| ConnectError::Stream(io::Error::other("the token or a callback has panicked")))
    }

    /// Performs a turn to its end.
    pub(super) async fn perform(
        &self,
        mut turn: TokenTurn,
        fill: &mut Option<Filler>,
    ) -> Result<TokenReply, ConnectError> {
        loop {
            turn = match turn {
                TokenTurn::Device(need) => self.with_token(|token| need.ask_all(token)).await?,
                TokenTurn::User(need) => {
                    let fill = fill
                        .take()
                        .ok_or(TokenExchangeError::from(TokenRegistrationError::TemplateChanged))?;
                    let (server, template, _) = need.wanted();
                    let (form, credential) =
                        fill(server.clone(), template.clone()).await.map_err(ConnectError::Form)?;
                    need.supply_at(form, credential, self.moment())
                        .map_err(|kept| TokenExchangeError::from(kept.error))?
                }
                TokenTurn::Client(need) => {
                    let (application, instruction) = need.wanted();
                    let applying = (self.apply)(application.clone(), instruction.clone()).await;
                    need.supply(applying)
                }
                TokenTurn::Done(reply) => return Ok(reply),
            };
        }
    }

    /// Goes on until there is news. Whatever frames come meanwhile, an answer has its time.
    pub(super) async fn converse<S>(
        &self,
        link: &mut Link<S>,
        mut turn: TokenTurn,
        mut fill: Option<Filler>,
    ) -> Result<(News, Option<TokenExchange>), ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let (mut forged, mut until) = (None, None);
        loop {
            let reply = self.perform(turn, &mut fill).await?;
            if !reply.send.is_empty() {
                self.send(link, &reply.send).await?;
                (forged, until) = (None, Instant::now().checked_add(self.timeouts.answer));
            }
            let next = match (reply.news, reply.next) {
                (None, Some(next)) => next,
                (Some(News::Failed(error)), Some(next)) if !is_answer(&error) => {
                    // It may be forged, and cost nothing: the answer may come yet.
                    forged = Some(error);
                    next
                }
                (Some(news), next) => return Ok((news, next)),
                (None, None) => return Err(ConnectError::Ended),
            };
            match self.frame(link, until).await {
                Ok(true) => {}
                ended => {
                    let error = ended.err().map_or(ConnectError::Ended, ConnectError::Stream);
                    return Err(forged.map_or(error, ConnectError::Exchange));
                }
            }
            let frame = link.frame()?.unwrap_or_default();
            let length = frame.len();
            turn = next.receive(frame, self.moment());
            link.consume(length);
        }
    }

    pub(super) async fn send<S>(&self, link: &mut Link<S>, frames: &[Vec<u8>]) -> Result<(), ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        frames.iter().for_each(|frame| link.queue(frame));
        let patience = Patience { write: Some(self.timeouts.answer), ..Patience::default() };
        Ok(poll_fn(|context| link.poll_drain(context, patience)).await?)
    }

    async fn frame<S>(&self, link: &mut Link<S>, until: Option<Instant>) -> io::Result<bool>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let patience = Patience { until, ..Patience::default() };
        poll_fn(|context| link.poll_frame(context, patience)).await
    }
}

/// A client whose token's type does not matter, for a session.
pub(super) trait Calls: Send + Sync {
    fn moment(&self) -> Moment;
    fn timeouts(&self) -> Timeouts;
    fn configured(&self, application: &ApplicationName, configured: &Configured);
    /// Performs a turn to its end, in a task of its own: what is put in force is stored.
    fn spawn(self: Arc<Self>, turn: TokenTurn) -> Boxed<Option<TokenReply>>;
}

impl<T: Token + 'static> Calls for Calling<T> {
    fn moment(&self) -> Moment {
        Self::moment(self)
    }

    fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    fn configured(&self, application: &ApplicationName, configured: &Configured) {
        (self.configured)(application, configured);
    }

    fn spawn(self: Arc<Self>, turn: TokenTurn) -> Boxed<Option<TokenReply>> {
        let work = tokio::spawn(async move { self.perform(turn, &mut None).await.ok() });
        Box::pin(async move { work.await.ok().flatten() })
    }
}
