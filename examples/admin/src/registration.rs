//! Registrations, listed.

use crate::failure::Failure;
use crate::paging::Paging;
use halfkey::policy::{Mode, SuiteId};
use halfkey::record::Lifecycle;
use halfkey::store::RegistrationState;
use halfkey::store::operation::{ListRegistrations, RegistrationEntry, RegistrationFilter};
use halfkey::{AccessPath, NameError, UnixTime, UserId, UserName};
use halfkey_common::Output;
use halfkey_common::output::Entry;
use halfkey_common::store::Store;
use halfkey_common::time::{When, written};
use serde::Serialize;
use std::convert::Infallible;

/// A name as a person types it.
pub(crate) fn name(typed: &str) -> Result<UserName, NameError> {
    UserName::normalise(typed)
}

/// The beginning of a name as a person types it; what is no name by itself is taken as it is.
fn beginning(typed: &str) -> Result<String, Infallible> {
    Ok(UserName::normalise(typed).map_or_else(|_| typed.into(), |name| name.to_string()))
}

fn state(word: &str) -> Result<RegistrationState, &'static str> {
    RegistrationState::from_word(word)
        .ok_or("a state is pending, active, lost, superseded, suspended or revoked")
}

/// Which registrations, and how many.
#[derive(clap::Args)]
pub(crate) struct List {
    /// With this name.
    #[arg(long, value_parser = name)]
    name: Option<UserName>,
    /// With a name that begins so, as a person types it.
    #[arg(long, value_name = "LETTERS", value_parser = beginning)]
    name_begins: Option<String>,
    /// Of this user.
    #[arg(long, value_name = "USER_ID")]
    user: Option<UserId>,
    /// With this access control path.
    #[arg(long)]
    path: Option<AccessPath>,
    /// In this state: pending, active, lost, superseded, suspended or revoked.
    #[arg(long, value_parser = state)]
    state: Option<RegistrationState>,
    /// That expire at this time or before.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    expiring_before: Option<When>,
    #[command(flatten)]
    paging: Paging,
}

/// A registration as it is shown.
#[derive(Serialize)]
pub(crate) struct Shown {
    key_id: String,
    user_id: String,
    name: String,
    path: String,
    state: &'static str,
    confirm_by: Option<String>,
    expires: Option<String>,
    last_seen: Option<String>,
    granted_at: Option<String>,
    confirmed_at: Option<String>,
    renews: Option<String>,
    suite: String,
    modes: Vec<&'static str>,
    lifetime: Option<u32>,
    allow_key_id: bool,
}

impl Entry for Shown {
    const COLUMNS: &'static [&'static str] = &["key_id", "name", "user_id", "state", "expires", "last_seen"];
}

impl From<RegistrationEntry> for Shown {
    fn from(entry: RegistrationEntry) -> Self {
        let confirm_by = match entry.lifecycle {
            Lifecycle::Pending { confirm_by } => Some(confirm_by),
            _ => None,
        };
        let modes = [(Mode::PskKem, "psk-kem"), (Mode::Psk, "psk")];
        let modes = modes.into_iter().filter(|(mode, _)| entry.policy.modes.allows(*mode));
        Self {
            key_id: entry.key_id.to_string(),
            user_id: entry.user_id.to_string(),
            name: entry.name.to_string(),
            path: entry.access_path.to_string(),
            state: RegistrationState::from(entry.lifecycle).word(),
            confirm_by: confirm_by.map(written),
            expires: entry.expires.map(written),
            last_seen: entry.last_seen.map(written),
            granted_at: entry.granted_at.map(written),
            confirmed_at: entry.confirmed_at.map(written),
            renews: entry.renews.map(|key_id| key_id.to_string()),
            suite: match entry.suite {
                SuiteId::X25519 => "x25519".into(),
                SuiteId::XWing => "x-wing".into(),
                other => other.code().to_string(),
            },
            modes: modes.map(|(_, word)| word).collect(),
            lifetime: entry.policy.lifetime,
            allow_key_id: entry.policy.allow_key_id,
        }
    }
}

impl List {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        let filter = RegistrationFilter {
            name: self.name,
            name_begins: self.name_begins,
            key_id_begins: None,
            user_id: self.user,
            access_path: self.path,
            state: self.state,
            expires_by: self.expiring_before.map(|When(time)| time),
        };
        let page = |after, limit| {
            store.run(&ListRegistrations { filter: filter.clone(), after, limit }, UnixTime::now())
        };
        self.paging.list(out, page, |entry| Ok(Some(Shown::from(entry))))
    }
}
