//! Ports held in memory: for tests, examples and small installations.

mod authority;
#[cfg(feature = "std")]
pub mod store;

pub use authority::{Authority, StateError};
