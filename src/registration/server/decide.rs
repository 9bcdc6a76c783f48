//! The operator's decision, or a refusal without one: what becomes of an application (patent step 160).

use super::application::{Claim, Decision, EnrolmentRequest, Read};
use super::grant::{NeedCommit, Ruling, unreadable};
use crate::message::Outcome;
use crate::random::RandomSource;
use crate::record::RejectionRecord;
use crate::registration::error::RejectionDraft;
use crate::registration::{RejectionCause, ServerRegistrationError};
use crate::settings::ServerSettings;
use crate::time::UnixTime;
use crate::wire::Frame;
use alloc::boxed::Box;

/// Result of judging a request.
#[must_use]
#[derive(Debug)]
pub enum Judged {
    /// In order so far: the operator is to decide.
    Ask(NeedDecision),
    /// Refused; R3 will say so.
    Refuse(NeedRefusal),
}

impl Judged {
    pub(super) const fn refuse(read: Box<Read>, refusing: RejectionDraft) -> Self {
        Self::Refuse(NeedRefusal { read, refusing })
    }

    /// Why it is refused already, for the operator's log; the applicant may learn less.
    #[must_use]
    pub const fn refused(&self) -> Option<&RejectionRecord> {
        match self {
            Self::Ask(_) => None,
            Self::Refuse(need) => Some(&need.refusing.refusal),
        }
    }

    /// Goes on with what the operator decides; `decide` is called only for an application that is
    /// in order.
    ///
    /// # Errors
    /// [`ServerRegistrationError::Setting`] when the outcome does not fit into `outcome_size`.
    pub fn decide(
        self,
        decide: impl FnOnce(&EnrolmentRequest) -> Decision,
        settings: &ServerSettings,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<NeedCommit, ServerRegistrationError> {
        match self {
            Self::Ask(need) => {
                let decision = decide(need.wanted());
                need.supply(decision, settings, now, random)
            }
            Self::Refuse(need) => need.supply(settings, now, random),
        }
    }
}

/// A refusal that is to be sealed like any outcome.
#[must_use]
#[derive(Debug)]
pub struct NeedRefusal {
    read: Box<Read>,
    refusing: RejectionDraft,
}

impl NeedRefusal {
    /// Tells whether the request did not open. Then R3 depends on nothing but R2 and the server's secrets: it need
    /// not be stored, and a repeated R2 gets the same ([`NeedRefusal::answer`]).
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        self.refusing.refusal.cause == RejectionCause::Unreadable
    }

    /// Why it is refused, for the operator's log.
    #[must_use]
    pub const fn refused(&self) -> &RejectionRecord {
        &self.refusing.refusal
    }

    /// Seals R3 for a request that did not open; nothing is stored.
    ///
    /// # Errors
    /// [`ServerRegistrationError::Setting`] when it does not fit into `outcome_size`.
    pub fn answer(
        self,
        settings: &ServerSettings,
    ) -> Result<Frame<Outcome<'static>>, ServerRegistrationError> {
        unreadable(&self.read, self.refusing.refusal.code, settings)
    }

    /// Seals it.
    ///
    /// # Errors
    /// [`ServerRegistrationError::Setting`] when it does not fit into `outcome_size`.
    pub fn supply(
        self,
        settings: &ServerSettings,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<NeedCommit, ServerRegistrationError> {
        NeedCommit::new(*self.read, Ruling::Refuse(self.refusing), settings, now, random)
    }
}

/// The operator is to decide.
#[must_use]
#[derive(Debug)]
pub struct NeedDecision {
    pub(super) read: Box<Read>,
    pub(super) application: EnrolmentRequest,
    pub(super) claim: Claim,
}

impl NeedDecision {
    /// The request to decide on.
    #[must_use]
    pub const fn wanted(&self) -> &EnrolmentRequest {
        &self.application
    }

    /// Takes the decision and seals the outcome.
    ///
    /// # Errors
    /// [`ServerRegistrationError::Setting`] when the outcome does not fit into `outcome_size`.
    pub fn supply(
        self,
        decision: Decision,
        settings: &ServerSettings,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<NeedCommit, ServerRegistrationError> {
        let ruling = match decision {
            Decision::Grant(grant) => Ruling::Grant { grant, name: self.application.name, claim: self.claim },
            Decision::Refuse(code) => {
                let EnrolmentRequest { name, ticket, .. } = &self.application;
                Ruling::Refuse(RejectionDraft::declined(code, name, *ticket))
            }
            Decision::Wait { retry_after } => {
                Ruling::Wait { retry_after, application: self.application, claim: self.claim }
            }
        };
        NeedCommit::new(*self.read, ruling, settings, now, random)
    }
}
