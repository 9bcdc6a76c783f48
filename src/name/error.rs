//! The reason why a string is no name.

use thiserror::Error;

/// An error for a string that is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing was given.
    #[error("the name is empty")]
    Empty,
    /// Longer than the stated number of bytes.
    #[error("the name is longer than {0} bytes")]
    TooLong(usize),
    /// A character that this kind of name does not have.
    #[error("the name has a character that is not allowed there")]
    Character,
    /// The first character that this kind of name does not have.
    #[error("the name's character {character:?} (U+{:04X}) at place {place} is not allowed there", u32::from(*.character))]
    CharacterAt {
        /// The character.
        character: char,
        /// Its place, counted in characters from 1.
        place: usize,
    },
    /// A server's name of which a label (what stands between dots) is empty, longer than 63 bytes, or has a
    /// hyphen or a mark where none may be.
    #[error(
        "a part of the name between dots is empty, too long, or has a hyphen or a mark in the wrong place"
    )]
    Label,
    /// A server's name that ends in a number, as addresses do.
    #[error("the name ends in a number; an address is no name of a server")]
    Number,
    /// Not the DER of a name.
    #[error("the name's encoding is malformed")]
    Encoding,
    /// Not in the form that normalisation gives; [`crate::UserName::normalise`] makes it so.
    #[error("the name is not normalised")]
    NotNormalised,
}

impl NameError {
    /// Finds the first character that is not `allowed`.
    pub(crate) fn first(name: &str, allowed: impl Fn(char) -> bool) -> Option<Self> {
        let (place, character) = (1..).zip(name.chars()).find(|(_, character)| !allowed(*character))?;
        Some(Self::CharacterAt { character, place })
    }
}
