//! The server's side of registration.
//!
//! ```text
//! receive_hello ──▶ NeedOfferMaterial ──▶ NeedSignature ──▶ R1; nothing is remembered
//!       R0            certificate       signature
//!
//! receive_request ──▶ NeedStored ──▶ NeedSecrets ──▶ NeedApplicant ──▶ NeedDecision ──▶ NeedCommit ──▶ R3
//!       R2             R3 before?     SSK1, ss_e      proof, name       the operator     durable
//!                        │ yes                            │ refused ──────────────────────▲
//!                        ▼ R3 again
//! receive_confirm ──▶ NeedExpected ──▶ NeedConfirm ──▶ R5
//!       R4              tags             compare-and-set
//! ```
//!
//! Every R2 whose cookie holds is answered with an R3 of one size after the same questions, so that
//! nobody learns from the answer whether a request opened, a code exists or a key is known.

mod application;
mod confirm;
mod cookie;
mod decide;
mod grant;
mod judge;
mod offer;
mod request;

pub use application::{Decision, EnrolmentProof, EnrolmentRequest, Grant};
pub use confirm::{NeedConfirm, NeedExpected, receive_confirm};
pub use decide::{Judged, NeedDecision, NeedRefusal};
pub use grant::NeedCommit;
pub use judge::NeedApplicant;
pub use offer::{NeedOfferMaterial, NeedSignature, receive_hello};
pub use request::{Lookup, NeedOutcome, NeedSecrets, receive_request};
