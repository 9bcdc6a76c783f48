//! A server's hands, and how they perform a turn.

use super::hands::{AnyStore, Clock, Keys, Operator};
use super::limits::Limits;
use super::link::Patience;
use super::places::Places;
use crate::driver::{Observer, Offers};
use crate::exchange::{KeysTurn, RequestKind, ServerEvent, ServerExchange, ServerReply, ServerTurn};
use crate::moment::Moment;
use crate::settings::ServerSettings;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// A server: the hands of the patent's Figure 1, the operator's hooks, and what peers may take.
pub(super) struct Serving {
    pub(super) settings: Arc<ServerSettings>,
    pub(super) keys: Keys,
    pub(super) store: Arc<dyn AnyStore>,
    pub(super) operator: Arc<dyn Operator>,
    pub(super) observer: Box<dyn Observer>,
    pub(super) clock: Arc<Clock>,
    pub(super) limits: Limits,
    pub(super) places: Arc<Places>,
    pub(super) offers: Offers,
}

impl Serving {
    /// Begins a turn.
    pub(super) fn receive(&self, exchange: ServerExchange, frame: &[u8]) -> ServerTurn {
        exchange.receive(frame, Moment::at((self.clock)()))
    }

    /// Performs a turn to its end, in a task of its own: it commits whether or not anybody waits for it.
    pub(super) fn spawn(
        self: &Arc<Self>,
        turn: ServerTurn,
        peer: Arc<[u8]>,
    ) -> JoinHandle<Option<ServerReply>> {
        let (serving, work) = (Arc::clone(self), self.places.work());
        tokio::spawn(async move {
            let reply = serving.perform(turn, &peer).await;
            drop(work);
            reply
        })
    }

    /// None where the thread of a port was lost.
    async fn perform(&self, mut turn: ServerTurn, peer: &[u8]) -> Option<ServerReply> {
        loop {
            turn = match turn {
                ServerTurn::Store(need) if !self.admits(peer, need.kind()) => need.refuse(),
                ServerTurn::Keys(need) if !self.admits(peer, need.kind()) || !self.is_good_for(&need) => {
                    need.refuse()
                }
                ServerTurn::Store(need) => Arc::clone(&self.store).ask(need).await,
                ServerTurn::Keys(need) => self.keys.ask(need).await?,
                ServerTurn::Operator(need) => {
                    Arc::clone(&self.operator).decide(need, self.limits.approval).await
                }
                ServerTurn::Done(reply) => return Some(self.told(peer, reply)),
            };
        }
    }

    fn admits(&self, peer: &[u8], kind: Option<RequestKind>) -> bool {
        kind.is_none_or(|kind| self.observer.admits(peer, kind))
    }

    /// Tells whether the offer of a costly request is still good for it.
    fn is_good_for(&self, need: &KeysTurn) -> bool {
        need.offer().is_none_or(|offer| self.offers.admits(offer, (self.clock)()))
    }

    /// Tells the observer what has happened.
    pub(super) fn told(&self, peer: &[u8], reply: ServerReply) -> ServerReply {
        reply.events.iter().for_each(|event| self.observer.event(peer, event));
        if reply.events.iter().any(|event| matches!(event, ServerEvent::Offered)) {
            self.keys.forget_later(&self.clock);
        }
        reply
    }

    /// The patience with a session.
    pub(super) const fn patience(&self) -> Patience {
        Patience {
            frame: Some(self.limits.frame),
            silence: self.limits.silence,
            write: Some(self.limits.write),
            until: None,
        }
    }
}
