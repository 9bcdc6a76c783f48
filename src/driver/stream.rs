//! A session as a byte stream, blocking: the same for both ends.

use super::{Framed, Transport};
use crate::session::ChannelError;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::Zeroizing;

/// One end of an open session: its exchange, and the hands that perform its turns. Sealed.
pub trait End {
    /// Takes one record.
    #[doc(hidden)]
    fn receive(&mut self, record: &[u8]) -> io::Result<Taken>;
    /// Seals data: frames, each after its length.
    #[doc(hidden)]
    fn seal_into(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChannelError>;
    /// Closes this end's direction.
    #[doc(hidden)]
    fn close(&mut self) -> Result<Vec<Vec<u8>>, ChannelError>;
    /// Tells whether the peer has closed its direction.
    #[doc(hidden)]
    fn finish(&self) -> Result<(), ChannelError>;
}

/// The result of one record.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Taken {
    pub(super) send: Vec<Vec<u8>>,
    pub(super) data: Option<Zeroizing<Vec<u8>>>,
    pub(super) closed: bool,
}

/// An open session over its stream: what is written is sealed, what is read has been opened.
///
/// Keys are renewed, aliases confirmed and configurations dealt with while reading. [`Read::read`] gives 0
/// bytes only after the peer has closed its side; a stream that is cut off before is
/// [`io::ErrorKind::UnexpectedEof`].
#[derive(Debug)]
pub struct Session<S, E> {
    core: Core<S, E>,
    incoming: Incoming,
}

/// Everything that writing needs, and reading too.
#[derive(Debug)]
struct Core<S, E> {
    end: E,
    transport: Framed<S>,
    out: Vec<u8>,
}

/// Data that has been opened and not yet read.
#[derive(Debug, Default)]
struct Incoming {
    data: Zeroizing<Vec<u8>>,
    read: usize,
    closed: bool,
}

impl<S: Read + Write, E: End> Session<S, E> {
    pub(super) fn new(end: E, transport: Framed<S>) -> Self {
        Self { core: Core { end, transport, out: Vec::new() }, incoming: Incoming::default() }
    }

    pub(super) const fn end(&self) -> &E {
        &self.core.end
    }

    pub(super) fn end_mut(&mut self) -> &mut E {
        &mut self.core.end
    }

    /// Sends frames of the end's.
    pub(super) fn send(&mut self, frames: &[Vec<u8>]) -> io::Result<()> {
        self.core.send(frames)
    }

    /// Takes the next record into the stream; false after the peer's close.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        if self.incoming.closed {
            return Ok(false);
        }
        let frame = self.core.transport.receive()?;
        self.core.take(frame, &mut self.incoming)?;
        Ok(!self.incoming.closed)
    }

    /// Closes this side: the peer reads the end of the stream, and may still write. Reading goes on.
    ///
    /// # Errors
    /// The stream's.
    pub fn shutdown(&mut self) -> io::Result<()> {
        self.core.close()
    }

    /// Closes this side, reads until the peer has closed its own, and gives the stream back. Everything
    /// sent has arrived then; data that still comes is dropped.
    ///
    /// # Errors
    /// The stream's; [`io::ErrorKind::UnexpectedEof`] when the peer hangs up without closing.
    pub fn close(mut self) -> io::Result<S> {
        self.core.close()?;
        while self.advance()? {}
        Ok(self.core.transport.0)
    }

    /// Splits the session into halves that two threads may use. `reader` is a second handle of the same
    /// stream, such as [`TcpStream::try_clone`](std::net::TcpStream::try_clone) gives.
    pub fn split(self, reader: S) -> (ReadHalf<S, E>, WriteHalf<S, E>) {
        let core = Arc::new(Mutex::new(self.core));
        let half = ReadHalf { reader: Framed(reader), core: Arc::clone(&core), incoming: self.incoming };
        (half, WriteHalf { core })
    }
}

impl<S: Read + Write, E: End> Core<S, E> {
    fn send(&mut self, frames: &[Vec<u8>]) -> io::Result<()> {
        frames.iter().try_for_each(|frame| self.transport.send(frame))
    }

    fn take(&mut self, frame: Option<Vec<u8>>, incoming: &mut Incoming) -> io::Result<()> {
        let Some(frame) = frame else {
            return Err(self.end.finish().err().map_or_else(cut, |error| match error {
                ChannelError::Truncated => cut(),
                error => broken(error),
            }));
        };
        let taken = self.end.receive(&frame)?;
        self.send(&taken.send)?;
        incoming.closed = taken.closed;
        if let Some(data) = taken.data {
            (incoming.data, incoming.read) = (data, 0);
        }
        Ok(())
    }

    /// Writes one record's worth.
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let data = data.split_at_checked(crate::session::MAX_DATA).map_or(data, |(part, _)| part);
        if data.is_empty() {
            return Ok(0);
        }
        self.out.clear();
        self.end.seal_into(data, &mut self.out).map_err(broken)?;
        self.transport.0.write_all(&self.out)?;
        Ok(data.len())
    }

    fn close(&mut self) -> io::Result<()> {
        match self.end.close() {
            Ok(frames) => self.send(&frames),
            Err(ChannelError::Closed) => Ok(()),
            Err(error) => Err(broken(error)),
        }
    }
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, ChannelError::Truncated)
}

/// The session's error as the stream's.
pub(super) fn broken(error: ChannelError) -> io::Error {
    let kind = match error {
        ChannelError::Closed => io::ErrorKind::BrokenPipe,
        ChannelError::Truncated => io::ErrorKind::UnexpectedEof,
        _ => io::ErrorKind::InvalidData,
    };
    io::Error::new(kind, error)
}

impl Incoming {
    /// Gives data that is there; `None` where a record has to come first.
    fn read(&mut self, out: &mut [u8]) -> Option<usize> {
        let rest = self.data.get(self.read..).unwrap_or_default();
        if rest.is_empty() {
            return (self.closed || out.is_empty()).then_some(0);
        }
        let length = rest.len().min(out.len());
        for (to, from) in out.iter_mut().zip(rest) {
            *to = *from;
        }
        self.read = self.read.saturating_add(length);
        Some(length)
    }
}

impl<S: Read + Write, E: End> Read for Session<S, E> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(length) = self.incoming.read(out) {
                return Ok(length);
            }
            self.advance()?;
        }
    }
}

impl<S: Read + Write, E: End> Write for Session<S, E> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.core.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.core.transport.0.flush()
    }
}

/// The reading half of a session.
#[derive(Debug)]
pub struct ReadHalf<S, E> {
    reader: Framed<S>,
    core: Arc<Mutex<Core<S, E>>>,
    incoming: Incoming,
}

/// The writing half of a session.
#[derive(Debug)]
pub struct WriteHalf<S, E> {
    core: Arc<Mutex<Core<S, E>>>,
}

fn lock<T>(core: &Mutex<T>) -> MutexGuard<'_, T> {
    core.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: Read + Write, E: End> Read for ReadHalf<S, E> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(length) = self.incoming.read(out) {
                return Ok(length);
            }
            // Waits for the peer without the lock, so that the other half may write.
            let frame = self.reader.receive()?;
            lock(&self.core).take(frame, &mut self.incoming)?;
        }
    }
}

impl<S: Read + Write, E: End> WriteHalf<S, E> {
    /// Closes this side, as [`Session::shutdown`] does.
    ///
    /// # Errors
    /// The stream's.
    pub fn shutdown(&mut self) -> io::Result<()> {
        lock(&self.core).close()
    }
}

impl<S: Read + Write, E: End> Write for WriteHalf<S, E> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        lock(&self.core).write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        lock(&self.core).transport.0.flush()
    }
}
