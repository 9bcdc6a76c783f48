//! The patent WO 98/25375 of 1996 to the letter. **Never protect anything with it.**

mod cipher;
pub mod configuration;
mod error;
mod key;
pub mod registration;
pub mod session;

pub use cipher::{Cipher, number_len};
pub use des::{Des, TdesEde2, TdesEde3};
pub use error::Error;
pub use key::{Combiner, Key};

/// A message to send and what comes next: the state that awaits the answer, or the outcome.
#[must_use]
#[derive(Debug)]
pub struct Step<M, N> {
    /// The message, ready to send.
    pub send: M,
    /// What to go on with.
    pub next: N,
}
