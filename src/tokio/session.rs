//! A session as a byte stream: the same for both ends.

use super::end::End;
use super::facts::Facts;
use super::handle::Handle;
use super::link::{Link, Patience};
use super::state::Shared;
use super::waiters::Role;
use crate::session::ChannelError;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// An open session over its stream: what is written is sealed, what is read has been opened.
///
/// Keys are renewed, aliases confirmed and configurations dealt with while reading, writing and flushing.
/// Reading gives 0 bytes only after the peer has closed its side; a stream that is cut off before is
/// [`io::ErrorKind::UnexpectedEof`], then and whenever it is asked again. Shutting down closes this side: the
/// peer reads the end of the stream, and may still write. A session that is dropped is cut off.
///
/// Writing fills a buffer of 64 KiB and sends what the stream takes; flushing waits until the stream has taken
/// everything. Reading, writing and flushing may be given up at any await point: nothing is lost. Without data
/// on its way a session holds no buffer.
///
/// The echo of a line, and what a server knows of the user:
/// ```
/// use halfkey::tokio::ServerSession;
/// use std::io;
/// use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
///
/// async fn echo<S>(session: ServerSession<S>) -> io::Result<()>
/// where
///     S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
/// {
///     let greeting = format!("{} at {}\n", session.principal().user_id, session.principal().access_path);
///     let mut stream = BufStream::new(session); // a session is a stream like any other
///     stream.write_all(greeting.as_bytes()).await?;
///     stream.flush().await?;
///     let mut line = String::new();
///     stream.read_line(&mut line).await?;
///     stream.write_all(line.as_bytes()).await?;
///     stream.shutdown().await
/// }
/// ```
pub struct Session<S, E: End> {
    shared: Arc<Shared<S, E>>,
    facts: Facts<E>,
}

impl<S, E: End> Session<S, E> {
    pub(super) fn new(
        link: Link<S>,
        end: E,
        exchange: E::Exchange,
        facts: Facts<E>,
        patience: Patience,
    ) -> Self {
        Self { shared: Shared::new(link, end, exchange, patience), facts }
    }

    pub(super) fn facts(&self) -> &Facts<E> {
        &self.facts
    }

    pub(super) const fn shared(&self) -> &Arc<Shared<S, E>> {
        &self.shared
    }

    /// The session's name: public, the same on both sides, never the same twice.
    #[must_use]
    pub const fn session_id(&self) -> &[u8; 32] {
        &self.facts.session_id
    }

    /// Exports key material for another protocol, the same on both sides
    /// ([`Channel::export`](crate::session::Channel::export)).
    ///
    /// A cookie that only this client and this server can know:
    /// ```
    /// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
    /// # mod on_tokio { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/on_tokio.rs")); }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> setting::Outcome {
    /// # let setting = setting::Setting::new()?;
    /// # let acceptor = on_tokio::acceptor(&setting);
    /// # let connector = halfkey::tokio::Connector::builder(setting.token()?).build();
    /// # let registration = on_tokio::register(&connector, &setting, &acceptor).await?;
    /// # let stream = on_tokio::connect(&acceptor);
    /// # let session = connector.open(stream, &registration.key_id).await?;
    /// let mut cookie = [0; 16];
    /// session.export(b"cookie", b"shop.example", &mut cookie)?;
    /// # assert_ne!(cookie, [0; 16]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`ChannelError::ExportTooLong`].
    pub fn export(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), ChannelError> {
        self.facts.exporter.export(label, context, out)
    }

    /// Calls `with` with the stream beneath, for its addresses and options.
    pub fn with_stream<T>(&self, with: impl FnOnce(&S) -> T) -> T {
        with(self.shared.lock().stream())
    }
}

impl<S, E: End> Session<S, E>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    /// A handle for what goes beside the stream. It does not keep the session open.
    #[must_use]
    pub fn handle(&self) -> Handle<E> {
        let control: Arc<dyn super::handle::Control<E>> = Arc::<Shared<S, E>>::clone(&self.shared);
        Handle::new(Arc::downgrade(&control), self.facts.clone())
    }

    /// Splits the session into halves that two tasks may use.
    ///
    /// ```
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    /// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
    /// # mod on_tokio { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/on_tokio.rs")); }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> setting::Outcome {
    /// # let setting = setting::Setting::new()?;
    /// # let acceptor = on_tokio::acceptor(&setting);
    /// # let connector = halfkey::tokio::Connector::builder(setting.token()?).build();
    /// # let registration = on_tokio::register(&connector, &setting, &acceptor).await?;
    /// # let stream = on_tokio::connect(&acceptor);
    /// # let session = connector.open(stream, &registration.key_id).await?;
    /// let (mut read, mut write) = session.into_split();
    /// let writing = tokio::spawn(async move {
    ///     write.write_all(b"hello").await?;
    ///     write.shutdown().await
    /// });
    /// let mut echo = Vec::new();
    /// read.read_to_end(&mut echo).await?; // in this task, meanwhile
    /// assert_eq!(echo, b"hello");
    /// # writing.await??;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn into_split(self) -> (OwnedReadHalf<S, E>, OwnedWriteHalf<S, E>) {
        let (shared, facts) = (Arc::clone(&self.shared), self.facts.clone());
        (OwnedReadHalf(self), OwnedWriteHalf(Self { shared, facts }))
    }

    /// Closes this side, reads until the peer has closed its own, and gives the stream back. Everything sent
    /// has arrived then; data that still comes is dropped. `None` where a half is still in use.
    ///
    /// # Errors
    /// The stream's; [`io::ErrorKind::UnexpectedEof`] when the peer hangs up without closing.
    pub async fn close(mut self) -> io::Result<Option<S>> {
        self.shutdown().await?;
        let mut dropped = zeroize::Zeroizing::new(vec![0; 4096]);
        while self.read(&mut dropped).await? > 0 {}
        Ok(self.shared.into_stream())
    }
}

impl<S, E: End> AsyncRead for Session<S, E>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.shared.poll(Role::Reader, context, |core, context| core.poll_read(context, out))
    }
}

impl<S, E: End> AsyncWrite for Session<S, E>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.shared.poll(Role::Writer, context, |core, context| core.poll_write(context, data))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.poll(Role::Writer, context, |core, context| core.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.poll(Role::Writer, context, |core, context| core.poll_shutdown(context))
    }
}

/// The reading half of a session.
pub struct OwnedReadHalf<S, E: End>(Session<S, E>);

/// The writing half of a session. Shut it down to end the stream that the peer reads.
pub struct OwnedWriteHalf<S, E: End>(Session<S, E>);

impl<S, E: End> OwnedReadHalf<S, E> {
    /// Puts the halves together again.
    ///
    /// # Errors
    /// Both halves, where they belong to two sessions.
    pub fn reunite(self, other: OwnedWriteHalf<S, E>) -> Result<Session<S, E>, (Self, OwnedWriteHalf<S, E>)> {
        if Arc::ptr_eq(&self.0.shared, &other.0.shared) { Ok(self.0) } else { Err((self, other)) }
    }
}

impl<S, E: End> AsyncRead for OwnedReadHalf<S, E>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, out)
    }
}

impl<S, E: End> AsyncWrite for OwnedWriteHalf<S, E>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl<S, E: End> fmt::Debug for Session<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session(..)")
    }
}

impl<S, E: End> fmt::Debug for OwnedReadHalf<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnedReadHalf(..)")
    }
}

impl<S, E: End> fmt::Debug for OwnedWriteHalf<S, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnedWriteHalf(..)")
    }
}
