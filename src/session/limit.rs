//! Limits of the record channel, and the errors of those who pass them.

use crate::step::Fault;
use thiserror::Error;

/// The most data in one record, in bytes.
pub const MAX_DATA: usize = 60_000;
/// The longest record, in bytes.
pub const MAX_RECORD: usize = 65_536;
/// The longest exported key, in bytes (HKDF's limit).
pub const MAX_EXPORT: usize = 8160;
/// The most records sealed under one key before the record that renews it: 2^24 − 1.
pub const RECORDS_PER_KEY: u32 = (1 << 24) - 1;

/// Why a channel does not do as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The peer's: a record was changed, lost, repeated, reordered or malformed, now or before.
    /// The channel is of no use any more.
    #[error("the channel is broken")]
    Broken,
    /// The caller's: more than [`MAX_DATA`] bytes, or more padding than a record holds.
    #[error("too long for one record")]
    TooLong,
    /// The caller's: as many records are sealed under this key as may be; [`Channel::rekey`](super::Channel::rekey)
    /// comes first.
    #[error("the sending key is used up; rekey first")]
    RekeyNeeded,
    /// Nobody's: 2^32 keys are used up; open another session.
    #[error("the session is used up")]
    Exhausted,
    /// The caller's: that direction has been closed.
    #[error("closed")]
    Closed,
    /// The peer's, or an attacker's: the connection ended without a close.
    #[error("the connection ended before the peer closed")]
    Truncated,
    /// The caller's: more than [`MAX_EXPORT`] bytes wanted, or a label of 4 GiB.
    #[error("too long to export")]
    ExportTooLong,
}

impl ChannelError {
    /// Returns whose fault it is, and so who can mend it.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Broken | Self::Truncated => Fault::Peer,
            Self::TooLong | Self::RekeyNeeded | Self::Closed | Self::ExportTooLong => Fault::Caller,
            Self::Exhausted => Fault::Nobody,
        }
    }
}
