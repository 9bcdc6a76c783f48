//! The PIN: how long it is, how often it may be wrong, and what a guess at it costs.

use crate::port::TokenError;
use crate::secret::Secret;
use crate::wire::map;
use alloc::string::String;
use alloc::vec::Vec;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};
use zeroize::Zeroizing;

/// Least memory and passes of a file, unless the caller himself asks for less: what OWASP's cheat
/// sheet on password storage names as the least of Argon2id.
const LEAST: (u32, u32) = (19_456, 2);
/// Most memory that opening a file may ask for, in KiB: 256 MiB.
const MEMORY_MAX: u32 = 262_144;
/// Most passes over it.
const PASSES_MAX: u32 = 16;
/// Shortest and longest PIN, in bytes.
const LENGTH: core::ops::RangeInclusive<usize> = 4..=64;

map! {
    /// How hard a PIN is to guess.
    ///
    /// A file says with what it was made, and is never taken at its word alone: it is read only if a
    /// guess at its PIN costs no less than asked for here, or at least 19 456 KiB and 2 passes. What
    /// costs less than asked for is raised to it when the PIN is next given.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct PinSettings, "token file.settings" {
        /// Wrong PINs in a row before the token blocks itself: 5. They are those with which the
        /// token was made.
        1 => tries: u8,
        /// Memory that Argon2id fills for each guess, in KiB: 65 536, of 8 to 262 144.
        2 => memory_kib: u32,
        /// Passes that Argon2id makes over it: 3, of 1 to 16.
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

    /// Whether a guess costs too little for somebody who asks for `wanted`.
    pub(super) fn too_weak(self, wanted: Self) -> bool {
        self.memory_kib < wanted.memory_kib.min(LEAST.0) || self.passes < wanted.passes.min(LEAST.1)
    }

    /// These settings, each guess costing no less than with `wanted`.
    pub(super) fn raised_to(self, wanted: Self) -> Self {
        Self {
            tries: self.tries,
            memory_kib: self.memory_kib.max(wanted.memory_kib),
            passes: self.passes.max(wanted.passes),
        }
    }

    fn params(self) -> Result<Params, TokenError> {
        let params = Params::new(self.memory_kib, self.passes, 1, Some(Secret::LEN));
        params.map_err(|_| TokenError::Device(super::STRETCHING_FAILED))
    }

    /// Fails for nothing that the caller can bring about: the numbers are within bounds, and the
    /// memory is there.
    pub(super) fn stretch(
        self,
        password: &[u8],
        salt: &[u8; 16],
        memory: &mut Memory,
    ) -> Result<Secret, TokenError> {
        let mut key = Zeroizing::new([0; Secret::LEN]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params()?)
            .hash_password_into_with_memory(password, salt, key.as_mut(), memory.0.as_mut_slice())
            .map_err(|_| TokenError::Device(super::STRETCHING_FAILED))?;
        Ok(Secret::new(*key))
    }
}

/// The memory that Argon2id fills, for one stretching after another; erased when dropped, since who
/// reads what it was filled with last has the key.
///
/// It is got before a try is counted, so that too little of it costs none. And it is written to at
/// once: an operating system that promises more than it has ends the process here, and not later.
pub(super) struct Memory(Zeroizing<Vec<Block>>);

impl Memory {
    pub(super) fn get(settings: PinSettings) -> Result<Self, TokenError> {
        let count = settings.params()?.block_count();
        let mut blocks = Vec::new();
        blocks.try_reserve_exact(count).map_err(|_| TokenError::Device(super::STRETCHING_FAILED))?;
        blocks.resize(count, Block::new());
        Ok(Self(Zeroizing::new(blocks)))
    }
}

/// A PIN as it is stretched, the same whatever keyboard it was typed on: composed (NFC), and each
/// space a plain one, as RFC 8265, section 4.2.2, maps passwords. No character is refused.
pub(super) struct Pin(Zeroizing<String>);

impl Pin {
    /// 4 to 64 bytes, once mapped.
    pub(super) fn new(typed: &SecretString) -> Result<Self, TokenError> {
        let typed = typed.expose_secret();
        // Composing makes text shorter by less than this factor.
        if typed.len() > LENGTH.end().saturating_mul(4) {
            return Err(TokenError::UnfitPin);
        }
        // All the room at once: what grows leaves copies behind.
        let mut pin = Zeroizing::new(String::with_capacity(*LENGTH.end()));
        for c in typed.chars().map(plain_space).nfc() {
            if pin.len().saturating_add(c.len_utf8()) > *LENGTH.end() {
                return Err(TokenError::UnfitPin);
            }
            pin.push(c);
        }
        if LENGTH.contains(&pin.len()) { Ok(Self(pin)) } else { Err(TokenError::UnfitPin) }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn plain_space(c: char) -> char {
    if c.general_category() == GeneralCategory::SpaceSeparator { ' ' } else { c }
}
