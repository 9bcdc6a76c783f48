//! The server's side of a session: S0 in, S1 out, S2 in, S3 out.
//!
//! An address that nobody has is no error here. It gets a decoy, the decoy gets a challenge, and
//! fails like any wrong proof. Only who proves a key costs the store a write.

mod admit;
mod challenge;
mod decoy;
pub mod park;

pub(crate) use admit::status;
pub use admit::{Entry, Established, NeedAdmission};
pub use challenge::{AwaitResponse, CHALLENGE_SECS, NeedRegistration, receive_open};
