//! Contents of a record of the peer's.

use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroizing;

/// Content of a record of the peer's: in a buffer of its own, or with [`Channel::open_in_place`](super::Channel::open_in_place) in the
/// caller's.
#[non_exhaustive]
pub enum OpenedRecord<T = Zeroizing<Vec<u8>>> {
    /// Application data.
    Data(T),
    /// A message of the configuration flow (C0 to C2).
    Configuration(T),
    /// The server ends the session: an encoded [`StatusMessage`](crate::message::StatusMessage) without an alias.
    Status(T),
    /// The peer goes on under its next key; nothing to do.
    Rekeyed,
    /// The peer sends nothing more.
    Closed,
}

/// Shows lengths alone.
impl<T: AsRef<[u8]>> fmt::Debug for OpenedRecord<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(data) => write!(f, "Data({} bytes)", data.as_ref().len()),
            Self::Configuration(message) => write!(f, "Configuration({} bytes)", message.as_ref().len()),
            Self::Status(message) => write!(f, "Status({} bytes)", message.as_ref().len()),
            Self::Rekeyed => f.write_str("Rekeyed"),
            Self::Closed => f.write_str("Closed"),
        }
    }
}

impl OpenedRecord<&mut [u8]> {
    /// Copies what was opened in place.
    pub fn into_owned(self) -> OpenedRecord {
        let copy = |data: &mut [u8]| Zeroizing::new(data.to_vec());
        match self {
            Self::Data(data) => OpenedRecord::Data(copy(data)),
            Self::Configuration(message) => OpenedRecord::Configuration(copy(message)),
            Self::Status(message) => OpenedRecord::Status(copy(message)),
            Self::Rekeyed => OpenedRecord::Rekeyed,
            Self::Closed => OpenedRecord::Closed,
        }
    }
}
