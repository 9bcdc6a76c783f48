//! Registration under attack: hostile bytes, lost steps, crashes, and the properties of PROTOCOL.md,
//! section 11.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod applicant;
mod bounds;
mod crash;
mod distort;
mod enumeration;
mod forge;
mod keys;
mod limits;
mod lives;
mod messages;
mod properties;
mod recording;
mod secrecy;
#[path = "../support/supply.rs"]
mod supply;
mod tampering;
mod tickets;
mod uri;
mod watched;
