//! First format of a token's file. It is read, and kept until the PIN is next given.
//!
//! Both wrapped keys shared one set of settings, and no header was bound to the contents.

use super::lock::{Header, Lock, Wrapped};
use super::pin::PinSettings;
use crate::wire::stored::{blob, stored};
use crate::wire::{WireError, decode, encode};
use alloc::vec::Vec;

pub(super) const HEADER: &[u8] = b"halfkey/1 token, version 1\n";

struct File {
    lock: Old,
    sealed: Vec<u8>,
}

struct Old {
    settings: PinSettings,
    tries_left: u8,
    by_pin: Key,
    by_code: Key,
}

struct Key {
    salt: [u8; 16],
    key: Vec<u8>,
}

stored! { File, "token file" { 1 => lock, 2 => sealed as blob } }
stored! { Old, "token file.lock" { 1 => settings, 2 => tries_left, 3 => by_pin, 4 => by_code } }
stored! { Key, "token file.key" { 1 => salt, 2 => key as blob } }

pub(super) fn read(body: &[u8]) -> Result<(Lock, Vec<u8>), WireError> {
    let File { lock: Old { settings, tries_left, by_pin, by_code }, sealed } =
        decode(body, "token file", usize::MAX)?;
    let wrapped = |old: Key| Wrapped { settings, salt: old.salt, key: old.key };
    let header = Header { by_pin: wrapped(by_pin), by_code: wrapped(by_code) };
    Ok((Lock { header, tries_left }, sealed))
}

/// Writes a file whose PIN has not been given since: only the count of tries changes.
pub(super) fn write(lock: &Lock, sealed: Vec<u8>) -> Vec<u8> {
    let Header { by_pin, by_code } = lock.header.clone();
    let key = |wrapped: Wrapped| Key { salt: wrapped.salt, key: wrapped.key };
    let (settings, tries_left) = (by_pin.settings, lock.tries_left);
    let lock = Old { settings, tries_left, by_pin: key(by_pin), by_code: key(by_code) };
    [HEADER, &encode(&File { lock, sealed })].concat()
}
