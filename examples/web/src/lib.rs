//! Shared by the programs of this package.

mod bridge;
mod setting;

pub use bridge::bridge;
pub use setting::{Outcome, setting};
