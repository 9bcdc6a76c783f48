//! A server's loop: registrations, then perhaps a session, over one connection.

use super::hooks::{Approval, Observer};
use super::offers::Offers;
use super::server_end::{Serve, ServerEnd, ServerSession, Sessions};
use super::stream::Session;
use super::{Framed, Transport};
use crate::exchange::{KeysTurn, RequestKind, ServerEvent, ServerExchange, ServerReply, ServerTurn};
use crate::id::KeyId;
use crate::moment::Moment;
use crate::port::{AuthServer, EntitlementStore};
use crate::registration::server::{Decision, EnrolmentRequest};
use crate::settings::ServerSettings;
use crate::time::UnixTime;
use core::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Accepts connections of tokens, blocking. A clone is the same server, and may work on another thread.
///
/// A user with an activation code is registered at once, and any other waits for the operator:
/// ```
/// use halfkey::driver::Acceptor;
/// use halfkey::registration::server::{Decision, EnrolmentProof, EnrolmentRequest, Grant};
/// use halfkey::{AccessPath, memory::Store};
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
///
/// # fn main() -> setting::Outcome {
/// # let setting::Setting { settings, keys, .. } = setting::Setting::new()?;
/// let access_path = AccessPath::new("/staff")?; // where the user's entitlements begin
/// let grant = Grant { user_id: None, access_path, policy: settings.policy.clone() };
/// let acceptor = Acceptor::builder(settings, keys, Store::new())
///     .approval(move |request: &EnrolmentRequest| match request.proof {
///         EnrolmentProof::None => Decision::Wait { retry_after: 3600 },
///         _ => Decision::Grant(grant.clone()),
///     })
///     .build();
/// # drop(acceptor);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Acceptor {
    hands: Arc<Hands>,
}

/// The hands of the patent's Figure 1, and the operator's hooks.
struct Hands {
    settings: Arc<ServerSettings>,
    keys: Box<dyn AuthServer>,
    store: Box<dyn EntitlementStore>,
    approval: Box<dyn Approval>,
    observer: Box<dyn Observer>,
    clock: Box<dyn Fn() -> UnixTime + Send + Sync>,
    sessions: Sessions,
    offers: Offers,
    /// True while a thread waits to erase the ephemeral keys that are due.
    forgets: AtomicBool,
}

/// Makes an [`Acceptor`].
#[must_use]
pub struct AcceptorBuilder {
    hands: Hands,
}

impl AcceptorBuilder {
    /// Lets `approval` decide on enrolment requests. Without it every request waits for the operator.
    pub fn approval(mut self, approval: impl Approval + 'static) -> Self {
        self.hands.approval = Box::new(approval);
        self
    }

    /// Lets `observer` limit and log. Without it every peer is admitted and nothing is logged.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.hands.observer = Box::new(observer);
        self
    }

    /// Tells the time by `clock` instead of the system's clock.
    pub fn clock(mut self, clock: impl Fn() -> UnixTime + Send + Sync + 'static) -> Self {
        self.hands.clock = Box::new(clock);
        self
    }

    /// Makes the acceptor.
    #[must_use]
    pub fn build(self) -> Acceptor {
        Acceptor { hands: Arc::new(self.hands) }
    }
}

/// Seconds after which a token asks again where no approval is set.
const RETRY_SECS: u32 = 300;

impl Acceptor {
    /// Begins an acceptor with the server's settings, the holder of its keys and its store. Share a port
    /// with other parts of a program by an [`Arc`].
    pub fn builder(
        settings: impl Into<Arc<ServerSettings>>,
        keys: impl AuthServer + 'static,
        store: impl EntitlementStore + 'static,
    ) -> AcceptorBuilder {
        AcceptorBuilder {
            hands: Hands {
                settings: settings.into(),
                keys: Box::new(keys),
                store: Box::new(store),
                approval: Box::new(|_: &EnrolmentRequest| Decision::Wait { retry_after: RETRY_SECS }),
                observer: Box::new(()),
                clock: Box::new(UnixTime::now),
                sessions: Sessions::default(),
                offers: Offers::default(),
                forgets: AtomicBool::new(false),
            },
        }
    }

    /// Serves one connection until a session is open on it: `None` when the peer has ended the connection
    /// before, as it does after a registration. `peer` is a name for the sender on this transport, at most
    /// 64 bytes, such as [`peer_name`](super::peer_name) gives: a token that reconnects is still the same peer.
    ///
    /// Set the stream's timeouts yourself.
    ///
    /// # Errors
    /// The stream's. The protocol's own errors go to the observer.
    pub fn accept<S: Read + Write>(&self, stream: S, peer: &[u8]) -> io::Result<Option<ServerSession<S>>> {
        let mut transport = Framed(stream);
        let mut exchange = ServerExchange::new(Arc::clone(&self.hands.settings), peer);
        while let Some(frame) = transport.receive()? {
            let reply = self.answer(exchange, peer, &frame);
            reply.send.iter().try_for_each(|frame| transport.send(frame))?;
            match reply.next {
                Some(next) => match next.session().map(|session| session.key_id) {
                    Some(key_id) => return Ok(Some(self.opened(next, key_id, peer, transport))),
                    None => exchange = next,
                },
                None => break,
            }
        }
        Ok(None)
    }

    /// Ends the open sessions of a key, and returns their number: each when its next record comes, data is written
    /// to it or its stream's time is over. The token is told how its registration stands, and sessions that it
    /// opens from now on are served.
    ///
    /// A stolen token is revoked, and nothing is served to it any more:
    /// ```
    /// use halfkey::driver::Acceptor;
    /// use halfkey::memory::Store;
    /// use halfkey::store::{OperatorError, operation::Revoke};
    /// use halfkey::{KeyId, UnixTime};
    ///
    /// fn revoke(key_id: KeyId, store: &Store, acceptor: &Acceptor) -> Result<usize, OperatorError> {
    ///     store.run(&Revoke(key_id), UnixTime::now())?; // no new session
    ///     Ok(acceptor.end_sessions(&key_id)) // and no open one
    /// }
    /// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
    /// # fn main() -> setting::Outcome {
    /// # let (setting, key_id) = (setting::Setting::new()?, KeyId::new([1; 16]));
    /// # assert_eq!(revoke(key_id, &setting.store, &setting.acceptor()), Err(OperatorError::NoSuchKey));
    /// # Ok(()) }
    /// ```
    pub fn end_sessions(&self, key_id: &KeyId) -> usize {
        self.hands.sessions.end(key_id)
    }

    fn opened<S: Read + Write>(
        &self,
        exchange: ServerExchange,
        key_id: KeyId,
        peer: &[u8],
        transport: Framed<S>,
    ) -> ServerSession<S> {
        let (sign, open) = self.hands.sessions.enter(key_id);
        if open > 1 {
            self.hands.observer.event(peer, &ServerEvent::Concurrent(key_id));
        }
        let hands = Arc::<Hands>::clone(&self.hands);
        Session::new(ServerEnd::new(hands, peer, exchange, key_id, sign), transport)
    }

    /// Answers one frame, for transports of one request and one answer: begin with
    /// [`ServerExchange::stateless`].
    ///
    /// A token registers over HTTP with three POSTs, whose bodies are R0, R2 and R4:
    /// ```
    /// use halfkey::driver::Acceptor;
    /// use halfkey::exchange::ServerExchange;
    /// use std::sync::Arc;
    ///
    /// /// Answers the body of a POST by the body of a response.
    /// fn post(acceptor: &Acceptor, peer: &str, body: &[u8]) -> Vec<u8> {
    ///     let exchange = ServerExchange::stateless(Arc::clone(acceptor.settings()));
    ///     acceptor.answer(exchange, peer.as_bytes(), body).send.concat()
    /// }
    /// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
    /// # fn main() -> setting::Outcome {
    /// # assert!(!post(&setting::Setting::new()?.acceptor(), "peer", b"not a frame").is_empty());
    /// # Ok(()) }
    /// ```
    pub fn answer(&self, exchange: ServerExchange, peer: &[u8], frame: &[u8]) -> ServerReply {
        let reply = self.hands.perform(exchange.receive(frame, self.hands.moment()), peer);
        if reply.events.iter().any(|event| matches!(event, ServerEvent::Offered)) {
            forget_later(&self.hands);
        }
        reply
    }

    /// The server's settings.
    #[must_use]
    pub fn settings(&self) -> &Arc<ServerSettings> {
        &self.hands.settings
    }

    /// Erases the ephemeral keys that are due, and returns when the next one is. A thread of the acceptor's does it
    /// in time; a program that runs none calls this.
    #[must_use = "the next key is due then"]
    pub fn forget(&self) -> Option<UnixTime> {
        self.hands.keys.forget((self.hands.clock)())
    }
}

/// Begins a thread that erases ephemeral keys when they are due, unless one is there. It ends with the last key, and
/// does not keep the acceptor.
fn forget_later(hands: &Arc<Hands>) {
    if hands.forgets.swap(true, Ordering::AcqRel) {
        return;
    }
    let waits = Arc::downgrade(hands);
    let thread = std::thread::Builder::new().name("halfkey-forget".into()).spawn(move || {
        while let Some(hands) = waits.upgrade() {
            let now = (hands.clock)();
            let Some(due) = hands.keys.forget(now) else {
                return hands.forgets.store(false, Ordering::Release);
            };
            drop(hands);
            // A clock may be set: it is looked at again every minute.
            let seconds = due.as_secs().saturating_sub(now.as_secs()).clamp(1, 60);
            std::thread::sleep(Duration::from_secs(seconds));
        }
    });
    if thread.is_err() {
        hands.forgets.store(false, Ordering::Release);
    }
}

impl Hands {
    fn admits(&self, peer: &[u8], kind: Option<RequestKind>) -> bool {
        kind.is_none_or(|kind| self.observer.admits(peer, kind))
    }

    /// Tells whether the offer of a costly request is still good for it.
    fn is_good_for(&self, need: &KeysTurn) -> bool {
        need.offer().is_none_or(|offer| self.offers.admits(offer, (self.clock)()))
    }
}

impl Serve for Hands {
    fn moment(&self) -> Moment {
        Moment::at((self.clock)())
    }

    fn perform(&self, mut turn: ServerTurn, peer: &[u8]) -> ServerReply {
        let reply = loop {
            turn = match turn {
                ServerTurn::Store(need) if !self.admits(peer, need.kind()) => need.refuse(),
                ServerTurn::Keys(need) if !self.admits(peer, need.kind()) || !self.is_good_for(&need) => {
                    need.refuse()
                }
                ServerTurn::Store(need) => need.ask(&*self.store),
                ServerTurn::Keys(need) => need.ask(&*self.keys),
                ServerTurn::Operator(need) => {
                    let decision = self.approval.decide(need.wanted());
                    need.supply(decision)
                }
                ServerTurn::Done(reply) => break reply,
            };
        };
        reply.events.iter().for_each(|event| self.observer.event(peer, event));
        reply
    }

    fn sessions(&self) -> &Sessions {
        &self.sessions
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Acceptor({})", self.hands.settings.name)
    }
}
