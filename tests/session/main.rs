//! Sessions as both sides meet them: the story, hostile input, and challenges parked elsewhere.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod hostile;
mod parked;
mod refused;
mod story;
#[path = "../support/supply.rs"]
mod supply;
mod world;
