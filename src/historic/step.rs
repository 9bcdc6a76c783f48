//! A message and the state that follows it.

/// A message to send, and the state that awaits the answer or the outcome of the exchange.
#[must_use]
#[derive(Debug)]
pub struct Step<M, N> {
    /// Message, ready to send.
    pub send: M,
    /// State or outcome that follows.
    pub next: N,
}
