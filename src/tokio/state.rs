//! The state of a session that its reader, its writer and its handles share.

use super::end::{Boxed, End, Failure, Progress, Taken};
use super::link::{Link, Patience};
use super::places::Place;
use super::waiters::{Role, Waiters};
use crate::session::ChannelError;
use core::ops::Range;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use zeroize::Zeroizing;

/// The most bytes of data that one write seals.
const WRITE: usize = 60_000;
/// Bytes yet to be written beyond which nothing more is sealed.
const HIGH: usize = 65_536;
/// Bytes yet to be written beyond which nothing more is taken in. Writing alone never gets that far: two ends
/// that write much go on reading, and only answers that the peer does not take add up to this.
const FLOOD: usize = 262_144;
/// Bytes of data yet to be read beyond which a handle takes in nothing more.
pub(super) const UNREAD: usize = 262_144;

const CLOSED: Failure = Failure::Channel(ChannelError::Closed);

/// The state of a session.
pub(super) struct Core<S, E: End> {
    pub(super) link: Link<S>,
    pub(super) end: E,
    /// None during a turn, and once the session is over.
    pub(super) exchange: Option<E::Exchange>,
    /// The turn under way. Reader, writer and handles alike drive it.
    pub(super) turn: Option<Boxed<Taken<E>>>,
    pub(super) unread: VecDeque<Zeroizing<Vec<u8>>>,
    /// Bytes of the first of `unread` that have been read.
    pub(super) read: usize,
    /// Place of data in the frame that the link still holds, to be read after `unread`.
    pub(super) lent: Option<Range<usize>>,
    patience: Patience,
    /// Runs until a turn is due whether or not a frame comes.
    pub(super) due: Option<Pin<Box<Sleep>>>,
    pub(super) closed_by_peer: bool,
    closed: bool,
    pub(super) shut: bool,
    /// True when this side is to close as soon as no turn is under way.
    closing: bool,
    pub(super) failure: Option<Failure>,
    /// Why nothing can be written any more, though something may be left to read.
    mute: Option<Failure>,
    waiters: Everybody,
    waker: Waker,
    /// The place among the server's connections.
    place: Option<Place>,
}

/// Wakes everybody when the session goes away, so that no handle waits for it.
struct Everybody(Arc<Waiters>);

impl Drop for Everybody {
    fn drop(&mut self) {
        self.0.wake_all();
    }
}

/// A session's state, shared.
pub(super) struct Shared<S, E: End>(Mutex<Core<S, E>>);

impl<S, E: End> Shared<S, E> {
    pub(super) fn new(link: Link<S>, end: E, exchange: E::Exchange, patience: Patience) -> Arc<Self> {
        let waiters = Arc::new(Waiters::default());
        Arc::new(Self(Mutex::new(Core {
            link,
            end,
            exchange: Some(exchange),
            turn: None,
            unread: VecDeque::new(),
            read: 0,
            lent: None,
            patience,
            due: None,
            closed_by_peer: false,
            closed: false,
            shut: false,
            closing: false,
            failure: None,
            mute: None,
            waker: Waker::from(Arc::clone(&waiters)),
            waiters: Everybody(waiters),
            place: None,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Core<S, E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn into_stream(self: Arc<Self>) -> Option<S> {
        let core = Arc::into_inner(self)?.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        Some(core.link.into_stream())
    }

    /// Polls with a waker that wakes everybody, since whatever happens may be what another waits for.
    pub(super) fn poll<T>(
        &self,
        role: Role,
        context: &Context<'_>,
        poll: impl FnOnce(&mut Core<S, E>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let mut core = self.lock();
        core.waiters.0.register(role, context.waker());
        let waker = core.waker.clone();
        let polled = poll(&mut core, &mut Context::from_waker(&waker));
        if polled.is_ready() {
            core.waiters.0.clear(role);
        }
        polled
    }
}

impl<S, E: End> Core<S, E> {
    pub(super) const fn stream(&self) -> &S {
        self.link.stream()
    }

    /// Sends frames made with the machine, where no turn is under way.
    pub(super) fn make(
        &mut self,
        make: impl FnOnce(&E, &mut E::Exchange) -> io::Result<Vec<Vec<u8>>>,
    ) -> io::Result<()> {
        let Some(exchange) = &mut self.exchange else { return Err(self.over().into()) };
        let frames = make(&self.end, exchange)?;
        self.queue(&frames);
        Ok(())
    }

    /// The reason why there is no machine.
    fn over(&self) -> Failure {
        self.failure.clone().unwrap_or(CLOSED)
    }

    /// Keeps the connection's place for as long as the session is there.
    pub(super) fn keep(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// Takes the machine for a turn that [`Core::begin`] begins.
    pub(super) fn take_exchange(&mut self) -> Result<E::Exchange, Failure> {
        self.exchange.take().ok_or_else(|| self.over())
    }

    /// Begins a turn.
    pub(super) fn begin(&mut self, progress: Progress<E>) {
        match progress {
            Progress::Done(taken) => self.take(taken),
            Progress::Work(turn) => self.turn = Some(turn),
        }
    }

    /// Queues frames.
    pub(super) fn queue(&mut self, frames: &[Vec<u8>]) {
        frames.iter().for_each(|frame| self.link.queue(frame));
    }

    pub(super) fn take(&mut self, taken: Taken<E>) {
        self.queue(&taken.send);
        self.unread.extend(taken.data.filter(|data| !data.is_empty()));
        // A turn that no frame has begun leaves what is lent alone.
        if let Some(place) = taken.in_place.filter(|place| !place.is_empty()) {
            self.lent = Some(place);
        }
        self.closed_by_peer |= taken.closed;
        self.exchange = taken.next;
        if let Some(news) = taken.news {
            self.end.note(news);
        }
        if let Some(failure) = taken.failed {
            self.fail(failure);
        } else if self.exchange.is_none() && !self.closed_by_peer {
            self.fail(Failure::Channel(ChannelError::Broken));
        }
        if self.closing {
            self.close();
        }
        self.waiters.0.wake_all();
    }

    fn fail(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
        self.exchange = None;
        self.waiters.0.wake_all();
    }

    /// Ends the session at once.
    pub(super) fn cut(&mut self, why: &'static str) {
        self.turn = None;
        self.unread.clear();
        self.give_back();
        self.closed_by_peer = false;
        self.link.discard();
        self.fail(Failure::Ended(why));
    }

    /// Closes this side as soon as no turn is under way.
    pub(super) fn close(&mut self) {
        self.closing = true;
        if self.closed || self.turn.is_some() {
            return;
        }
        self.closed = true;
        if let Some(exchange) = &mut self.exchange {
            let frames = E::close(exchange).unwrap_or_default();
            self.queue(&frames);
        }
        self.waiters.0.wake_all();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, E: End> Core<S, E> {
    /// Writes what is queued; an error is kept for the writer.
    pub(super) fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.mute.is_some() {
            return Poll::Ready(());
        }
        if let Err(error) = ready!(self.link.poll_drain(context, self.patience)) {
            self.mute = Some((&error).into());
            self.link.discard();
            // A peer that takes nothing has no session any more; one that is gone may have left something to read.
            if error.kind() == io::ErrorKind::TimedOut {
                self.fail((&error).into());
            }
        }
        Poll::Ready(())
    }

    /// Takes in one more frame. False once the peer has closed its side.
    fn poll_take(&mut self, context: &mut Context<'_>) -> Poll<Result<bool, Failure>> {
        ready!(self.poll_turn(context));
        if self.closed_by_peer {
            return Poll::Ready(Ok(false));
        }
        if let Some(failure) = self.failure.clone() {
            ready!(self.poll_farewell(context));
            return Poll::Ready(Err(failure));
        }
        self.keep_lent();
        let came = ready!(self.link.poll_frame(context, self.patience));
        if let Err(failure) = self.came(came) {
            self.fail(failure.clone());
            return Poll::Ready(Err(failure));
        }
        Poll::Ready(Ok(true))
    }

    fn came(&mut self, came: io::Result<bool>) -> Result<(), Failure> {
        if !came.map_err(|error| Failure::from(&error))? {
            return Err(Failure::Stream(io::ErrorKind::UnexpectedEof));
        }
        let exchange = self.take_exchange()?;
        let frame = self.link.frame_mut().map_err(|error| Failure::from(&error))?.unwrap_or_default();
        let length = frame.len();
        let progress = self.end.receive(exchange, frame);
        self.begin(progress);
        if self.lent.is_none() {
            self.link.erase(length);
        }
        Ok(())
    }

    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let drained = self.poll_drain(context);
            if out.remaining() == 0 || self.give(out) {
                return Poll::Ready(Ok(()));
            }
            // A peer that asks and does not read the answers is not listened to.
            if drained.is_pending() && self.link.unsent() > FLOOD {
                return Poll::Pending;
            }
            if !ready!(self.poll_take(context))? {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Takes in frames for a handle while the reader may be doing something else; ready when the session is
    /// over.
    pub(super) fn poll_drive(&mut self, context: &mut Context<'_>) -> Poll<Failure> {
        loop {
            let drained = self.poll_drain(context);
            if (drained.is_pending() && self.link.unsent() > FLOOD) || self.unread() > UNREAD {
                return Poll::Pending;
            }
            match ready!(self.poll_take(context)) {
                Ok(true) => {}
                Ok(false) => return Poll::Ready(CLOSED),
                Err(failure) => return Poll::Ready(failure),
            }
        }
    }

    /// Why nothing can be written any more.
    fn is_mute(&self) -> Option<Failure> {
        let closed = self.closed || self.exchange.is_none();
        let closed = closed.then_some(CLOSED);
        self.failure.clone().or_else(|| self.mute.clone()).or(closed)
    }

    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_turn(context));
        if let Some(failure) = self.is_mute() {
            ready!(self.poll_farewell(context));
            return Poll::Ready(Err(failure.into()));
        }
        if self.link.unsent() >= HIGH && self.poll_drain(context).is_pending() && self.link.unsent() >= HIGH {
            return Poll::Pending;
        }
        let (data, _) = data.split_at_checked(WRITE).unwrap_or((data, &[]));
        if let (Some(exchange), false) = (&mut self.exchange, data.is_empty()) {
            if let Err(error) = E::seal_into(exchange, data, self.link.outgoing()) {
                self.fail(Failure::Channel(error));
                return Poll::Ready(Err(Failure::Channel(error).into()));
            }
            // What does not go now goes with the next poll of any half.
            let _ = self.poll_drain(context);
        }
        Poll::Ready(Ok(data.len()))
    }

    /// Writes everything to the stream, and flushes it.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.flush();
        ready!(self.poll_drain(context));
        match &self.mute {
            Some(failure) => Poll::Ready(Err(failure.clone().into())),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Closes this side, and the stream's sending side after it.
    pub(super) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_turn(context));
        self.close();
        ready!(self.poll_flush(context))?;
        if !self.shut {
            ready!(self.link.poll_shutdown(context))?;
            self.shut = true;
        }
        Poll::Ready(Ok(()))
    }
}
