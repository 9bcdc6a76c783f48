//! Records of registrations on either side: plain data, each with one strict encoding.

mod codec;
mod keys;
mod refusal;
mod server;
mod token;

pub use crate::wire::Record;
pub use keys::KeySet;
pub use refusal::{RejectionCause, RejectionCode, RejectionRecord};
pub use server::{
    Activation, Applicant, ApplicantRecord, Effect, ExpectedTags, Lifecycle, NewOutcome, NewRegistration,
    PendingLimits, ProofId, RequestAnswer, ServerRegistration, StoredKeys, Takes, WaitingRequest,
};
pub use token::{Attempt, HeldConfiguration, InFlight, Progress, ProofKey, TokenRegistration, Waiting};
