//! The cost of a key exchange on each side, beside the bare primitives that it consists of.
//!
//! `cargo bench --bench key_exchange -- --quick`, or with part of a name to run part of it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a benchmark that goes wrong may panic"
)]
#![allow(missing_docs, reason = "criterion's macro makes a public function")]

mod channel;
mod decode;
mod primitives;
#[path = "../../tests/vectors/recorder.rs"]
#[allow(dead_code, reason = "the test vectors use the rest")]
mod recorder;
mod registration;
mod session;
mod world;

use criterion::{criterion_group, criterion_main};

criterion_group!(
    benches,
    registration::server,
    registration::token,
    session::server,
    session::token,
    channel::records,
    decode::messages,
    primitives::bare
);
criterion_main!(benches);
