//! A session as in 1996 (steps 300 to 350, claims 3, 4, 9, 10, 16, 17, 22 and 23), in three readings.
//!
//! ```text
//!  client                                                   server
//!    ◀──────────────────────────────────────── N1            challenge
//!  300 E_K(N1)   310 draw N2
//!    320 response ──────────────────────────▶ 330 receive_response: SES
//!    350 receive_proof ◀──────── E_SES(N2)    340
//! ```
//!
//! | reading | on the wire | SES |
//! | --- | --- | --- |
//! | [`description`], Figure 4 | `E_K(N1) ⊕ N2` | `E_K(N1) ⊕ N2`: the very bytes on the wire |
//! | [`claims`] 4, 10, 17, 23 | `E_K(N1)`, `N2` | `f(E_K(N1), N2)`: computed from the wire |
//! | [`earlier`], US 5,602,918 | `E_K(N1)`, `N2` | `E_K(E_K(N1) ⊕ N2)`: needs K |
//!
//! Every reading begins with [`challenge`] and ends with [`AwaitProof::receive_proof`]. The session
//! key then encrypts "subsequent communications" ([`super::configuration`]).

pub mod claims;
pub mod description;
pub mod earlier;
mod proof;

pub use proof::{AwaitProof, AwaitResponse, Challenge, Proof, challenge};
