//! The blocking drivers against each other, over a pair of sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    unreachable_pub,
    reason = "a test may panic"
)]
#![cfg(all(feature = "std", unix))]

mod enrol;
mod register;
mod rights;
mod session;
mod strangers;
mod world;
