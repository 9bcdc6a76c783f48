//! Functions that the fuzzer runs over hostile bytes, and `cargo test` over the corpus.
//!
//! Most targets read their bytes as a play: the next action of a party, and an attacker's manipulation of
//! each frame. The steps are the real ones, keys and all; a target panics when one breaks its word.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a target fails by panicking"
)]
#![allow(unreachable_pub, reason = "public in the fuzzer's crate, and not in a test")]

mod card;
mod certificate;
mod channel;
mod configuration;
mod decode;
mod file;
mod play;
mod registration;
mod session;
pub mod story;
#[path = "../support/supply.rs"]
mod supply;
#[path = "../support/mod.rs"]
mod support;
mod world;

/// A target: bytes that somebody hostile chose.
pub type Target = fn(&[u8]);

/// Every target, under the name of its corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("certificate", certificate::run),
    ("channel", channel::run),
    ("configuration_server", configuration::server),
    ("configuration_token", configuration::token),
    ("decode", decode::run),
    ("registration_server", registration::server),
    ("registration_token", registration::token),
    ("session_server", session::server),
    ("session_token", session::token),
    ("software_token_file", file::token),
    ("store_file", file::store),
];

/// The target of this name.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).unwrap();
    target(bytes);
}
