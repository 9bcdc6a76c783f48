//! Records of an open session, and what each leads to.

use super::event::ServerEvent;
use super::live::Live;
use super::question::{EntitlementAsked, Heard, RegressionAsked, ReportAsked, StandingAsked, Then};
use super::state::{Base, State};
use super::turn::{ServerReply, ServerTurn};
use crate::configuration::ServerConfigurationError;
use crate::configuration::server::{self as configuration, AwaitApplied, NeedEntitlement};
use crate::message::ConfigRequest;
use crate::port::StoreError;
use crate::port::entitlement_store::{Entitlement, Report};
use crate::port::question::{ConfirmAlias, TakeReport};
use crate::session::place_of;
use crate::session::{Content, OpenedRecord};
use crate::wire::{Message, message_type};
use alloc::boxed::Box;
use alloc::vec::Vec;

impl Base {
    pub(super) fn record(self: Box<Self>, mut live: Box<Live>, frame: &[u8]) -> ServerTurn {
        let record = match live.session.channel.open(frame) {
            Ok(record) => record,
            Err(error) => return self.over(Some(ServerEvent::ChannelFailed(error)), Vec::new()),
        };
        let is_due = live.times.is_due(&self.exchange.settings, self.moment.time());
        // A peer that closes is served nothing more.
        if is_due && !matches!(record, OpenedRecord::Closed) {
            return self.ask(StandingAsked::new(live, Then::Serve(record)));
        }
        self.serve(live, record)
    }

    /// Opens data where it lies, if it is given out at once: what waits for an answer needs it for longer than the
    /// frame is there.
    pub(super) fn record_in_place(self: Box<Self>, mut live: Box<Live>, frame: &mut [u8]) -> ServerTurn {
        let is_due = live.times.is_due(&self.exchange.settings, self.moment.time());
        if is_due || !live.session.has_been_heard() {
            return self.record(live, frame);
        }
        match live.session.channel.open_in_place(frame) {
            Ok(OpenedRecord::Data(data)) => {
                let place = place_of(data.len());
                self.with(live, |reply| reply.in_place = Some(place))
            }
            Ok(record) => self.opened(live, record.into_owned()),
            Err(error) => self.over(Some(ServerEvent::ChannelFailed(error)), Vec::new()),
        }
    }

    /// Serves a record of a peer whose registration stands well.
    pub(super) fn serve(self: Box<Self>, mut live: Box<Live>, record: OpenedRecord) -> ServerTurn {
        match live.session.heard() {
            Some((key_id, address)) => {
                self.ask(Heard { question: ConfirmAlias { key_id, address }, live, record })
            }
            None => self.opened(live, record),
        }
    }

    pub(super) fn opened(self: Box<Self>, live: Box<Live>, record: OpenedRecord) -> ServerTurn {
        match record {
            OpenedRecord::Configuration(message) => self.configuration(live, &message),
            OpenedRecord::Data(data) => self.with(live, |reply| reply.data = Some(data)),
            // A server's channel opens no status.
            OpenedRecord::Rekeyed | OpenedRecord::Status(_) => self.with(live, |_| ()),
            OpenedRecord::Closed if live.session.channel.is_closed() => {
                self.over(None, Vec::new()).with(|reply| reply.closed = true)
            }
            OpenedRecord::Closed => self.with(live, |reply| reply.closed = true),
        }
    }

    /// C0 is answered with C1; C2 is reported.
    fn configuration(self: Box<Self>, mut live: Box<Live>, message: &[u8]) -> ServerTurn {
        if message_type(message) == Ok(ConfigRequest::TYPE) {
            return match configuration::receive_request(message, &live.principal) {
                Ok(need) => self.ask(EntitlementAsked { need, live }),
                Err(error) => self.configuration_failed(live, error),
            };
        }
        match live.reported(message) {
            Ok(need) => self.ask(ReportAsked { need, live }),
            Err(error) => self.configuration_failed(live, error),
        }
    }

    pub(super) fn entitled(
        self: Box<Self>,
        mut live: Box<Live>,
        need: NeedEntitlement,
        answer: Result<Option<Entitlement>, StoreError>,
    ) -> ServerTurn {
        let now = self.moment.time();
        let step = match answer.map_err(Into::into).and_then(|found| need.supply(found, now)) {
            Ok(step) => step,
            Err(error) => return self.configuration_failed(live, error),
        };
        let c1 = step.send.into_bytes();
        let regression: Option<Report> = step.next.as_ref().and_then(AwaitApplied::regression).cloned();
        if let Some(awaited) = step.next {
            live.awaits(awaited);
        }
        match regression {
            Some(report) => self.ask(RegressionAsked { question: TakeReport { report }, live, c1 }),
            None => self.configure(live, &c1),
        }
    }

    /// The token is told one word inside the session, which goes on.
    pub(super) fn configuration_failed(
        mut self: Box<Self>,
        live: Box<Live>,
        error: ServerConfigurationError,
    ) -> ServerTurn {
        let refusal = error.refusal().frame();
        self.events.push(ServerEvent::ConfigurationFailed(error));
        self.configure(live, refusal.as_bytes())
    }

    /// Sends a message of the configuration flow.
    pub(super) fn configure(self: Box<Self>, mut live: Box<Live>, message: &[u8]) -> ServerTurn {
        match live.session.channel.seal_records(Content::Configuration, message) {
            Ok(send) => self.done(None, State::Open(live), send),
            // This side has closed: it sends nothing more, and the peer may still.
            Err(crate::session::ChannelError::Closed) => self.with(live, |_| ()),
            Err(error) => self.over(Some(ServerEvent::ChannelFailed(error)), Vec::new()),
        }
    }

    /// Goes on in the session, with one thing more in the reply.
    fn with(self: Box<Self>, live: Box<Live>, change: impl FnOnce(&mut ServerReply)) -> ServerTurn {
        self.done(None, State::Open(live), Vec::new()).with(change)
    }
}

impl ServerTurn {
    fn with(mut self, change: impl FnOnce(&mut ServerReply)) -> Self {
        if let Self::Done(reply) = &mut self {
            change(reply);
        }
        self
    }
}
