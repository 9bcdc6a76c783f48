//! The codec of what is kept rather than sent: maps without a bound of their own, and secrets.

use super::value::problem;
use super::{Problem, Put, Value, WireError};
use crate::time::{Period, UnixTime};
use alloc::vec::Vec;
use core::convert::Infallible;
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};
use zeroize::{Zeroize, Zeroizing};

/// Gives a struct declared elsewhere its CBOR map, as [`super::map!`] does; `as codec` names a
/// module that encodes the field, for a type with no encoding of its own.
macro_rules! stored {
    ($type:ty, $label:literal { $( $key:literal => $field:ident $(as $codec:path)? ),* $(,)? }) => {
        impl<'b> $crate::wire::Value<'b> for $type {
            fn put<W: minicbor::encode::Write>(&self, to: &mut minicbor::Encoder<W>) -> $crate::wire::Put<W> {
                let left_out = 0u64 $( .saturating_add(u64::from($crate::wire::stored::stored!(@absent self.$field $(, $codec)?))) )*;
                let declared = 0u64 $( .saturating_add({ let _: u64 = $key; 1 }) )*;
                to.map(declared.saturating_sub(left_out))?;
                $(
                    if !$crate::wire::stored::stored!(@absent self.$field $(, $codec)?) {
                        to.u8($key)?;
                        $crate::wire::stored::stored!(@put to, self.$field $(, $codec)?)?;
                    }
                )*
                Ok(())
            }

            fn get(from: &mut minicbor::Decoder<'b>) -> Result<Self, $crate::wire::WireError> {
                let mut fields = $crate::wire::Fields::open(from).map_err(|error| error.within($label, "*"))?;
                $( let $field = $crate::wire::stored::stored!(@take fields, $key, $label, $field $(, $codec)?)?; )*
                fields.close($label)?;
                Ok(Self { $($field),* })
            }
        }
    };
    (@absent $value:expr) => { $crate::wire::Value::is_absent(&$value) };
    (@absent $value:expr, $codec:path) => { false };
    (@put $to:expr, $value:expr) => { $crate::wire::Value::put(&$value, $to) };
    (@put $to:expr, $value:expr, $codec:path) => {{
        use $codec as codec;
        codec::put(&$value, $to)
    }};
    (@take $fields:expr, $key:literal, $label:literal, $field:ident) => {
        $fields.take($key, $label, stringify!($field))
    };
    (@take $fields:expr, $key:literal, $label:literal, $field:ident, $codec:path) => {{
        use $codec as codec;
        $fields.take($key, $label, stringify!($field)).map(codec::take)
    }};
}
pub(crate) use stored;

/// A byte string of any length.
pub(crate) mod blob {
    use super::{Decoder, Encoder, Put, Value, Vec, WireError, Write, problem};

    pub(crate) struct Blob(Vec<u8>);

    pub(crate) fn put<W: Write>(bytes: &[u8], to: &mut Encoder<W>) -> Put<W> {
        to.bytes(bytes)?;
        Ok(())
    }

    pub(crate) fn take(blob: Blob) -> Vec<u8> {
        blob.0
    }

    impl<'b> Value<'b> for Blob {
        fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
            put(&self.0, to)
        }
        fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
            Ok(Self(from.bytes().map_err(problem)?.into()))
        }
    }
}

/// An array of any number of elements. Each takes a byte of input at least, and nothing is set
/// aside for those only claimed.
pub(crate) mod many {
    use super::{Decoder, Encoder, Problem, Put, Value, Vec, WireError, Write, problem};

    pub(crate) struct Many<T>(Vec<T>);

    pub(crate) fn put<'b, T: Value<'b>, W: Write>(list: &[T], to: &mut Encoder<W>) -> Put<W> {
        crate::wire::value::put_list(list, to)
    }

    pub(crate) fn take<T>(many: Many<T>) -> Vec<T> {
        many.0
    }

    impl<'b, T: Value<'b>> Value<'b> for Many<T> {
        fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
            put(&self.0, to)
        }
        fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
            let length = from.array().map_err(problem)?.ok_or(Problem::NotCanonical)?;
            let mut list = Vec::new();
            for _ in 0..length {
                list.push(T::get(from)?);
            }
            Ok(Self(list))
        }
    }
}

/// An array of two.
impl<'b, A: Value<'b>, B: Value<'b>> Value<'b> for (A, B) {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        to.array(2)?;
        self.0.put(to)?;
        self.1.put(to)
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        match from.array().map_err(problem)? {
            Some(2) => Ok((A::get(from)?, B::get(from)?)),
            _ => Err(Problem::WrongType.into()),
        }
    }
}

/// The head of `[kind, …]`: how many elements, and the kind.
pub(crate) fn kind(from: &mut Decoder<'_>) -> Result<(u64, u8), WireError> {
    let length = from.array().map_err(problem)?.ok_or(Problem::NotCanonical)?;
    Ok((length, u8::get(from)?))
}

impl<'b> Value<'b> for UnixTime {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        self.as_secs().put(to)
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        u64::get(from).map(Self::from_secs)
    }
}

/// `[begin, seconds]`.
impl<'b> Value<'b> for Period {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        self.begin().put(to.array(2)?)?;
        self.seconds().put(to)
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        match from.array().map_err(problem)? {
            Some(2) => Ok(Self::new(Value::get(from)?, u64::get(from)?)),
            _ => Err(Problem::WrongType.into()),
        }
    }
}

/// Encodes a value that holds secrets: no copy stays behind in memory.
pub(crate) fn encode_secret<'b, T: Value<'b>>(value: &T) -> Zeroizing<Vec<u8>> {
    let mut encoder = Encoder::new(Wiping(Zeroizing::new(Vec::with_capacity(1024))));
    match value.put(&mut encoder) {
        Ok(()) => encoder.into_writer().0,
        Err(_) => unreachable!("a vector takes every write, and every value can be encoded"),
    }
}

/// A vector that erases what it leaves behind when it grows.
struct Wiping(Zeroizing<Vec<u8>>);

impl Write for Wiping {
    type Error = Infallible;
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        let needed = self.0.len().saturating_add(bytes.len());
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.saturating_mul(2));
            larger.extend_from_slice(&self.0);
            self.0.zeroize();
            *self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}
