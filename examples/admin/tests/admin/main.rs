//! The program as it is run: its answers, its exit codes, and what is in the store afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test may panic"
)]

mod commands;
mod desk;
mod errors;
mod imports;
mod rotation;
