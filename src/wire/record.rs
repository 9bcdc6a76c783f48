//! Records: plain data that is kept, with one strict encoding each.

use super::stored::encode_secret;
use super::{Problem, Value, WireError, decode};
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// A record that a token or a server keeps: plain data with one strict, deterministic encoding, for a
/// durable implementation of a port.
///
/// The encoding is CBOR (RFC 8949, section 4.2) and is never sent. Decoding takes only the very bytes that
/// encoding gives, at most [`Self::MAX`] of them, and sets nothing aside for a length that is merely claimed.
/// Neither direction leaves a copy of a secret behind in memory: encoding returns bytes that erase
/// themselves, and decoding puts secrets into [`crate::Secret`]. Whoever writes the bytes to a file sees to
/// it that nobody else reads or changes them.
///
/// # Example
/// ```
/// use halfkey::record::{HeldConfiguration, Record};
/// # use halfkey::{ApplicationName, Digest, configuration::ConfigurationSerial};
/// # let held = HeldConfiguration {
/// #     application: ApplicationName::new("mail")?,
/// #     serial: ConfigurationSerial { epoch: 0, number: 7 },
/// #     digest: Digest::new([1; 32]),
/// #     valid: None,
/// #     floor: halfkey::UnixTime::default(),
/// #     revoked: false,
/// # };
/// let bytes = held.to_bytes();
/// assert_eq!(HeldConfiguration::from_bytes(&bytes), Ok(held));
/// assert!(HeldConfiguration::from_bytes(&bytes[1..]).is_err());
/// # Ok::<(), halfkey::NameError>(())
/// ```
#[allow(private_bounds, reason = "only this crate defines records")]
pub trait Record: for<'b> Value<'b> {
    /// The record's name in an error.
    const NAME: &'static str;

    /// Longest encoding that is decoded, in bytes. Every record that this crate makes is shorter.
    const MAX: usize;

    /// Returns the record's encoding, which erases itself when it is dropped.
    fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        encode_secret(self)
    }

    /// Reads the record back, strictly.
    ///
    /// # Errors
    /// [`WireError`] names the field and what is wrong with it.
    fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let record: Self = decode(bytes, Self::NAME, Self::MAX)?;
        match record.problem() {
            None => Ok(record),
            Some(problem) => Err(WireError { message: Self::NAME, field: "*", problem }),
        }
    }

    /// Returns what is wrong with a record that its encoding alone does not show.
    #[doc(hidden)]
    fn problem(&self) -> Option<Problem> {
        None
    }
}

/// Makes types records: `Type, "name", longest encoding in bytes;`.
macro_rules! records {
    ($($type:ty, $name:literal, $max:expr;)*) => {$(
        impl $crate::wire::Record for $type {
            const NAME: &'static str = $name;
            const MAX: usize = $max;
        }
    )*};
}
pub(crate) use records;
