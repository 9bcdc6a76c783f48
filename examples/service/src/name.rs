//! Names of services.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The name of a service: 1 to 63 lower-case letters, digits and hyphens, as the operator's files have it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceName(String);

/// A text that is no name of a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a service's name has 1 to 63 lower-case letters, digits and hyphens, and no hyphen at either end")]
pub struct ServiceNameError;

impl ServiceName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ServiceName {
    type Error = ServiceNameError;
    fn try_from(name: String) -> Result<Self, ServiceNameError> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let bare = !name.starts_with('-') && !name.ends_with('-');
        let fine = (1..=63).contains(&name.len()) && name.bytes().all(fits) && bare;
        fine.then_some(Self(name)).ok_or(ServiceNameError)
    }
}

impl FromStr for ServiceName {
    type Err = ServiceNameError;
    fn from_str(name: &str) -> Result<Self, ServiceNameError> {
        name.to_owned().try_into()
    }
}

impl From<ServiceName> for String {
    fn from(name: ServiceName) -> Self {
        name.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
