//! The stored key: "use of the authentication token is preferably further protected by a password
//! or PIN number".

use super::super::{Cipher, Error, Key};
use crate::id::{AccessPath, ServerName, UserId};
use core::fmt;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Number of wrong PINs after which a token blocks itself.
const TRIES: u8 = 3;

/// Registered token: the shared key behind a PIN, in memory.
///
/// The PIN guards the key and does not encrypt it: an attacker that can read the memory needs no PIN.
pub struct Token<C: Cipher> {
    server: ServerName,
    user_id: UserId,
    access_path: AccessPath,
    key: Key<C>,
    pin: Zeroizing<[u8; 32]>,
    tries_left: u8,
}

impl<C: Cipher> Token<C> {
    /// Stores the key (the last part of step 200).
    pub(super) fn store(
        server: ServerName,
        user_id: UserId,
        access_path: AccessPath,
        key: Key<C>,
        pin: &str,
    ) -> Result<Self, Error> {
        if !(4..=64).contains(&pin.len()) {
            return Err(Error::UnfitPin);
        }
        Ok(Self { server, user_id, access_path, key, pin: digest(pin), tries_left: TRIES })
    }

    /// Returns the shared key if the PIN is right. Three wrong PINs in a row block the token.
    ///
    /// # Errors
    /// [`Error::WrongPin`] or [`Error::Blocked`].
    pub fn unlock(&mut self, pin: &str) -> Result<&Key<C>, Error> {
        let tries_left = self.tries_left.checked_sub(1).ok_or(Error::Blocked)?;
        // The try is spent before the PIN is compared, so that cutting the power gains no try.
        self.tries_left = tries_left;
        if !bool::from(digest(pin).as_slice().ct_eq(self.pin.as_slice())) {
            return Err(if tries_left == 0 { Error::Blocked } else { Error::WrongPin { tries_left } });
        }
        self.tries_left = TRIES;
        Ok(&self.key)
    }

    /// Returns the server that the user chose. Nothing binds the key to this server.
    #[must_use]
    pub const fn server(&self) -> &ServerName {
        &self.server
    }

    /// Returns the user identification code.
    #[must_use]
    pub const fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// Returns the access control path.
    #[must_use]
    pub const fn access_path(&self) -> &AccessPath {
        &self.access_path
    }
}

fn digest(pin: &str) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(Sha256::digest(pin.as_bytes()).into())
}

impl<C: Cipher> fmt::Debug for Token<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} at {})", self.user_id, self.server)
    }
}
