//! Errors of templates and forms.

use crate::name::NameError;
use crate::wire::code_points;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use thiserror::Error;

/// A fault of one field of a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FieldError {
    /// 1: required and absent.
    #[error("must be filled in")]
    Missing,
    /// 2: not a field of the template.
    #[error("is no field of this template")]
    Unknown,
    /// 3: of another kind than the template says.
    #[error("is of the wrong kind")]
    WrongKind,
    /// 4: too long.
    #[error("is too long")]
    TooLong,
    /// 5: empty, not normalised, or with characters that do not belong there.
    #[error("has characters that are not allowed there, or is not normalised")]
    Characters,
    /// 6: a number outside its range.
    #[error("is out of range")]
    OutOfRange,
    /// 7: not one of the choices.
    #[error("is none of the choices")]
    NotAChoice,
}

code_points! { FieldError: u8 {
    1 => Missing, 2 => Unknown, 3 => WrongKind, 4 => TooLong, 5 => Characters, 6 => OutOfRange, 7 => NotAChoice,
} }

impl From<NameError> for FieldError {
    fn from(error: NameError) -> Self {
        match error {
            NameError::TooLong(_) => Self::TooLong,
            NameError::Empty => Self::Missing,
            _ => Self::Characters,
        }
    }
}

/// The faults of a form, field by field: the field's name, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormError(pub Vec<(String, FieldError)>);

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the form: ")?;
        for (place, (name, error)) in self.0.iter().enumerate() {
            write!(f, "{}{name:?} {error}", if place == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl core::error::Error for FormError {}

/// A reason why fields do not make a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// Not 1 to 16 fields.
    #[error("a template has 1 to 16 fields")]
    Fields,
    /// A field without a name, or two with the same, or a name or label over 255 bytes.
    #[error("a field's name or label is empty, repeated or longer than 255 bytes")]
    Naming,
    /// Not exactly one required user name.
    #[error("a template has exactly one user name, and it is required")]
    UserName,
    /// A name, label or choice that is not in NFC, or has control characters, invisible ones or others that no
    /// text of a form may have.
    #[error(
        "a field's name, label or choice has characters that are not allowed there, or is not normalised"
    )]
    Characters,
    /// A text over 4096 bytes, an empty range, or not 1 to 16 different choices of at most 255 bytes.
    #[error("a field's bounds make no sense")]
    Bounds,
}
