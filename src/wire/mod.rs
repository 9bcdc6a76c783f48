//! The only place that knows bytes: deterministic CBOR (RFC 8949, section 4.2) with integer keys.
//!
//! Strict decoding is: length cap → decode → nothing left over → the decoded value encodes to the
//! very bytes received. There is one encoding of every message, so a transcript over bytes is a
//! transcript over meaning. `wire/halfkey.cddl` is the grammar.

mod code;
mod map;
mod record;
pub(crate) mod stored;
mod value;

use crate::name::NameError;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};
use thiserror::Error;

pub(crate) use code::code_points;
pub(crate) use map::{Fields, map};
pub use record::Record;
pub(crate) use record::records;
pub use value::{Bytes, Codes, Ext, Text};
pub(crate) use value::{list, problem, put_list};

/// The CDDL grammar (RFC 8610) of every message.
pub const CDDL: &str = include_str!("halfkey.cddl");

/// The longest message of any kind, in bytes.
pub const MAX_MESSAGE: usize = 65_536;

/// An error for bytes that are not the message they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{message}.{field}: {problem}")]
pub struct WireError {
    /// The message, or the map within it.
    pub message: &'static str,
    /// The field at fault; `*` when it is the message as a whole.
    pub field: &'static str,
    /// Problem with it.
    pub problem: Problem,
}

/// A problem with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Problem {
    /// Longer than the protocol allows, in bytes or elements.
    #[error("longer than allowed")]
    TooLong,
    /// Shorter than the protocol allows, in bytes or elements.
    #[error("shorter than allowed")]
    TooShort,
    /// The bytes end within it.
    #[error("cut short")]
    Truncated,
    /// A required field is absent.
    #[error("missing")]
    Missing,
    /// A key that this message does not have, or has already had.
    #[error("unknown, repeated or misplaced key")]
    UnexpectedKey,
    /// Another type of CBOR item, or of message, than belongs there.
    #[error("of the wrong type")]
    WrongType,
    /// A number outside its range.
    #[error("out of range")]
    OutOfRange,
    /// A text that is no name of its kind.
    #[error("{0}")]
    Name(NameError),
    /// Not the one deterministic encoding.
    #[error("not deterministically encoded")]
    NotCanonical,
    /// Bytes after the end.
    #[error("followed by other bytes")]
    TrailingBytes,
}

impl From<Problem> for WireError {
    fn from(problem: Problem) -> Self {
        Self { message: "", field: "", problem }
    }
}

impl WireError {
    /// Fills in where the error is, unless an inner map has said so.
    pub(crate) fn within(self, message: &'static str, field: &'static str) -> Self {
        if self.message.is_empty() { Self { message, field, ..self } } else { self }
    }
}

/// A CBOR item that knows its own deterministic encoding.
pub(crate) trait Value<'b>: Sized {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W>;
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError>;

    /// The value that stands for an absent field, where absence is allowed.
    fn absent() -> Option<Self> {
        None
    }
    /// Returns whether the field is left out.
    fn is_absent(&self) -> bool {
        false
    }
}

pub(crate) type Put<W> = Result<(), minicbor::encode::Error<<W as Write>::Error>>;

/// A message of the protocol: a CBOR map whose key 0 is its type.
#[allow(private_bounds, reason = "only this crate defines messages")]
pub trait Message<'b>: Value<'b> {
    /// Its type code, in key 0.
    const TYPE: u64;
    /// Its name, with its label in the protocol.
    const NAME: &'static str;
    /// Its longest encoding, in bytes.
    const MAX: usize;

    /// Decodes strictly.
    ///
    /// # Errors
    /// [`WireError`] names the field and what is wrong with it.
    fn decode(bytes: &'b [u8]) -> Result<Self, WireError> {
        decode(bytes, Self::NAME, Self::MAX)
    }

    /// Encodes deterministically.
    fn encode(&self) -> Frame<Self> {
        Frame { bytes: encode(self), kind: PhantomData }
    }
}

/// Strictly decodes one item that fills `bytes`.
pub(crate) fn decode<'b, T: Value<'b>>(
    bytes: &'b [u8],
    name: &'static str,
    max: usize,
) -> Result<T, WireError> {
    let fault = |problem: Problem| WireError { message: name, field: "*", problem };
    if bytes.len() > max {
        return Err(fault(Problem::TooLong));
    }
    let mut decoder = Decoder::new(bytes);
    let value = T::get(&mut decoder).map_err(|error| error.within(name, "*"))?;
    if decoder.position() != bytes.len() {
        return Err(fault(Problem::TrailingBytes));
    }
    let mut same = Encoder::new(Same(bytes));
    let canonical = value.put(&mut same).is_ok() && same.writer().0.is_empty();
    if canonical { Ok(value) } else { Err(fault(Problem::NotCanonical)) }
}

/// Room for most messages, so that encoding them allocates once.
const ROOM: usize = 256;

/// Encodes one item.
pub(crate) fn encode<'b, T: Value<'b>>(value: &T) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::with_capacity(ROOM));
    match value.put(&mut encoder) {
        Ok(()) => encoder.into_writer(),
        Err(_) => unreachable!("a vector takes every write, and every value can be encoded"),
    }
}

/// Compares what is encoded with the bytes received, without a copy.
struct Same<'b>(&'b [u8]);

/// The encoding differs.
struct Differs;

impl Write for Same<'_> {
    type Error = Differs;
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Differs> {
        self.0 = self.0.strip_prefix(bytes).ok_or(Differs)?;
        Ok(())
    }
}

/// The exact bytes of one message `M`, ready to send.
pub struct Frame<M> {
    bytes: Vec<u8>,
    kind: PhantomData<fn() -> M>,
}

impl<M> Frame<M> {
    /// Takes stored bytes for the frame that they are known to be.
    pub(crate) fn stored(bytes: Vec<u8>) -> Self {
        Self { bytes, kind: PhantomData }
    }

    /// Returns the bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the bytes and gives up the frame.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl<M> Clone for Frame<M> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), kind: PhantomData }
    }
}

impl<M> fmt::Debug for Frame<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({} bytes)", self.bytes.len())
    }
}

/// Returns the type code in key 0 of a message, so that a server can tell which flow a frame opens.
///
/// # Errors
/// [`WireError`] when the bytes do not begin like a message.
pub fn message_type(bytes: &[u8]) -> Result<u64, WireError> {
    Fields::open(&mut Decoder::new(bytes)).and_then(|mut fields| fields.take(0, "message", "type"))
}
