//! The protocol of 1996 to the letter: it works as the patent says, and each attack on it succeeds.
#![cfg(feature = "historic")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a test may panic and say why"
)]

mod common;

#[path = "historic/attacks/mod.rs"]
mod attacks;
#[path = "historic/chart.rs"]
mod chart;
#[path = "historic/configuration.rs"]
mod configuration;
#[path = "historic/keys.rs"]
mod keys;
#[path = "historic/known_answers.rs"]
mod known_answers;
#[path = "historic/letter.rs"]
mod letter;
#[path = "historic/pin.rs"]
mod pin;
#[path = "historic/real.rs"]
mod real;
#[path = "historic/registration.rs"]
mod registration;
#[path = "historic/session.rs"]
mod session;
#[path = "support/supply.rs"]
mod supply;
