//! Ports held in memory: for tests, examples and small installations.

#[cfg(feature = "std")]
pub mod store;
