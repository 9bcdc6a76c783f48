//! The messages of a registration, and the texts inside them.

use super::super::Error;
use crate::certificate::Chain;
use crate::id::{AccessPath, ServerName, UserId};
use crate::policy::SuiteList;
use crate::template::Template;
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// Suite in certificates for this module. It is no suite of the real protocol, so that neither a real token
/// nor a token of this module accepts the other's certificates.
pub(super) const SUITES: SuiteList = SuiteList::only_code(0);

/// Call, from client to server (step 80).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Server that the user chose.
    pub server: ServerName,
}

/// Certificate and registration template, from server to client (step 90; claims 6, 12, 19, 25).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Certificate with P_u, and the certificates between it and the issuer.
    pub chain: Chain,
    /// Registration template, which the user fills in.
    pub template: Template,
}

/// User name and SSK1 under P_u, from client to server (step 130; claims 1d, 8c, 14e, 21d).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// `{user name, SSK1}` under P_u: RSAES-PKCS1-v1_5.
    pub encrypted: Vec<u8>,
}

/// Path, code and SSK2 under SSK1, from server to client (step 190; claims 2, 8h, 15, 21i).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// `{access control path, user identification code, SSK2}` under SSK1: initialisation vector, then CBC.
    pub encrypted: Vec<u8>,
}

/// Plaintext of a [`Grant`]. Each string is its length (1 byte), then its bytes; SSK2 is the rest.
pub(super) struct Granted {
    pub(super) access_path: AccessPath,
    pub(super) user_id: UserId,
    pub(super) ssk2: Zeroizing<Vec<u8>>,
}

impl Granted {
    /// Concatenates path, code and SSK2 (step 180).
    pub(super) fn combine(&self) -> Zeroizing<Vec<u8>> {
        let mut text = Zeroizing::new(Vec::new());
        for string in [self.access_path.as_str(), self.user_id.as_str()] {
            text.push(u8::try_from(string.len()).unwrap_or(u8::MAX));
            text.extend_from_slice(string.as_bytes());
        }
        text.extend_from_slice(&self.ssk2);
        text
    }

    /// Takes path, code and SSK2 apart (step 200).
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

/// Reads a string with its length before it. Returns the string and the bytes after it.
pub(super) fn string(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (len, rest) = bytes.split_first()?;
    let (string, rest) = rest.split_at_checked(usize::from(*len))?;
    Some((core::str::from_utf8(string).ok()?, rest))
}
