//! CBOR of a template's and a form's parts.

use super::{FieldKind, FieldValue, Form, Template};
use crate::wire::{Problem, Put, Record, Text, Value, WireError, list, problem, put_list, records};
use alloc::string::String;
use alloc::vec::Vec;
use minicbor::data::Type;
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};

records! { Form, "stored form", 131_072; }

impl Record for Template {
    const NAME: &'static str = "stored template";
    const MAX: usize = 131_072;

    fn problem(&self) -> Option<Problem> {
        self.validate().err().map(|_| Problem::OutOfRange)
    }
}

/// `[0]` user name, `[1, max]` text, `[2, min, max]` integer, `[3]` boolean, `[4, [choices]]`.
impl<'b> Value<'b> for FieldKind {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        match self {
            Self::UserName => to.array(1)?.u8(0)?,
            Self::Text { max_len } => to.array(2)?.u8(1)?.u16(*max_len)?,
            Self::Integer { min, max } => to.array(3)?.u8(2)?.i64(*min)?.i64(*max)?,
            Self::Boolean => to.array(1)?.u8(3)?,
            Self::Choice(choices) => {
                to.array(2)?.u8(4)?;
                return put_list(choices, to);
            }
        };
        Ok(())
    }

    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        let length = from.array().map_err(problem)?;
        match (length, u8::get(from)?) {
            (Some(1), 0) => Ok(Self::UserName),
            (Some(2), 1) => Ok(Self::Text { max_len: Value::get(from)? }),
            (Some(3), 2) => Ok(Self::Integer { min: Value::get(from)?, max: Value::get(from)? }),
            (Some(1), 3) => Ok(Self::Boolean),
            (Some(2), 4) => Ok(Self::Choice(list::<String>(from, 1, 16)?)),
            _ => Err(Problem::OutOfRange.into()),
        }
    }
}

/// A text of at most 4096 bytes, an integer or a boolean.
impl<'b> Value<'b> for FieldValue {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        match self {
            Self::Text(text) => to.str(text)?,
            Self::Integer(number) => to.i64(*number)?,
            Self::Boolean(yes) => to.bool(*yes)?,
        };
        Ok(())
    }

    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        match from.datatype().map_err(problem)? {
            Type::String => Text::<0, 4096>::get(from).map(|text| Self::Text(text.0.into())),
            Type::Bool => bool::get(from).map(Self::Boolean),
            _ => i64::get(from).map(Self::Integer),
        }
    }
}

/// `{* place => value}`, places ascending, at most 16.
impl<'b> Value<'b> for Form {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        to.map(self.0.len() as u64)?;
        self.0.iter().try_for_each(|(place, value)| {
            place.put(to)?;
            value.put(to)
        })
    }

    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        let length = from.map().map_err(problem)?.ok_or(Problem::NotCanonical)?;
        if length > 16 {
            return Err(Problem::TooLong.into());
        }
        let mut values: Vec<(u8, FieldValue)> = Vec::new();
        for _ in 0..length {
            let place = u8::get(from)?;
            if values.last().is_some_and(|(last, _)| *last >= place) {
                return Err(Problem::UnexpectedKey.into());
            }
            values.push((place, FieldValue::get(from)?));
        }
        Ok(Self(values))
    }
}
