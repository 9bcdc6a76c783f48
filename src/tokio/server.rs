//! A server's end of an open session.

use super::end::{End, Failure, PANICKED, Progress, Taken};
use super::ending::Ending;
use super::error::AcceptError;
use super::facts::Facts;
use super::handle::Handle;
use super::link::{Link, Patience};
use super::places::Place;
use super::serving::Serving;
use super::session::Session;
use crate::configuration::server::Principal;
use crate::exchange::{ServerEvent, ServerExchange, ServerReply, ServerTurn};
use crate::id::ApplicationName;
use crate::moment::Moment;
use crate::port::entitlement_store::Entitlement;
use crate::session::{ChannelError, SessionEnded};
use core::fmt;
use core::task::ready;
use core::time::Duration;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// A server's end of an open session.
pub type ServerSession<S> = Session<S, ServerEnd>;

/// A handle of a server's session.
pub type ServerHandle = Handle<ServerEnd>;

/// A server's end of an open session, with the hands that it needs.
pub struct ServerEnd {
    serving: Arc<Serving>,
    peer: Arc<[u8]>,
}

impl ServerEnd {
    pub(super) const fn new(serving: Arc<Serving>, peer: Arc<[u8]>) -> Self {
        Self { serving, peer }
    }
}

/// Makes the session; an error where its place was lost meanwhile.
pub(super) fn session<S>(
    end: ServerEnd,
    link: Link<S>,
    exchange: ServerExchange,
    patience: Patience,
    place: Place,
) -> Result<ServerSession<S>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let facts = {
        let session = exchange.session().ok_or(AcceptError::SentAway)?;
        let server_name = end.serving.settings.name.clone();
        let (session_id, exporter) = session.channel.id_and_exporter();
        Facts {
            session_id,
            exporter,
            peer: Arc::new(Principal {
                key_id: session.key_id,
                user_id: session.user_id.clone(),
                access_path: session.access_path.clone(),
                server_name,
            }),
        }
    };
    let session = Session::new(link, end, exchange, facts, patience);
    let ending: Arc<dyn Ending> = Arc::<super::state::Shared<S, ServerEnd>>::clone(session.shared());
    let key_id = session.facts().peer.key_id;
    let Some(open) = place.prove(Arc::downgrade(&ending), key_id) else {
        return Err(place.is_lost().map_or(AcceptError::SentAway, Into::into));
    };
    if open > 1 {
        let core = session.shared().lock();
        core.end.serving.observer.event(&core.end.peer, &ServerEvent::Concurrent(key_id));
    }
    session.shared().lock().keep(place);
    Ok(session)
}

impl End for ServerEnd {
    type Exchange = ServerExchange;
    type News = ();
    type Peer = Principal;

    fn receive(&mut self, exchange: ServerExchange, frame: &mut [u8]) -> Progress<Self> {
        let moment = Moment::at((self.serving.clock)());
        self.progress(exchange.receive_in_place(frame, moment))
    }

    fn due(&self, exchange: &ServerExchange) -> Option<Duration> {
        let (due, now) = (exchange.due()?, (self.serving.clock)());
        let left = if exchange.is_due(now) { 0 } else { due.as_secs().saturating_sub(now.as_secs()) };
        Some(Duration::from_secs(left))
    }

    fn stand(&mut self, exchange: ServerExchange, end: bool) -> Progress<Self> {
        let moment = Moment::at((self.serving.clock)());
        self.progress(if end { exchange.end(moment) } else { exchange.check(moment) })
    }

    fn note(&mut self, (): ()) {}

    fn seal_into(exchange: &mut ServerExchange, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChannelError> {
        exchange.seal_into(data, out)
    }

    fn close(exchange: &mut ServerExchange) -> Result<Vec<Vec<u8>>, ChannelError> {
        exchange.close()
    }
}

impl ServerEnd {
    fn progress(&self, turn: ServerTurn) -> Progress<Self> {
        match turn {
            ServerTurn::Done(reply) => Progress::Done(taken(self.serving.told(&self.peer, reply))),
            turn => {
                let work = self.serving.spawn(turn, Arc::clone(&self.peer));
                Progress::Work(Box::pin(async move {
                    work.await.ok().flatten().map_or_else(|| Taken::failed(PANICKED), taken)
                }))
            }
        }
    }
}

fn taken(reply: ServerReply) -> Taken<ServerEnd> {
    let failed = reply.events.iter().find_map(|event| match event {
        ServerEvent::ChannelFailed(error) => Some(Failure::Channel(*error)),
        ServerEvent::Ended(_, status) => Some(Failure::NotActive(SessionEnded(*status))),
        _ => None,
    });
    let ServerReply { send, data, in_place, closed, next, .. } = reply;
    Taken { send, data, in_place, closed, failed, news: None, next }
}

impl ServerHandle {
    /// Sends a configuration unasked (patent step 390), as soon as no other turn is under way. The token's
    /// report is an event of the observer's.
    ///
    /// A server has a new configuration put in force at once, after an operator has changed it:
    /// ```
    /// use halfkey::ApplicationName;
    /// use halfkey::port::entitlement_store::Entitlement;
    /// use halfkey::tokio::ServerHandle;
    ///
    /// async fn push(
    ///     sessions: &[ServerHandle],
    ///     application: &ApplicationName,
    ///     entitlement: &Entitlement,
    /// ) -> usize {
    ///     let mut told = 0;
    ///     for session in sessions {
    ///         told += usize::from(session.push(application, entitlement).await.is_ok());
    ///     }
    ///     told
    /// }
    /// ```
    ///
    /// # Errors
    /// The stream's; [`io::ErrorKind::InvalidInput`] for a document that does not fit.
    pub async fn push(&self, application: &ApplicationName, entitlement: &Entitlement) -> io::Result<()> {
        let mut pushed = false;
        self.polled(|control, context| {
            if !pushed {
                ready!(control.poll_send(context, &mut |end: &ServerEnd, exchange| {
                    let now = (end.serving.clock)();
                    exchange
                        .push(application, entitlement, now)
                        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
                }))?;
                pushed = true;
            }
            control.poll_flush(context)
        })
        .await
    }

    /// Ends the session at once: a connection that is to be dropped, whatever it does.
    pub async fn cut(&self) {
        let cut = self.polled(|control, _| {
            Ending::cut(control, "the server has ended the session");
            core::task::Poll::Ready(Ok(()))
        });
        let _ = cut.await;
    }
}

impl<S> ServerSession<S> {
    /// The user: key, user id and where the user's entitlements begin.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.facts().peer
    }
}

impl fmt::Debug for ServerEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerEnd(..)")
    }
}
