//! Names of things: fixed-size identifiers and bounded strings, all public values.

use crate::name::{self, NameError};
use alloc::string::String;
use core::fmt;
use thiserror::Error;

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Makes an identifier from its bytes.
            #[must_use]
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// Returns the bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        /// Reads what `Display` writes: hexadecimal digits, in either case.
        impl core::str::FromStr for $name {
            type Err = IdError;
            fn from_str(digits: &str) -> Result<Self, IdError> {
                let error = IdError { digits: 2 * $len };
                hexadecimal(digits).map(Self).ok_or(error)
            }
        }
    };
}

/// An error for a string that is not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an identifier of this kind has {digits} hexadecimal digits")]
pub struct IdError {
    /// Number of digits that the identifier has.
    pub digits: usize,
}

fn hexadecimal<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)?.checked_mul(16)?.checked_add(digit(*low)?)?;
    }
    Some(bytes)
}

identifier! {
    /// One run of registration, drawn by the token (R0).
    Txn, 16
}
identifier! {
    /// One offer, drawn by the server (R1).
    OfferId, 16
}
identifier! {
    /// One shared key, drawn by the server (R3): the name by which both sides know a registration.
    KeyId, 16
}
identifier! {
    /// A one-time pseudonym of a [`KeyId`], so that sessions cannot be linked by a passive observer.
    Alias, 16
}
identifier! {
    /// A parked application that waits for the operator (R3 `Wait`).
    TicketId, 16
}
identifier! {
    /// An activation code, as the store knows it: not the code itself.
    CodeId, 16
}
identifier! {
    /// A challenge that a server parked with its token.
    ChallengeId, 16
}
identifier! {
    /// An entry in a store's log. Later entries have greater ids.
    EventId, 16
}
identifier! {
    /// A SHA-256 digest: a transcript, or the hash of a request, a certificate or a document.
    Digest, 32
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, max $max:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The longest such name, in bytes of UTF-8.
            pub const MAX: usize = $max;

            /// Checks a name and takes it.
            ///
            /// # Errors
            /// [`NameError`] says what is wrong with it.
            pub fn new(name: &str) -> Result<Self, NameError> {
                if name.is_empty() {
                    return Err(NameError::Empty);
                }
                if name.len() > Self::MAX {
                    return Err(NameError::TooLong(Self::MAX));
                }
                let check: fn(&str) -> Result<(), NameError> = $check;
                check(name)?;
                Ok(Self(name.into()))
            }

            /// Returns the name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.0)
            }
        }

        impl core::str::FromStr for $name {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }
    };
}

name! {
    /// The server's name: a DNS name in lower-case A-label form (RFC 5890), as its certificate's
    /// subjectAltName holds it. [`ServerName::normalise`] makes one out of what a person typed.
    ServerName, max 253, name::check_server_name
}
name! {
    /// The *user identification code* of patent step 160: what the server calls the registered user.
    UserId, max 64, name::check_visible
}
name! {
    /// The *access control path* of patent step 180: where the user's entitlements begin. Opaque to
    /// the protocol.
    AccessPath, max 255, name::check_visible
}
name! {
    /// An application behind the server (patent's application servers 25) that configuration is for.
    ApplicationName, max 64, name::check_visible
}
name! {
    /// Name of an attribute that a client tells about its user.
    AttributeName, max 64, name::check_visible
}
name! {
    /// A group of users, who are entitled together.
    Group, max 64, name::check_visible
}
name! {
    /// The normalised name under which a user registers (patent step 100): an RFC 8265
    /// UsernameCaseMapped username. [`UserName::normalise`] makes one out of what a person typed.
    UserName, max 255, name::check_user_name
}

impl ServerName {
    /// The server's name that a person typed: spaces around it and a final dot dropped, in lower case, its
    /// labels in other letters as A-labels (RFC 5891): `Bücher.Example.` gives `xn--bcher-kva.example`.
    ///
    /// ```
    /// use halfkey::ServerName;
    ///
    /// assert_eq!(ServerName::normalise(" Bücher.Example. ")?.as_str(), "xn--bcher-kva.example");
    /// assert!(ServerName::normalise("gate.example:4500").is_err());
    /// # Ok::<(), halfkey::NameError>(())
    /// ```
    ///
    /// # Errors
    /// [`NameError`] as of [`ServerName::new`], for what was typed: a port is no part of a name, for instance.
    pub fn normalise(typed: &str) -> Result<Self, NameError> {
        Self::new(&name::normalise_server_name(typed)?)
    }
}

impl UserName {
    /// The user name that a person typed: width and case mapped, composed (NFC) and checked.
    ///
    /// Nothing is trimmed. Two spellings that give the same name are the same user.
    ///
    /// ```
    /// use halfkey::UserName;
    ///
    /// assert_eq!(UserName::normalise("Alice")?, "alice".parse()?);
    /// assert!(UserName::normalise("alice smith").is_err()); // no spaces
    /// # Ok::<(), halfkey::NameError>(())
    /// ```
    ///
    /// # Errors
    /// [`NameError::Empty`]; [`NameError::TooLong`] for more than 1,024 bytes typed or more than
    /// [`UserName::MAX`] bytes after mapping; [`NameError::Character`] for a character outside the
    /// IdentifierClass (RFC 8264 section 4.2), out of context (RFC 5892 appendix A) or against the Bidi
    /// Rule (RFC 5893 section 2); [`NameError::NotNormalised`] if mapping again gave something else.
    pub fn normalise(typed: &str) -> Result<Self, NameError> {
        Self::new(&name::normalise_user_name(typed)?)
    }

    /// The digits of a digest, which are a user name that nobody chose.
    pub(crate) fn hexadecimal(digest: &Digest) -> Self {
        Self(alloc::string::ToString::to_string(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_read_as_they_are_written() {
        let id = KeyId::new(core::array::from_fn(|n| u8::try_from(n * 17).unwrap_or(0)));
        let text = alloc::string::ToString::to_string(&id);
        assert_eq!((text.parse(), text.to_uppercase().parse()), (Ok(id), Ok(id)));
        for bad in
            ["", "0", &text[1..], &text.replace('0', "g"), &text.replace("00", "é"), &(text.clone() + "00")]
        {
            assert_eq!(bad.parse::<KeyId>(), Err(IdError { digits: 32 }), "{bad}");
        }
    }

    #[test]
    fn dns_names() {
        for good in ["a", "gate.example", "xn--bcher-kva.example", "a-b.c1"] {
            assert!(ServerName::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "A.example",
            "-a",
            "a-",
            "a b",
            "bücher.example",
            "a..b",
            "a_b",
            "192.0.2.1",
            "7",
        ] {
            assert!(ServerName::new(bad).is_err(), "{bad}");
        }
        assert_eq!(ServerName::new(&"a".repeat(254)), Err(NameError::TooLong(253)));
        assert_eq!(ServerName::new(&"a".repeat(64)), Err(NameError::Label));
        assert_eq!(ServerName::new("Gate"), Err(NameError::CharacterAt { character: 'G', place: 1 }));
        assert_eq!(UserId::new("a b"), Err(NameError::CharacterAt { character: ' ', place: 2 }));
    }
}
