//! Subjects of entitlements.

use crate::id::{AccessPath, Group, UserId};
use crate::name::NameError;
use core::fmt;
use core::str::FromStr;
use thiserror::Error;

/// Subject of an entitlement. A user's own entitlement counts first, then the newest of the user's
/// groups, then that of the user's access path. Of those under conditions, the ones whose condition holds
/// take part; in each of these three steps the most precise condition counts, before the newest
/// entitlement.
///
/// ```
/// use halfkey::store::Subject;
/// use halfkey::{AccessPath, Group};
///
/// assert_eq!("group:tellers".parse(), Ok(Subject::Group(Group::new("tellers")?)));
/// assert_eq!(Subject::AccessPath(AccessPath::new("/staff")?).to_string(), "path:/staff");
/// # Ok::<(), halfkey::NameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Subject {
    /// One user.
    User(UserId),
    /// All members of a group.
    Group(Group),
    /// All users with this access path.
    AccessPath(AccessPath),
}

/// Writes `user:…`, `group:…` or `path:…`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => write!(f, "user:{user}"),
            Self::Group(group) => write!(f, "group:{group}"),
            Self::AccessPath(path) => write!(f, "path:{path}"),
        }
    }
}

/// Error of reading a subject.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// The text does not begin with a kind of subject.
    #[error("a subject begins with user:, group: or path:")]
    Kind,
    /// The name after the kind is not valid.
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
