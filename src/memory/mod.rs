//! Ports held in memory: for tests, examples and small installations.

mod authority;

pub use authority::{Authority, StateError};
