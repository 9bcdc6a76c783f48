//! Format of a token's file.
//!
//! ```text
//! "halfkey/1 token, version 2\n" ‖ {1: header, 2: tries left, 3: sealed contents}
//! header   {1: by PIN, 2: by unblocking code}, each {1: settings, 2: salt, 3: wrapped data key}
//! sealed   under the data key; the first line is its label, the header its associated data
//! ```
//!
//! A changed or exchanged header opens no contents. The count of tries is outside the seal, because it is
//! written while the contents are locked: an attacker that can write the file can set the count, and could
//! as well copy the file and try PINs on the copy.

use super::contents::Contents;
use super::error::LoadError;
use super::lock::{Header, Lock};
use super::pin::PinSettings;
use super::version_1;
use crate::port::TokenError;
use crate::random::RandomSource;
use crate::sealed;
use crate::secret::Secret;
use crate::wire::stored::{blob, encode_secret, stored};
use crate::wire::{decode, encode};
use alloc::vec::Vec;

/// Beginning of the file in any version, up to the version number.
const NAME: &[u8] = b"halfkey/1 token, version ";
/// Name and version of the format: the first line of a file, and the label of its seal.
const HEADER: &[u8] = b"halfkey/1 token, version 2\n";

/// Parts of a file.
struct File {
    header: Header,
    tries_left: u8,
    sealed: Vec<u8>,
}

stored! { File, "token file" { 1 => header, 2 => tries_left, 3 => sealed as blob } }

/// Sealed contents, which only the data key opens, in the format version that they were written in.
#[derive(Clone)]
pub(super) enum Sealed {
    /// Version 1: no header is bound to them. The next correct PIN seals them again as version 2.
    Version1(Vec<u8>),
    Version2(Vec<u8>),
}

impl Sealed {
    /// Version 2: the contents, and the header that they are bound to.
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

/// Returns the bytes of a file.
pub(super) fn write(lock: &Lock, sealed: &Sealed) -> Vec<u8> {
    match sealed.clone() {
        Sealed::Version1(sealed) => version_1::write(lock, sealed),
        Sealed::Version2(sealed) => {
            let file = File { header: lock.header.clone(), tries_left: lock.tries_left, sealed };
            [HEADER, &encode(&file)].concat()
        }
    }
}

/// Inverse of [`write`]. Refuses settings that are out of bounds, or weaker than `wanted` allows.
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

/// Returns the version number of a file that is newer than every version known here.
fn newer(file: &[u8]) -> Option<u32> {
    let line = file.strip_prefix(NAME)?.split(|byte| *byte == b'\n').next()?;
    let number: u32 = core::str::from_utf8(line).ok()?.parse().ok()?;
    (number > 2).then_some(number)
}
