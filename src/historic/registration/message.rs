//! The messages of a registration, and the texts inside them.

use super::super::Error;
use crate::certificate::Chain;
use crate::id::{AccessPath, ServerName, UserId};
use crate::template::Template;
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// The suite in certificates for this module: none of the real protocol's, so that a real token
/// never takes such a certificate for one of its own, nor this module's tokens a real one.
pub(super) const SUITE: u16 = 0;

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
