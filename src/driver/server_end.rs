//! A server's end of an open session.

use super::split::WriteHalf;
use super::stream::{End, Session, Taken, broken};
use crate::exchange::{ServerEvent, ServerExchange, ServerReply, ServerTurn};
use crate::id::{ApplicationName, KeyId};
use crate::moment::Moment;
use crate::port::entitlement_store::Entitlement;
use crate::session::server::Established;
use crate::session::{Channel, ChannelError, SessionEnded};
use core::fmt;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The open sessions of each key, and the sign by which one is told to end.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<KeyId, Vec<Arc<AtomicBool>>>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<KeyId, Vec<Arc<AtomicBool>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an open session, and tells how many there are of its key.
    pub(super) fn enter(&self, key_id: KeyId) -> (Arc<AtomicBool>, usize) {
        let mut all = self.lock();
        let (sign, of_key) = (Arc::new(AtomicBool::new(false)), all.entry(key_id).or_default());
        of_key.push(Arc::clone(&sign));
        (sign, of_key.len())
    }

    /// Tells the open sessions of a key to end, and returns their number.
    pub(super) fn end(&self, key_id: &KeyId) -> usize {
        let all = self.lock();
        let of_key = all.get(key_id).map_or(&[][..], Vec::as_slice);
        of_key.iter().for_each(|sign| sign.store(true, Ordering::Release));
        of_key.len()
    }

    fn leave(&self, key_id: &KeyId, sign: &Arc<AtomicBool>) {
        let mut all = self.lock();
        if let Some(of_key) = all.get_mut(key_id) {
            of_key.retain(|other| !Arc::ptr_eq(other, sign));
            if of_key.is_empty() {
                all.remove(key_id);
            }
        }
    }
}

/// The hands that a server's end needs.
pub(super) trait Serve: Send + Sync {
    /// The present moment.
    fn moment(&self) -> Moment;
    /// Performs a turn to its end.
    fn perform(&self, turn: ServerTurn, peer: &[u8]) -> ServerReply;
    /// The open sessions.
    fn sessions(&self) -> &Sessions;
}

/// A server's end of an open session.
pub type ServerSession<S> = Session<S, ServerEnd>;

/// A server's end of an open session, with the hands that it needs.
pub struct ServerEnd {
    hands: Arc<dyn Serve>,
    peer: Box<[u8]>,
    /// None once the session is broken.
    exchange: Option<ServerExchange>,
    key_id: KeyId,
    /// Set when the session is to end.
    sign: Arc<AtomicBool>,
}

impl Drop for ServerEnd {
    fn drop(&mut self) {
        self.hands.sessions().leave(&self.key_id, &self.sign);
    }
}

impl ServerEnd {
    pub(super) fn new(
        hands: Arc<dyn Serve>,
        peer: &[u8],
        exchange: ServerExchange,
        key_id: KeyId,
        sign: Arc<AtomicBool>,
    ) -> Self {
        Self { hands, peer: peer.into(), exchange: Some(exchange), key_id, sign }
    }

    fn open(&mut self) -> Result<&mut ServerExchange, ChannelError> {
        self.exchange.as_mut().ok_or(ChannelError::Closed)
    }

    fn push(&mut self, application: &ApplicationName, entitlement: &Entitlement) -> io::Result<Vec<Vec<u8>>> {
        let now = self.hands.moment().time();
        let exchange = self.open().map_err(broken)?;
        exchange
            .push(application, entitlement, now)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
    }

    fn take(&mut self, turn: ServerTurn) -> io::Result<Taken> {
        let ServerReply { send, data, closed, events, next, .. } = self.hands.perform(turn, &self.peer);
        self.exchange = next;
        let mut ended = None;
        for event in events {
            match event {
                ServerEvent::ChannelFailed(error) => return Err(broken(error)),
                ServerEvent::Ended(_, status) => ended = Some(SessionEnded(status)),
                _ => {}
            }
        }
        Ok(Taken { send, data, closed, ended })
    }
}

impl End for ServerEnd {
    fn receive(&mut self, record: &[u8]) -> io::Result<Taken> {
        let exchange = self.exchange.take().ok_or_else(|| broken(ChannelError::Closed))?;
        let moment = self.hands.moment();
        let turn = match self.sign.load(Ordering::Acquire) {
            true => exchange.end(moment),
            false => exchange.receive(record, moment),
        };
        self.take(turn)
    }

    fn due(&mut self) -> Taken {
        let moment = self.hands.moment();
        let is_due = |exchange: &ServerExchange| exchange.is_due(moment.time());
        let end = self.sign.load(Ordering::Acquire);
        match self.exchange.take() {
            Some(exchange) if end => self.take(exchange.end(moment)).unwrap_or_default(),
            Some(exchange) if is_due(&exchange) => self.take(exchange.check(moment)).unwrap_or_default(),
            exchange => {
                self.exchange = exchange;
                Taken::default()
            }
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
        self.with(|end| end.push(application, entitlement))
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

impl fmt::Debug for ServerEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerEnd(..)")
    }
}
