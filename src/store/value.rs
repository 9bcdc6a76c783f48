//! What stands in one column of a store's table, and how the types of the crate stand there.

use super::Subject;
use crate::id::{
    AccessPath, Alias, ApplicationName, ChallengeId, CodeId, Digest, EventId, Group, KeyId, TicketId, UserId,
    UserName,
};
use crate::policy::{Modes, SuiteId, SuiteList};
use crate::record::{ExpectedTags, StoredKeys};
use crate::secret::Secret;
use crate::time::UnixTime;
use crate::wire::{self, Codes};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// What stands in one column of one row.
#[derive(Clone)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    /// A secret, which no store writes down in the clear.
    Sealed(Zeroizing<Vec<u8>>),
}

impl core::fmt::Debug for Value {
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

/// What may stand in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Int,
    Text,
    Bytes,
    Sealed,
}

/// A type that stands in one column.
pub trait Field: Sized {
    const KIND: Kind;
    const OPTIONAL: bool = false;
    fn put(&self) -> Value;
    /// `None` for a value that is none of this type's.
    fn get(value: Value) -> Option<Self>;
}

impl<F: Field> Field for Option<F> {
    const KIND: Kind = F::KIND;
    const OPTIONAL: bool = true;
    fn put(&self) -> Value {
        self.as_ref().map_or(Value::Null, F::put)
    }
    fn get(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => F::get(value).map(Some),
        }
    }
}

/// Types that stand as the text they are written and read as.
macro_rules! text {
    ($($type:ty),*) => { $(
        impl Field for $type {
            const KIND: Kind = Kind::Text;
            fn put(&self) -> Value {
                Value::Text(self.to_string())
            }
            fn get(value: Value) -> Option<Self> {
                match value {
                    Value::Text(text) => text.parse().ok(),
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
    EventId,
    Group,
    KeyId,
    String,
    Subject,
    TicketId,
    UserId,
    UserName
);

/// Types that stand as the word of a fixed list.
macro_rules! words {
    ($type:ty { $($variant:ident = $word:literal),* $(,)? }) => {
        impl $type {
            /// As it stands in a database.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// What has this word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl $crate::store::value::Field for $type {
            const KIND: $crate::store::value::Kind = $crate::store::value::Kind::Text;
            fn put(&self) -> $crate::store::value::Value {
                $crate::store::value::Value::Text(self.word().into())
            }
            fn get(value: $crate::store::value::Value) -> Option<Self> {
                match value {
                    $crate::store::value::Value::Text(text) => Self::from_word(&text),
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use words;

/// Databases count to 2^63 - 1: a greater number, which only a peer can name, is kept as that.
macro_rules! int {
    ($($type:ty),*) => { $(
        impl Field for $type {
            const KIND: Kind = Kind::Int;
            fn put(&self) -> Value {
                Value::Int(i64::try_from(*self).unwrap_or(i64::MAX))
            }
            fn get(value: Value) -> Option<Self> {
                match value {
                    Value::Int(number) => number.try_into().ok(),
                    _ => None,
                }
            }
        }
    )* };
}

int!(u16, u32, u64);

/// Types that stand as another one does.
macro_rules! like {
    ($type:ty as $other:ty, $put:expr, $get:expr) => {
        impl Field for $type {
            const KIND: Kind = <$other as Field>::KIND;
            fn put(&self) -> Value {
                let put: fn(&Self) -> $other = $put;
                put(self).put()
            }
            fn get(value: Value) -> Option<Self> {
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

/// `2,1`: code points, best first.
fn list(codes: impl Iterator<Item = u16>) -> String {
    codes.map(|code| code.to_string()).collect::<Vec<_>>().join(",")
}

fn listed(text: &str) -> Option<Codes> {
    let codes = text.split(',').map(str::parse).collect::<Result<Vec<u16>, _>>().ok()?;
    Codes::new(codes)
}

impl Field for Vec<u8> {
    const KIND: Kind = Kind::Bytes;
    fn put(&self) -> Value {
        Value::Bytes(self.clone())
    }
    fn get(value: Value) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl Field for Secret {
    const KIND: Kind = Kind::Sealed;
    fn put(&self) -> Value {
        Value::Sealed(Zeroizing::new(self.expose().to_vec()))
    }
    fn get(value: Value) -> Option<Self> {
        match value {
            Value::Sealed(bytes) => bytes.as_slice().try_into().ok().map(Self::new),
            _ => None,
        }
    }
}

/// Secrets that stand as their CBOR.
macro_rules! sealed {
    ($($type:ty),*) => { $(
        impl $crate::store::value::Field for $type {
            const KIND: $crate::store::value::Kind = $crate::store::value::Kind::Sealed;
            fn put(&self) -> $crate::store::value::Value {
                $crate::store::value::Value::Sealed($crate::wire::stored::encode_secret(self))
            }
            fn get(value: $crate::store::value::Value) -> Option<Self> {
                match value {
                    $crate::store::value::Value::Sealed(bytes) => {
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

/// Values, as they are written down in CBOR.
pub(crate) struct Cells(pub(crate) Vec<Value>);

/// An array: null, a number, a text, bytes; and an array of bytes for a secret.
impl<'b> wire::Value<'b> for Cells {
    fn put<W: minicbor::encode::Write>(&self, to: &mut minicbor::Encoder<W>) -> wire::Put<W> {
        to.array(self.0.len() as u64)?;
        for cell in &self.0 {
            match cell {
                Value::Null => to.null()?,
                Value::Int(number) => to.i64(*number)?,
                Value::Text(text) => to.str(text)?,
                Value::Bytes(bytes) => to.bytes(bytes)?,
                Value::Sealed(bytes) => to.array(1)?.bytes(bytes)?,
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
                    Value::Null
                }
                minicbor::data::Type::String => Value::Text(from.str().map_err(wire::problem)?.into()),
                minicbor::data::Type::Bytes => Value::Bytes(from.bytes().map_err(wire::problem)?.into()),
                minicbor::data::Type::Array => {
                    if from.array().map_err(wire::problem)? != Some(1) {
                        return Err(wire::Problem::WrongType.into());
                    }
                    Value::Sealed(Zeroizing::new(from.bytes().map_err(wire::problem)?.into()))
                }
                _ => Value::Int(from.i64().map_err(wire::problem)?),
            });
        }
        Ok(Self(row))
    }
}
