//! Claimants behind an S0: a registration, or a decoy that behaves like one until it fails.

use crate::hash::prf;
use crate::id::{AccessPath, KeyId, UserId};
use crate::message::Address;
use crate::policy::Policy;
use crate::record::ServerRegistration;
use crate::schedule::KeySet;
use crate::secret::Secret;
use crate::settings::ServerSettings;
use crate::time::UnixTime;
use crate::transcript::label;

/// Parts of a registration that the steps need, or of one that does not exist.
pub(super) struct Claimant {
    pub(super) policy: Policy,
    pub(super) keys: KeySet,
    /// Nobody, for a decoy.
    pub(super) person: Option<Person>,
}

/// Person behind a registration.
pub(super) struct Person {
    pub(super) key_id: KeyId,
    pub(super) user_id: UserId,
    pub(super) access_path: AccessPath,
    pub(super) expires: Option<UnixTime>,
}

impl Claimant {
    /// The registration that does not exist: same address, same decoy, on every replica and at any
    /// time. Made for every S0, known or not, so that both cost the same. Its K_auth is never met;
    /// its other keys are never asked.
    pub(super) fn decoy(settings: &ServerSettings, address: &Address) -> Self {
        let (kind, id) = match address {
            Address::Key(id) => (0, id.as_bytes()),
            Address::Alias(alias) => (1, alias.as_bytes()),
        };
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *id;
        let info = [kind, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p];
        let auth = prf(&settings.secrets.decoy, label::DECOY, &info);
        Self { policy: settings.policy, keys: session_keys(auth, Secret::absent()), person: None }
    }

    /// The registration, if there is one; else this decoy.
    pub(super) fn or(self, registered: Option<ServerRegistration>) -> Self {
        match registered {
            None => self,
            Some(ServerRegistration { key_id, user_id, access_path, expires, policy, keys, .. }) => Self {
                policy,
                keys: session_keys(keys.auth, keys.derive),
                person: Some(Person { key_id, user_id, access_path, expires }),
            },
        }
    }
}

/// The keys that a session asks, and no others.
fn session_keys(auth: Secret, derive: Secret) -> KeySet {
    KeySet::from_stored(auth, derive, Secret::absent(), Secret::absent())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Alias, ServerName};
    use crate::template::{Field, FieldKind, Template};

    fn auth(master: u8, address: &Address) -> [u8; 32] {
        let template = Template::new(alloc::vec![Field::required("name", FieldKind::UserName)]).unwrap();
        let name = ServerName::new("gate.example").unwrap();
        let settings = ServerSettings::new(name, template, &Secret::new([master; 32]));
        let decoy = Claimant::decoy(&settings, address).or(None);
        // Nobody: whatever is proved to a decoy, there is nobody to let in.
        assert!(decoy.person.is_none());
        assert_eq!(decoy.policy, settings.policy);
        *decoy.keys.stored()[0].expose()
    }

    #[test]
    fn a_decoy_is_the_same_everywhere_and_known_to_the_server_alone() {
        let key = Address::Key(KeyId([1; 16]));
        let ours = auth(7, &key);
        assert_eq!(ours, auth(7, &key));
        let others =
            [auth(8, &key), auth(7, &Address::Key(KeyId([2; 16]))), auth(7, &Address::Alias(Alias([1; 16])))];
        assert!(!others.contains(&ours) && ours != [0; 32]);
    }
}
