//! The PIN: its length, the number of tries, and the cost of a guess.

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

/// Least memory (KiB) and passes of a file, unless the caller asks for less: the least that OWASP's
/// Password Storage Cheat Sheet recommends for Argon2id.
const LEAST: (u32, u32) = (19_456, 2);
/// Greatest memory that opening a file may take, in KiB: 256 MiB.
const MEMORY_MAX: u32 = 262_144;
/// Greatest number of passes over the memory.
const PASSES_MAX: u32 = 16;
/// Shortest and longest PIN, in bytes.
const LENGTH: core::ops::RangeInclusive<usize> = 4..=64;

map! {
    /// Number of tries for a PIN, and cost of a guess.
    ///
    /// A file states its own settings, and is read only if a guess at its PIN costs no less than asked for
    /// here, or at least 19 456 KiB and 2 passes. A cheaper file is raised to the settings asked for when
    /// the PIN is next given.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct PinSettings, "token file.settings" {
        /// Number of wrong PINs in a row after which the token blocks itself. Default 5. A token keeps the
        /// number with which it was made.
        1 => tries: u8,
        /// Memory that Argon2id fills for each guess, in KiB. Default 65 536, from 8 to 262 144.
        2 => memory_kib: u32,
        /// Number of passes that Argon2id makes over the memory. Default 3, from 1 to 16.
        3 => passes: u32,
    }
}

impl Default for PinSettings {
    /// Returns five tries, and Argon2id as RFC 9106, section 4, recommends where memory is short, in one lane:
    /// a guess takes a tenth of a second or more.
    fn default() -> Self {
        Self { tries: 5, memory_kib: 65_536, passes: 3 }
    }
}

impl PinSettings {
    /// Returns the cheapest settings, for tests alone: an attacker that has the file finds the PIN at once.
    #[must_use]
    pub const fn for_tests() -> Self {
        Self { tries: 5, memory_kib: 8, passes: 1 }
    }

    /// Returns these settings, limited to the bounds of every implementation.
    pub(super) fn bounded(self) -> Self {
        Self {
            tries: self.tries.max(1),
            memory_kib: self.memory_kib.clamp(8, MEMORY_MAX),
            passes: self.passes.clamp(1, PASSES_MAX),
        }
    }

    /// Returns true if a guess costs too little for a caller that asks for `wanted`.
    pub(super) fn too_weak(self, wanted: Self) -> bool {
        self.memory_kib < wanted.memory_kib.min(LEAST.0) || self.passes < wanted.passes.min(LEAST.1)
    }

    /// Returns these settings, raised so that a guess costs no less than with `wanted`.
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

    /// The caller cannot cause a failure: the numbers are within bounds, and the memory is allocated.
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

/// Memory that Argon2id fills, for one stretching after another. It is erased when dropped, because its last
/// contents determine the key.
///
/// It is allocated before a try is counted, so that too little memory costs no try. It is written to at
/// once: an operating system that promises more memory than it has ends the process here, and not later.
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

/// PIN in the form that is stretched, which does not depend on the keyboard: composed (NFC), and every space
/// mapped to U+0020, as RFC 8265, section 4.2.2, maps passwords. No character is refused.
pub(super) struct Pin(Zeroizing<String>);

impl Pin {
    /// Maps a PIN, and checks that it then has 4 to 64 bytes.
    pub(super) fn new(typed: &SecretString) -> Result<Self, TokenError> {
        let typed = typed.expose_secret();
        // Composition shortens a text by less than this factor.
        if typed.len() > LENGTH.end().saturating_mul(4) {
            return Err(TokenError::UnfitPin);
        }
        // All the capacity at once: a buffer that grows leaves copies behind.
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
