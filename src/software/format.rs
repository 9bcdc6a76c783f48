//! Format of a token's file.
//!
//! ```text
//! "halfkey/1 token, version 3\n" ‖ {1: header, 2: tries left, 3: sealed contents}
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
use crate::port::TokenError;
use crate::random::RandomSource;
use crate::sealed;
use crate::secret::Secret;
use crate::wire::stored::{blob, encode_secret, stored};
use crate::wire::{decode, encode};
use alloc::vec::Vec;

/// Beginning of the file in any version, up to the version number.
const NAME: &[u8] = b"halfkey/1 token, version ";
/// The version that is read and written.
const VERSION: u32 = 3;
/// Name and version of the format: the first line of a file, and the label of its seal.
const HEADER: &[u8] = b"halfkey/1 token, version 3\n";

/// Parts of a file.
struct File {
    header: Header,
    tries_left: u8,
    sealed: Vec<u8>,
}

stored! { File, "token file" { 1 => header, 2 => tries_left, 3 => sealed as blob } }

/// Sealed contents, which only the data key opens.
#[derive(Clone)]
pub(super) struct Sealed(Vec<u8>);

impl Sealed {
    /// The contents, and the header that they are bound to.
    pub(super) fn new(
        data_key: &Secret,
        header: &Header,
        contents: &Contents,
        random: &mut dyn RandomSource,
    ) -> Self {
        Self(sealed::seal(data_key, HEADER, &encode(header), &encode_secret(contents), random))
    }

    pub(super) fn open(&self, data_key: &Secret, header: &Header) -> Result<Contents, TokenError> {
        let damaged = || TokenError::Device(super::DAMAGED);
        let text = sealed::open(data_key, HEADER, &encode(header), &self.0).map_err(|_| damaged())?;
        decode(&text, "token", usize::MAX).map_err(|_| damaged())
    }
}

/// Returns the bytes of a file.
pub(super) fn write(lock: &Lock, sealed: &Sealed) -> Vec<u8> {
    let Sealed(sealed) = sealed.clone();
    let file = File { header: lock.header.clone(), tries_left: lock.tries_left, sealed };
    [HEADER, &encode(&file)].concat()
}

/// Inverse of [`write`]. Refuses settings that are out of bounds, or weaker than `wanted` allows.
pub(super) fn read(file: &[u8], wanted: PinSettings) -> Result<(Lock, Sealed), LoadError> {
    let body = file.strip_prefix(HEADER).ok_or_else(|| stranger(file))?;
    let File { header, tries_left, sealed } = decode(body, "token file", usize::MAX)?;
    let lock = Lock { header, tries_left };
    lock.check(wanted)?;
    Ok((lock, Sealed(sealed)))
}

/// Tells a file of another version from one that is none.
fn stranger(file: &[u8]) -> LoadError {
    let line = file.strip_prefix(NAME).and_then(|rest| rest.split(|byte| *byte == b'\n').next());
    match line.and_then(|line| core::str::from_utf8(line).ok()).map(str::parse::<u32>) {
        Some(Ok(number)) if number > VERSION => LoadError::Newer(number),
        Some(Ok(number @ 1..)) => LoadError::Older(number),
        _ => LoadError::NotAToken,
    }
}
