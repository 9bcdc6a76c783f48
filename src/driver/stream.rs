//! A session as a byte stream, blocking: the same for both ends.

use super::Framed;
use super::frames::{Incoming, drain, frame};
use crate::session::{Channel, ChannelError, MAX_DATA, SessionEnded};
use std::io::{self, Read, Write};
use zeroize::Zeroizing;

/// One end of an open session: its exchange, and the hands that perform its turns. Sealed.
pub trait End {
    /// Takes one record.
    #[doc(hidden)]
    fn receive(&mut self, record: &[u8]) -> io::Result<Taken>;
    /// Does what is due whether or not a record comes: before data is sent, and when the stream's time is over.
    #[doc(hidden)]
    fn due(&mut self) -> Taken {
        Taken::default()
    }
    /// Seals data: frames, each after its length.
    #[doc(hidden)]
    fn seal_into(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChannelError>;
    /// Closes this end's direction.
    #[doc(hidden)]
    fn close(&mut self) -> Result<Vec<Vec<u8>>, ChannelError>;
    /// Tells whether the peer has closed its direction.
    #[doc(hidden)]
    fn finish(&self) -> Result<(), ChannelError>;
    /// The channel, while the session is open.
    #[doc(hidden)]
    fn channel(&self) -> Option<&Channel>;
}

/// The result of one record.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Taken {
    pub(super) send: Vec<Vec<u8>>,
    pub(super) data: Option<Zeroizing<Vec<u8>>>,
    pub(super) closed: bool,
    pub(super) ended: Option<SessionEnded>,
}

/// An open session over its stream: what is written is sealed, what is read has been opened.
///
/// Keys are renewed, aliases confirmed and configurations dealt with while reading. [`Read::read`] gives 0
/// bytes only after the peer has closed its side; a stream that is cut off before is
/// [`io::ErrorKind::UnexpectedEof`]. After a timeout of the stream's, reading and writing go on where they
/// stopped. A session that the server has ended is [`io::ErrorKind::ConnectionAborted`] on both sides, with a
/// [`SessionEnded`] inside that says how the registration stands.
///
/// ```
/// use halfkey::driver::{ServerEnd, Session};
/// use halfkey::session::SessionEnded;
/// use std::io::{self, ErrorKind, Read, Write};
///
/// /// Answers lines until the client closes its side or the server ends the session.
/// fn talk<S: Read + Write>(mut session: Session<S, ServerEnd>) -> io::Result<()> {
///     let mut bytes = [0; 1024];
///     loop {
///         match session.read(&mut bytes) {
///             Ok(0) => return session.close().map(drop),
///             Ok(read) => session.write_all(&bytes[..read])?,
///             Err(error) if error.kind() == ErrorKind::ConnectionAborted => {
///                 if let Some(SessionEnded(status)) = error.get_ref().and_then(|end| end.downcast_ref()) {
///                     println!("the registration is {status}");
///                 }
///                 return Err(error);
///             }
///             Err(error) => return Err(error),
///         }
///     }
/// }
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
/// # use std::net::{TcpListener, TcpStream};
/// # fn main() -> setting::Outcome {
/// # let setting = setting::Setting::new()?;
/// # let connector = halfkey::driver::Connector::builder(setting.token()?).build();
/// # let registration = setting::register(&connector, &setting.name, setting.serve()?)?;
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let (address, acceptor) = (listener.local_addr()?, setting.acceptor());
/// # let server = std::thread::spawn(move || {
/// #     acceptor.accept(listener.accept()?.0, b"peer")?.map_or(Ok(()), talk)
/// # });
/// # let mut session = connector.open(TcpStream::connect(address)?, &registration.key_id)?;
/// # session.write_all(b"hello")?;
/// # session.read_exact(&mut [0; 5])?;
/// # session.close()?;
/// # server.join().map_err(|_| "the server has panicked")??;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Session<S, E> {
    pub(super) core: Core<E>,
    pub(super) stream: S,
    pub(super) incoming: Incoming,
}

/// An end, and the sealed bytes that have not left yet.
#[derive(Debug)]
pub(super) struct Core<E> {
    pub(super) end: E,
    pub(super) out: Vec<u8>,
    /// Some once the server has ended the session.
    ended: Option<SessionEnded>,
}

impl<S: Read + Write, E: End> Session<S, E> {
    pub(super) fn new(end: E, transport: Framed<S>) -> Self {
        let core = Core { end, out: Vec::new(), ended: None };
        Self { core, stream: transport.0, incoming: Incoming::default() }
    }

    pub(super) const fn end(&self) -> &E {
        &self.core.end
    }

    pub(super) const fn end_mut(&mut self) -> &mut E {
        &mut self.core.end
    }

    /// Sends frames of the end's.
    pub(super) fn send(&mut self, frames: &[Vec<u8>]) -> io::Result<()> {
        self.core.queue(frames);
        self.leave()
    }

    /// Has the end make frames, and sends them.
    pub(super) fn with(&mut self, make: impl FnOnce(&mut E) -> io::Result<Vec<Vec<u8>>>) -> io::Result<()> {
        let made = self.core.make(make);
        let left = self.leave();
        made.and(left)
    }

    /// The server's end of the session, once it has come.
    pub(super) const fn ended(&self) -> Option<SessionEnded> {
        self.core.ended
    }

    /// Takes the next record into the stream; false after the peer's close.
    pub(super) fn advance(&mut self) -> io::Result<bool> {
        if self.incoming.is_closed() {
            return Ok(false);
        }
        self.core.goes_on()?;
        let record = self.incoming.receive(&mut self.stream);
        let taken = self.core.take(record, &mut self.incoming);
        let left = self.leave();
        taken.and(left)?;
        Ok(!self.incoming.is_closed())
    }

    fn leave(&mut self) -> io::Result<()> {
        if self.core.out.is_empty() {
            return Ok(());
        }
        drain(&mut self.core.out, &mut self.stream)?;
        self.stream.flush()
    }

    /// The session's name: public, the same on both sides, never the same twice. `None` once the session is
    /// over.
    #[must_use]
    pub fn session_id(&self) -> Option<[u8; 32]> {
        self.core.end.channel().map(Channel::session_id)
    }

    /// Exports key material for another protocol, the same on both sides ([`Channel::export`]).
    ///
    /// A cookie that only this client and this server can know:
    /// ```
    /// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
    /// # fn main() -> setting::Outcome {
    /// # let setting = setting::Setting::new()?;
    /// # let (connector, address) = (halfkey::driver::Connector::builder(setting.token()?).build(), setting.serve()?);
    /// # let registration = setting::register(&connector, &setting.name, address)?;
    /// # let session = connector.open(std::net::TcpStream::connect(address)?, &registration.key_id)?;
    /// let mut cookie = [0; 16];
    /// session.export(b"cookie", b"shop.example", &mut cookie)?;
    /// # assert_ne!(cookie, [0; 16]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Those of [`Channel::export`]; [`ChannelError::Closed`] once the session is over.
    pub fn export(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), ChannelError> {
        self.core.end.channel().ok_or(ChannelError::Closed)?.export(label, context, out)
    }

    /// The stream underneath, to set its timeouts, say. Whoever reads or writes it breaks the session.
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    /// Closes this side: the peer reads the end of the stream, and may still write. Reading goes on.
    ///
    /// # Errors
    /// The stream's.
    pub fn shutdown(&mut self) -> io::Result<()> {
        self.core.close()?;
        self.leave()
    }

    /// Closes this side, reads until the peer has closed its own, and gives the stream back. Everything
    /// sent has arrived then; data that still comes is dropped.
    ///
    /// # Errors
    /// The stream's; [`io::ErrorKind::UnexpectedEof`] when the peer hangs up without closing.
    pub fn close(mut self) -> io::Result<S> {
        self.shutdown()?;
        while self.advance()? {
            self.incoming.forget();
        }
        Ok(self.stream)
    }
}

impl<E: End> Core<E> {
    pub(super) fn queue(&mut self, frames: &[Vec<u8>]) {
        frames.iter().for_each(|record| frame(record, &mut self.out));
    }

    /// Has the end make frames, unless it is over by now.
    pub(super) fn make<X: From<io::Error>>(
        &mut self,
        make: impl FnOnce(&mut E) -> Result<Vec<Vec<u8>>, X>,
    ) -> Result<(), X> {
        self.due()?;
        let frames = make(&mut self.end)?;
        self.queue(&frames);
        Ok(())
    }

    /// Takes a record that has come, or that none has: what is left to send is queued in either case.
    pub(super) fn take(
        &mut self,
        record: io::Result<Option<Vec<u8>>>,
        incoming: &mut Incoming,
    ) -> io::Result<()> {
        let record = match record {
            Ok(Some(record)) => record,
            Ok(None) => {
                return Err(self.end.finish().err().map_or_else(cut, |error| match error {
                    ChannelError::Broken => broken(error),
                    _ => cut(),
                }));
            }
            Err(error) => {
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) {
                    self.due()?;
                }
                return Err(error);
            }
        };
        let taken = self.end.receive(&record)?;
        self.queue(&taken.send);
        self.ended = taken.ended;
        incoming.take(taken.data, taken.closed);
        self.goes_on()
    }

    /// Does what is due.
    fn due(&mut self) -> io::Result<()> {
        self.goes_on()?;
        let taken = self.end.due();
        self.queue(&taken.send);
        self.ended = taken.ended;
        self.goes_on()
    }

    /// Tells whether the server has ended the session.
    pub(super) fn goes_on(&self) -> io::Result<()> {
        self.ended.map_or(Ok(()), |ended| Err(io::Error::new(io::ErrorKind::ConnectionAborted, ended)))
    }

    /// Seals one record's worth.
    pub(super) fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.due()?;
        let data = data.split_at_checked(MAX_DATA).map_or(data, |(part, _)| part);
        if !data.is_empty() {
            self.end.seal_into(data, &mut self.out).map_err(broken)?;
        }
        Ok(data.len())
    }

    pub(super) fn close(&mut self) -> io::Result<()> {
        match self.end.close() {
            Ok(frames) => self.queue(&frames),
            Err(ChannelError::Closed) => {}
            Err(error) => return Err(broken(error)),
        }
        Ok(())
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
    /// Seals at most one record's worth. What the stream does not take in time leaves with the next call.
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        drain(&mut self.core.out, &mut self.stream)?;
        let length = match self.core.write(data) {
            Ok(length) => length,
            Err(error) => {
                // What the server says at the end still leaves.
                self.leave()?;
                return Err(error);
            }
        };
        match drain(&mut self.core.out, &mut self.stream) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(error)
            }
            _ => Ok(length),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        drain(&mut self.core.out, &mut self.stream)?;
        self.stream.flush()
    }
}
