//! The drivers on tokio: whole lives, streams, peers that misbehave, tasks that are cancelled.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may panic"
)]

#[path = "tokio/world.rs"]
mod world;

#[path = "tokio/both.rs"]
mod both;
#[path = "tokio/cancel.rs"]
mod cancel;
#[path = "tokio/enrol.rs"]
mod enrol;
#[path = "tokio/flood.rs"]
mod flood;
#[path = "tokio/forward.rs"]
mod forward;
#[path = "tokio/gone.rs"]
mod gone;
#[path = "tokio/idle.rs"]
mod idle;
#[path = "tokio/life.rs"]
mod life;
#[path = "tokio/limits.rs"]
mod limits;
#[path = "tokio/off_executor.rs"]
mod off_executor;
#[cfg(all(unix, feature = "postgres"))]
#[path = "tokio/postgres.rs"]
mod postgres;
#[path = "tokio/rights.rs"]
mod rights;
#[cfg(all(unix, feature = "postgres"))]
#[path = "postgres/server.rs"]
mod server;
#[path = "tokio/stream.rs"]
mod stream;
