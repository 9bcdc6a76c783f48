//! A session: both sides prove the shared key, make a session key of it, and talk under that.
//!
//! ```text
//!  token                                                                          server
//!    │ S0 Open       suite, modes, alias or key id, server name                      │
//!    ├──────────────────────────────────────────────────────────────────────────────▶│ registration?
//!    │ S1 Challenge  mode, N_s                                [300]                  │ none: a decoy
//!    │◀──────────────────────────────────────────────────────────────────────────────┤
//!  K_auth? │ S2 Response  N_c, pk_e, tag_c                    [310, 320]             │
//!    ├──────────────────────────────────────────────────────────────────────────────▶│ tag_c right?
//!    │ S3 Accept     x, tag_s, record: Status                 [330, 340]             │ admitted?
//!    │◀──────────────────────────────────────────────────────────────────────────────┤
//!  K_derive? tag_s right? [350]                                                      │
//!    │ records, both ways: data, configuration, rekey, close                         │
//!    │◀─────────────────────────────────────────────────────────────────────────────▶│
//!    │ record: Status, where the server ends the session                             │ still active?
//!    │◀──────────────────────────────────────────────────────────────────────────────┤
//! ```
//! Numbers in brackets are the patent's steps. Any answer of the server's may be E0 instead.
//!
//! What an attacker may still do: cut the connection, delay, and see when, how long and, where no
//! aliases are used, which key. Whoever has the keys of a token can also play the server to it. A
//! registration whose policy is not the server's own can be told from a decoy by somebody who
//! knows its address already.
//!
//! Each state is used once; this builds:
//! ```
//! use halfkey::session::{TokenSessionError, token};
//! fn once(state: token::AwaitAccept, s3: &[u8]) -> Result<token::NeedSeed, TokenSessionError> {
//!     state.receive_accept(s3)
//! }
//! ```
//! and none of these does:
//! ```compile_fail,E0382
//! fn twice(state: halfkey::session::token::AwaitAccept, s3: &[u8]) {
//!     let first = state.receive_accept(s3);
//!     let second = state.receive_accept(s3);
//! }
//! ```
//! ```compile_fail,E0382
//! use halfkey::{RandomSource, session::token::AwaitChallenge};
//! fn twice(state: AwaitChallenge, s1: &[u8], random: &mut dyn RandomSource) {
//!     let first = state.receive_challenge(s1, random);
//!     let second = state.receive_challenge(s1, random);
//! }
//! ```
//! ```compile_fail,E0382
//! fn twice(state: halfkey::session::token::NeedResponse, tag_c: &halfkey::Secret) {
//!     let first = state.supply(tag_c);
//!     let second = state.supply(tag_c);
//! }
//! ```
//! ```compile_fail,E0382
//! use halfkey::{RandomSource, UnixTime, session::server::AwaitResponse};
//! fn twice(state: AwaitResponse, s2: &[u8], now: UnixTime, random: &mut dyn RandomSource) {
//!     let first = state.receive_response(s2, now, random);
//!     let second = state.receive_response(s2, now, random);
//! }
//! ```
//! ```compile_fail,E0382
//! use halfkey::{UnixTime, port::entitlement_store::Admitted, session::server::NeedAdmission};
//! fn twice(state: NeedAdmission, answer: Admitted, now: UnixTime) {
//!     let first = state.supply(answer.clone(), now);
//!     let second = state.supply(answer, now);
//! }
//! ```

mod channel;
mod direction;
mod error;
mod keys;
mod limit;
mod opened;
pub mod server;
pub mod token;

pub use crate::message::Address;
#[cfg(feature = "tokio")]
pub(crate) use channel::Exporter;
pub(crate) use channel::place_of;
pub use channel::{Channel, ChannelError, Content, MAX_DATA, MAX_EXPORT, MAX_RECORD, RECORDS_PER_KEY};
pub use error::{ServerSessionError, SessionEnded, TokenSessionError};
pub use opened::OpenedRecord;
pub use server::park;

use core::fmt;

/// States show their names alone: what they hold is secret, or noise.
macro_rules! opaque {
    ($($state:ty),*) => {$(
        impl fmt::Debug for $state {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($state), "(..)"))
            }
        }
    )*};
}
opaque!(
    token::AwaitChallenge,
    token::NeedResponse,
    token::AwaitAccept,
    token::NeedSeed,
    server::NeedRegistration,
    server::AwaitResponse,
    server::NeedAdmission,
    park::NeedRegistrationAgain
);
