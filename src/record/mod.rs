//! What each side remembers of a registration: plain data, and the lives it may lead.

mod server;
mod token;

pub use server::{
    Applicant, ApplicantRecord, Effect, ExpectedTags, Lifecycle, NewOutcome, NewRegistration, ProofId,
    Registered, StoredKeys, WaitingApplication,
};
pub use token::{Attempt, Half, HeldConfiguration, ProofKey, Registration, Standing, Waiting};
