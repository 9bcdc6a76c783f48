//! Registration: a blank token and a certified server make a key, half by half.
//!
//! ```text
//!  token                                                server
//!  R0 Hello    which server, which suites ───────────▶            patent step 80
//!              ◀─────────────── certificate, template   R1 Offer             90
//!     verify the certificate; the user fills the form in                    100
//!     draw SSK1, encapsulate it to P_u                                  110, 120
//!  R2 Request  SSK1 under P_u, form under SSK1 ──────▶                      130
//!                 recover SSK1, judge the form, draw SSK2, join       140 to 170
//!              ◀───── SSK2, user id, access path under   R3 Outcome   180, 190
//!     join: both have K                        SSK1                         200
//!  R4 Confirm  proof of K ───────────────────────────▶            new
//!              ◀─────────────────────────── proof of K   R5 Done   new
//! ```
//!
//! Both sides are pure steps ([`token`], [`server`]): values and bytes in, values and bytes out. A
//! state named `Await…` waits for the peer; one named `Need…` waits for you: its `wanted` says for
//! what, and `supply` takes the answer. A question of the server's can `ask` a port
//! ([`crate::port::question`]).
//!
//! What an attacker may still do: see which server a token registers with, when, and the lengths of
//! the messages in steps of 256 bytes; stop the messages. What he may not is listed, property by
//! property, in PROTOCOL.md, section 11.
//!
//! What a registration proves of the user depends on the proof in R2. Without one it is trust on
//! first use: the same key holder as at registration, whoever that was. With an activation code it
//! is the person who was sent the code; with approval, whoever the operator approved.
//!
//! States are used once; this builds:
//! ```
//! use halfkey::registration::{Recoverable, token::{AwaitOutcome, NeedOpen}};
//! fn once(state: AwaitOutcome, r3: &[u8]) -> Result<NeedOpen, Recoverable<AwaitOutcome>> {
//!     state.receive_outcome(r3)
//! }
//! ```
//! and none of these does:
//! ```compile_fail,E0382
//! fn twice(state: halfkey::registration::token::AwaitOutcome, r3: &[u8]) {
//!     let first = state.receive_outcome(r3);
//!     let second = state.receive_outcome(r3);
//! }
//! ```
//! ```compile_fail,E0382
//! use halfkey::registration::server::NeedCommit;
//! fn twice(state: NeedCommit, committed: halfkey::port::entitlement_store::Committed) {
//!     let first = state.supply(committed.clone());
//!     let second = state.supply(committed);
//! }
//! ```
//! ```compile_fail,E0382
//! fn twice(state: halfkey::registration::token::AwaitDone, r5: &[u8]) {
//!     let first = state.receive_done(r5);
//!     let second = state.receive_done(r5);
//! }
//! ```

mod activation;
mod error;
mod limit;
mod padding;
pub mod server;
pub mod token;
mod uri;

pub use crate::record::{RejectionCause, RejectionCode};
pub use activation::{ActivationCode, ActivationCodeError};
pub use error::{OfferFault, Recoverable, ServerRegistrationError, TokenRegistrationError};
pub use limit::{MAX_FORM, RESEND_SECS};
pub use uri::{EnrolmentUri, EnrolmentUriError, Host};
