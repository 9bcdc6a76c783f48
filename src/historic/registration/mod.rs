//! Registration as described in 1996: steps 60 to 200, claims 1, 2, 6 to 8, 12 to 15, 19 to 21, 25
//! and 26.
//!
//! ```text
//!  authority (35)            token (10)                                    server (20)
//!  embed P_i ──────────────▶ BlankToken  60
//!  assign P_r, certificate ──────────────────────────────────────────────▶ AssignedKeys  70
//!                            call ────────────── Call ───────────────────▶ receive_call  80
//!                            receive_offer ◀──── Offer: certificate, template ───        90
//!  the user fills it in      supply                                                     100
//!  SSK1                      supply ──────────── Application: {name, SSK1} P_u ─▶ 110 to 130
//!                                                receive_application: recover SSK1      140
//!                                                supply: SSK2, code, key         150 to 170
//!                            receive_grant ◀──── Grant: {path, code, SSK2} SSK1  180 to 190
//!  the key, behind a PIN     Token                                                      200
//! ```
//!
//! The patent is silent where it matters: nothing binds an answer to a call, a key to a server, or a text to
//! its author. The module above lists the attacks.

pub mod authority;
mod message;
mod pin;
pub mod server;
pub mod token;

pub use message::{Application, Call, Grant, Offer};
pub use pin::Token;
