//! A server's part (the patent's "gateway"): frames in, frames out, the ports in between.

use super::hooks::{Approval, Observer};
use crate::exchange::{RequestKind, ServerEvent};
use crate::message::{Confirm, Hello, Request};
use crate::port::question::{KeysQuestion, StoreQuestion};
use crate::port::{AuthServer, AuthServerError, EntitlementStore};
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
        let offer_material = match need.wanted().ask(self.server, now) {
            Err(AuthServerError::NoSuite) => return Err(ServerRegistrationError::NothingInCommon),
            other => other?,
        };
        let need = need.supply(&offer_material, peer, self.settings, now, random)?;
        let signature = need.wanted().ask(self.server, now)?;
        Ok((need.supply(signature).into_bytes(), ServerEvent::Offered))
    }

    fn outcome(&self, peer: &[u8], frame: &[u8], now: UnixTime, random: &mut dyn RandomSource) -> Answered {
        let need = receive_request(frame)?;
        let stored = need.wanted().ask(self.store, now)?;
        let need = match need.supply(stored, peer, self.settings, now)? {
            Lookup::Before(outcome) => return Ok((outcome.into_bytes(), ServerEvent::Repeated)),
            Lookup::New(need) => need,
        };
        self.limit(peer, RequestKind::Request)?;
        let secrets = need.wanted().ask(self.server, now);
        let need = need.supply(secrets, self.settings)?;
        let known = need.wanted().ask(self.store, now)?;
        let judged = need.supply(known, self.settings, now);
        let decide = |application: &EnrolmentRequest| self.approval.decide(application);
        let commit = judged.decide(decide, self.settings, now, random)?;
        let event = match &commit.wanted().outcome.effect {
            Effect::Granted(new) => ServerEvent::Granted(new.registered.key_id),
            Effect::Waiting { .. } => ServerEvent::Waiting,
            Effect::Refused(refusal) => ServerEvent::Rejected(refusal.clone()),
        };
        let committed = commit.wanted().ask(self.store, now)?;
        Ok((commit.supply(committed).into_bytes(), event))
    }

    fn confirm(&self, frame: &[u8], now: UnixTime) -> Answered {
        let need = receive_confirm(frame)?;
        let expected = need.wanted().ask(self.store, now)?;
        let need = need.supply(expected)?;
        let key_id = need.wanted().key_id;
        let confirmed = need.wanted().ask(self.store, now)?;
        Ok((need.supply(confirmed).into_bytes(), ServerEvent::Confirmed(key_id)))
    }
}

type Answered = Result<(Vec<u8>, ServerEvent), ServerRegistrationError>;
