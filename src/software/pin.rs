//! The PIN: how long it is, how often it may be wrong, and what a guess at it costs.

use crate::port::TokenError;
use crate::secret::Secret;
use crate::wire::map;
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};

/// Least memory and passes of a file, unless the caller himself asks for less: what OWASP's cheat
/// sheet on password storage names as the least of Argon2id.
const LEAST: (u32, u32) = (19_456, 2);
/// Most memory that opening a file may ask for, in KiB: 256 MiB.
const MEMORY_MAX: u32 = 262_144;
/// Most passes over it.
const PASSES_MAX: u32 = 16;

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

    pub(super) fn stretch(self, password: &[u8], salt: &[u8; 16]) -> Result<Secret, TokenError> {
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

/// 4 to 64 bytes.
pub(super) fn fit(pin: &SecretString) -> Result<(), TokenError> {
    if (4..=64).contains(&pin.expose_secret().len()) { Ok(()) } else { Err(TokenError::UnfitPin) }
}
