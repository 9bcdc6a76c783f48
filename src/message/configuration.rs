//! C0 to C2: they travel inside a session's channel, never in the clear.

use crate::id::{ApplicationName, Digest, ServerName, UserId};
use crate::wire::{Bytes, Text, map};
use alloc::string::String;

map! {
    /// C0: a token asks for the configuration of one application (patent step 370).
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct ConfigRequest = 12 max 649, "C0 ConfigRequest" {
        /// Number of this request in its session: 1 or more.
        1 => request_id: u32,
        /// The application.
        2 => application: ApplicationName,
        /// Information about the user.
        3 => information: UserInformation,
        /// The configuration that the token holds.
        4 => held: Option<Held>,
    }
}

map! {
    /// Information about the user in a token's request for configuration (patent step 370).
    ///
    /// Each is a line of text: composed (NFC), without controls, at most 255 bytes.
    #[derive(Clone, Default, PartialEq, Eq, Debug)]
    pub struct UserInformation, "C0 ConfigRequest.information" {
        /// Location of the user.
        1 => location: Option<String>,
        /// System that the user is on.
        2 => system: Option<String>,
    }
}

map! {
    /// The configuration that a token holds.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Held, "C0 ConfigRequest.held" {
        /// Its serial.
        1 => serial: ConfigurationSerial,
        /// Its digest.
        2 => digest: Digest,
    }
}

map! {
    /// The serial of a configuration: epochs first, then numbers.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub struct ConfigurationSerial, "serial" {
        /// Raised by the operator after restoring a backup.
        1 => epoch: u32,
        /// Raised with every change.
        2 => number: u64,
    }
}

map! {
    /// C1: a configuration, or that there is no other (patent step 390).
    ///
    /// The optional fields depend on `kind`; [`crate::configuration`] has the table.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Configuration<'b> = 13 max 57_950, "C1 Configuration" {
        /// As in C0; 0 when the server sends it unasked.
        1 => request_id: u32,
        /// User, server and application that the configuration is for.
        2 => scope: Scope,
        /// Its serial.
        3 => serial: Option<ConfigurationSerial>,
        /// Its digest ([`crate::configuration::digest`]).
        4 => digest: Option<Digest>,
        /// Seconds for which it may be used; absent for without end.
        5 => valid_for: Option<u32>,
        /// The server's clock, in seconds since 1970.
        6 => server_time: u64,
        /// 0 unchanged, 1 revoked, 2 document, 3 unknown.
        7 => kind: u8,
        /// The document's media type (RFC 6838, section 4.2).
        8 => media_type: Option<Text<'b, 3, 127>>,
        /// The document itself.
        9 => body: Option<Bytes<'b, 0, 57_344>>,
    }
}

map! {
    /// For whom, by whom and for what a configuration is.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Scope, "C1 Configuration.scope" {
        /// The user of the session's key.
        1 => user_id: UserId,
        /// The server.
        2 => server_name: ServerName,
        /// The application.
        3 => application: ApplicationName,
    }
}

map! {
    /// C2: what became of a configuration on the token.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Applied = 14 max 96, "C2 Applied" {
        /// As in C1.
        1 => request_id: u32,
        /// The application.
        2 => application: ApplicationName,
        /// As in C1.
        3 => serial: ConfigurationSerial,
        /// 0 applied, 1 rolled back, 2 equivocation, 3 failed, 4 no room.
        4 => result: u8,
    }
}
