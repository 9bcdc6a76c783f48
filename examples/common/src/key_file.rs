//! Files that hold a storage key: 64 hexadecimal digits, for their owner's eyes.

use crate::file::{self, FileError, FileProblem, Readers};
use crate::program::Program;
use halfkey::{Digest, Secret, SystemRandom};
use std::path::Path;
use zeroize::Zeroizing;

/// Bytes of a file: the digits, and the end of a line.
const MOST: usize = 66;

/// Reads a key.
///
/// # Errors
/// [`FileError`] when others may use the file, or it holds no key.
pub fn read(program: Program, path: &Path, readers: Readers) -> Result<Secret, FileError> {
    let no_key = || FileError::at(path, FileProblem::Key);
    let text = file::read(program, path, MOST, readers).map_err(|error| match error.problem {
        FileProblem::TooLong => no_key(),
        _ => error,
    })?;
    let digits = std::str::from_utf8(&text).ok().map(|text| text.trim_end_matches(['\r', '\n']));
    // Any 32 bytes are read alike, whatever they are called.
    let read = digits.and_then(|digits| digits.parse::<Digest>().ok());
    let bytes = Zeroizing::new(*read.ok_or_else(no_key)?.as_bytes());
    Ok(Secret::new(*bytes))
}

/// Makes a key in a file that was not there before.
///
/// # Errors
/// [`FileError`] when there is such a file, or the file system keeps no access rights.
pub fn make(path: &Path) -> Result<Secret, FileError> {
    let key = Secret::random(&mut SystemRandom);
    let mut text = Zeroizing::new(String::with_capacity(65));
    for byte in key.expose() {
        text.extend(
            [byte >> 4, byte & 15].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)),
        );
    }
    text.push('\n');
    file::write_new(path, text.as_bytes())?;
    Ok(key)
}
