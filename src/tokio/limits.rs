//! Limits on what peers may take of a server: time, places, work.

use core::time::Duration;
use std::thread;

/// Limits of an [`Acceptor`](super::Acceptor). Each has a safe default.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Time until the first frame of a connection is whole: 10 s.
    pub first_frame: Duration,
    /// Time from the first byte of a frame to its last, within a session too, and for an answer to be taken:
    /// 30 s. A peer that sends a byte a minute is gone after this time.
    pub frame: Duration,
    /// Time from the beginning of a connection until a session is open or the peer is done: 15 minutes, as
    /// long as an offer is good. People fill in forms meanwhile.
    pub registration: Duration,
    /// Time for the operator's decision; then the token is told `busy` and may ask again: 30 s.
    pub approval: Duration,
    /// Time without a byte of the peer's after which a session is cut off: none by default.
    pub silence: Option<Duration>,
    /// Time without a byte taken by the peer while something is to be written, after which a session is cut off:
    /// 60 s.
    pub write: Duration,
    /// The most connections at once: 10 000.
    pub connections: usize,
    /// The most connections of one peer at once: 64.
    pub connections_per_peer: usize,
    /// The most questions to the holder of the server's keys at once, each on a thread of its own: as many as
    /// the machine has cores.
    pub keys_at_once: usize,
    /// The most questions that wait for those: 64. Beyond them tokens are told `busy`.
    pub keys_waiting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_frame: Duration::from_secs(10),
            frame: Duration::from_secs(30),
            registration: Duration::from_secs(900),
            approval: Duration::from_secs(30),
            silence: None,
            write: Duration::from_secs(60),
            connections: 10_000,
            connections_per_peer: 64,
            keys_at_once: thread::available_parallelism().map_or(2, usize::from),
            keys_waiting: 64,
        }
    }
}
