//! Shared by the programs of this package.

mod setting;

pub use setting::{Outcome, setting};
