//! Secrets whose time is over are in this process's memory no more: Linux shows a process its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::print_stdout,
    clippy::large_stack_frames,
    unreachable_pub,
    reason = "a test may panic, and what tests share is not exported"
)]
#![cfg(feature = "std")]

#[cfg(target_os = "linux")]
mod cases;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(target_os = "linux")]
#[path = "../exchange/world.rs"]
#[allow(dead_code, reason = "the exchange's tests use the rest")]
mod world;

#[cfg(not(target_os = "linux"))]
#[test]
fn skipped() {
    println!("SKIPPED: only Linux shows a process its own memory");
}
