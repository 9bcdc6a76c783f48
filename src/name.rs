//! User names as RFC 8265 UsernameCaseMapped.

use crate::NameError;

pub(crate) fn check(name: &str) -> Result<(), NameError> {
    if name.bytes().all(|b| b.is_ascii_graphic()) { Ok(()) } else { Err(NameError::Character) }
}
