//! A server's part (the patent's "gateway"): frames in, frames out, the ports in between.

use super::hooks::{Approval, Observer};
use crate::exchange::{RequestKind, ServerEvent};
use crate::message::{Confirm, Hello, Request};
use crate::port::{AuthServer, EntitlementStore};
use crate::random::RandomSource;
use crate::record::Effect;
use crate::registration::ServerRegistrationError;
use crate::registration::server::{
    EnrolmentRequest, Lookup, receive_confirm, receive_hello, receive_request,
};
use crate::settings::ServerSettings;
use crate::time::UnixTime;
use crate::wire::{self, Message, Problem, WireError};

/// A server: its settings, ports and hooks.
#[derive(Clone, Copy)]
pub struct Gateway<'a> {
    /// The settings.
    pub settings: &'a ServerSettings,
    /// What only the server holds.
    pub server: &'a dyn AuthServer,
    /// Registrations and entitlements.
    pub store: &'a dyn EntitlementStore,
    /// The operator.
    pub approval: &'a dyn Approval,
    /// The limiter and the log.
    pub observer: &'a dyn Observer,
}

impl Gateway<'_> {
    /// Answers one message of a registration: R0 with R1, R2 with R3, R4 with R5, each with E0 when
    /// it cannot. Nothing is remembered between two calls but in the ports.
    pub fn answer(&self, peer: &[u8], frame: &[u8], now: UnixTime, random: &mut dyn RandomSource) -> Vec<u8> {
        let answered = match wire::message_type(frame) {
            Ok(Hello::TYPE) => self.offer(peer, frame, now, random),
            Ok(Request::TYPE) => self.outcome(peer, frame, now, random),
            Ok(Confirm::TYPE) => self.confirm(frame, now),
            Ok(_) => Err(WireError { message: "message", field: "type", problem: Problem::WrongType }.into()),
            Err(error) => Err(error.into()),
        };
        match answered {
            Ok((answer, event)) => {
                self.observer.event(peer, &event);
                answer
            }
            Err(error) => {
                let refusal = error.refusal().frame().into_bytes();
                self.observer.event(peer, &ServerEvent::RegistrationFailed(error));
                refusal
            }
        }
    }

    fn limit(&self, peer: &[u8], work: RequestKind) -> Result<(), ServerRegistrationError> {
        if self.observer.admits(peer, work) { Ok(()) } else { Err(ServerRegistrationError::RateLimited) }
    }

    fn offer(&self, peer: &[u8], frame: &[u8], now: UnixTime, random: &mut dyn RandomSource) -> Answered {
        let need = receive_hello(frame, self.settings)?;
        self.limit(peer, RequestKind::Offer)?;
        let need = need.supply_from(self.server, peer, self.settings, now, random)?;
        Ok((need.supply_from(self.server)?.into_bytes(), ServerEvent::Offered))
    }

    fn outcome(&self, peer: &[u8], frame: &[u8], now: UnixTime, random: &mut dyn RandomSource) -> Answered {
        let need = match receive_request(frame)?.supply_from(self.store, peer, self.settings, now)? {
            Lookup::Before(outcome) => return Ok((outcome.into_bytes(), ServerEvent::Repeated)),
            Lookup::New(need) => need,
        };
        self.limit(peer, RequestKind::Request)?;
        let need = need.supply_from(self.server, self.settings, now)?;
        let judged = need.supply_from(self.store, self.settings, now)?;
        let decide = |application: &EnrolmentRequest| self.approval.decide(application);
        let commit = judged.decide(decide, self.settings, now, random)?;
        let event = match &commit.wanted().outcome.effect {
            Effect::Granted(new) => ServerEvent::Granted(new.registered.key_id),
            Effect::Waiting { .. } => ServerEvent::Waiting,
            Effect::Refused(refusal) => ServerEvent::Rejected(refusal.clone()),
        };
        Ok((commit.supply_from(self.store, now)?.into_bytes(), event))
    }

    fn confirm(&self, frame: &[u8], now: UnixTime) -> Answered {
        let need = receive_confirm(frame)?.supply_from(self.store)?;
        let key_id = need.wanted().key_id;
        Ok((need.supply_from(self.store, now)?.into_bytes(), ServerEvent::Confirmed(key_id)))
    }
}

type Answered = Result<(Vec<u8>, ServerEvent), ServerRegistrationError>;
