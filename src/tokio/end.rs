//! One end of a session: its exchange, and the hands that perform its turns.

use crate::exchange::TokenExchangeError;
use crate::session::{ChannelError, SessionEnded};
use core::ops::Range;
use core::pin::Pin;
use core::time::Duration;
use std::io;
use zeroize::Zeroizing;

/// A future in a box.
pub(super) type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// One end of a session: a server's or a token's. Sealed.
pub trait End: Send + Sized + 'static {
    /// The machine.
    #[doc(hidden)]
    type Exchange: Send + 'static;
    /// News for this end alone.
    #[doc(hidden)]
    type News: Send + 'static;
    /// The other end, as far as this one knows it.
    #[doc(hidden)]
    type Peer: Send + Sync + 'static;
    /// Begins a turn with a frame of the peer's, in which data is opened.
    #[doc(hidden)]
    fn receive(&mut self, exchange: Self::Exchange, frame: &mut [u8]) -> Progress<Self>;
    /// Returns the time until a turn is due whether or not a frame comes, if ever.
    #[doc(hidden)]
    fn due(&self, _: &Self::Exchange) -> Option<Duration> {
        None
    }
    /// Begins that turn; `end` ends the session in any case.
    #[doc(hidden)]
    fn stand(&mut self, exchange: Self::Exchange, _end: bool) -> Progress<Self> {
        Progress::Done(Taken::next(exchange))
    }
    /// Takes the news of a turn.
    #[doc(hidden)]
    fn note(&mut self, news: Self::News);
    /// Seals data: frames, each after its length.
    #[doc(hidden)]
    fn seal_into(exchange: &mut Self::Exchange, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChannelError>;
    /// Closes this end's direction.
    #[doc(hidden)]
    fn close(exchange: &mut Self::Exchange) -> Result<Vec<Vec<u8>>, ChannelError>;
}

/// A turn, done or under way.
#[doc(hidden)]
pub enum Progress<E: End> {
    /// Done at once.
    Done(Taken<E>),
    /// Under way.
    Work(Boxed<Taken<E>>),
}

/// The result of a turn.
#[doc(hidden)]
pub struct Taken<E: End> {
    pub(super) send: Vec<Vec<u8>>,
    pub(super) data: Option<Zeroizing<Vec<u8>>>,
    /// Place of data in the frame.
    pub(super) in_place: Option<Range<usize>>,
    pub(super) closed: bool,
    pub(super) failed: Option<Failure>,
    pub(super) news: Option<E::News>,
    pub(super) next: Option<E::Exchange>,
}

impl<E: End> Taken<E> {
    /// Nothing but the machine again.
    pub(super) fn next(exchange: E::Exchange) -> Self {
        Self { next: Some(exchange), ..Self::nothing() }
    }

    /// The end of a session whose turn was not performed to its end.
    pub(super) fn failed(failure: Failure) -> Self {
        Self { failed: Some(failure), ..Self::nothing() }
    }

    const fn nothing() -> Self {
        Self {
            send: Vec::new(),
            data: None,
            in_place: None,
            closed: false,
            failed: None,
            news: None,
            next: None,
        }
    }
}

/// The reason why a session goes no further, as often as it is asked for.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The channel's.
    Channel(ChannelError),
    /// The stream's.
    Stream(io::ErrorKind),
    /// The token's exchange's.
    Token(TokenExchangeError),
    /// The server has ended the session, and said how the registration stands.
    NotActive(SessionEnded),
    /// The session was ended from this side.
    Ended(&'static str),
}

/// The failure of a turn whose task was lost.
pub(super) const PANICKED: Failure = Failure::Ended("a port has panicked");

impl From<&io::Error> for Failure {
    fn from(error: &io::Error) -> Self {
        Self::Stream(error.kind())
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Channel(error) => {
                let kind = match error {
                    ChannelError::Closed => io::ErrorKind::BrokenPipe,
                    ChannelError::Truncated => io::ErrorKind::UnexpectedEof,
                    _ => io::ErrorKind::InvalidData,
                };
                Self::new(kind, error)
            }
            Failure::Stream(io::ErrorKind::UnexpectedEof) => {
                Self::new(io::ErrorKind::UnexpectedEof, ChannelError::Truncated)
            }
            Failure::Stream(kind) => kind.into(),
            Failure::Token(error) => Self::new(io::ErrorKind::InvalidData, error),
            Failure::NotActive(ended) => Self::new(io::ErrorKind::ConnectionAborted, ended),
            Failure::Ended(why) => Self::new(io::ErrorKind::ConnectionAborted, why),
        }
    }
}
