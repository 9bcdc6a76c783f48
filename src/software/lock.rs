//! The lock: a data key, wrapped under the PIN and under the unblocking code.

use super::UnblockingCode;
use super::error::LoadError;
use super::pin::{Memory, Pin, PinSettings};
use crate::port::TokenError;
use crate::random::{RandomSource, draw};
use crate::sealed;
use crate::secret::Secret;
use crate::suite::SealBroken;
use crate::wire::stored::{blob, stored};
use crate::wire::{Problem, WireError, encode};
use alloc::vec::Vec;

const WRAP: &[u8] = b"halfkey/1 token data key";

/// Data key, wrapped under a password.
#[derive(Clone)]
pub(super) struct Wrapped {
    pub(super) settings: PinSettings,
    pub(super) salt: [u8; 16],
    pub(super) key: Vec<u8>,
}

stored! { Wrapped, "token file.key" { 1 => settings, 2 => salt, 3 => key as blob } }

impl Wrapped {
    fn new(
        settings: PinSettings,
        password: &[u8],
        data_key: &Secret,
        random: &mut dyn RandomSource,
        memory: &mut Memory,
    ) -> Result<Self, TokenError> {
        let salt = draw(random);
        let key = settings.stretch(password, &salt, memory)?;
        let key = sealed::seal(&key, WRAP, &encode(&settings), data_key.expose(), random);
        Ok(Self { settings, salt, key })
    }

    fn open(&self, password: &[u8], memory: &mut Memory) -> Result<Option<Secret>, TokenError> {
        let key = self.settings.stretch(password, &self.salt, memory)?;
        let opened = sealed::open(&key, WRAP, &encode(&self.settings), &self.key);
        let fixed = |text: &zeroize::Zeroizing<Vec<u8>>| text.as_slice().try_into().map_err(|_| SealBroken);
        Ok(opened.and_then(|text| fixed(&text)).ok().map(Secret::new))
    }
}

/// Wrapped data keys: everything that a file has in the clear except the number of tries left. The
/// encoding of the header is associated data of the sealed contents.
#[derive(Clone)]
pub(super) struct Header {
    pub(super) by_pin: Wrapped,
    pub(super) by_code: Wrapped,
}

stored! { Header, "token file.header" { 1 => by_pin, 2 => by_code } }

/// Wrapped data keys, and the number of tries left. The count is written while the contents are locked, so
/// it is not authenticated: it binds this code, and not an attacker that writes the file.
#[derive(Clone)]
pub(super) struct Lock {
    pub(super) header: Header,
    pub(super) tries_left: u8,
}

impl Lock {
    /// Creates a lock, and the unblocking code, which is shown only here.
    pub(super) fn new(
        settings: PinSettings,
        pin: &Pin,
        data_key: &Secret,
        random: &mut dyn RandomSource,
    ) -> Result<(Self, UnblockingCode), TokenError> {
        let settings = settings.bounded();
        let mut memory = Memory::get(settings)?;
        let code = UnblockingCode::generate(random);
        let by_pin = Wrapped::new(settings, pin.as_bytes(), data_key, random, &mut memory)?;
        let by_code = Wrapped::new(settings, code.as_bytes(), data_key, random, &mut memory)?;
        Ok((Self { header: Header { by_pin, by_code }, tries_left: settings.tries }, code))
    }

    /// Checks the bounds of a file's settings, which are read before anything is authenticated.
    pub(super) fn check(&self, wanted: PinSettings) -> Result<(), LoadError> {
        let both = [self.header.by_pin.settings, self.header.by_code.settings];
        if both.iter().any(|settings| *settings != settings.bounded()) || self.tries_left > self.tries() {
            let problem = Problem::OutOfRange;
            return Err(WireError { message: "token file", field: "lock", problem }.into());
        }
        // An unblocking code has 80 random bits and needs no stretching.
        if self.header.by_pin.settings.too_weak(wanted) { Err(LoadError::TooWeak) } else { Ok(()) }
    }

    const fn tries(&self) -> u8 {
        self.header.by_pin.settings.tries
    }

    /// Allocates the memory in which the PIN or the code, and then a new PIN, are stretched.
    pub(super) fn memory(&self, wanted: PinSettings) -> Result<Memory, TokenError> {
        let Header { by_pin, by_code } = &self.header;
        Memory::get(by_pin.settings.raised_to(by_code.settings).raised_to(wanted.bounded()))
    }

    /// Counts a try before it is made, so that cutting the power during it does not save the try.
    pub(super) fn count(&mut self) -> Result<(), TokenError> {
        self.tries_left = self.tries_left.checked_sub(1).ok_or(TokenError::Blocked)?;
        Ok(())
    }

    /// Returns the data key if the PIN is right.
    pub(super) fn open(&self, pin: &Pin, memory: &mut Memory) -> Result<Secret, TokenError> {
        match self.header.by_pin.open(pin.as_bytes(), memory)? {
            Some(key) => Ok(key),
            None if self.tries_left == 0 => Err(TokenError::Blocked),
            None => Err(TokenError::WrongPin { tries_left: self.tries_left }),
        }
    }

    /// Returns the data key if the unblocking code is right.
    pub(super) fn open_by_code(
        &self,
        code: &UnblockingCode,
        memory: &mut Memory,
    ) -> Result<Option<Secret>, TokenError> {
        self.header.by_code.open(code.as_bytes(), memory)
    }

    /// Resets the number of tries left.
    pub(super) fn restored(&self) -> Self {
        Self { header: self.header.clone(), tries_left: self.tries() }
    }

    /// Returns the lock with all tries, under the same PIN. The data key is wrapped again only if a guess
    /// would cost less than wanted.
    pub(super) fn raised(
        &self,
        wanted: PinSettings,
        pin: &Pin,
        data_key: &Secret,
        random: &mut dyn RandomSource,
        memory: &mut Memory,
    ) -> Result<Self, TokenError> {
        let settings = self.header.by_pin.settings;
        if settings == settings.raised_to(wanted.bounded()) {
            return Ok(self.restored());
        }
        self.with_pin(wanted, pin, data_key, random, memory)
    }

    /// Returns the lock with all tries, under the new PIN.
    pub(super) fn with_pin(
        &self,
        wanted: PinSettings,
        pin: &Pin,
        data_key: &Secret,
        random: &mut dyn RandomSource,
        memory: &mut Memory,
    ) -> Result<Self, TokenError> {
        let mut lock = self.restored();
        let settings = self.header.by_pin.settings.raised_to(wanted.bounded());
        lock.header.by_pin = Wrapped::new(settings, pin.as_bytes(), data_key, random, memory)?;
        Ok(lock)
    }
}
