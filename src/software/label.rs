//! The user's own name for a registration.

use crate::name::{NameError, normalise_text};
use crate::wire::{Problem, Put, Value, WireError};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};

/// The user's own name for a registration. It is kept in the token, and never sent.
///
/// A label is one line of 1 to 64 bytes of UTF-8 in NFC. Spaces around it are dropped, and runs of spaces in
/// it become one, as RFC 8266 does with nicknames. Two registrations may have the same label.
///
/// ```
/// use halfkey::software::Label;
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
///
/// # fn main() -> setting::Outcome {
/// # let setting = setting::Setting::new()?;
/// # let connector = halfkey::driver::Connector::builder(setting.token()?).build();
/// # let registration = setting::register(&connector, &setting.name, setting.serve()?)?;
/// let mut token = connector.token();
/// token.rename(&registration.key_id, Some(Label::new("  Savings   account ")?))?;
/// let label = token.label(&registration.key_id)?;
/// assert_eq!(label.as_ref().map(Label::as_str), Some("Savings account"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label(String);

impl Label {
    /// Greatest length, in bytes.
    pub const MAX: usize = 64;

    /// Reads a label that a person typed.
    ///
    /// # Errors
    /// [`NameError`]: the label is empty, too long, or contains control characters.
    pub fn new(typed: &str) -> Result<Self, NameError> {
        let words: Vec<&str> = typed.split_whitespace().collect();
        let text = normalise_text(&words.join(" "), Self::MAX)?;
        if text.is_empty() { Err(NameError::Empty) } else { Ok(Self(text)) }
    }

    /// Returns the label.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'b> Value<'b> for Label {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        self.0.put(to)
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        Self::new(&String::get(from)?).map_err(|error| Problem::Name(error).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString as _;

    #[test]
    fn what_a_person_types() {
        let label = |typed: &str| Label::new(typed).map(|label| label.to_string());
        assert_eq!(label("  my \u{3000} bank\t2 ").as_deref(), Ok("my bank 2"));
        assert_eq!(label("Cafe\u{301}").as_deref(), Ok("Caf\u{E9}"));
        for typed in ["", " \n ", "\u{202E}knab", "bell\u{7}", &"x".repeat(65), &" ".repeat(1000)] {
            assert!(label(typed).is_err(), "{typed:?}");
        }
        assert_eq!(label(&"x".repeat(64)).map(|label| label.len()), Ok(64));
    }
}
