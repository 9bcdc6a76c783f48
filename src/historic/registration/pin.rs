//! The stored key: "use of the authentication token is preferably further protected by a password
//! or PIN number".

use super::super::{Cipher, Error, Key};
use crate::id::{AccessPath, ServerName, UserId};
use core::fmt;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Tries before a token blocks itself.
const TRIES: u8 = 3;

/// A registered token: the shared key behind a PIN, in memory.
///
/// The PIN guards the key, it does not encrypt it: whoever can read the memory needs no PIN.
pub struct Token<C: Cipher> {
    server: ServerName,
    user_id: UserId,
    access_path: AccessPath,
    key: Key<C>,
    pin: Zeroizing<[u8; 32]>,
    tries_left: u8,
}

impl<C: Cipher> Token<C> {
    /// Stores the key (step 200, its second half).
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

    /// The shared key, for whoever knows the PIN. Three wrong PINs in a row block the token.
    ///
    /// # Errors
    /// [`Error::WrongPin`] or [`Error::Blocked`].
    pub fn unlock(&mut self, pin: &str) -> Result<&Key<C>, Error> {
        let tries_left = self.tries_left.checked_sub(1).ok_or(Error::Blocked)?;
        // Spent before it is compared: pulling the plug gains no try.
        self.tries_left = tries_left;
        if !bool::from(digest(pin).as_slice().ct_eq(self.pin.as_slice())) {
            return Err(if tries_left == 0 { Error::Blocked } else { Error::WrongPin { tries_left } });
        }
        self.tries_left = TRIES;
        Ok(&self.key)
    }

    /// The server that the user chose. Nothing in the key says that it is the server's.
    #[must_use]
    pub const fn server(&self) -> &ServerName {
        &self.server
    }

    /// The user identification code.
    #[must_use]
    pub const fn user_id(&self) -> &UserId {
        &self.user_id
    }

    /// The access control path.
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
