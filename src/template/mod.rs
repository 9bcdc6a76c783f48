//! The registration template and the form that fills it (patent steps 90 and 100).
//!
//! ```
//! use halfkey::template::{Field, FieldKind, Template};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let template = Template::new(vec![
//!     Field::required("name", FieldKind::UserName).labelled("Your name"),
//!     Field::optional("branch", FieldKind::Text { max_len: 64 }).labelled("Branch"),
//!     Field::required("terms", FieldKind::Boolean).labelled("I accept the terms"),
//! ])?;
//! let form = template.fill([("name", "Alice".into()), ("terms", true.into())])?;
//! assert_eq!(template.check(&form).map(|name| name.to_string()), Ok("alice".into()));
//!
//! let Err(wrong) = template.fill([("name", "".into())]) else { return Err("it is wrong".into()) };
//! for (field, error) in wrong.0 {
//!     println!("{field}: {error}"); // ask again, field by field
//! }
//! # Ok(()) }
//! ```
//!
//! Both sides normalise and check by the same rules: the token when the user fills the form in, the
//! server when it arrives. What a form says is what the user meant, or it is refused field by field.

mod codec;
mod error;

use crate::id::UserName;
use crate::name::normalise_text;
use crate::wire::map;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use error::{FieldError, FormError, TemplateError};

map! {
    /// The questions of a server to a user who registers: 1 to 16 fields, one of them the user's name.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Template, "Template" {
        /// The fields, in the order to show them.
        1 => fields: Vec<Field>,
    }
}

map! {
    /// One field of a template.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Field, "Template.field" {
        /// Name for programs: 1 to 255 bytes, unique in the template.
        1 => name: String,
        /// Label for people, at most 255 bytes.
        2 => label: String,
        /// Kind of its value.
        3 => kind: FieldKind,
        /// Set when the user must fill it in.
        4 => required: bool,
    }
}

impl Field {
    /// Makes a required field whose label is its name.
    #[must_use]
    pub fn required(name: &str, kind: FieldKind) -> Self {
        Self { name: name.into(), label: name.into(), kind, required: true }
    }

    /// Makes a field that may be left empty, whose label is its name.
    #[must_use]
    pub fn optional(name: &str, kind: FieldKind) -> Self {
        Self { required: false, ..Self::required(name, kind) }
    }

    /// Returns the same field with a label for people.
    #[must_use]
    pub fn labelled(self, label: &str) -> Self {
        Self { label: label.into(), ..self }
    }
}

/// The kind of a field's value.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FieldKind {
    /// The user's name, normalised as a [`UserName`].
    UserName,
    /// A text of at most so many bytes of UTF-8, in Unicode NFC, without control characters and invisible ones.
    Text {
        /// The longest text, in bytes: at most 4096.
        max_len: u16,
    },
    /// A whole number.
    Integer {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// Yes or no.
    Boolean,
    /// One of 1 to 16 different texts of at most 255 bytes.
    Choice(Vec<String>),
}

/// A field's value.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldValue {
    /// For [`FieldKind::UserName`], [`FieldKind::Text`] and [`FieldKind::Choice`].
    Text(String),
    /// For [`FieldKind::Integer`].
    Integer(i64),
    /// For [`FieldKind::Boolean`].
    Boolean(bool),
}

impl fmt::Debug for FieldValue {
    /// Shows the kind only: what people write in forms does not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(..)",
            Self::Integer(_) => "Integer(..)",
            Self::Boolean(_) => "Boolean(..)",
        })
    }
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for FieldValue {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for FieldValue {
    fn from(yes: bool) -> Self {
        Self::Boolean(yes)
    }
}

/// A filled-in template: values under the place of their field, in order.
///
/// It comes from [`Template::fill`]; one that came over the wire says nothing until
/// [`Template::check`] has passed it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Form(pub(crate) Vec<(u8, FieldValue)>);

impl Form {
    /// Returns the value of the field at `place`, counted from 0.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&FieldValue> {
        self.0.iter().find(|(at, _)| usize::from(*at) == place).map(|(_, value)| value)
    }
}

impl Template {
    /// Checks fields and makes a template of them.
    ///
    /// # Errors
    /// [`TemplateError`] when users could not fill it in, or the protocol not carry it.
    pub fn new(fields: Vec<Field>) -> Result<Self, TemplateError> {
        let template = Self { fields };
        template.validate()?;
        Ok(template)
    }

    pub(crate) fn validate(&self) -> Result<(), TemplateError> {
        if self.fields.is_empty() || self.fields.len() > 16 {
            return Err(TemplateError::Fields);
        }
        let named = |field: &Field| {
            let twins = self.fields.iter().filter(|other| other.name == field.name).count();
            twins == 1 && !field.name.is_empty() && field.name.len() <= 255 && field.label.len() <= 255
        };
        if !self.fields.iter().all(named) {
            return Err(TemplateError::Naming);
        }
        let shown = self
            .fields
            .iter()
            .flat_map(|field| [&field.name, &field.label].into_iter().chain(field.choices()));
        if !shown.into_iter().all(|text| normalise_text(text, usize::MAX).as_ref() == Ok(text)) {
            return Err(TemplateError::Characters);
        }
        let mut names = self.fields.iter().filter(|field| field.kind == FieldKind::UserName);
        if !names.next().is_some_and(|field| field.required) || names.next().is_some() {
            return Err(TemplateError::UserName);
        }
        let bounded = |field: &Field| match &field.kind {
            FieldKind::UserName | FieldKind::Boolean => true,
            FieldKind::Text { max_len } => (1..=4096).contains(max_len),
            FieldKind::Integer { min, max } => min <= max,
            FieldKind::Choice(choices) => {
                let distinct: BTreeSet<&String> = choices.iter().collect();
                (1..=16).contains(&choices.len())
                    && distinct.len() == choices.len()
                    && choices.iter().all(|choice| choice.len() <= 255)
            }
        };
        if self.fields.iter().all(bounded) { Ok(()) } else { Err(TemplateError::Bounds) }
    }

    /// Fills the template in with what the user typed, normalising it.
    ///
    /// # Errors
    /// [`FormError`] lists every field that is wrong; nothing is lost, ask again.
    pub fn fill<'a>(
        &self,
        answers: impl IntoIterator<Item = (&'a str, FieldValue)>,
    ) -> Result<Form, FormError> {
        let mut errors = Vec::new();
        let mut values: Vec<(u8, FieldValue)> = Vec::new();
        for (name, answer) in answers {
            let place = self.fields.iter().position(|field| field.name == name);
            let outcome = place
                .and_then(|place| Some((place, self.fields.get(place)?)))
                .map_or(Err(FieldError::Unknown), |(place, field)| {
                    Ok((u8::try_from(place).unwrap_or(u8::MAX), field.normalise(answer)?))
                });
            match outcome {
                Ok(value) => values.push(value),
                Err(error) => errors.push((String::from(name), error)),
            }
        }
        values.sort_by_key(|(place, _)| *place);
        values.dedup_by_key(|(place, _)| *place);
        let form = Form(values);
        let absent = self.absent(&form).filter(|field| !errors.iter().any(|(name, _)| *name == field.name));
        let absent: Vec<_> = absent.map(|field| (field.name.clone(), FieldError::Missing)).collect();
        errors.extend(absent);
        if errors.is_empty() { Ok(form) } else { Err(FormError(errors)) }
    }

    /// Checks a form that came over the wire and finds the user's name in it.
    ///
    /// # Errors
    /// The places of the fields at fault in ascending order, and what is wrong with each.
    pub fn check(&self, form: &Form) -> Result<UserName, Vec<(u8, FieldError)>> {
        let mut errors = Vec::new();
        let mut user_name = None;
        for (place, value) in &form.0 {
            let checked = self.fields.get(usize::from(*place)).ok_or(FieldError::Unknown).and_then(|field| {
                let normal = field.normalise(value.clone())?;
                if normal != *value {
                    return Err(FieldError::Characters);
                }
                if let (FieldKind::UserName, FieldValue::Text(name)) = (&field.kind, value) {
                    user_name = Some(UserName::new(name)?);
                }
                Ok(())
            });
            if let Err(error) = checked {
                errors.push((*place, error));
            }
        }
        for (place, field) in (0u8..).zip(&self.fields) {
            if field.required && form.get(usize::from(place)).is_none() {
                errors.push((place, FieldError::Missing));
            }
        }
        errors.sort_by_key(|(place, _)| *place);
        match user_name {
            Some(name) if errors.is_empty() => Ok(name),
            _ => Err(errors),
        }
    }

    /// Names the fields of the faults that [`Template::check`] finds.
    pub(crate) fn named(&self, faults: &[(u8, FieldError)]) -> FormError {
        let name = |place: &u8| match self.fields.get(usize::from(*place)) {
            Some(field) => field.name.clone(),
            None => alloc::format!("number {place}"),
        };
        FormError(faults.iter().map(|(place, fault)| (name(place), *fault)).collect())
    }

    fn absent<'t>(&'t self, form: &'t Form) -> impl Iterator<Item = &'t Field> {
        let required = self.fields.iter().enumerate().filter(|(_, field)| field.required);
        required.filter(|(place, _)| form.get(*place).is_none()).map(|(_, field)| field)
    }
}

impl Field {
    fn choices(&self) -> &[String] {
        match &self.kind {
            FieldKind::Choice(choices) => choices,
            FieldKind::UserName | FieldKind::Text { .. } | FieldKind::Integer { .. } | FieldKind::Boolean => {
                &[]
            }
        }
    }

    fn normalise(&self, answer: FieldValue) -> Result<FieldValue, FieldError> {
        match (&self.kind, answer) {
            (FieldKind::UserName, FieldValue::Text(typed)) => {
                Ok(FieldValue::Text(UserName::normalise(&typed)?.as_str().into()))
            }
            (FieldKind::Text { max_len }, FieldValue::Text(typed)) => {
                Ok(FieldValue::Text(normalise_text(&typed, usize::from(*max_len))?))
            }
            (FieldKind::Integer { min, max }, FieldValue::Integer(number)) => {
                if (*min..=*max).contains(&number) {
                    Ok(FieldValue::Integer(number))
                } else {
                    Err(FieldError::OutOfRange)
                }
            }
            (FieldKind::Boolean, yes @ FieldValue::Boolean(_)) => Ok(yes),
            (FieldKind::Choice(choices), FieldValue::Text(choice)) => {
                if choices.contains(&choice) {
                    Ok(FieldValue::Text(choice))
                } else {
                    Err(FieldError::NotAChoice)
                }
            }
            _ => Err(FieldError::WrongKind),
        }
    }
}

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;
