//! User names as RFC 8265 UsernameCaseMapped.

use crate::{NameError, UserName};
use alloc::string::String;

pub(crate) fn check(name: &str) -> Result<(), NameError> {
    if name.bytes().all(|b| b.is_ascii_graphic()) { Ok(()) } else { Err(NameError::Character) }
}
impl UserName {
    /// Stub.
    pub fn normalise(typed: &str) -> Result<UserName, NameError> {
        Self::new(&typed.to_ascii_lowercase())
    }
}
pub(crate) fn normalise_text(typed: &str, max_len: usize) -> Result<String, NameError> {
    check_text(typed, max_len)?;
    Ok(typed.into())
}
pub(crate) fn check_text(t: &str, max_len: usize) -> Result<(), NameError> {
    if t.len() > max_len {
        return Err(NameError::TooLong(max_len));
    }
    Ok(())
}
