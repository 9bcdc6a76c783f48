//! Forwarding between a session and another stream.

use core::mem::MaybeUninit;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::future::poll_fn;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes read at once: what a session seals at once. They lie on the stack.
const CHUNK: usize = 60_000;

/// Copies both ways between a session and a stream, or any two streams, until both have ended. An end is passed on
/// as soon as everything before it is (half-close), and the other way goes on. It holds a buffer only while one
/// side takes less than the other gives: a connection that waits costs the two streams and 100 bytes or so.
///
/// Returns the number of bytes copied from `one` to `other`, and from `other` to `one`.
///
/// ```
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # async fn example() -> std::io::Result<()> {
/// let ((mut near, mut one), (mut other, mut far)) = (tokio::io::duplex(64), tokio::io::duplex(64));
/// let forwarded = tokio::spawn(async move { halfkey::tokio::forward(&mut one, &mut other).await });
/// near.write_all(b"hello").await?;
/// near.shutdown().await?;
/// let mut came = String::new();
/// far.read_to_string(&mut came).await?;
/// far.shutdown().await?;
/// assert_eq!((came.as_str(), forwarded.await??), ("hello", (5, 0)));
/// # Ok(()) }
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(example())?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Those of either stream; what has not been passed on by then is lost.
pub async fn forward<A, B>(one: &mut A, other: &mut B) -> io::Result<(u64, u64)>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    let (mut there, mut back) = (Way::default(), Way::default());
    poll_fn(|context| {
        let there = there.poll(context, one, other)?;
        let back = back.poll(context, other, one)?;
        Poll::Ready(Ok((ready!(there), ready!(back))))
    })
    .await
}

/// One way.
#[derive(Default)]
struct Way {
    /// Bytes that the writer has not taken yet.
    held: Vec<u8>,
    /// Bytes of `held` that it has taken.
    taken: usize,
    copied: u64,
    /// True where the writer has taken bytes that it has not been told to send on.
    dirty: bool,
    state: State,
}

#[derive(Default, PartialEq, Eq)]
enum State {
    #[default]
    Copying,
    Ended,
    Shut,
}

impl Way {
    fn poll<R, W>(&mut self, context: &mut Context<'_>, from: &mut R, to: &mut W) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        while self.state == State::Copying {
            ready!(self.poll_held(context, to))?;
            let mut chunk = [MaybeUninit::uninit(); CHUNK];
            let mut chunk = ReadBuf::uninit(&mut chunk);
            match Pin::new(&mut *from).poll_read(context, &mut chunk)? {
                Poll::Ready(()) if chunk.filled().is_empty() => self.state = State::Ended,
                Poll::Ready(()) => self.pass(context, chunk.filled(), to)?,
                Poll::Pending => {
                    if self.dirty {
                        ready!(Pin::new(&mut *to).poll_flush(context))?;
                        self.dirty = false;
                    }
                    return Poll::Pending;
                }
            }
        }
        if self.state == State::Ended {
            ready!(Pin::new(&mut *to).poll_shutdown(context))?;
            self.state = State::Shut;
        }
        Poll::Ready(Ok(self.copied))
    }

    /// Passes bytes on, and holds what is not taken at once.
    fn pass<W: AsyncWrite + Unpin + ?Sized>(
        &mut self,
        context: &mut Context<'_>,
        mut bytes: &[u8],
        to: &mut W,
    ) -> io::Result<()> {
        while !bytes.is_empty() {
            let Poll::Ready(written) = Pin::new(&mut *to).poll_write(context, bytes)? else {
                self.held = bytes.to_vec();
                return Ok(());
            };
            self.wrote(written)?;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    /// Passes on what is held.
    fn poll_held<W: AsyncWrite + Unpin + ?Sized>(
        &mut self,
        context: &mut Context<'_>,
        to: &mut W,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = self.held.get(self.taken..).filter(|rest| !rest.is_empty()) {
            let written = ready!(Pin::new(&mut *to).poll_write(context, rest))?;
            self.wrote(written)?;
            self.taken = self.taken.saturating_add(written);
        }
        (self.held, self.taken) = (Vec::new(), 0);
        Poll::Ready(Ok(()))
    }

    fn wrote(&mut self, written: usize) -> io::Result<()> {
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.copied = self.copied.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
        self.dirty = true;
        Ok(())
    }
}
