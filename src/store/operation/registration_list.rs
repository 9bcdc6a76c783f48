//! The list of registrations.

use super::RegistrationEntry;
use super::list::{List, list};
use crate::id::{AccessPath, UserId, UserName};
use crate::store::rows::{RegistrationRow, RegistrationState};
use crate::store::tables::{Condition, Query};
use crate::time::UnixTime;
use alloc::string::String;

/// Lists registrations, by key id.
pub type ListRegistrations = List<RegistrationFilter>;

/// Filter of [`ListRegistrations`]: all conditions that are given hold.
#[derive(Clone, Debug, Default)]
pub struct RegistrationFilter {
    /// User name.
    pub name: Option<UserName>,
    /// Text that the user name begins with.
    pub name_begins: Option<String>,
    /// Text that the key ID begins with, in lower-case hexadecimal digits.
    pub key_id_begins: Option<String>,
    /// User ID.
    pub user_id: Option<UserId>,
    /// Access path.
    pub access_path: Option<AccessPath>,
    /// State. A pending registration whose time is over stays pending until [`super::Purge`].
    pub state: Option<RegistrationState>,
    /// Latest time of expiry.
    pub expires_by: Option<UnixTime>,
}

impl RegistrationFilter {
    fn wanted(&self) -> Query {
        let mut query = Query::all();
        if let Some(name) = &self.name {
            query = query.is("name", name);
        }
        if let Some(user_id) = &self.user_id {
            query = query.is("user_id", user_id);
        }
        if let Some(access_path) = &self.access_path {
            query = query.is("access_path", access_path);
        }
        if let Some(state) = &self.state {
            query = query.is("state", state);
        }
        if let Some(time) = self.expires_by {
            query = query.until("expires", time);
        }
        if let Some(begins) = &self.key_id_begins {
            query = query.and("key_id", Condition::Begins(begins.clone()));
        }
        if let Some(begins) = &self.name_begins {
            query = query.and("name", Condition::Begins(begins.clone()));
        }
        query
    }
}

list! { RegistrationFilter, RegistrationRow => RegistrationEntry; |self, _now| self.wanted() }
