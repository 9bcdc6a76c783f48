//! Cells of typed rows, and how the types of the crate are written in them.

use super::{EntitlementCondition, Subject};
use crate::id::{
    AccessPath, Alias, ApplicationName, ChallengeId, CodeId, Digest, EventId, Group, KeyId, ServerName,
    TicketId, UserId, UserName,
};
use crate::policy::{Modes, SuiteId, SuiteList};
use crate::record::{ExpectedTags, RejectionCode, RequestAnswer, StoredKeys};
use crate::secret::Secret;
use crate::time::UnixTime;
use crate::wire::{self, Codes};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// Cell: the value of one field of a typed row.
#[derive(Clone)]
pub enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    /// Secret, which no store writes down in the clear.
    Sealed(Zeroizing<Vec<u8>>),
}

impl core::fmt::Debug for Cell {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Sealed(_) => f.write_str("secret"),
        }
    }
}

/// Kind of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Int,
    Text,
    Bytes,
    Sealed,
}

/// Type that is written in one cell.
pub(crate) trait Field: Sized {
    const KIND: Kind;
    const OPTIONAL: bool = false;
    fn put(&self) -> Cell;
    /// Reads a cell; `None` for one that is not of this type.
    fn get(value: Cell) -> Option<Self>;
}

impl<F: Field> Field for Option<F> {
    const KIND: Kind = F::KIND;
    const OPTIONAL: bool = true;
    fn put(&self) -> Cell {
        self.as_ref().map_or(Cell::Null, F::put)
    }
    fn get(value: Cell) -> Option<Self> {
        match value {
            Cell::Null => Some(None),
            value => F::get(value).map(Some),
        }
    }
}

/// Implements [`Field`] for types that are written as text.
macro_rules! text {
    ($($type:ty),*) => { $(
        impl Field for $type {
            const KIND: Kind = Kind::Text;
            fn put(&self) -> Cell {
                Cell::Text(self.to_string())
            }
            fn get(value: Cell) -> Option<Self> {
                match value {
                    Cell::Text(text) => text.parse().ok(),
                    _ => None,
                }
            }
        }
    )* };
}

text!(
    AccessPath,
    Alias,
    ApplicationName,
    ChallengeId,
    CodeId,
    Digest,
    EntitlementCondition,
    EventId,
    Group,
    KeyId,
    ServerName,
    String,
    Subject,
    TicketId,
    UserId,
    UserName
);

/// Implements [`Field`] for types that are written as a word of a fixed list.
macro_rules! words {
    ($type:ty { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $type {
            /// Every value, in the order of the words.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Returns the word that stands for it in a database.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// Returns the value that a word stands for.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl $crate::store::cell::Field for $type {
            const KIND: $crate::store::cell::Kind = $crate::store::cell::Kind::Text;
            fn put(&self) -> $crate::store::cell::Cell {
                $crate::store::cell::Cell::Text(self.word().into())
            }
            fn get(value: $crate::store::cell::Cell) -> Option<Self> {
                match value {
                    $crate::store::cell::Cell::Text(text) => Self::from_word(&text),
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use words;

/// Implements [`Field`] for numbers. Databases count to 2^63 - 1: a greater number, which only a peer
/// can send, is written as that.
macro_rules! int {
    ($($type:ty),*) => { $(
        impl Field for $type {
            const KIND: Kind = Kind::Int;
            fn put(&self) -> Cell {
                Cell::Int(i64::try_from(*self).unwrap_or(i64::MAX))
            }
            fn get(value: Cell) -> Option<Self> {
                match value {
                    Cell::Int(number) => number.try_into().ok(),
                    _ => None,
                }
            }
        }
    )* };
}

int!(u16, u32, u64);

/// Implements [`Field`] for types that are written as another type.
macro_rules! like {
    ($type:ty as $other:ty, $put:expr, $get:expr) => {
        impl Field for $type {
            const KIND: Kind = <$other as Field>::KIND;
            fn put(&self) -> Cell {
                let put: fn(&Self) -> $other = $put;
                put(self).put()
            }
            fn get(value: Cell) -> Option<Self> {
                let get: fn($other) -> Option<Self> = $get;
                get(<$other>::get(value)?)
            }
        }
    };
}

like!(UnixTime as u64, |time| time.as_secs(), |secs| Some(Self::from_secs(secs)));
like!(SuiteId as u16, |suite| suite.code(), Self::from_code);
like!(bool as u16, |yes| u16::from(*yes), |yes| (yes <= 1).then_some(yes == 1));
like!(Modes as String, |modes| list(modes.codes().iter()), |text| Self::from_codes(listed(&text)?));
like!(SuiteList as String, |suites| list(suites.codes()), |text| {
    Self::from_codes(listed(&text)?.iter())?.with_one_known()
});

like!(RequestAnswer as String, |answer| answer.word().into(), |text| Self::from_word(&text));

impl RequestAnswer {
    /// Returns the word that stands for it in a database: `approved`, or that of the code.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Refused(code) => code.word(),
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        match word {
            "approved" => Some(Self::Approved),
            word => RejectionCode::from_word(word).map(Self::Refused),
        }
    }
}

/// Writes code points, best first: `2,1`.
fn list(codes: impl Iterator<Item = u16>) -> String {
    codes.map(|code| code.to_string()).collect::<Vec<_>>().join(",")
}

fn listed(text: &str) -> Option<Codes> {
    let codes = text.split(',').map(str::parse).collect::<Result<Vec<u16>, _>>().ok()?;
    Codes::new(codes)
}

impl Field for Vec<u8> {
    const KIND: Kind = Kind::Bytes;
    fn put(&self) -> Cell {
        Cell::Bytes(self.clone())
    }
    fn get(value: Cell) -> Option<Self> {
        match value {
            Cell::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl Field for Secret {
    const KIND: Kind = Kind::Sealed;
    fn put(&self) -> Cell {
        Cell::Sealed(Zeroizing::new(self.expose().to_vec()))
    }
    fn get(value: Cell) -> Option<Self> {
        match value {
            Cell::Sealed(bytes) => bytes.as_slice().try_into().ok().map(Self::new),
            _ => None,
        }
    }
}

/// Implements [`Field`] for secrets that are written as their CBOR.
macro_rules! sealed {
    ($($type:ty),*) => { $(
        impl $crate::store::cell::Field for $type {
            const KIND: $crate::store::cell::Kind = $crate::store::cell::Kind::Sealed;
            fn put(&self) -> $crate::store::cell::Cell {
                $crate::store::cell::Cell::Sealed($crate::wire::stored::encode_secret(self))
            }
            fn get(value: $crate::store::cell::Cell) -> Option<Self> {
                match value {
                    $crate::store::cell::Cell::Sealed(bytes) => {
                        $crate::wire::decode(&bytes, "stored secret", usize::MAX).ok()
                    }
                    _ => None,
                }
            }
        }
    )* };
}
pub(crate) use sealed;

sealed!(StoredKeys, ExpectedTags);

/// Cells in CBOR.
pub(crate) struct Cells(pub(crate) Vec<Cell>);

/// Writes an array: null, numbers, texts and bytes, and for each secret an array of bytes.
impl<'b> wire::Value<'b> for Cells {
    fn put<W: minicbor::encode::Write>(&self, to: &mut minicbor::Encoder<W>) -> wire::Put<W> {
        to.array(self.0.len() as u64)?;
        for cell in &self.0 {
            match cell {
                Cell::Null => to.null()?,
                Cell::Int(number) => to.i64(*number)?,
                Cell::Text(text) => to.str(text)?,
                Cell::Bytes(bytes) => to.bytes(bytes)?,
                Cell::Sealed(bytes) => to.array(1)?.bytes(bytes)?,
            };
        }
        Ok(())
    }
    fn get(from: &mut minicbor::Decoder<'b>) -> Result<Self, wire::WireError> {
        let length = from.array().map_err(wire::problem)?.ok_or(wire::Problem::NotCanonical)?;
        let mut row = Vec::new();
        for _ in 0..length {
            row.push(match from.datatype().map_err(wire::problem)? {
                minicbor::data::Type::Null => {
                    from.null().map_err(wire::problem)?;
                    Cell::Null
                }
                minicbor::data::Type::String => Cell::Text(from.str().map_err(wire::problem)?.into()),
                minicbor::data::Type::Bytes => Cell::Bytes(from.bytes().map_err(wire::problem)?.into()),
                minicbor::data::Type::Array => {
                    if from.array().map_err(wire::problem)? != Some(1) {
                        return Err(wire::Problem::WrongType.into());
                    }
                    Cell::Sealed(Zeroizing::new(from.bytes().map_err(wire::problem)?.into()))
                }
                _ => Cell::Int(from.i64().map_err(wire::problem)?),
            });
        }
        Ok(Self(row))
    }
}
