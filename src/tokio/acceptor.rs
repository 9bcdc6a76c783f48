//! A server: connections in, sessions out.

use super::converse::converse;
use super::error::AcceptError;
use super::hands::{AsyncApproval, AtOnce, InTime, Keys};
use super::limits::Limits;
use super::places::Places;
use super::server::ServerSession;
use super::serving::Serving;
use crate::driver::{Approval, Observer, Offers};
use crate::exchange::{ServerExchange, ServerReply, ServerTurn};
use crate::id::KeyId;
use crate::moment::Moment;
use crate::port::AuthServer;
use crate::port::question::AsyncEntitlementStore;
use crate::registration::server::{Decision, EnrolmentRequest};
use crate::settings::ServerSettings;
use crate::time::UnixTime;
use core::fmt;
use core::future::poll_fn;
use core::time::Duration;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// Seconds after which a token asks again where no approval is set.
const RETRY_SECS: u32 = 300;

/// Accepts connections of tokens on tokio. A clone is the same server.
///
/// Work that a frame has begun runs to its end in a task of its own, also when the future that waits for it is
/// dropped: what was committed stays so, and the token that sends its message again gets the same answer.
///
/// ```
/// use halfkey::memory::Store;
/// use halfkey::port::AuthServer;
/// use halfkey::registration::server::{Decision, EnrolmentRequest};
/// use halfkey::tokio::{Acceptor, AsyncApproval, Limits, OffExecutor, peer_name};
/// use halfkey::ServerSettings;
/// use std::time::Duration;
/// use tokio::net::TcpListener;
///
/// /// Serves until the program is told to stop, and gives open sessions ten seconds to end.
/// async fn serve(
///     settings: ServerSettings,
///     keys: impl AuthServer + 'static,
///     approval: impl AsyncApproval,
///     listener: TcpListener,
///     stop: impl Future,
/// ) {
///     let mut limits = Limits::default();
///     limits.connections = 1_000;
///     let acceptor = Acceptor::builder(settings, keys, OffExecutor::new(Store::new()))
///         .approval_async(approval)
///         .limits(limits)
///         .build();
///     let accepting = async {
///         while let Ok((stream, peer)) = listener.accept().await {
///             let acceptor = acceptor.clone();
///             tokio::spawn(async move { acceptor.accept(stream, peer_name(peer.ip())).await.map(drop) });
///         }
///     };
///     tokio::select! { _ = accepting => {}, _ = stop => {} }
///     acceptor.shutdown(Duration::from_secs(10)).await;
/// }
/// ```
#[derive(Clone)]
pub struct Acceptor {
    serving: Arc<Serving>,
}

/// Makes an [`Acceptor`].
#[must_use]
pub struct AcceptorBuilder {
    serving: Serving,
    keys: Arc<dyn AuthServer>,
}

impl AcceptorBuilder {
    /// Lets `approval` decide on enrolment requests at once. Without any every request waits for the operator.
    pub fn approval(mut self, approval: impl Approval + 'static) -> Self {
        self.serving.operator = Arc::new(AtOnce(approval));
        self
    }

    /// Lets `approval` decide on enrolment requests in its own time, up to [`Limits::approval`].
    pub fn approval_async(mut self, approval: impl AsyncApproval) -> Self {
        self.serving.operator = Arc::new(InTime(approval));
        self
    }

    /// Lets `observer` limit and log. Without it every peer is admitted and nothing is logged. It is asked on
    /// the executor and must not block.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.serving.observer = Box::new(observer);
        self
    }

    /// Sets the limits on time, places and work.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.serving.limits = limits;
        self
    }

    /// Tells the time by `clock` instead of the system's clock.
    pub fn clock(mut self, clock: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        self.serving.clock = Arc::new(clock);
        self
    }

    /// Makes the acceptor.
    #[must_use]
    pub fn build(self) -> Acceptor {
        let Self { mut serving, keys } = self;
        serving.keys = Keys::new(keys, &serving.limits);
        serving.places = Places::new(serving.limits.connections, serving.limits.connections_per_peer);
        Acceptor { serving: Arc::new(serving) }
    }
}

impl Acceptor {
    /// Begins an acceptor with the server's settings, the holder of its keys and its store. Share a port with
    /// other parts of a program by an [`Arc`]; a store that blocks goes into an
    /// [`OffExecutor`](super::OffExecutor).
    pub fn builder(
        settings: impl Into<Arc<ServerSettings>>,
        keys: impl AuthServer + 'static,
        store: impl AsyncEntitlementStore + 'static,
    ) -> AcceptorBuilder {
        let limits = Limits::default();
        let keys: Arc<dyn AuthServer> = Arc::new(keys);
        let approval = |_: &EnrolmentRequest| Decision::Wait { retry_after: RETRY_SECS };
        AcceptorBuilder {
            serving: Serving {
                settings: settings.into(),
                keys: Keys::new(Arc::clone(&keys), &limits),
                store: Arc::new(store),
                operator: Arc::new(AtOnce(approval)),
                observer: Box::new(()),
                clock: Arc::new(UnixTime::now),
                places: Places::new(limits.connections, limits.connections_per_peer),
                offers: Offers::default(),
                limits,
            },
            keys,
        }
    }

    /// Serves one connection until a session is open on it: `None` when the peer has ended the connection
    /// before, as it does after a registration. `peer` is a name for the sender on this transport, at most 64
    /// bytes, such as [`peer_name`](crate::driver::peer_name) gives: a token that reconnects is still the same
    /// peer.
    ///
    /// A session that is still open counts among the connections until it is dropped.
    ///
    /// # Errors
    /// [`AcceptError`]. The protocol's own errors go to the observer.
    pub async fn accept<S>(
        &self,
        stream: S,
        peer: impl AsRef<[u8]>,
    ) -> Result<Option<ServerSession<S>>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // In a box, so that a task that goes on with the session does not keep room for it.
        Box::pin(converse(Arc::clone(&self.serving), stream, Arc::from(peer.as_ref()))).await
    }

    /// Answers one frame, for transports of one request and one answer: begin each conversation with
    /// [`ServerExchange::stateless`]. The answer has no frame where a port has panicked.
    ///
    /// Registration by POST, with axum: R0, R2 and R4 are the bodies of requests, R1, R3 and R5 those of responses.
    /// ```
    /// use halfkey::exchange::ServerExchange;
    /// use halfkey::tokio::{Acceptor, peer_name};
    /// use std::net::SocketAddr;
    /// use std::sync::Arc;
    ///
    /// // async fn register(State(acceptor): State<Acceptor>, ConnectInfo(peer): ConnectInfo<SocketAddr>, body: Bytes)
    /// async fn register(acceptor: Acceptor, peer: SocketAddr, body: Vec<u8>) -> Vec<u8> {
    ///     let exchange = ServerExchange::stateless(Arc::clone(acceptor.settings()));
    ///     acceptor.answer(exchange, peer_name(peer.ip()).as_bytes(), &body).await.send.concat()
    /// }
    /// ```
    pub async fn answer(&self, exchange: ServerExchange, peer: &[u8], frame: &[u8]) -> ServerReply {
        let moment = Moment::at((self.serving.clock)());
        match exchange.receive(frame, moment) {
            ServerTurn::Done(reply) => self.serving.told(peer, reply),
            turn => self.serving.spawn(turn, Arc::from(peer)).await.ok().flatten().unwrap_or_default(),
        }
    }

    /// The server's settings.
    #[must_use]
    pub fn settings(&self) -> &Arc<ServerSettings> {
        &self.serving.settings
    }

    /// Sets [`Limits::connections`] and [`Limits::connections_per_peer`] anew. Connections that are there stay.
    pub fn limit_connections(&self, all: usize, per_peer: usize) {
        self.serving.places.limit(all, per_peer);
    }

    /// Ends the open sessions of a key, and returns their number. Each token is told how its registration stands;
    /// one that does not take that within [`Limits::write`] is cut off. Sessions that it opens from now on are
    /// served.
    pub fn end_sessions(&self, key_id: &KeyId) -> usize {
        let (sessions, within) = (self.serving.places.sessions_of(key_id), self.serving.limits.write);
        let count = sessions.len();
        for session in sessions {
            drop(tokio::spawn(async move {
                let ended = poll_fn(|context| match session.upgrade() {
                    Some(session) => session.poll_end(context),
                    None => core::task::Poll::Ready(()),
                });
                let ended = tokio::time::timeout(within, ended).await;
                if let (Err(_), Some(session)) = (ended, session.upgrade()) {
                    session.cut("the operator has ended the session");
                }
            }));
        }
        count
    }

    /// Shuts down: connections are told `busy` from now on, and those without a session are sent away, each
    /// after the answer that it waits for. Open sessions are closed from this side: they may read until the
    /// peer closes, too. Waits until all are dropped, for `within` at most; then those still open are cut off.
    /// Gives how many that were.
    pub async fn shutdown(&self, within: Duration) -> usize {
        let places = &self.serving.places;
        for session in places.stop() {
            let close = async move {
                poll_fn(|context| match session.upgrade() {
                    Some(session) => session.poll_close(context),
                    None => core::task::Poll::Ready(Ok(())),
                })
                .await
            };
            drop(tokio::spawn(tokio::time::timeout(within, close)));
        }
        if tokio::time::timeout(within, places.empty()).await.is_ok() {
            return 0;
        }
        let open = places.sessions();
        open.iter()
            .filter_map(std::sync::Weak::upgrade)
            .for_each(|session| session.cut("the server has shut down"));
        open.len()
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Acceptor({})", self.serving.settings.name)
    }
}

impl fmt::Debug for AcceptorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AcceptorBuilder({})", self.serving.settings.name)
    }
}
