//! A server's loop: registrations, then perhaps a session, over one connection.

use super::hooks::{Approval, Observer};
use super::split::WriteHalf;
use super::stream::{End, Session, Taken, broken};
use super::{Framed, Transport};
use crate::exchange::{RequestKind, ServerEvent, ServerExchange, ServerReply, ServerTurn};
use crate::id::ApplicationName;
use crate::moment::Moment;
use crate::port::entitlement_store::Entitlement;
use crate::port::{AuthServer, EntitlementStore};
use crate::registration::server::{Decision, EnrolmentRequest};
use crate::session::server::Established;
use crate::session::{Channel, ChannelError};
use crate::settings::ServerSettings;
use crate::time::UnixTime;
use core::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

/// Accepts connections of tokens, blocking. A clone is the same server, and may work on another thread.
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
            },
        }
    }

    /// Serves one connection until a session is open on it: `None` when the peer has ended the connection
    /// before, as it does after a registration. `peer` is a name for the sender on this transport, at most
    /// 64 bytes: an address without its port, so that a token that reconnects is still the same peer.
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
                Some(next) if next.session().is_some() => {
                    let end = ServerEnd { acceptor: self.clone(), peer: peer.into(), exchange: Some(next) };
                    return Ok(Some(Session::new(end, transport)));
                }
                Some(next) => exchange = next,
                None => break,
            }
        }
        Ok(None)
    }

    /// Answers one frame, for transports of one request and one answer: begin with
    /// [`ServerExchange::stateless`].
    pub fn answer(&self, exchange: ServerExchange, peer: &[u8], frame: &[u8]) -> ServerReply {
        let hands = &*self.hands;
        let mut turn = exchange.receive(frame, Moment::at((hands.clock)()));
        let reply = loop {
            turn = match turn {
                ServerTurn::Store(need) if !self.admits(peer, need.kind()) => need.refuse(),
                ServerTurn::Keys(need) if !self.admits(peer, need.kind()) => need.refuse(),
                ServerTurn::Store(need) => need.ask(&*hands.store),
                ServerTurn::Keys(need) => need.ask(&*hands.keys),
                ServerTurn::Operator(need) => {
                    let decision = hands.approval.decide(need.wanted());
                    need.supply(decision)
                }
                ServerTurn::Done(reply) => break reply,
            };
        };
        reply.events.iter().for_each(|event| hands.observer.event(peer, event));
        reply
    }

    fn admits(&self, peer: &[u8], kind: Option<RequestKind>) -> bool {
        kind.is_none_or(|kind| self.hands.observer.admits(peer, kind))
    }
}

/// A server's end of an open session.
pub type ServerSession<S> = Session<S, ServerEnd>;

/// A server's end of an open session, with the hands that it needs.
#[derive(Debug)]
pub struct ServerEnd {
    acceptor: Acceptor,
    peer: Box<[u8]>,
    /// None once the session is broken.
    exchange: Option<ServerExchange>,
}

impl ServerEnd {
    fn open(&mut self) -> Result<&mut ServerExchange, ChannelError> {
        self.exchange.as_mut().ok_or(ChannelError::Closed)
    }

    fn push(&mut self, application: &ApplicationName, entitlement: &Entitlement) -> io::Result<Vec<Vec<u8>>> {
        let now = (self.acceptor.hands.clock)();
        let exchange = self.open().map_err(broken)?;
        exchange
            .push(application, entitlement, now)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }
}

impl End for ServerEnd {
    fn receive(&mut self, record: &[u8]) -> io::Result<Taken> {
        let exchange = self.exchange.take().ok_or_else(|| broken(ChannelError::Closed))?;
        let reply = self.acceptor.answer(exchange, &self.peer, record);
        let failed = reply.events.iter().find_map(|event| match event {
            ServerEvent::ChannelFailed(error) => Some(*error),
            _ => None,
        });
        self.exchange = reply.next;
        match failed {
            Some(error) => Err(broken(error)),
            None => Ok(Taken { send: reply.send, data: reply.data, closed: reply.closed }),
        }
    }

    fn seal_into(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChannelError> {
        self.open()?.seal_into(data, out)
    }

    fn close(&mut self) -> Result<Vec<Vec<u8>>, ChannelError> {
        self.open()?.close()
    }

    fn finish(&self) -> Result<(), ChannelError> {
        self.exchange.as_ref().map_or(Ok(()), ServerExchange::finish)
    }

    fn channel(&self) -> Option<&Channel> {
        Some(&self.exchange.as_ref()?.session()?.channel)
    }
}

impl<S: Read + Write> ServerSession<S> {
    /// The session: whose it is, its name and its exporter. `None` once it is over.
    #[must_use]
    pub fn established(&self) -> Option<&Established> {
        self.end().exchange.as_ref()?.session()
    }

    /// Sends a configuration unasked (patent step 390). The token's report is an event.
    ///
    /// # Errors
    /// The stream's; [`io::ErrorKind::InvalidInput`] for a document that does not fit.
    pub fn push(&mut self, application: &ApplicationName, entitlement: &Entitlement) -> io::Result<()> {
        let frames = self.end_mut().push(application, entitlement)?;
        self.send(&frames)
    }
}

impl<S: Read + Write> WriteHalf<S, ServerEnd> {
    /// Sends a configuration unasked, as [`ServerSession::push`](super::Session::push) does.
    ///
    /// # Errors
    /// The stream's; [`io::ErrorKind::InvalidInput`] for a document that does not fit.
    pub fn push(&mut self, application: &ApplicationName, entitlement: &Entitlement) -> io::Result<()> {
        self.with(|end| end.push(application, entitlement))
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Acceptor({})", self.hands.settings.name)
    }
}
