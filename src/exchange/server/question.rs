//! Questions of a server's turns that carry more than a step of the flows: an open session, or a message.

use super::live::Live;
use crate::configuration::server::{NeedEntitlement, NeedReport};
use crate::message::Address;
use crate::port::question::{ConfirmAlias, FindEntitlement, FindRegistration, TakeReport};
use crate::session::OpenedRecord;
use crate::session::park::NeedRegistrationAgain;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// A challenge that came back in S2, and S2.
#[derive(Debug)]
pub struct Parked {
    pub(super) need: NeedRegistrationAgain,
    pub(super) response: Vec<u8>,
}

impl Parked {
    pub(super) const fn wanted(&self) -> &FindRegistration {
        self.need.wanted()
    }
}

/// A record of the token's, the first: only now is it certain that S3 arrived.
#[derive(Debug)]
pub struct Heard {
    pub(super) question: ConfirmAlias,
    pub(super) live: Box<Live>,
    pub(super) record: OpenedRecord,
}

/// C0.
#[derive(Debug)]
pub struct EntitlementAsked {
    pub(super) need: NeedEntitlement,
    pub(super) live: Box<Live>,
}

impl EntitlementAsked {
    pub(super) const fn wanted(&self) -> &FindEntitlement {
        self.need.wanted()
    }
}

/// C0 of a token that was set back: the C1 for it waits until that is reported.
#[derive(Debug)]
pub struct RegressionAsked {
    pub(super) question: TakeReport,
    pub(super) live: Box<Live>,
    pub(super) c1: Vec<u8>,
}

/// C2.
#[derive(Debug)]
pub struct ReportAsked {
    pub(super) need: NeedReport,
    pub(super) live: Box<Live>,
}

impl ReportAsked {
    pub(super) const fn wanted(&self) -> &TakeReport {
        self.need.wanted()
    }
}

/// What comes after the standing.
#[derive(Debug)]
pub(super) enum Then {
    /// This record is served.
    Serve(OpenedRecord),
    /// Nothing: the session goes on.
    GoOn,
    /// The session's end, whatever the standing.
    End,
}

/// The standing of a registration whose session is open.
#[derive(Debug)]
pub struct StandingAsked {
    pub(super) question: FindRegistration,
    pub(super) live: Box<Live>,
    pub(super) then: Then,
}

impl StandingAsked {
    pub(super) fn new(live: Box<Live>, then: Then) -> Self {
        let address = Address::Key(live.principal.key_id);
        Self { question: FindRegistration { address }, live, then }
    }
}
