//! The agent's binary against a gate in this process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]

mod agent;
mod browser;
#[path = "../../../../tests/support/chromium.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod chromium;
mod gate;
mod proxy;

mod enrolling;
mod life;
mod looks;
mod page;
mod token;
mod ways;
