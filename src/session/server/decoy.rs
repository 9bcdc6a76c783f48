//! Claimants behind an S0: a registration, or a decoy that behaves like one until it fails.

use crate::id::{AccessPath, KeyId, UserId};
use crate::policy::Policy;
use crate::record::ServerRegistration;
use crate::schedule::KeySet;
use crate::secret::Secret;
use crate::settings::ServerSettings;
use crate::time::UnixTime;

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
    /// The registration that does not exist. Its K_auth is never met, and is a key in the form of every
    /// other, so that both cost the same; its other keys are never asked.
    pub(super) fn decoy(settings: &ServerSettings) -> Self {
        let auth = settings.secrets.decoy.clone();
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
    use crate::id::ServerName;
    use crate::template::{Field, FieldKind, Template};

    #[test]
    fn a_decoy_is_nobody_and_known_to_the_server_alone() {
        let decoy = |master| {
            let template = Template::new(alloc::vec![Field::required("name", FieldKind::UserName)]).unwrap();
            let name = ServerName::new("gate.example").unwrap();
            let settings = ServerSettings::new(name, template, &Secret::new([master; 32]));
            let decoy = Claimant::decoy(&settings).or(None);
            assert_eq!(decoy.policy, settings.policy);
            // Nobody: whatever is proved to a decoy, there is nobody to let in.
            assert!(decoy.person.is_none());
            *decoy.keys.stored()[0].expose()
        };
        assert_eq!(decoy(7), decoy(7));
        assert!(decoy(7) != decoy(8) && decoy(7) != [0; 32]);
    }
}
