//! The exchanges, turn by turn.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    unreachable_pub,
    reason = "a test may panic"
)]
#![cfg(feature = "std")]

mod clocks;
mod offer;
mod server;
mod server_table;
mod standing;
mod strangers;
mod token;
mod token_table;
mod world;
