//! A secret that a program is given while it runs: a PIN, a passphrase, an activation code.
//!
//! It is never an argument, which every user of the machine may read.

use crate::file::{self, FileError, FileProblem, Readers};
use crate::program::Program;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use thiserror::Error;
use zeroize::Zeroizing;

/// Longest secret, in bytes.
pub const MOST: usize = 1024;

/// Place that a secret comes from: one line of it.
///
/// As text: `ask` (a terminal), `-` (standard input), `fd:3` (an open descriptor) or `file:PATH`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SecretSource {
    /// A person at the terminal of this process, who does not see what is typed.
    #[default]
    Terminal,
    /// The next line of standard input.
    Stdin,
    /// The next line of a descriptor that the parent process has opened.
    Descriptor(u32),
    /// The first line of a file that only its owner may use.
    File(PathBuf),
}

/// Error of a text that names no [`SecretSource`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a secret comes from `ask`, `-`, `fd:NUMBER` or `file:PATH`")]
pub struct SecretSourceError;

impl FromStr for SecretSource {
    type Err = SecretSourceError;

    fn from_str(text: &str) -> Result<Self, SecretSourceError> {
        match (text, text.split_once(':')) {
            ("ask", _) => Ok(Self::Terminal),
            ("-", _) => Ok(Self::Stdin),
            (_, Some(("fd", number))) => number.parse().map(Self::Descriptor).map_err(|_| SecretSourceError),
            (_, Some(("file", path))) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err(SecretSourceError),
        }
    }
}

/// Error of reading a secret.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is no terminal, or standard input or the descriptor is not readable.
    #[error("the {what} cannot be read: {error}")]
    Io {
        /// The secret, as the prompt calls it.
        what: String,
        /// The operating system's error.
        error: io::Error,
    },
    /// There is no line, or an empty one.
    #[error("the {0} is empty")]
    Empty(String),
    /// The line is longer than [`MOST`].
    #[error("the {0} is longer than {MOST} bytes")]
    TooLong(String),
    /// The line is not UTF-8.
    #[error("the {0} is not UTF-8")]
    NotUtf8(String),
    /// Two entries at the terminal differ.
    #[error("the {0} was not typed the same twice")]
    Differs(String),
}

impl SecretSource {
    /// Reads the secret, which people call `what` ("PIN").
    ///
    /// # Errors
    /// [`SecretError`].
    pub fn read(&self, program: Program, what: &str) -> Result<Zeroizing<String>, SecretError> {
        let io = |error| SecretError::Io { what: what.into(), error };
        let line = match self {
            Self::Terminal => typed(&format!("{what}: ")).map_err(io)?,
            Self::Stdin => line(&mut io::stdin().lock()).map_err(io)?,
            Self::Descriptor(number) => line(&mut descriptor(*number).map_err(io)?).map_err(io)?,
            Self::File(path) => {
                let long = |error: FileError| match error.problem {
                    FileProblem::TooLong => SecretError::TooLong(what.into()),
                    _ => error.into(),
                };
                let bytes =
                    file::read(program, path, MOST.saturating_add(2), Readers::Owner).map_err(long)?;
                line(&mut bytes.as_slice()).map_err(io)?
            }
        };
        let text = std::str::from_utf8(&line).map_err(|_| SecretError::NotUtf8(what.into()))?;
        match text.trim_end_matches('\r') {
            "" => Err(SecretError::Empty(what.into())),
            text if text.len() > MOST => Err(SecretError::TooLong(what.into())),
            text => Ok(Zeroizing::new(text.into())),
        }
    }

    /// Reads a new secret; a person types it twice.
    ///
    /// # Errors
    /// [`SecretError`]; [`SecretError::Differs`] where the two differ.
    pub fn read_new(&self, program: Program, what: &str) -> Result<Zeroizing<String>, SecretError> {
        let secret = self.read(program, what)?;
        if *self == Self::Terminal && *self.read(program, &format!("{what} again"))? != *secret {
            return Err(SecretError::Differs(what.into()));
        }
        Ok(secret)
    }
}

fn typed(prompt: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    Ok(Zeroizing::new(rpassword::prompt_password(prompt)?.into_bytes()))
}

/// Opens a descriptor of this process by its name: to adopt its number is not safe in Rust's sense.
fn descriptor(number: u32) -> io::Result<File> {
    File::open(Path::new("/dev/fd").join(number.to_string()))
}

/// Reads one line byte by byte, so that what follows is left to the next one to read.
fn line(from: &mut impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(MOST.saturating_add(2)));
    let mut byte = Zeroizing::new([0]);
    while line.len() < line.capacity() && from.read(byte.as_mut())? == 1 {
        if *byte == *b"\n" {
            break;
        }
        line.extend_from_slice(byte.as_ref());
    }
    Ok(line)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    const PROGRAM: Program = Program { name: "test", json: false };

    #[test]
    fn a_source_is_read_as_it_is_written() {
        for (text, source) in [
            ("ask", SecretSource::Terminal),
            ("-", SecretSource::Stdin),
            ("fd:3", SecretSource::Descriptor(3)),
            ("file:a:b", SecretSource::File("a:b".into())),
        ] {
            assert_eq!(text.parse(), Ok(source));
        }
        for bad in ["", "1234", "fd:", "fd:-1", "fd:x", "file:", "FILE:x", "env:X"] {
            assert_eq!(bad.parse::<SecretSource>(), Err(SecretSourceError), "{bad}");
        }
    }

    #[test]
    fn a_line_leaves_the_next_one() {
        let mut text = &b"1234\r\nsecond\n"[..];
        assert_eq!(**line(&mut text).unwrap(), b"1234\r"[..]);
        assert_eq!(**line(&mut text).unwrap(), b"second"[..]);
        assert!(line(&mut text).unwrap().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_its_owners_and_of_bounded_length() {
        use std::os::fd::AsRawFd;
        use std::os::unix::fs::PermissionsExt;
        let path = std::env::temp_dir().join(format!("halfkey-common-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        file::write_new(&path, b"2468\n").unwrap();
        let source = SecretSource::File(path.clone());
        assert_eq!(*source.read(PROGRAM, "PIN").unwrap(), "2468");
        let open = File::open(&path).unwrap();
        let number = u32::try_from(open.as_raw_fd()).unwrap();
        assert_eq!(*SecretSource::Descriptor(number).read_new(PROGRAM, "PIN").unwrap(), "2468");
        std::fs::write(&path, [b'x'; MOST + 1]).unwrap();
        assert!(matches!(source.read(PROGRAM, "PIN"), Err(SecretError::TooLong(_))));
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(source.read(PROGRAM, "PIN").unwrap_err().to_string(), "the PIN is empty");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o604)).unwrap();
        assert!(matches!(source.read(PROGRAM, "PIN"), Err(SecretError::File(_))));
        std::fs::remove_file(&path).unwrap();
    }
}
