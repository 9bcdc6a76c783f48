//! Handles beside a session's stream: configurations, keys for other protocols, the end.

use super::end::{End, Failure, Progress};
use super::ending::Ending;
use super::facts::Facts;
use super::state::{Core, Shared};
use super::waiters::Role;
use crate::session::ChannelError;
use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll, ready};
use std::io;
use std::sync::Weak;
use tokio::io::{AsyncRead, AsyncWrite};

/// Begins a turn of a session's end.
pub(super) type Begin<'b, E> = &'b mut (dyn FnMut(&mut E, <E as End>::Exchange) -> Progress<E> + Send);
/// Makes frames with a session's machine.
pub(super) type Make<'m, E> =
    &'m mut (dyn FnMut(&E, &mut <E as End>::Exchange) -> io::Result<Vec<Vec<u8>>> + Send);

/// A session whose stream does not matter. Sealed.
pub(super) trait Control<E: End>: Ending {
    /// Begins a turn as soon as none is under way.
    #[doc(hidden)]
    fn poll_begin(&self, context: &Context<'_>, begin: Begin<'_, E>) -> Poll<io::Result<()>>;
    /// Sends frames as soon as no turn is under way.
    #[doc(hidden)]
    fn poll_send(&self, context: &Context<'_>, make: Make<'_, E>) -> Poll<io::Result<()>>;
    /// Goes on reading for as long as the session goes on.
    #[doc(hidden)]
    fn poll_drive(&self, context: &Context<'_>) -> Poll<io::Error>;
}

impl<S, E: End> Ending for Shared<S, E>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    fn poll_close(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        self.poll(Role::Handle, context, Core::poll_shutdown)
    }

    fn poll_flush(&self, context: &Context<'_>) -> Poll<io::Result<()>> {
        self.poll(Role::Handle, context, Core::poll_flush)
    }

    fn poll_end(&self, context: &Context<'_>) -> Poll<()> {
        self.poll(Role::Handle, context, Core::poll_end)
    }

    fn cut(&self, why: &'static str) {
        self.lock().cut(why);
    }
}

impl<S, E: End> Control<E> for Shared<S, E>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    fn poll_begin(&self, context: &Context<'_>, begin: Begin<'_, E>) -> Poll<io::Result<()>> {
        self.poll(Role::Handle, context, |core, context| {
            ready!(core.poll_turn(context));
            let exchange = core.take_exchange()?;
            let progress = begin(&mut core.end, exchange);
            core.begin(progress);
            Poll::Ready(Ok(()))
        })
    }

    fn poll_send(&self, context: &Context<'_>, make: Make<'_, E>) -> Poll<io::Result<()>> {
        self.poll(Role::Handle, context, |core, context| {
            ready!(core.poll_turn(context));
            Poll::Ready(core.make(make))
        })
    }

    fn poll_drive(&self, context: &Context<'_>) -> Poll<io::Error> {
        self.poll(Role::Handle, context, Core::poll_drive).map(Into::into)
    }
}

/// A handle for what goes beside a session's stream. A clone is a handle of the same session.
///
/// It does not keep the session open: once the session is dropped, everything asked of it is
/// [`io::ErrorKind::BrokenPipe`].
///
/// A client asks for a configuration while another task has the stream:
/// ```
/// use halfkey::configuration::UserInformation;
/// use halfkey::tokio::ClientHandle;
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
/// # let mut session = connector.open(stream, &registration.key_id).await?;
/// let handle: ClientHandle = session.handle();
/// let asking = tokio::spawn(async move {
///     handle.configure(&"mail".parse()?, UserInformation::default()).await.map_err(setting::Failure::from)
/// });
/// session.write_all(b"hello").await?; // goes on meanwhile
/// println!("{:?}", asking.await??); // `Unknown`, unless an operator entitles the user
/// # session.close().await?;
/// # Ok(()) }
/// ```
pub struct Handle<E: End> {
    control: Weak<dyn Control<E>>,
    facts: Facts<E>,
}

impl<E: End> Handle<E> {
    pub(super) fn new(control: Weak<dyn Control<E>>, facts: Facts<E>) -> Self {
        Self { control, facts }
    }

    /// The session's name.
    #[must_use]
    pub const fn session_id(&self) -> &[u8; 32] {
        &self.facts.session_id
    }

    /// Exports key material for another protocol, as [`Session::export`](super::Session::export) does.
    ///
    /// # Errors
    /// [`ChannelError::ExportTooLong`].
    pub fn export(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), ChannelError> {
        self.facts.exporter.export(label, context, out)
    }

    /// Closes this side of the session, as shutting down its stream does.
    ///
    /// # Errors
    /// The stream's.
    pub async fn close(&self) -> io::Result<()> {
        self.polled(|control, context| control.poll_close(context)).await
    }

    /// Polls for as long as the session is there.
    pub(super) async fn polled<T>(
        &self,
        mut poll: impl FnMut(&dyn Control<E>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> io::Result<T> {
        poll_fn(|context| match self.control.upgrade() {
            Some(control) => poll(&*control, context),
            None => Poll::Ready(Err(Failure::Channel(ChannelError::Closed).into())),
        })
        .await
    }
}

impl<E: End> Clone for Handle<E> {
    fn clone(&self) -> Self {
        Self { control: Weak::clone(&self.control), facts: self.facts.clone() }
    }
}

impl<E: End> fmt::Debug for Handle<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle(..)")
    }
}
