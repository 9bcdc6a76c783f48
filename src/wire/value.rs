//! The CBOR items that fields are made of, each with its bounds.

use super::{Problem, Put, Value, WireError};
use crate::id::{
    AccessPath, Alias, ApplicationName, AttributeName, CodeId, Digest, KeyId, OfferId, ServerName, TicketId,
    Txn, UserId, UserName,
};
use crate::secret::Secret;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Deref;
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};

/// Returns the field's problem for a failure of the CBOR reader.
pub(crate) fn problem(error: minicbor::decode::Error) -> Problem {
    if error.is_end_of_input() { Problem::Truncated } else { Problem::WrongType }
}

macro_rules! number {
    ($($type:ident),*) => {$(
        impl<'b> Value<'b> for $type {
            fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
                to.$type(*self)?;
                Ok(())
            }
            fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
                let wide = from.int().map_err(problem)?;
                $type::try_from(wide).map_err(|_| Problem::OutOfRange.into())
            }
        }
    )*};
}
number!(u8, u16, u32, u64, i64);

impl<'b> Value<'b> for bool {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        to.bool(*self)?;
        Ok(())
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        Ok(from.bool().map_err(problem)?)
    }
}

impl<'b, T: Value<'b>> Value<'b> for Option<T> {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        self.as_ref().map_or(Ok(()), |value| value.put(to))
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        T::get(from).map(Some)
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<'b, const N: usize> Value<'b> for [u8; N] {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        to.bytes(self)?;
        Ok(())
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        let bytes = from.bytes().map_err(problem)?;
        bytes.try_into().map_err(|_| too(bytes.len(), N).into())
    }
}

const fn too(length: usize, wanted: usize) -> Problem {
    if length > wanted { Problem::TooLong } else { Problem::TooShort }
}

macro_rules! identifier_value {
    ($($type:ident),*) => {$(
        impl<'b> Value<'b> for $type {
            fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
                self.0.put(to)
            }
            fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
                Value::get(from).map(Self)
            }
        }
    )*};
}
identifier_value!(Txn, OfferId, KeyId, Alias, TicketId, CodeId, Digest);

impl<'b> Value<'b> for Secret {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        self.expose().put(to)
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        Value::get(from).map(Self::new)
    }
}

macro_rules! name_value {
    ($($type:ident),*) => {$(
        impl<'b> Value<'b> for $type {
            fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
                to.str(self.as_str())?;
                Ok(())
            }
            fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
                let text = from.str().map_err(problem)?;
                $type::new(text).map_err(|error| Problem::Name(error).into())
            }
        }
    )*};
}
name_value!(ServerName, UserId, AccessPath, ApplicationName, AttributeName, UserName);

/// A byte string of `MIN` to `MAX` bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bytes<'b, const MIN: usize, const MAX: usize>(pub &'b [u8]);

impl<const MIN: usize, const MAX: usize> Deref for Bytes<'_, MIN, MAX> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.0
    }
}

impl<'b, const MIN: usize, const MAX: usize> Value<'b> for Bytes<'b, MIN, MAX> {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        to.bytes(self.0)?;
        Ok(())
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        let bytes = from.bytes().map_err(problem)?;
        within(bytes.len(), MIN, MAX)?;
        Ok(Self(bytes))
    }
}

/// A text of `MIN` to `MAX` bytes of UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Text<'b, const MIN: usize, const MAX: usize>(pub &'b str);

impl<'b, const MIN: usize, const MAX: usize> Value<'b> for Text<'b, MIN, MAX> {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        to.str(self.0)?;
        Ok(())
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        let text = from.str().map_err(problem)?;
        within(text.len(), MIN, MAX)?;
        Ok(Self(text))
    }
}

fn within(length: usize, min: usize, max: usize) -> Result<(), Problem> {
    if length > max {
        Err(Problem::TooLong)
    } else if length < min {
        Err(Problem::TooShort)
    } else {
        Ok(())
    }
}

/// A text of at most 255 bytes, owned.
impl<'b> Value<'b> for String {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        to.str(self)?;
        Ok(())
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        Text::<0, 255>::get(from).map(|text| text.0.into())
    }
}

/// Reads an array of `MIN` to `MAX` elements.
pub(crate) fn list<'b, T: Value<'b>>(
    from: &mut Decoder<'b>,
    min: usize,
    max: usize,
) -> Result<Vec<T>, WireError> {
    let length = from.array().map_err(problem)?.ok_or(Problem::NotCanonical)?;
    let length = usize::try_from(length).map_err(|_| Problem::TooLong)?;
    within(length, min, max)?;
    (0..length).map(|_| T::get(from)).collect()
}

/// Writes an array.
pub(crate) fn put_list<'b, T: Value<'b>, W: Write>(list: &[T], to: &mut Encoder<W>) -> Put<W> {
    to.array(list.len() as u64)?;
    list.iter().try_for_each(|element| element.put(to))
}

/// An array of 1 to 16 elements.
impl<'b, T: Value<'b>> Value<'b> for Vec<T> {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        put_list(self, to)
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        list(from, 1, 16)
    }
}

impl<'b, T: Value<'b>> Value<'b> for Box<T> {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        T::put(self, to)
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        T::get(from).map(Self::new)
    }
}

/// A list of 1 to 8 different code points, most wanted first: versions, suites or modes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Codes {
    codes: [u16; Self::MAX],
    len: usize,
}

impl Codes {
    /// The longest list.
    pub const MAX: usize = 8;

    /// A list of the given codes, without repetitions; `None` for an empty list or more than eight.
    #[must_use]
    pub fn new(codes: impl IntoIterator<Item = u16>) -> Option<Self> {
        let mut list = Self { codes: [0; Self::MAX], len: 0 };
        for code in codes {
            if list.contains(code) {
                return None;
            }
            *list.codes.get_mut(list.len)? = code;
            list.len = list.len.saturating_add(1);
        }
        (list.len > 0).then_some(list)
    }

    /// A list of one code.
    #[must_use]
    pub const fn one(code: u16) -> Self {
        Self { codes: [code, 0, 0, 0, 0, 0, 0, 0], len: 1 }
    }

    /// Returns the codes in order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.codes.iter().take(self.len).copied()
    }

    /// Returns whether `code` is in the list.
    #[must_use]
    pub fn contains(&self, code: u16) -> bool {
        self.iter().any(|other| other == code)
    }
}

impl<'b> Value<'b> for Codes {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        to.array(self.len as u64)?;
        self.iter().try_for_each(|code| code.put(to))
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        let length = from.array().map_err(problem)?.ok_or(Problem::NotCanonical)?;
        let length = usize::try_from(length).map_err(|_| Problem::TooLong)?;
        within(length, 1, Self::MAX)?;
        let mut codes = [0; Self::MAX];
        for code in codes.iter_mut().take(length) {
            *code = u16::get(from)?;
        }
        Self::new(codes.into_iter().take(length)).ok_or_else(|| Problem::OutOfRange.into())
    }
}

/// Extensions: byte strings under numbers, at most eight; the only place for what a version does
/// not know. A receiver passes over those it does not understand; they are in the transcript.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ext<'b>(Vec<(u64, &'b [u8])>);

impl<'b> Ext<'b> {
    /// The most extensions in one message.
    pub const MAX: usize = 8;
    /// The longest extension, in bytes.
    pub const MAX_LEN: usize = 16_384;

    /// A single extension.
    #[must_use]
    pub fn one(number: u64, bytes: &'b [u8]) -> Self {
        Self(alloc::vec![(number, bytes)])
    }

    /// Returns the extension under `number`.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&'b [u8]> {
        self.0.iter().find(|(other, _)| *other == number).map(|(_, bytes)| *bytes)
    }
}

impl<'b> Value<'b> for Ext<'b> {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        to.map(self.0.len() as u64)?;
        self.0.iter().try_for_each(|(number, bytes)| {
            to.u64(*number)?.bytes(bytes)?;
            Ok(())
        })
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        let length = from.map().map_err(problem)?.ok_or(Problem::NotCanonical)?;
        let length = usize::try_from(length).map_err(|_| Problem::TooLong)?;
        within(length, 1, Self::MAX)?;
        let mut entries: Vec<(u64, &[u8])> = Vec::new();
        for _ in 0..length {
            let number = u64::get(from)?;
            if entries.last().is_some_and(|(last, _)| *last >= number) {
                return Err(Problem::UnexpectedKey.into());
            }
            entries.push((number, Bytes::<0, 16_384>::get(from)?.0));
        }
        Ok(Self(entries))
    }
}
