//! Whom an entitlement is for.

use crate::id::{AccessPath, Group, NameError, UserId};
use core::fmt;
use core::str::FromStr;
use thiserror::Error;

/// Whom an entitlement is for. One for the user comes before one for the user's groups, of which the
/// newest counts, and that before one for the user's access path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Subject {
    /// One user.
    User(UserId),
    /// Everyone in this group.
    Group(Group),
    /// Everyone whose entitlements begin here.
    AccessPath(AccessPath),
}

/// `user:…`, `group:…` or `path:…`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Group(group) => write!(f, "group:{group}"),
            Self::AccessPath(path) => write!(f, "path:{path}"),
        }
    }
}

/// Why a string is no subject.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// It does not begin with a kind of subject.
    #[error("a subject begins with user:, group: or path:")]
    Kind,
    /// What comes then is no name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FromStr for Subject {
    type Err = SubjectError;
    fn from_str(text: &str) -> Result<Self, SubjectError> {
        match text.split_once(':').ok_or(SubjectError::Kind)? {
            ("user", user) => Ok(Self::User(user.parse()?)),
            ("group", group) => Ok(Self::Group(group.parse()?)),
            ("path", path) => Ok(Self::AccessPath(path.parse()?)),
            _ => Err(SubjectError::Kind),
        }
    }
}
