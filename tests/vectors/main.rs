//! The published test vectors: complete runs of the real steps with fixed random sources.
//!
//! `cargo test --test vectors` makes them again and compares them with the files, byte for byte;
//! with `HALFKEY_WRITE_VECTORS=1` in the environment it writes the files instead. Every value is
//! computed a second time from PROTOCOL.md alone (the `reference` files), and every primitive
//! that the steps called is compared with that.
#![cfg(feature = "std")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod cases;
mod cbor;
mod configure;
mod example;
mod judge;
mod judge_session;
mod negative;
mod negative_registration;
mod recorder;
mod reference;
mod reference_registration;
mod reference_session;
mod stage;
#[path = "../support/supply.rs"]
mod supply;
mod talk;

use serde_json::Value;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Writes the file, or finds it as it should be.
fn settle(path: &Path, content: &str) {
    if std::env::var_os("HALFKEY_WRITE_VECTORS").is_some() {
        std::fs::write(path, content).unwrap();
    } else {
        let found = std::fs::read_to_string(path).unwrap_or_default();
        let first = found.lines().zip(content.lines()).position(|(a, b)| a != b);
        assert!(found == content, "{} differs, first in line {first:?} (from 0)", path.display());
    }
}

#[test]
fn the_steps_make_the_published_vectors() {
    let mut cases = cases::all();
    cases.push(negative::case(&cases));
    for (name, case) in &cases {
        let text = serde_json::to_string_pretty(case).unwrap() + "\n";
        settle(&root().join("tests/vectors").join(name), &text);
    }
    let example: &Value = &cases.iter().find(|(name, _)| *name == example::CASE).unwrap().1;
    let path = root().join("PROTOCOL.md");
    let text = std::fs::read_to_string(&path).unwrap();
    settle(&path, &example::into(&text, &example::markdown(example)));
}
