//! A server over the exchange whose clock and randomness a test holds: one frame at a time.
#![allow(dead_code, unreachable_pub, clippy::type_complexity, reason = "each test crate uses its part")]

use halfkey::configuration::ServerConfigurationError;
use halfkey::driver::Transport;
use halfkey::exchange::{RequestKind, ServerEvent, ServerExchange, ServerReply, ServerTurn};
use halfkey::port::entitlement_store::Entitlement;
use halfkey::port::{AuthServer, EntitlementStore};
use halfkey::registration::server::{Decision, EnrolmentRequest};
use halfkey::session::server::Established;
use halfkey::{ApplicationName, Moment, RandomSource, ServerSettings, UnixTime};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The operator of a test, on one thread.
pub trait Approval {
    fn decide(&self, request: &EnrolmentRequest) -> Decision;
}

impl<F: Fn(&EnrolmentRequest) -> Decision> Approval for F {
    fn decide(&self, request: &EnrolmentRequest) -> Decision {
        self(request)
    }
}

/// The limiter and the log of a test, on one thread.
pub trait Observer {
    fn admits(&self, _peer: &[u8], _kind: RequestKind) -> bool {
        true
    }

    fn event(&self, _peer: &[u8], _event: &ServerEvent) {}
}

impl Observer for () {}

/// A server: its settings, ports and hooks.
#[derive(Clone, Copy)]
pub struct Gateway<'a> {
    pub settings: &'a ServerSettings,
    pub server: &'a dyn AuthServer,
    pub store: &'a dyn EntitlementStore,
    pub approval: &'a dyn Approval,
    pub observer: &'a dyn Observer,
}

impl Gateway<'_> {
    /// Answers one message of a registration.
    pub fn answer(&self, peer: &[u8], frame: &[u8], now: UnixTime, random: &mut dyn RandomSource) -> Vec<u8> {
        let exchange = ServerExchange::new(Arc::new(self.settings.clone()), peer);
        self.perform(exchange, peer, frame, Moment::new(now, random)).send.concat()
    }

    /// Performs every turn of one frame.
    pub fn perform(
        &self,
        exchange: ServerExchange,
        peer: &[u8],
        frame: &[u8],
        moment: Moment,
    ) -> ServerReply {
        let admits = |kind: Option<_>| kind.is_none_or(|kind| self.observer.admits(peer, kind));
        let mut turn = exchange.receive(frame, moment);
        let reply = loop {
            turn = match turn {
                ServerTurn::Store(need) if !admits(need.kind()) => need.refuse(),
                ServerTurn::Keys(need) if !admits(need.kind()) => need.refuse(),
                ServerTurn::Store(need) => need.ask(self.store),
                ServerTurn::Keys(need) => need.ask(self.server),
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
}

/// One connection to a gateway.
#[derive(Debug)]
pub struct Connection {
    peer: Vec<u8>,
    exchange: Option<ServerExchange>,
    begun: bool,
}

/// The result of a frame.
#[derive(Debug, Default)]
pub struct Handled {
    pub send: Vec<Vec<u8>>,
    pub data: Option<Zeroizing<Vec<u8>>>,
    pub over: bool,
}

impl Connection {
    pub fn new(peer: &[u8]) -> Self {
        Self { peer: peer.to_vec(), exchange: None, begun: false }
    }

    /// Takes one frame; a close is answered with a close, as the drivers do.
    pub fn handle(
        &mut self,
        gateway: &Gateway<'_>,
        frame: &[u8],
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Handled {
        let exchange = match self.exchange.take() {
            Some(exchange) => exchange,
            None if self.begun => return Handled { over: true, ..Handled::default() },
            None => ServerExchange::new(Arc::new(gateway.settings.clone()), &self.peer),
        };
        self.begun = true;
        let ServerReply { mut send, data, closed, next, .. } =
            gateway.perform(exchange, &self.peer, frame, Moment::new(now, random));
        self.exchange = next;
        if closed && let Some(exchange) = &mut self.exchange {
            send.extend(exchange.close().into_iter().flatten());
            self.exchange = None;
        }
        Handled { send, data, over: self.exchange.is_none() }
    }

    pub fn push(
        &mut self,
        _gateway: &Gateway<'_>,
        application: &ApplicationName,
        entitlement: &Entitlement,
        now: UnixTime,
    ) -> Result<Handled, ServerConfigurationError> {
        let Some(exchange) = &mut self.exchange else { return Ok(Handled::default()) };
        Ok(Handled { send: exchange.push(application, entitlement, now)?, ..Handled::default() })
    }

    pub fn send(&mut self, _gateway: &Gateway<'_>, data: &[u8]) -> Handled {
        let send = self.exchange.as_mut().and_then(|exchange| exchange.send(data).ok());
        Handled { send: send.unwrap_or_default(), ..Handled::default() }
    }

    pub fn session(&self) -> Option<&Established> {
        self.exchange.as_ref().and_then(ServerExchange::session)
    }
}

/// Serves one connection to its end.
pub fn serve(
    gateway: &Gateway<'_>,
    transport: &mut dyn Transport,
    peer: &[u8],
    clock: &dyn Fn() -> UnixTime,
    random: &mut dyn RandomSource,
    answer: &mut dyn FnMut(&Connection, &[u8]) -> Option<Vec<u8>>,
) -> std::io::Result<()> {
    let mut connection = Connection::new(peer);
    while let Some(frame) = transport.receive()? {
        let handled = connection.handle(gateway, &frame, clock(), random);
        handled.send.iter().try_for_each(|frame| transport.send(frame))?;
        if handled.over {
            break;
        }
        if let Some(reply) = handled.data.and_then(|data| answer(&connection, &data)) {
            connection.send(gateway, &reply).send.iter().try_for_each(|frame| transport.send(frame))?;
        }
    }
    Ok(())
}
