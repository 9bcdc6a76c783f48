//! Conditions of entitlements: where a user is, on which system, and with which attributes.

use crate::configuration::{InformationError, UserInformation};
use crate::id::AttributeName;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use thiserror::Error;

/// Condition of an entitlement on what the client says about its user (patent steps 370 and 380):
/// location, system and attributes. All that the condition names must be equal in C0, byte for byte after
/// normalisation. A condition that names nothing always holds.
///
/// Nobody checks what the client says. A condition therefore chooses among the documents that the user
/// may have anyway, and keeps none of them from a user who pretends to be elsewhere.
///
/// ```
/// use halfkey::configuration::UserInformation;
/// use halfkey::store::EntitlementCondition;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let hartford = UserInformation { location: Some("Hartford".into()), ..UserInformation::default() };
/// let condition = EntitlementCondition::new(&hartford)?;
/// assert!(condition.holds_for(&UserInformation { system: Some("terminal 4".into()), ..hartford }));
/// assert!(!condition.holds_for(&UserInformation::default()));
/// assert_eq!(condition.to_string(), "location=Hartford");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntitlementCondition(UserInformation);

/// Error of making or reading a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConditionError {
    /// No C0 can say this.
    #[error(transparent)]
    Information(#[from] InformationError),
    /// The condition, as text, is longer than 1024 bytes: it is part of a key in databases.
    #[error("the condition is longer than {} bytes", EntitlementCondition::MAX)]
    TooLong,
    /// The text is not as a condition is written.
    #[error("the text is not a condition")]
    Form,
}

impl EntitlementCondition {
    /// Length of the longest condition as text, in bytes.
    pub const MAX: usize = 1024;

    /// Makes the condition that C0 says all of this. It is normalised, as a token does it.
    ///
    /// # Errors
    /// [`ConditionError::Information`] or [`ConditionError::TooLong`].
    pub fn new(information: &UserInformation) -> Result<Self, ConditionError> {
        let condition = Self(information.normalised()?);
        if condition.to_string().len() > Self::MAX { Err(ConditionError::TooLong) } else { Ok(condition) }
    }

    /// Returns the least that C0 must say.
    #[must_use]
    pub const fn information(&self) -> &UserInformation {
        &self.0
    }

    /// Tells whether the condition holds always, because it names nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.terms() == 0
    }

    /// Tells whether the condition holds for what a client says, which must be normalised.
    #[must_use]
    pub fn holds_for(&self, said: &UserInformation) -> bool {
        let Self(UserInformation { location, system, attributes }) = self;
        (location.is_none() || *location == said.location)
            && (system.is_none() || *system == said.system)
            && attributes.iter().all(|(name, value)| said.attributes.get(name) == Some(value))
    }

    /// Returns the number of things that the condition names.
    pub(crate) fn terms(&self) -> usize {
        let Self(UserInformation { location, system, attributes }) = self;
        let named = usize::from(location.is_some()).saturating_add(system.is_some().into());
        named.saturating_add(attributes.len())
    }
}

/// Writes `location=…&system=…&@NAME=…`, as far as they are named. Space and the characters `%`, `&` and
/// `=` are written as `%20`, `%25`, `%26` and `%3D`: the text is part of a key.
impl fmt::Display for EntitlementCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(UserInformation { location, system, attributes }) = self;
        let fixed = [(LOCATION, location), (SYSTEM, system)];
        let fixed = fixed.iter().filter_map(|(name, value)| Some(("", *name, value.as_deref()?)));
        let free = attributes.iter().map(|(name, value)| (ATTRIBUTE, name.as_str(), value.as_str()));
        for (place, (sign, name, value)) in fixed.chain(free).enumerate() {
            let and = if place == 0 { "" } else { "&" };
            write!(f, "{and}{sign}{}={}", Escaped(name), Escaped(value))?;
        }
        Ok(())
    }
}

const LOCATION: &str = "location";
const SYSTEM: &str = "system";
/// Sign before the name of an attribute.
const ATTRIBUTE: &str = "@";

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            ' ' | '%' | '&' | '=' => write!(f, "%{:02X}", u32::from(c)),
            c => write!(f, "{c}"),
        })
    }
}

fn unescaped(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut plain = String::from(parts.next()?);
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        plain.push(u8::from_str_radix(code, 16).ok()?.into());
        plain.push_str(rest);
    }
    Some(plain)
}

/// Reads what `Display` writes, and nothing else.
impl FromStr for EntitlementCondition {
    type Err = ConditionError;
    fn from_str(text: &str) -> Result<Self, ConditionError> {
        let mut named = UserInformation::default();
        for term in text.split('&').filter(|_| !text.is_empty()) {
            let (name, value) = term.split_once('=').ok_or(ConditionError::Form)?;
            let value = unescaped(value).ok_or(ConditionError::Form)?;
            match (name, name.strip_prefix(ATTRIBUTE)) {
                (LOCATION, _) => named.location = Some(value),
                (SYSTEM, _) => named.system = Some(value),
                (_, Some(name)) => {
                    let name = unescaped(name).and_then(|name| AttributeName::new(&name).ok());
                    named.attributes.insert(name.ok_or(ConditionError::Form)?, value);
                }
                (_, None) => return Err(ConditionError::Form),
            }
        }
        let condition = Self::new(&named)?;
        // A name that comes twice, another order and another way to escape are other texts.
        if condition.to_string() == text { Ok(condition) } else { Err(ConditionError::Form) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(location: Option<&str>, system: Option<&str>, attributes: &[(&str, &str)]) -> UserInformation {
        let attribute =
            |(name, value): &(&str, &str)| (AttributeName::new(name).unwrap(), String::from(*value));
        UserInformation {
            location: location.map(String::from),
            system: system.map(String::from),
            attributes: attributes.iter().map(attribute).collect(),
        }
    }

    #[test]
    fn all_that_is_named_must_be_equal() {
        let here = said(Some("Hartford"), Some("terminal 4"), &[("role", "teller"), ("shift", "late")]);
        for (condition, holds) in [
            (said(None, None, &[]), true),
            (said(Some("Hartford"), None, &[]), true),
            (said(Some("hartford"), None, &[]), false),
            (said(None, Some("terminal 4"), &[("role", "teller")]), true),
            (said(Some("Hartford"), Some("terminal 5"), &[]), false),
            (said(None, None, &[("role", "clerk")]), false),
            (said(None, None, &[("rank", "")]), false),
            (here.clone(), true),
        ] {
            let condition = EntitlementCondition::new(&condition).unwrap();
            assert_eq!(condition.holds_for(&here), holds, "{condition}");
            assert_eq!(condition.holds_for(&UserInformation::default()), condition.is_none(), "{condition}");
        }
    }

    #[test]
    fn a_condition_is_normalised_and_bounded() {
        let decomposed = EntitlementCondition::new(&said(Some("Zu\u{308}rich"), None, &[])).unwrap();
        assert!(decomposed.holds_for(&said(Some("Zürich"), None, &[])));
        let long = "x".repeat(255);
        let names = ["a", "b", "c"].map(|name| (name, &long[..]));
        let three = said(Some(&long), None, &names);
        assert_eq!(EntitlementCondition::new(&three), Err(ConditionError::TooLong));
        assert!(EntitlementCondition::new(&UserInformation { location: None, ..three }).is_ok());
        let control = EntitlementCondition::new(&said(Some("a\nb"), None, &[]));
        assert!(
            matches!(control, Err(ConditionError::Information(InformationError::Line(_)))),
            "{control:?}"
        );
    }

    #[test]
    fn a_text_is_read_as_it_is_written_alone() {
        let written = EntitlementCondition::new(&said(Some("50 % & = x"), Some("é"), &[("a=b&", "")]));
        assert_eq!(written.unwrap().to_string(), "location=50%20%25%20%26%20%3D%20x&system=é&@a%3Db%26=");
        for bad in [
            "location",
            "place=x",
            "role=x",
            "&",
            "location=x&",
            "system=x&location=y",
            "location=x&location=x",
            "@b=1&@a=2",
            "location=%",
            "location=%2",
            "location=%zz",
            "location=%41",
            "location=%3d",
            "location=a b",
            "@=x",
            "location=%E9",
        ] {
            assert_eq!(bad.parse::<EntitlementCondition>(), Err(ConditionError::Form), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_condition_comes_back(
            location in proptest::option::of("[ -~éß]{0,20}"),
            system in proptest::option::of("[ -~]{0,20}"),
            attributes in proptest::collection::btree_map("[!-~]{1,8}", "[ -~]{0,12}", 0..9),
        ) {
            let attributes = attributes.into_iter().map(|(name, value)| (AttributeName::new(&name).unwrap(), value));
            let named = UserInformation { location, system, attributes: attributes.collect() };
            let condition = EntitlementCondition::new(&named).unwrap();
            prop_assert_eq!(condition.information(), &named);
            let text = condition.to_string();
            prop_assert!(!text.contains([' ', '\0']));
            prop_assert_eq!(text.parse(), Ok(condition));
        }
    }
}
