//! The targets' bodies are those that `cargo test` replays the corpus with.

#[path = "../../tests/targets/mod.rs"]
pub mod targets;
