//! What each side remembers of a registration: plain data, and the lives it may lead.

mod refusal;
mod server;
mod token;

pub use refusal::{Refusal, RefusalCause, RefusalCode};
pub use server::{
    Activation, Applicant, ApplicantRecord, Effect, ExpectedTags, Lifecycle, NewOutcome, NewRegistration,
    ProofId, Registered, StoredKeys, Takes, WaitingApplication,
};
pub use token::{Attempt, Half, HeldConfiguration, ProofKey, Registration, Standing, Waiting};
