//! The form of a token's file.
//!
//! ```text
//! "halfkey/1 token, version 2\n" ‖ {1: header, 2: tries left, 3: sealed contents}
//! header   {1: by PIN, 2: by unblocking code}, each {1: settings, 2: salt, 3: wrapped data key}
//! sealed   under the data key; the first line is its label, the header its associated data
//! ```
//!
//! So a header that was changed or exchanged opens nothing. The count of tries is outside, because
//! it is written while the contents are shut: who can write the file can set it, as he could copy
//! the file and try PINs on the copy.

use super::contents::Contents;
use super::lock::{Header, Lock};
use super::pin::PinSettings;
use super::version_1;
use crate::port::TokenError;
use crate::random::RandomSource;
use crate::sealed;
use crate::secret::Secret;
use crate::wire::stored::{blob, encode_secret, stored};
use crate::wire::{WireError, decode, encode};
use alloc::vec::Vec;
use thiserror::Error;

/// What the file of any version begins with, up to the version's number.
const NAME: &[u8] = b"halfkey/1 token, version ";
/// Name and version of the form: what a file begins with, and the label of its seal.
const HEADER: &[u8] = b"halfkey/1 token, version 2\n";

/// Why a file is no software token. The file is as good, or bad, as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It does not begin like one.
    #[error("not a token file")]
    NotAToken,
    /// The operator's: it was written by a newer release, in this version of the form.
    #[error("the token file is of version {0}, which a newer release made")]
    Newer(u32),
    /// It is damaged where it can be seen without the PIN.
    #[error(transparent)]
    Damaged(#[from] WireError),
    /// A guess at its PIN costs less than [`PinSettings`] allow.
    #[error("the token file's PIN is guessed too easily: its settings are below what is allowed")]
    TooWeak,
}

/// A file taken apart.
struct File {
    header: Header,
    tries_left: u8,
    sealed: Vec<u8>,
}

stored! { File, "token file" { 1 => header, 2 => tries_left, 3 => sealed as blob } }

/// Contents that only the data key opens, in the version of the form that they are from.
#[derive(Clone)]
pub(super) enum Sealed {
    /// Nothing is bound to them; the next PIN seals them anew.
    Version1(Vec<u8>),
    Version2(Vec<u8>),
}

impl Sealed {
    /// The contents, under this header from now on.
    pub(super) fn new(
        data_key: &Secret,
        header: &Header,
        contents: &Contents,
        random: &mut dyn RandomSource,
    ) -> Self {
        let text = encode_secret(contents);
        Self::Version2(sealed::seal(data_key, HEADER, &encode(header), &text, random))
    }

    pub(super) fn open(&self, data_key: &Secret, header: &Header) -> Result<Contents, TokenError> {
        let text = match self {
            Self::Version1(sealed) => sealed::open(data_key, version_1::HEADER, &[], sealed),
            Self::Version2(sealed) => sealed::open(data_key, HEADER, &encode(header), sealed),
        };
        let damaged = || TokenError::Device(super::DAMAGED);
        decode(&text.map_err(|_| damaged())?, "token", usize::MAX).map_err(|_| damaged())
    }
}

/// A file's bytes.
pub(super) fn write(lock: &Lock, sealed: &Sealed) -> Vec<u8> {
    match sealed.clone() {
        Sealed::Version1(sealed) => version_1::write(lock, sealed),
        Sealed::Version2(sealed) => {
            let file = File { header: lock.header.clone(), tries_left: lock.tries_left, sealed };
            [HEADER, &encode(&file)].concat()
        }
    }
}

/// Undoes [`write`]; refuses settings that are out of bounds, or too weak for who asks for `wanted`.
pub(super) fn read(file: &[u8], wanted: PinSettings) -> Result<(Lock, Sealed), LoadError> {
    let (lock, sealed) = if let Some(body) = file.strip_prefix(HEADER) {
        let File { header, tries_left, sealed } = decode(body, "token file", usize::MAX)?;
        (Lock { header, tries_left }, Sealed::Version2(sealed))
    } else if let Some(body) = file.strip_prefix(version_1::HEADER) {
        let (lock, sealed) = version_1::read(body)?;
        (lock, Sealed::Version1(sealed))
    } else {
        return Err(newer(file).map_or(LoadError::NotAToken, LoadError::Newer));
    };
    lock.check(wanted)?;
    Ok((lock, sealed))
}

/// The version of a file that is later than all that are known here.
fn newer(file: &[u8]) -> Option<u32> {
    let line = file.strip_prefix(NAME)?.split(|byte| *byte == b'\n').next()?;
    let number: u32 = core::str::from_utf8(line).ok()?.parse().ok()?;
    (number > 2).then_some(number)
}
