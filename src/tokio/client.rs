//! A token's end of an open session.

use super::calling::Calls;
use super::end::{End, Failure, PANICKED, Progress, Taken};
use super::facts::Facts;
use super::handle::Handle;
use super::link::{Link, Patience};
use super::session::Session;
use crate::driver::ConnectError;
use crate::exchange::{Configured, News, TokenExchange, TokenExchangeError, TokenReply, TokenTurn};
use crate::id::ApplicationName;
use crate::message::UserInformation;
use crate::record::TokenRegistration;
use crate::session::ChannelError;
use core::fmt;
use core::pin::Pin;
use core::task::{Poll, ready};
use std::sync::Arc;
use tokio::sync::oneshot;

/// A token's end of an open session.
pub type ClientSession<S> = Session<S, TokenEnd>;

/// A handle of a token's session.
pub type ClientHandle = Handle<TokenEnd>;

/// Result of a request for a configuration.
type Answer = Result<Configured, TokenExchangeError>;

/// A token's end of an open session, with the hands that it needs.
pub struct TokenEnd {
    calling: Arc<dyn Calls>,
    /// Requests whose answers are awaited, oldest first.
    awaited: Vec<(ApplicationName, oneshot::Sender<Answer>)>,
}

/// Makes the session.
pub(super) fn session<S>(
    calling: Arc<dyn Calls>,
    link: Link<S>,
    exchange: TokenExchange,
    registration: TokenRegistration,
) -> Result<ClientSession<S>, ConnectError> {
    let channel = &exchange.session().ok_or(ConnectError::Ended)?.channel;
    let (session_id, exporter) = channel.id_and_exporter();
    let facts = Facts { session_id, exporter, peer: Arc::new(registration) };
    let timeouts = calling.timeouts();
    let patience = Patience {
        frame: Some(timeouts.frame),
        silence: timeouts.silence,
        write: Some(timeouts.write),
        until: None,
    };
    let end = TokenEnd { calling, awaited: Vec::new() };
    Ok(Session::new(link, end, exchange, facts, patience))
}

impl TokenEnd {
    fn progress(&self, turn: TokenTurn) -> Progress<Self> {
        match turn {
            TokenTurn::Done(reply) => Progress::Done(taken(reply)),
            turn => {
                let work = Arc::clone(&self.calling).spawn(turn);
                Progress::Work(Box::pin(
                    async move { work.await.map_or_else(|| Taken::failed(PANICKED), taken) },
                ))
            }
        }
    }

    /// Answers the request for this application that waits longest, or for any.
    fn answer(&mut self, application: Option<&ApplicationName>, answer: Answer) -> Result<(), Answer> {
        self.awaited.retain(|(_, awaited)| !awaited.is_closed());
        let place = self.awaited.iter().position(|(of, _)| application.is_none_or(|wanted| wanted == of));
        match place {
            Some(place) => self.awaited.remove(place).1.send(answer),
            None => Err(answer),
        }
    }
}

impl TokenEnd {
    fn configured(&mut self, application: &ApplicationName, configured: Configured) {
        if self.answer(Some(application), Ok(configured)).is_err() {
            self.calling.configured(application, &configured);
        }
    }
}

impl End for TokenEnd {
    type Exchange = TokenExchange;
    type News = News;
    type Peer = TokenRegistration;

    fn receive(&mut self, exchange: TokenExchange, frame: &mut [u8]) -> Progress<Self> {
        self.progress(exchange.receive_in_place(frame, self.calling.moment()))
    }

    fn note(&mut self, news: News) {
        match news {
            News::Configured(application, configured) => self.configured(&application, configured),
            News::Failed(error) => drop(self.answer(None, Err(error))),
            _ => {}
        }
    }

    fn seal_into(exchange: &mut TokenExchange, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChannelError> {
        exchange.seal_into(data, out)
    }

    fn close(exchange: &mut TokenExchange) -> Result<Vec<Vec<u8>>, ChannelError> {
        exchange.close()
    }
}

fn taken(reply: TokenReply) -> Taken<TokenEnd> {
    let TokenReply { send, data, in_place, closed, news, next } = reply;
    let failed = match (&news, &next) {
        (Some(News::Failed(TokenExchangeError::Channel(error))), None) => Some(Failure::Channel(*error)),
        (Some(News::Failed(TokenExchangeError::Ended(ended))), None) => Some(Failure::NotActive(*ended)),
        (Some(News::Failed(error)), None) => Some(Failure::Token(error.clone())),
        _ => None,
    };
    Taken { send, data, in_place, closed, failed, news, next }
}

impl ClientHandle {
    /// Asks for the configuration of an application, has it put in force, and reports back: C0 to C2 (patent
    /// steps 360 to 390). Data that comes meanwhile waits for the session's reader; beyond 256 KiB of it, the
    /// answer waits for the reader, too.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn configure(
        &self,
        application: &ApplicationName,
        information: UserInformation,
    ) -> Result<Configured, ConnectError> {
        let (tell, mut told) = oneshot::channel();
        let mut request = Some((tell, application.clone(), information));
        let answer = self.polled(|control, context| {
            if request.is_some() {
                ready!(control.poll_begin(context, &mut |end: &mut TokenEnd, exchange| {
                    let Some((tell, application, information)) = request.take() else {
                        return Progress::Done(Taken::next(exchange));
                    };
                    end.awaited.push((application.clone(), tell));
                    end.progress(exchange.configure(application, information, end.calling.moment()))
                }))?;
            }
            let failed = control.poll_drive(context);
            match (Pin::new(&mut told).poll(context), failed) {
                (Poll::Ready(Ok(answer)), _) => Poll::Ready(Ok(answer)),
                (_, Poll::Ready(failure)) => Poll::Ready(Err(failure)),
                // The session is gone, and the next poll says so.
                (Poll::Ready(Err(_)), _) => Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into())),
                (Poll::Pending, Poll::Pending) => Poll::Pending,
            }
        });
        Ok(answer.await??)
    }
}

impl<S> ClientSession<S> {
    /// The registration whose key opened the session.
    #[must_use]
    pub fn registration(&self) -> &TokenRegistration {
        &self.facts().peer
    }
}

impl fmt::Debug for TokenEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenEnd(..)")
    }
}
