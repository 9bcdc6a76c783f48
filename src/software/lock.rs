//! The lock: a data key, wrapped under the PIN and under the unblocking code.

use super::UnblockingCode;
use crate::port::TokenError;
use crate::random::{RandomSource, draw};
use crate::sealed;
use crate::secret::Secret;
use crate::suite::SealBroken;
use crate::wire::stored::{blob, stored};
use crate::wire::{Problem, WireError, encode, map};
use alloc::vec::Vec;
use argon2::{Algorithm, Argon2, Params, Version};

const WRAP: &[u8] = b"halfkey/1 token data key";

/// Most memory that opening a file may ask for, in KiB: 256 MiB.
const MEMORY_MAX: u32 = 262_144;
/// Most passes over it.
const PASSES_MAX: u32 = 16;

map! {
    /// How hard a PIN is to guess.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct PinSettings, "token file.settings" {
        /// Wrong PINs in a row before the token blocks itself: 5.
        1 => tries: u8,
        /// Memory that Argon2id fills for each guess, in KiB: 65 536.
        2 => memory_kib: u32,
        /// Passes that Argon2id makes over it: 3.
        3 => passes: u32,
    }
}

impl Default for PinSettings {
    /// Five tries; Argon2id as RFC 9106, section 4, recommends where memory is short, in one lane:
    /// some tenth of a second for each.
    fn default() -> Self {
        Self { tries: 5, memory_kib: 65_536, passes: 3 }
    }
}

impl PinSettings {
    /// The quickest there is, for tests alone: whoever has the file finds the PIN at once.
    #[must_use]
    pub const fn for_tests() -> Self {
        Self { tries: 5, memory_kib: 8, passes: 1 }
    }

    /// These settings held within what any implementation can do.
    pub(super) fn bounded(self) -> Self {
        Self {
            tries: self.tries.max(1),
            memory_kib: self.memory_kib.clamp(8, MEMORY_MAX),
            passes: self.passes.clamp(1, PASSES_MAX),
        }
    }

    fn stretch(self, password: &[u8], salt: &[u8; 16]) -> Result<Secret, TokenError> {
        let mut key = zeroize::Zeroizing::new([0; Secret::LEN]);
        // The numbers are within bounds, so this fails in no device that has the memory.
        Params::new(self.memory_kib, self.passes, 1, Some(Secret::LEN))
            .and_then(|params| {
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                argon2.hash_password_into(password, salt, key.as_mut())
            })
            .map_err(|_| TokenError::Device(super::STRETCHING_FAILED))?;
        Ok(Secret::new(*key))
    }
}

/// A data key under a password.
#[derive(Clone)]
struct Wrapped {
    salt: [u8; 16],
    key: Vec<u8>,
}

stored! { Wrapped, "token file.key" { 1 => salt, 2 => key as blob } }

impl Wrapped {
    fn new(
        settings: PinSettings,
        password: &[u8],
        data_key: &Secret,
        random: &mut dyn RandomSource,
    ) -> Result<Self, TokenError> {
        let salt = draw(random);
        let key = settings.stretch(password, &salt)?;
        let key = sealed::seal(&key, WRAP, &encode(&settings), data_key.expose(), random);
        Ok(Self { salt, key })
    }

    fn open(&self, settings: PinSettings, password: &[u8]) -> Result<Option<Secret>, TokenError> {
        let key = settings.stretch(password, &self.salt)?;
        let opened = sealed::open(&key, WRAP, &encode(&settings), &self.key);
        let fixed = |text: &zeroize::Zeroizing<Vec<u8>>| text.as_slice().try_into().map_err(|_| SealBroken);
        Ok(opened.and_then(|text| fixed(&text)).ok().map(Secret::new))
    }
}

/// Who may get at the data key, and how often they may still try.
#[derive(Clone)]
pub(super) struct Lock {
    settings: PinSettings,
    tries_left: u8,
    by_pin: Wrapped,
    by_code: Wrapped,
}

stored! { Lock, "token file.lock" { 1 => settings, 2 => tries_left, 3 => by_pin, 4 => by_code } }

impl Lock {
    /// A lock, and the unblocking code that is shown this once.
    pub(super) fn new(
        settings: PinSettings,
        pin: &str,
        data_key: &Secret,
        random: &mut dyn RandomSource,
    ) -> Result<(Self, UnblockingCode), TokenError> {
        fit(pin)?;
        let settings = settings.bounded();
        let code = UnblockingCode::generate(random);
        let by_pin = Wrapped::new(settings, pin.as_bytes(), data_key, random)?;
        let by_code = Wrapped::new(settings, code.as_bytes(), data_key, random)?;
        Ok((Self { settings, tries_left: settings.tries, by_pin, by_code }, code))
    }

    /// The bounds that a file's settings must keep: they are read before anything is authenticated.
    pub(super) fn check(&self) -> Result<(), WireError> {
        if self.settings == self.settings.bounded() && self.tries_left <= self.settings.tries {
            return Ok(());
        }
        Err(WireError { message: "token file", field: "lock", problem: Problem::OutOfRange })
    }

    /// Counts a try before it is made: whoever cuts the power during it has used it up.
    pub(super) fn count(&mut self) -> Result<(), TokenError> {
        self.tries_left = self.tries_left.checked_sub(1).ok_or(TokenError::Blocked)?;
        Ok(())
    }

    /// The data key, for the right PIN; the tries are then all there again.
    pub(super) fn open(&mut self, pin: &str) -> Result<Secret, TokenError> {
        match self.by_pin.open(self.settings, pin.as_bytes())? {
            Some(key) => {
                self.tries_left = self.settings.tries;
                Ok(key)
            }
            None if self.tries_left == 0 => Err(TokenError::Blocked),
            None => Err(TokenError::WrongPin { tries_left: self.tries_left }),
        }
    }

    /// The data key, for the right unblocking code.
    pub(super) fn open_by_code(&self, code: &UnblockingCode) -> Result<Option<Secret>, TokenError> {
        self.by_code.open(self.settings, code.as_bytes())
    }

    /// Puts another PIN in the place of the old one.
    pub(super) fn change(
        &mut self,
        pin: &str,
        data_key: &Secret,
        random: &mut dyn RandomSource,
    ) -> Result<(), TokenError> {
        fit(pin)?;
        self.by_pin = Wrapped::new(self.settings, pin.as_bytes(), data_key, random)?;
        self.tries_left = self.settings.tries;
        Ok(())
    }
}

/// 4 to 64 bytes.
pub(super) fn fit(pin: &str) -> Result<(), TokenError> {
    if (4..=64).contains(&pin.len()) { Ok(()) } else { Err(TokenError::UnfitPin) }
}
