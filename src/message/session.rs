//! S0 to S3, and the first record of a session.

use crate::id::{Alias, KeyId, ServerName};
use crate::wire::{Bytes, Codes, Ext, code_points, map};

map! {
    /// S0: a token asks for a session.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Open<'b> = 8 max 32_768, "S0 Open" {
        /// The protocol's version.
        1 => version: u16,
        /// The suite wanted: one of those that the registration's policy allows.
        2 => suite: u16,
        /// The modes spoken.
        3 => modes: Codes,
        /// Registration: its key ID or an alias.
        4 => address: Address,
        /// Server that the token means.
        5 => server_name: ServerName,
        /// Extensions.
        6 => ext: Option<Ext<'b>>,
    }
}

/// The name of a registration in S0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Address {
    /// Key ID: an observer can link sessions.
    Key(KeyId),
    /// Alias from an earlier session, used once.
    Alias(Alias),
}

map! {
    /// S1: the server's number (patent step 300).
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Challenge<'b> = 9 max 33_035, "S1 Challenge" {
        /// An encoded [`ChallengeCore`].
        1 => core: Bytes<'b, 1, 32_768>,
        /// The memory of a server that keeps none, returned in S2.
        2 => cookie: Option<Bytes<'b, 1, 256>>,
    }
}

map! {
    /// Contents of S1.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct ChallengeCore<'b>, "S1 Challenge.core" {
        /// The protocol's version.
        1 => version: u16,
        /// The mode chosen.
        2 => mode: u16,
        /// The server's number.
        3 => n_s: [u8; 32],
        /// Extensions.
        4 => ext: Option<Ext<'b>>,
    }
}

map! {
    /// S2: the token's number and its answer (patent steps 310 and 320).
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Response<'b> = 10 max 1553, "S2 Response" {
        /// The token's number.
        1 => n_c: [u8; 32],
        /// The token's ephemeral KEM key, in mode `psk-kem`.
        2 => pk_e: Option<Bytes<'b, 32, 1216>>,
        /// `HMAC(K_auth, "halfkey/1 response" ‖ 0x00 ‖ thC ‖ N_c ‖ P)`; P is `H(pk_e)`, or 32 zero bytes.
        3 => tag_c: [u8; 32],
        /// As in S1.
        4 => cookie: Option<Bytes<'b, 1, 256>>,
    }
}

map! {
    /// S3: the server's proof under the session key (patent steps 330 to 350), and its first record.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Accept<'b> = 11 max 1438, "S3 Accept" {
        /// The KEM ciphertext in mode `psk-kem`, 32 fresh bytes in mode `psk`.
        1 => x: Bytes<'b, 32, 1120>,
        /// The first 32 bytes of SES.
        2 => tag_s: [u8; 32],
        /// The first record from server to token: a [`StatusMessage`] padded to 256 bytes, and the tag.
        3 => record: Bytes<'b, 272, 272>,
    }
}

map! {
    /// The first record of every session, and the last of one that the server ends: the status of the
    /// registration.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct StatusMessage = 15 max 23, "Status" {
        /// The code point of a [`Status`].
        1 => status: u8,
        /// The alias for the next session, in the first record alone.
        2 => alias: Option<Alias>,
    }
}

/// How a registration stands when its session is let in, and while it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// In order.
    Active,
    /// Another took the name, the code or the old key first.
    Lost,
    /// On hold.
    Suspended,
    /// Ended.
    Revoked,
    /// Past its time, or superseded.
    Expired,
}

code_points! { Status: u8 { 0 => Active, 1 => Lost, 2 => Suspended, 3 => Revoked, 4 => Expired } }

impl core::fmt::Display for Status {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Lost => "lost",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        })
    }
}
