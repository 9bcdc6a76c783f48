//! Which registration is meant: a key id, an unambiguous beginning of one, or a name.

use crate::failure::Failure;
use halfkey::record::Lifecycle;
use halfkey::store::operation::{ListRegistrations, OperatorError, RegistrationEntry, RegistrationFilter};
use halfkey::{KeyId, NameError, UnixTime, UserName};
use halfkey_common::store::Store;
use std::str::FromStr;

/// Fewest digits that stand for a key id.
const DIGITS: usize = 4;

/// A registration as a person says which.
#[derive(Clone, Debug)]
pub(crate) struct Which {
    key_id: Option<KeyId>,
    begins: Option<String>,
    name: Option<UserName>,
}

impl FromStr for Which {
    type Err = NameError;

    fn from_str(typed: &str) -> Result<Self, NameError> {
        if let Ok(key_id) = typed.parse() {
            return Ok(Self { key_id: Some(key_id), begins: None, name: None });
        }
        let digits = typed.to_ascii_lowercase();
        let is_begin = digits.len() >= DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let begins = is_begin.then_some(digits);
        match UserName::normalise(typed) {
            Ok(name) => Ok(Self { key_id: None, begins, name: Some(name) }),
            Err(_) if begins.is_some() => Ok(Self { key_id: None, begins, name: None }),
            Err(error) => Err(error),
        }
    }
}

impl Which {
    /// The one registration that is meant. Of a name, those that are over count only where no other has it.
    pub(crate) fn find(&self, store: &Store) -> Result<KeyId, Failure> {
        if let Some(key_id) = self.key_id {
            return Ok(key_id);
        }
        let mut found = Vec::new();
        if let Some(name) = &self.name {
            let filter = RegistrationFilter { name: Some(name.clone()), ..RegistrationFilter::default() };
            let named = list(store, filter)?;
            let live: Vec<_> =
                named.iter().filter(|entry| is_live(entry)).map(|entry| entry.key_id).collect();
            let all = || named.iter().map(|entry| entry.key_id).collect();
            found = if live.is_empty() { all() } else { live };
        }
        if let Some(begins) = &self.begins {
            let filter =
                RegistrationFilter { key_id_begins: Some(begins.clone()), ..RegistrationFilter::default() };
            found.extend(list(store, filter)?.iter().map(|entry| entry.key_id));
        }
        found.sort_unstable();
        found.dedup();
        match found.as_slice() {
            [] => Err(OperatorError::NoSuchKey.into()),
            [one] => Ok(*one),
            some => {
                let ids: Vec<_> = some.iter().take(5).map(ToString::to_string).collect();
                let more = if some.len() > ids.len() { " and more" } else { "" };
                Err(Failure::Which(format!("several are meant: {}{more}", ids.join(", "))))
            }
        }
    }
}

fn list(store: &Store, filter: RegistrationFilter) -> Result<Vec<RegistrationEntry>, Failure> {
    let list = ListRegistrations { limit: Some(100), ..ListRegistrations::of(filter) };
    Ok(store.run(&list, UnixTime::now())?.entries)
}

fn is_live(entry: &RegistrationEntry) -> bool {
    matches!(entry.lifecycle, Lifecycle::Active | Lifecycle::Suspended | Lifecycle::Pending { .. })
}
