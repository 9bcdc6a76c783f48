//! Keys, certificates and authorities: accepted forms, refused forms with their reasons, and OpenSSL's view.
#![cfg(feature = "std")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may panic and say why"
)]

#[path = "certificates/common.rs"]
mod common;
#[path = "certificates/files.rs"]
mod files;
#[path = "certificates/hostile.rs"]
mod hostile;
#[path = "certificates/issuing.rs"]
mod issuing;
#[path = "certificates/keys.rs"]
mod keys;
#[path = "certificates/openssl.rs"]
mod openssl;
#[path = "certificates/revocation.rs"]
mod revocation;
