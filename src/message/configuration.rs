//! C0 to C2: they travel inside a session's channel, never in the clear.

use crate::id::{ApplicationName, AttributeName, Digest, ServerName, UserId};
use crate::name::{NameError, normalise_text};
use crate::wire::{Bytes, Problem, Put, Text, Value, WireError, map, problem};
use alloc::collections::BTreeMap;
use alloc::string::String;
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};
use thiserror::Error;

map! {
    /// C0: a token asks for the configuration of one application (patent step 370).
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct ConfigRequest = 12 max 3243, "C0 ConfigRequest" {
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
    /// Location, system and the values of attributes are lines of text: composed (NFC), without controls,
    /// at most 255 bytes each.
    #[derive(Clone, Default, PartialEq, Eq, Debug)]
    pub struct UserInformation, "C0 ConfigRequest.information" {
        /// Location of the user.
        1 => location: Option<String>,
        /// System that the user is on.
        2 => system: Option<String>,
        /// Attributes, at most 8.
        3 => attributes: BTreeMap<AttributeName, String>,
    }
}

/// Error of user information that does not fit in C0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InformationError {
    /// Location, system or the value of an attribute: longer than 255 bytes, or with a control in it.
    #[error("location, system or the value of an attribute does not fit: {0}")]
    Line(#[from] NameError),
    /// More than 8 attributes.
    #[error("{0} attributes are more than 8")]
    TooManyAttributes(usize),
}

impl UserInformation {
    /// Number of attributes that there may be.
    pub const MAX_ATTRIBUTES: usize = 8;

    /// Returns the same in the form in which it travels: every line composed (NFC).
    ///
    /// # Errors
    /// [`InformationError`].
    pub fn normalised(&self) -> Result<Self, InformationError> {
        let line = |text: &String| normalise_text(text, 255);
        if self.attributes.len() > Self::MAX_ATTRIBUTES {
            return Err(InformationError::TooManyAttributes(self.attributes.len()));
        }
        let attributes = self.attributes.iter().map(|(name, value)| Ok((name.clone(), line(value)?)));
        Ok(Self {
            location: self.location.as_ref().map(line).transpose()?,
            system: self.system.as_ref().map(line).transpose()?,
            attributes: attributes.collect::<Result<_, NameError>>()?,
        })
    }
}

/// `[1*8 [name, line]]`, names ascending byte by byte; left out where there are none.
impl<'b> Value<'b> for BTreeMap<AttributeName, String> {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        to.array(self.len() as u64)?;
        self.iter().try_for_each(|(name, value)| {
            to.array(2)?;
            name.put(to)?;
            value.put(to)
        })
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        let length = from.array().map_err(problem)?.ok_or(Problem::NotCanonical)?;
        if length == 0 || length > UserInformation::MAX_ATTRIBUTES as u64 {
            return Err(if length == 0 { Problem::TooShort } else { Problem::TooLong }.into());
        }
        let mut attributes = Self::new();
        for _ in 0..length {
            if from.array().map_err(problem)? != Some(2) {
                return Err(Problem::WrongType.into());
            }
            let (name, value) = (AttributeName::get(from)?, String::get(from)?);
            if attributes.last_key_value().is_some_and(|(last, _)| *last >= name) {
                return Err(Problem::UnexpectedKey.into());
            }
            attributes.insert(name, value);
        }
        Ok(attributes)
    }
    fn absent() -> Option<Self> {
        Some(Self::new())
    }
    fn is_absent(&self) -> bool {
        self.is_empty()
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
