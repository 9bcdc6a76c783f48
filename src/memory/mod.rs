//! Ports held in memory: for tests, examples and small installations.

pub(crate) mod authority;
#[cfg(feature = "std")]
mod identities;
#[cfg(feature = "std")]
mod server;
#[cfg(feature = "std")]
pub mod store;

pub use authority::{Authority, IssuedCertificate, StateError};
#[cfg(feature = "std")]
pub use identities::HeldCertificate;
#[cfg(feature = "std")]
pub use server::{Server, ServerKeyError};
#[cfg(feature = "std")]
pub use store::Store;
