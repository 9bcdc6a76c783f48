//! How long a client waits.

use core::time::Duration;

/// Times that a [`Connector`](super::Connector) waits. Each has a default.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Timeouts {
    /// For each answer of the server's in a registration and in opening a session: 60 s.
    pub answer: Duration,
    /// From the first byte of a frame to its last, within a session: 30 s.
    pub frame: Duration,
    /// Without a byte of the server's, after which a session is cut off: none by default.
    pub silence: Option<Duration>,
    /// Without a byte taken by the server while something is to be written, after which a session is cut off:
    /// 60 s.
    pub write: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let (answer, frame) = (Duration::from_secs(60), Duration::from_secs(30));
        Self { answer, frame, silence: None, write: Duration::from_secs(60) }
    }
}
