//! Files with PEM that is no secret: requests and anchors.

use crate::failure::{Failure, FileError};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// More than any of them has, in bytes.
const MOST: u64 = 1 << 18;

/// Reads a file of text.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    let read = || -> Result<String, FileError> {
        let mut text = String::new();
        File::open(path)?.take(MOST).read_to_string(&mut text)?;
        if u64::try_from(text.len()).is_ok_and(|length| length < MOST) {
            Ok(text)
        } else {
            Err(FileError::TooLong)
        }
    };
    read().map_err(|error| Failure::file(path, error))
}
