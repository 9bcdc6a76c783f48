//! Registration as described in 1996: steps 60 to 200, claims 1, 2, 6 to 8, 12 to 15, 19 to 21, 25
//! and 26.
//!
//! ```text
//!  authority (35)            token (10)                                    server (20)
//!  embed P_i ──────────────▶ BlankToken  60
//!  assign P_r, certificate ──────────────────────────────────────────────▶ AssignedKeys  70
//!                            call ────────────── Call ───────────────────▶ receive_call  80
//!                            receive_offer ◀──── Offer: certificate, template ───        90
//!  the user fills it in      supply                                                     100
//!  SSK1                      supply ──────────── Application: {name, SSK1} P_u ─▶ 110 to 130
//!                                                receive_application: recover SSK1      140
//!                                                supply: SSK2, code, key         150 to 170
//!                            receive_grant ◀──── Grant: {path, code, SSK2} SSK1  180 to 190
//!  the key, behind a PIN     Token                                                      200
//! ```
//!
//! The letter is silent where it matters: nothing binds an answer to a call, a key to a server, or
//! a text to whoever wrote it. See the attacks in the module above.

pub mod authority;
mod pin;
pub mod server;
pub mod token;

pub use pin::Token;

use super::Error;
use crate::certificate::Chain;
use crate::template::Template;
use crate::{AccessPath, ServerName, UserId};
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// Client to server: the call (step 80).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The chosen server.
    pub server: ServerName,
}

/// Server to client: certificate and registration template (step 90; claims 6, 12, 19, 25).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The signed certificate with P_u.
    pub chain: Chain,
    /// What the user is to fill in.
    pub template: Template,
}

/// Client to server: user name and first half under P_u (step 130; claims 1d, 8c, 14e, 21d).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// `{user name, SSK1}` under P_u: RSAES-PKCS1-v1_5.
    pub encrypted: Vec<u8>,
}

/// Server to client: the rest, under the first half (step 190; claims 2, 8h, 15, 21i).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// `{access control path, user identification code, SSK2}` under SSK1: CBC, the initial vector
    /// first.
    pub encrypted: Vec<u8>,
}

/// What a [`Grant`] holds. Each string is its length (1 byte), then its bytes; SSK2 is the rest.
pub(super) struct Granted {
    pub(super) access_path: AccessPath,
    pub(super) user_id: UserId,
    pub(super) ssk2: Zeroizing<Vec<u8>>,
}

impl Granted {
    /// Combines path, code and second half (step 180).
    pub(super) fn combine(&self) -> Zeroizing<Vec<u8>> {
        let mut text = Zeroizing::new(Vec::new());
        for string in [self.access_path.as_str(), self.user_id.as_str()] {
            text.push(u8::try_from(string.len()).unwrap_or(u8::MAX));
            text.extend_from_slice(string.as_bytes());
        }
        text.extend_from_slice(&self.ssk2);
        text
    }

    /// Takes them apart (step 200).
    pub(super) fn separate(text: &[u8]) -> Result<Self, Error> {
        let (access_path, rest) = string(text).ok_or(Error::DoesNotOpen)?;
        let (user_id, ssk2) = string(rest).ok_or(Error::DoesNotOpen)?;
        Ok(Self {
            access_path: AccessPath::new(access_path).map_err(|_| Error::DoesNotOpen)?,
            user_id: UserId::new(user_id).map_err(|_| Error::DoesNotOpen)?,
            ssk2: Zeroizing::new(ssk2.into()),
        })
    }
}

/// A string with its length before it, and what follows.
pub(super) fn string(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (len, rest) = bytes.split_first()?;
    let (string, rest) = rest.split_at_checked(usize::from(*len))?;
    Some((core::str::from_utf8(string).ok()?, rest))
}
