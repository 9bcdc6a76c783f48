//! Maps with integer keys: read in ascending order, each key once, none unknown.

use super::{Problem, Value, WireError};
use minicbor::Decoder;

/// A reader of one map's fields.
pub(crate) struct Fields<'d, 'b> {
    from: &'d mut Decoder<'b>,
    left: u64,
    next: Option<u64>,
}

impl<'d, 'b> Fields<'d, 'b> {
    pub(crate) fn open(from: &'d mut Decoder<'b>) -> Result<Self, WireError> {
        let left = from.map().map_err(super::value::problem)?.ok_or(Problem::NotCanonical)?;
        Ok(Self { from, left, next: None })
    }

    /// The field under `key`, or the value that stands for its absence.
    pub(crate) fn take<T: Value<'b>>(
        &mut self,
        key: u64,
        message: &'static str,
        field: &'static str,
    ) -> Result<T, WireError> {
        let at = |error: WireError| error.within(message, field);
        if self.next.is_none() && self.left > 0 {
            self.left = self.left.saturating_sub(1);
            self.next = Some(u64::get(self.from).map_err(at)?);
        }
        if self.next == Some(key) {
            self.next = None;
            return T::get(self.from).map_err(at);
        }
        T::absent().ok_or_else(|| at(Problem::Missing.into()))
    }

    /// The type code in key 0, which must be `code`.
    pub(crate) fn expect_type(&mut self, code: u64, message: &'static str) -> Result<(), WireError> {
        if self.take::<u64>(0, message, "type")? == code {
            return Ok(());
        }
        Err(WireError { message, field: "type", problem: Problem::WrongType })
    }

    /// The end of the map.
    pub(crate) fn close(self, message: &'static str) -> Result<(), WireError> {
        if self.next.is_none() && self.left == 0 {
            return Ok(());
        }
        Err(WireError { message, field: "*", problem: Problem::UnexpectedKey })
    }
}

/// Declares a struct together with its CBOR map: `key => field: Type`, keys ascending from 1.
///
/// With `= code` it is a message of the protocol, and key 0 holds that type code; `max` is its
/// longest encoding in bytes. Fields of type `Option<T>` are left out when `None`.
macro_rules! map {
    (
        $(#[$doc:meta])*
        $vis:vis struct $name:ident $(<$lt:lifetime>)? $(= $code:literal max $max:expr)?, $label:literal {
            $( $(#[$field_doc:meta])* $key:literal => $field:ident : $type:ty ),* $(,)?
        }
    ) => {
        $(#[$doc])*
        $vis struct $name $(<$lt>)? {
            $( $(#[$field_doc])* pub $field: $type, )*
        }

        impl<'b> $crate::wire::Value<'b> for $name $(<$lt>)? {
            fn put<W: minicbor::encode::Write>(&self, to: &mut minicbor::Encoder<W>) -> $crate::wire::Put<W> {
                let left_out = 0u64 $( .saturating_add(u64::from($crate::wire::Value::is_absent(&self.$field))) )*;
                let declared = 0u64 $( .saturating_add({ let _: u64 = $code; 1 }) )? $( .saturating_add({ let _: u64 = $key; 1 }) )*;
                to.map(declared.saturating_sub(left_out))?;
                $( to.u8(0)?.u64($code)?; )?
                $(
                    if !$crate::wire::Value::is_absent(&self.$field) {
                        to.u8($key)?;
                        $crate::wire::Value::put(&self.$field, to)?;
                    }
                )*
                Ok(())
            }

            fn get(from: &mut minicbor::Decoder<'b>) -> Result<Self, $crate::wire::WireError> {
                let mut fields = $crate::wire::Fields::open(from).map_err(|error| error.within($label, "*"))?;
                $( fields.expect_type($code, $label)?; )?
                $( let $field = fields.take($key, $label, stringify!($field))?; )*
                fields.close($label)?;
                Ok(Self { $($field),* })
            }
        }

        $crate::wire::map!(@message [$name $(<$lt>)?] [$($code, $max)?] $label);
    };

    (@message [$type:ty] [] $label:literal) => {};
    (@message [$type:ty] [$code:literal, $max:expr] $label:literal) => {
        impl<'b> $crate::wire::Message<'b> for $type {
            const TYPE: u64 = $code;
            const NAME: &'static str = $label;
            const MAX: usize = $max;
        }
    };
}
pub(crate) use map;
