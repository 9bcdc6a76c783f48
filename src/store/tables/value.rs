//! Values of columns.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// A value in one column of a row.
///
/// No value is a secret: secrets are within the row's seal.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// No value.
    Null,
    /// A number, also a time in seconds since 1970.
    Int(i64),
    /// A text, compared byte by byte.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Value {
    /// Returns bytes that sort as the values of one column do: numbers by size, texts by their bytes.
    ///
    /// They are of fixed length for numbers and end with a zero byte for texts, so that something else
    /// may follow them in the key of an index. Returns `None` for the values that no index holds: null
    /// and bytes.
    #[must_use]
    pub fn sort_key(&self) -> Option<Vec<u8>> {
        match self {
            // With the sign's bit turned over, negative numbers come first.
            Self::Int(number) => Some((number ^ i64::MIN).to_be_bytes().into()),
            Self::Text(text) => Some([text.as_bytes(), &[0]].concat()),
            Self::Null | Self::Bytes(_) => None,
        }
    }
}

/// Shows the length of bytes rather than the bytes.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
        }
    }
}

/// A primary key: one to three texts. No part has a space or a control character in it, and only the third
/// may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<String>);

impl Key {
    /// Returns the parts, one for each key column of the table.
    #[must_use]
    pub fn parts(&self) -> &[String] {
        &self.0
    }

    /// Returns bytes that sort as keys do: every part, ended with a zero byte.
    #[must_use]
    pub fn sort_key(&self) -> Vec<u8> {
        self.0.iter().flat_map(|part| part.bytes().chain([0])).collect()
    }

    /// Returns the key that [`Key::sort_key`] made these bytes of, or `None` for other bytes.
    #[must_use]
    pub fn from_sort_key(bytes: &[u8]) -> Option<Self> {
        let parts = bytes.strip_suffix(&[0])?.split(|byte| *byte == 0);
        parts.map(|part| String::from_utf8(part.into()).ok()).collect::<Option<Vec<_>>>().map(Self)
    }
}

impl<T: Into<Vec<String>>> From<T> for Key {
    fn from(parts: T) -> Self {
        Self(parts.into())
    }
}
