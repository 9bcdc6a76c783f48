//! The program as it is run: its answers, its exit codes, and what is in the store afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::expect_used,
    clippy::duplicate_mod,
    unreachable_pub,
    reason = "a test may panic"
)]

#[cfg(unix)]
mod database;
mod desk;
mod errors;
mod file;
mod issuer;
#[path = "../../../../tests/support/people.rs"]
mod people;
#[cfg(unix)]
#[path = "../../../../tests/postgres/server.rs"]
mod server;
