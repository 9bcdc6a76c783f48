//! A server's part (the patent's "gateway"): frames in, frames out, the ports in between.

use crate::configuration::ServerConfigurationError as ConfigurationError;
use crate::id::KeyId;
use crate::message::{Confirm, Hello, Request};
use crate::port::entitlement_store::{ReportResult, Status};
use crate::port::{AuthServer, EntitlementStore};
use crate::random::RandomSource;
use crate::record::{Effect, RejectionRecord};
use crate::registration::ServerRegistrationError;
use crate::registration::server::{
    Decision, EnrolmentRequest, Lookup, receive_confirm, receive_hello, receive_request,
};
use crate::session::{ChannelError, SessionError};
use crate::settings::ServerSettings;
use crate::time::UnixTime;
use crate::wire::{self, Message, Problem, WireError};

/// Decides on applications: the operator.
pub trait Approval {
    /// Decides on an application whose proof, if it has one, has been verified.
    fn decide(&self, application: &EnrolmentRequest) -> Decision;
}

impl<F: Fn(&EnrolmentRequest) -> Decision> Approval for F {
    fn decide(&self, application: &EnrolmentRequest) -> Decision {
        self(application)
    }
}

/// What a peer asks the server to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// Make and sign an offer.
    Offer,
    /// Decapsulate a request: the costly one.
    Request,
    /// Challenge a token for a session.
    Session,
}

/// What has happened, for the operator's log. Nothing in it is secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ServerEvent {
    /// R1 was sent.
    Offered,
    /// R3 grants this key.
    Granted(KeyId),
    /// R3 says to wait.
    Waiting,
    /// R3 refuses; what it says, and why.
    Refused(RejectionRecord),
    /// R3 was sent again.
    Repeated,
    /// R5 was sent.
    Confirmed(KeyId),
    /// A session was opened with this key.
    Opened(KeyId),
    /// A key was proved that opens no session.
    NotActive(KeyId, Status),
    /// What became of a configuration.
    Configured(KeyId, ReportResult),
    /// Registration went no further.
    RegistrationFailed(ServerRegistrationError),
    /// A session did not come about.
    SessionFailed(SessionError),
    /// A session ended with an error.
    ChannelFailed(ChannelError),
    /// A configuration went no further.
    ConfigurationFailed(ConfigurationError),
}

/// Looks on, and holds back peers that ask too much.
pub trait Observer {
    /// Whether `peer` may have this done now.
    fn admits(&self, _peer: &[u8], _work: RequestKind) -> bool {
        true
    }

    /// Something has happened.
    fn event(&self, _peer: &[u8], _event: &ServerEvent) {}
}

/// Lets everybody in and keeps no log.
impl Observer for () {}

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
            Effect::Refused(refusal) => ServerEvent::Refused(refusal.clone()),
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
