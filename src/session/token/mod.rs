//! The token's side of a session: S0 out, S1 in, S2 out, S3 in.
//!
//! The key itself is asked two things, and both answers come from the [`Token`](crate::port::Token): tag_c and d.

mod accept;
mod open;

pub use accept::{AwaitAccept, NeedSeed, Session, SessionOutcome};
pub use open::{AwaitChallenge, NeedResponse, Options, open};
