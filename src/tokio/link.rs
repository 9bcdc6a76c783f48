//! Frames over an asynchronous byte stream: `length(4) || bytes`, with whatever of a frame has come or has
//! yet to go.

use crate::wire::MAX_MESSAGE;
use core::mem::MaybeUninit;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use zeroize::{Zeroize, Zeroizing};

/// The most bytes read at once. They lie on the stack, so that a connection that waits holds no buffer.
const CHUNK: usize = 65_536;
/// Length of a frame's header, in bytes.
const HEADER: usize = 4;
/// Time after which a deadline that has passed was noticed, if anybody was reading.
const UNNOTICED: Duration = Duration::from_secs(1);
/// Bytes already written that are kept at the front of the outgoing buffer, at most.
const SENT: usize = 65_536;

/// For how long a peer may take. `None` is for ever.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patience {
    /// From the first byte of a frame to its last.
    pub(super) frame: Option<Duration>,
    /// Without a byte, between frames.
    pub(super) silence: Option<Duration>,
    /// The end of it, whatever comes.
    pub(super) until: Option<Instant>,
    /// Without taking a byte, while there is something to be written.
    pub(super) write: Option<Duration>,
}

/// A stream with its frames.
pub(super) struct Link<S> {
    stream: S,
    /// Erased when it goes: frames are opened in it.
    incoming: Zeroizing<Vec<u8>>,
    /// Bytes of `incoming` that have been taken.
    taken: usize,
    /// When the frame that is coming began.
    begun: Option<Instant>,
    /// When the last byte came.
    heard: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    outgoing: Vec<u8>,
    /// Bytes of `outgoing` that have been written.
    written: usize,
    /// True when something was written that has to be flushed.
    dirty: bool,
    /// Runs while the peer takes nothing of what is to be written.
    stuck: Option<Pin<Box<Sleep>>>,
}

impl<S> Link<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            incoming: Zeroizing::default(),
            taken: 0,
            begun: None,
            heard: Instant::now(),
            timer: None,
            outgoing: Vec::new(),
            written: 0,
            dirty: false,
            stuck: None,
        }
    }

    /// The frame that has come, whole.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] for a length that no frame has.
    pub(super) fn frame(&self) -> io::Result<Option<&[u8]>> {
        let rest = self.incoming.get(self.taken..).unwrap_or_default();
        let Some((header, body)) = rest.split_first_chunk::<HEADER>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX);
        if length == 0 || length > MAX_MESSAGE {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(body.get(..length))
    }

    /// The frame that has come, to be opened where it lies.
    ///
    /// # Errors
    /// Those of [`Link::frame`].
    pub(super) fn frame_mut(&mut self) -> io::Result<Option<&mut [u8]>> {
        let Some(length) = self.frame()?.map(<[u8]>::len) else { return Ok(None) };
        let frame = self.incoming.get_mut(self.taken.saturating_add(HEADER)..);
        Ok(frame.and_then(|frame| frame.get_mut(..length)))
    }

    /// Lets go of a frame that was opened where it lies, and erases it.
    pub(super) fn erase(&mut self, length: usize) {
        if let Ok(Some(frame)) = self.frame_mut() {
            frame.zeroize();
        }
        self.consume(length);
    }

    /// Lets go of the frame that [`Link::frame`] has lent, `length` bytes long.
    pub(super) fn consume(&mut self, length: usize) {
        self.taken = self.taken.saturating_add(length).saturating_add(HEADER);
        self.timer = None;
        if self.taken >= self.incoming.len() {
            // Empty, it is erased as a block.
            self.incoming.clear();
            (self.incoming, self.taken, self.begun) = (Zeroizing::default(), 0, None);
        } else {
            self.begun = Some(Instant::now());
        }
    }

    /// Queues a frame.
    pub(super) fn queue(&mut self, frame: &[u8]) {
        let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let out = self.outgoing();
        out.reserve_exact(frame.len().saturating_add(HEADER));
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(frame);
        self.dirty = true;
    }

    /// Bytes to be written, to append frames to.
    pub(super) fn outgoing(&mut self) -> &mut Vec<u8> {
        if self.written >= SENT {
            self.outgoing.drain(..self.written);
            self.written = 0;
        }
        &mut self.outgoing
    }

    /// Bytes that are yet to be written.
    pub(super) const fn unsent(&self) -> usize {
        self.outgoing.len().saturating_sub(self.written)
    }

    /// Has the next [`Link::poll_drain`] flush the stream.
    pub(super) const fn flush(&mut self) {
        self.dirty = true;
    }

    /// Drops what is yet to be written.
    pub(super) fn discard(&mut self) {
        (self.outgoing, self.written, self.dirty, self.stuck) = (Vec::new(), 0, false, None);
    }

    pub(super) fn into_stream(self) -> S {
        self.stream
    }

    pub(super) const fn stream(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Waits for a whole frame, which [`Link::frame`] then lends. False when the peer has ended the stream
    /// between two frames.
    ///
    /// # Errors
    /// The stream's; [`io::ErrorKind::UnexpectedEof`] within a frame, [`io::ErrorKind::InvalidData`],
    /// [`io::ErrorKind::TimedOut`].
    pub(super) fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
        patience: Patience,
    ) -> Poll<io::Result<bool>> {
        loop {
            if self.frame()?.is_some() {
                return Poll::Ready(Ok(true));
            }
            let mut chunk = [MaybeUninit::uninit(); CHUNK];
            let mut chunk = ReadBuf::uninit(&mut chunk);
            match Pin::new(&mut self.stream).poll_read(context, &mut chunk) {
                Poll::Ready(Ok(())) if chunk.filled().is_empty() => {
                    let cut = self.taken < self.incoming.len();
                    return Poll::Ready(if cut {
                        Err(io::ErrorKind::UnexpectedEof.into())
                    } else {
                        Ok(false)
                    });
                }
                Poll::Ready(Ok(())) => self.came(chunk.filled(), patience),
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(self.poll_patience(context, patience));
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
    }

    fn came(&mut self, bytes: &[u8], patience: Patience) {
        self.heard = Instant::now();
        let begun = self.begun.get_or_insert(self.heard);
        // A deadline that is long past was not noticed, so nobody read: that is not the peer's doing.
        let noticed = patience.frame.and_then(|frame| begun.checked_add(frame)?.checked_add(UNNOTICED));
        if noticed.is_some_and(|noticed| noticed < self.heard) {
            *begun = self.heard;
        }
        if self.taken > 0 {
            self.incoming.drain(..self.taken);
            self.taken = 0;
        }
        self.incoming.extend_from_slice(bytes);
    }

    /// Ready when the peer has taken too long.
    fn poll_patience(&mut self, context: &mut Context<'_>, patience: Patience) -> Poll<()> {
        let of_frame = match self.begun {
            Some(begun) => patience.frame.and_then(|frame| begun.checked_add(frame)),
            None => patience.silence.and_then(|silence| self.heard.checked_add(silence)),
        };
        let Some(due) = of_frame.into_iter().chain(patience.until).min() else {
            self.timer = None;
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(context)
    }

    /// Writes everything that is queued, and flushes the stream where that was asked for.
    ///
    /// # Errors
    /// The stream's; [`io::ErrorKind::TimedOut`].
    pub(super) fn poll_drain(
        &mut self,
        context: &mut Context<'_>,
        patience: Patience,
    ) -> Poll<io::Result<()>> {
        match self.poll_write(context) {
            Poll::Ready(done) => {
                self.stuck = None;
                Poll::Ready(done)
            }
            Poll::Pending => {
                let Some(within) = patience.write else { return Poll::Pending };
                let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(within)));
                ready!(stuck.as_mut().poll(context));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.outgoing.get(self.written..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest)) {
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(written) => {
                    self.written = self.written.saturating_add(written);
                    self.stuck = None;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        if !self.outgoing.is_empty() {
            (self.outgoing, self.written) = (Vec::new(), 0);
        }
        if self.dirty {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.dirty = false;
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
