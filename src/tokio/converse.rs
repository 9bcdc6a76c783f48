//! A server's loop over one connection, until a session is open.

use super::error::AcceptError;
use super::link::{Link, Patience};
use super::places::{NoPlace, Place};
use super::server::{ServerEnd, ServerSession, session};
use super::serving::Serving;
use crate::exchange::{ServerExchange, ServerReply, ServerTurn};
use crate::step::ErrorReason;
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout, timeout_at};

/// Time for a peer without a place to be told so.
const FAREWELL: Duration = Duration::from_secs(1);

/// A connection whose peer has no session yet.
struct Conversation<S> {
    serving: Arc<Serving>,
    link: Link<S>,
    peer: Arc<[u8]>,
    place: Place,
    began: Instant,
}

/// Serves one connection until a session is open on it, or it is over.
pub(super) async fn converse<S>(
    serving: Arc<Serving>,
    stream: S,
    peer: Arc<[u8]>,
) -> Result<Option<ServerSession<S>>, AcceptError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut link = Link::new(stream);
    let place = match serving.places.enter(&peer) {
        Ok(place) => place,
        Err(why) => return Err(send_away(&mut link, why).await),
    };
    Conversation { serving, link, peer, place, began: Instant::now() }.run().await
}

/// Tells the peer `busy`.
async fn send_away<S: AsyncRead + AsyncWrite + Unpin>(link: &mut Link<S>, why: NoPlace) -> AcceptError {
    link.queue(ErrorReason::Busy.frame().as_bytes());
    let told = poll_fn(|context| match link.poll_drain(context, Patience::default()) {
        Poll::Ready(Ok(())) => link.poll_shutdown(context),
        other => other,
    });
    // It may not listen.
    let _ = timeout(FAREWELL, told).await;
    why.into()
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Conversation<S> {
    async fn run(mut self) -> Result<Option<ServerSession<S>>, AcceptError> {
        let mut exchange = ServerExchange::new(Arc::clone(&self.serving.settings), &self.peer);
        let mut time = self.serving.limits.first_frame;
        loop {
            match self.frame(time).await {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(Ended::Error(error)) => return Err(error.into()),
                Err(Ended::NoPlace(why)) => return Err(send_away(&mut self.link, why).await),
            }
            time = self.serving.limits.registration;
            self.place.spoke();
            let reply = self.turn(exchange).await?;
            reply.send.iter().for_each(|frame| self.link.queue(frame));
            let sent = timeout(self.serving.limits.frame, {
                poll_fn(|context| self.link.poll_drain(context, Patience::default()))
            });
            sent.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            match reply.next {
                None => return Ok(None),
                Some(next) if next.session().is_some() => return self.open(next).map(Some),
                Some(next) => exchange = next,
            }
        }
    }

    /// Waits for a frame, or until the place is lost.
    async fn frame(&mut self, time: Duration) -> Result<bool, Ended> {
        let until = self.began.checked_add(time);
        let patience = Patience { frame: Some(self.serving.limits.frame), until, ..Patience::default() };
        let mut lost = pin!(self.place.lost());
        poll_fn(|context| {
            if let Poll::Ready(frame) = self.link.poll_frame(context, patience) {
                return Poll::Ready(frame.map_err(Ended::Error));
            }
            lost.as_mut().poll(context).map(|why| Err(Ended::NoPlace(why)))
        })
        .await
    }

    /// Performs the turn that the frame begins.
    async fn turn(&mut self, exchange: ServerExchange) -> Result<ServerReply, AcceptError> {
        let frame = self.link.frame()?.unwrap_or_default();
        let length = frame.len();
        let turn = self.serving.receive(exchange, frame);
        self.link.consume(length);
        if let ServerTurn::Done(reply) = turn {
            return Ok(self.serving.told(&self.peer, reply));
        }
        let work = self.serving.spawn(turn, Arc::clone(&self.peer));
        let done = match self.began.checked_add(self.serving.limits.registration) {
            Some(until) => {
                timeout_at(until, work).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
            }
            None => work.await,
        };
        done.ok().flatten().ok_or(AcceptError::Panicked)
    }

    fn open(self, exchange: ServerExchange) -> Result<ServerSession<S>, AcceptError> {
        let Self { serving, link, peer, place, .. } = self;
        let patience = serving.patience();
        session(ServerEnd::new(serving, peer), link, exchange, patience, place)
    }
}

/// The reason why no frame came.
enum Ended {
    Error(io::Error),
    NoPlace(NoPlace),
}

impl From<NoPlace> for AcceptError {
    fn from(why: NoPlace) -> Self {
        match why {
            NoPlace::Full => Self::Full,
            NoPlace::SentAway => Self::SentAway,
            NoPlace::ShuttingDown => Self::ShuttingDown,
        }
    }
}
