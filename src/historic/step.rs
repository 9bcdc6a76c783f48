//! A message and the state that follows it.

/// A message to send and what comes next: the state that awaits the answer, or the outcome.
#[must_use]
#[derive(Debug)]
pub struct Step<M, N> {
    /// The message, ready to send.
    pub send: M,
    /// What to go on with.
    pub next: N,
}
