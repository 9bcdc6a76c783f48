//! Configuration: what a user is entitled to, brought to the token's system inside a session (patent steps
//! 360 to 390, claims 5, 11, 18 and 24).
//!
//! ```text
//!  token                                                server
//!  request ── C0 who, from where, which is held ──────▶ receive_request
//!                                                       NeedEntitlement   (the store, step 380)
//!  receive ◀───────────── C1 document, revoked, … ───── supply
//!  NeedApply   (the client system, step 390)
//!  supply ─── C2 applied, or why not ─────────────────▶ receive_applied
//!                                                       NeedReport        (the store)
//! ```
//! The bytes that go in and come out are plaintext: the channel of the session encrypts, authenticates and
//! keeps their order. An error ends the session; it has changed nothing. A C1 with
//! request id 0 is a *push*: unasked, at any time after the session began, and it may cross a C0.
//!
//! # C1, kind by kind
//! | kind | serial, digest | valid_for | media_type, body | token |
//! | --- | --- | --- | --- | --- |
//! | 0 unchanged | those held | maybe | no | renews validity; C2 `applied` |
//! | 1 revoked | its own | no | no | removes the document, keeps the serial; C2 |
//! | 2 document | its own | maybe | both | applies it; C2 |
//! | 3 unknown | no | no | no | keeps what it has; no C2 |
//!
//! *Unknown* means that the store knows nothing of the application for this user. It is not `revoked`: a
//! revocation has a serial, and a store that has lost its data has none to give that a token could trust. So
//! what is held stays, until its validity ends.
//!
//! A push is a document or a revocation: it always has news.
//!
//! # What a token accepts
//! * Only its own scope: the user and server of the registration, and the application asked for. The server
//!   takes user and server from the session's key; C0 does not even name them.
//! * A serial below the one held is a rollback, an equal one with another digest an equivocation: refused,
//!   and C2 says so. An equal serial and digest is `unchanged`, and not applied again. After restoring a
//!   backup an operator raises the epoch. A revocation's serial is held like any other.
//! * The record changes only after the client system has applied a document; where that fails, the last good
//!   one stays. Store the record that comes with C2 before sending C2. A crash between applying and storing
//!   makes the server send the same document again: applying it twice must do no harm.
//!
//! # Time
//! `valid_for` is in seconds from the moment C0 was sent (a push: from its receipt), so that a token without a
//! clock can keep to it and a delayed answer lives no longer. `server_time` only ever raises the
//! registration's `clock_floor`, and only from an answer that came at most [`FRESH_SECS`] seconds after its C0 by
//! the token's own reckoning: never from a push. Whether a document may still be used says
//! [`HeldConfiguration::in_force`].
//!
//! An attacker may still delay or drop messages, which keeps an old configuration in force until its validity
//! ends; and whoever can restore a token's record can roll its configuration back, which the server learns at
//! the next C0 ([`ReportResult::Regressed`]).
//!
//! [`HeldConfiguration::in_force`]: crate::record::HeldConfiguration::in_force
//! [`ReportResult::Regressed`]: crate::port::entitlement_store::ReportResult::Regressed

mod document;
mod error;
mod limit;
pub mod server;
pub mod token;

pub use crate::message::{ConfigurationSerial, InformationError, UserInformation};
#[cfg(feature = "std")]
pub(crate) use document::check;
pub use document::{MAX_BODY, MAX_MEDIA_TYPE, digest};
pub use error::{ServerConfigurationError, TokenConfigurationError};
pub use limit::{FRESH_SECS, MAX_HELD};
