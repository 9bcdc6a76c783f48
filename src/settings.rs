//! Decisions of an operator for a server, and the secrets that its replicas share.

use crate::hash;
use crate::id::ServerName;
use crate::policy::Policy;
use crate::secret::Secret;
use crate::suite::{SUITES, Suite};
use crate::template::Template;
use crate::transcript::label;
use thiserror::Error;

/// Contents of a server's settings file: everything but the secrets. With the feature
/// `serde` it is read from and written to any format that serde knows; every field but `name` and `template`
/// may be left out, and an unknown one is refused.
///
/// # Example
/// ```
/// # use halfkey::template::{Field, FieldKind, Template};
/// use halfkey::{Secret, ServerName, ServerOptions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let template = Template::new(vec![Field::required("name", FieldKind::UserName)])?;
/// let mut options = ServerOptions::new(ServerName::new("gate.example")?, template);
/// options.open_registration = false;
/// let settings = options.settings(&Secret::new([7; 32]))?; // a secret of its own, from a safe place
/// # assert!(!settings.open_registration);
/// # Ok(()) }
/// ```
///
/// From a file, with the feature `serde`:
/// ```
/// # #[cfg(not(feature = "serde"))] fn main() {}
/// # #[cfg(feature = "serde")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use halfkey::{Secret, ServerOptions};
///
/// let text = r#"
///     name = "gate.example"
///     open_registration = false
///     [[template.fields]]
///     name = "name"
///     kind = "user-name"
/// "#;
/// let settings = toml::from_str::<ServerOptions>(text)?.settings(&Secret::new([7; 32]))?;
/// # assert!(!settings.open_registration);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct ServerOptions {
    /// The server's name, as its certificate has it.
    pub name: ServerName,
    /// The registration template.
    pub template: Template,
    /// The policy proposed for a new registration.
    #[cfg_attr(feature = "serde", serde(default))]
    pub policy: Policy,
    /// Seconds for which an offer is good: 600, from 1 to 900.
    #[cfg_attr(feature = "serde", serde(default = "default::offer_ttl"))]
    pub offer_ttl: u32,
    /// Length of R3's sealed plaintext in bytes: 1024, a multiple of 256 from 256 to 4096.
    #[cfg_attr(feature = "serde", serde(default = "default::outcome_size"))]
    pub outcome_size: u16,
    /// Seconds within which a granted registration must be confirmed: one day.
    #[cfg_attr(feature = "serde", serde(default = "default::confirm_within"))]
    pub confirm_within: u32,
    /// Seconds for which an application waits for the operator: 30 days.
    #[cfg_attr(feature = "serde", serde(default = "default::hold_for"))]
    pub hold_for: u32,
    /// Seconds after expiry within which a key may still be renewed: 30 days.
    #[cfg_attr(feature = "serde", serde(default = "default::renewal_grace"))]
    pub renewal_grace: u32,
    /// Most registrations pending for one proof, or for one name without proof: 8. The oldest makes way for more.
    #[cfg_attr(feature = "serde", serde(default = "default::pending_same"))]
    pub pending_same: u32,
    /// Most registrations pending without proof, and most applications waiting so: 100 000. The oldest makes way.
    #[cfg_attr(feature = "serde", serde(default = "default::pending_total"))]
    pub pending_total: u32,
    /// Permission to register without any proof: yes.
    #[cfg_attr(feature = "serde", serde(default = "default::open_registration"))]
    pub open_registration: bool,
    /// Records after which the server renews its key of a session: 2^24 − 1, the most there may be.
    #[cfg_attr(feature = "serde", serde(default = "default::rekey_after"))]
    pub rekey_after: u32,
    /// Seconds after which the standing of an open session's registration is read again: 30; 0 for every message.
    #[cfg_attr(feature = "serde", serde(default = "default::recheck"))]
    pub recheck: u32,
    /// Seconds after which the server ends a session: one day.
    #[cfg_attr(feature = "serde", serde(default = "default::session_age"))]
    pub session_age: u32,
    /// Seconds for which a token opens sessions by one alias: 0, so that each session has an alias of its own and
    /// nobody who listens can tell that two sessions are of one token. With more, sessions in quick succession cost
    /// the store and the token no write, and can be told to be of one token.
    #[cfg_attr(feature = "serde", serde(default))]
    pub alias_age: u32,
}

/// A setting that no server can work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the setting {setting}: {wanted}")]
pub struct SettingsError {
    /// The setting's name.
    pub setting: &'static str,
    /// Values that it may have.
    pub wanted: &'static str,
}

/// The defaults, for options and settings alike.
mod default {
    pub(super) const fn offer_ttl() -> u32 {
        600
    }
    pub(super) const fn outcome_size() -> u16 {
        1024
    }
    pub(super) const fn confirm_within() -> u32 {
        86_400
    }
    pub(super) const fn hold_for() -> u32 {
        30 * 86_400
    }
    pub(super) const fn renewal_grace() -> u32 {
        30 * 86_400
    }
    pub(super) const fn pending_same() -> u32 {
        8
    }
    pub(super) const fn pending_total() -> u32 {
        100_000
    }
    pub(super) const fn open_registration() -> bool {
        true
    }
    pub(super) const fn recheck() -> u32 {
        30
    }
    pub(super) const fn session_age() -> u32 {
        86_400
    }
    pub(super) const fn rekey_after() -> u32 {
        (1 << 24) - 1
    }
}

impl ServerOptions {
    /// Options with the defaults named at each field.
    #[must_use]
    pub fn new(name: ServerName, template: Template) -> Self {
        Self {
            name,
            template,
            policy: Policy::default(),
            offer_ttl: default::offer_ttl(),
            outcome_size: default::outcome_size(),
            confirm_within: default::confirm_within(),
            hold_for: default::hold_for(),
            renewal_grace: default::renewal_grace(),
            pending_same: default::pending_same(),
            pending_total: default::pending_total(),
            open_registration: default::open_registration(),
            rekey_after: default::rekey_after(),
            recheck: default::recheck(),
            session_age: default::session_age(),
            alias_age: 0,
        }
    }

    /// Makes settings of the options. `master` is 32 random bytes that all replicas share and that outlive
    /// restarts.
    ///
    /// # Errors
    /// [`SettingsError`] names a setting that no server can work with.
    pub fn settings(self, master: &Secret) -> Result<ServerSettings, SettingsError> {
        let wrong = |setting, wanted| Err(SettingsError { setting, wanted });
        if self.template.validate().is_err() {
            return wrong("template", "fields that a user can fill in, one of them a required user name");
        }
        if !(1..=900).contains(&self.offer_ttl) {
            return wrong("offer_ttl", "1 to 900 seconds");
        }
        if !(256..=4096).contains(&self.outcome_size) || !self.outcome_size.is_multiple_of(256) {
            return wrong("outcome_size", "a multiple of 256 from 256 to 4096");
        }
        if !(1..=default::rekey_after()).contains(&self.rekey_after) {
            return wrong("rekey_after", "1 to 16 777 215 records");
        }
        let secrets = ServerSecrets::derive(master, &self.name);
        Ok(ServerSettings {
            name: self.name,
            template: self.template,
            policy: self.policy,
            offer_ttl: self.offer_ttl,
            outcome_size: self.outcome_size,
            confirm_within: self.confirm_within,
            hold_for: self.hold_for,
            renewal_grace: self.renewal_grace,
            pending_same: self.pending_same,
            pending_total: self.pending_total,
            open_registration: self.open_registration,
            rekey_after: self.rekey_after,
            recheck: self.recheck,
            session_age: self.session_age,
            alias_age: self.alias_age,
            suites: SUITES,
            secrets,
        })
    }
}

/// A server's settings: handed by reference to every server step.
///
/// Replicas of one server have equal settings. With one store, any of them can then answer R0, R4, S0, a repeated R2, and
/// with stateless challenges S2. A new R2 goes to the replica that made the offer, which alone holds the private key of
/// `pk_e`; another answers E0 `restart`. An S2 without a cookie, and records, belong to the stream of their S1.
///
/// ```
/// use halfkey::template::{Field, FieldKind, Template};
/// use halfkey::{Secret, ServerName, ServerSettings, SystemRandom};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let template = Template::new(vec![Field::required("name", FieldKind::UserName)])?;
/// let master = Secret::random(&mut SystemRandom); // kept, and the same on every replica
/// let mut settings = ServerSettings::new(ServerName::new("gate.example")?, template, &master);
/// settings.open_registration = false; // nobody registers without an activation code
/// settings.session_age = 8 * 3600;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ServerSettings {
    /// The server's name, as its certificate has it.
    pub name: ServerName,
    /// The registration template.
    pub template: Template,
    /// The policy proposed for a new registration; unknown addresses in sessions behave like it.
    pub policy: Policy,
    /// Seconds for which an offer is good: 600, at most 900.
    pub offer_ttl: u32,
    /// Length of R3's sealed plaintext in bytes: 1024, a multiple of 256 from 256 to 4096.
    pub outcome_size: u16,
    /// Seconds within which a granted registration must be confirmed: one day.
    pub confirm_within: u32,
    /// Seconds for which an application waits for the operator: 30 days.
    pub hold_for: u32,
    /// Seconds after expiry within which a key may still be renewed: 30 days.
    pub renewal_grace: u32,
    /// The most registrations pending, and the most applications waiting, for one proof or for one name without
    /// proof: 8. For one more, the oldest makes way.
    pub pending_same: u32,
    /// The most registrations pending without proof, and the most applications waiting so: 100 000. For one more,
    /// the oldest of these makes way.
    pub pending_total: u32,
    /// Permission to register without any proof, which is trust on first use. Default: yes.
    pub open_registration: bool,
    /// Records after which the server renews its key of a session: 2^24 − 1, the most there may be.
    pub rekey_after: u32,
    /// Seconds after which the standing of an open session's registration is read again: 30; 0 for every message.
    /// Nothing is served for longer under a registration that is suspended, revoked, expired or superseded.
    pub recheck: u32,
    /// Seconds after which the server ends a session: one day. The token may open another at once.
    pub session_age: u32,
    /// Seconds for which a token opens sessions by one alias ([`ServerOptions::alias_age`]).
    pub alias_age: u32,
    /// The suites whose code is at hand.
    pub suites: &'static [&'static dyn Suite],
    pub(crate) secrets: ServerSecrets,
}

impl ServerSettings {
    /// Settings with the defaults named at each field. `master` is 32 random bytes that all
    /// replicas share and that outlive restarts.
    #[must_use]
    pub fn new(name: ServerName, template: Template, master: &Secret) -> Self {
        let secrets = ServerSecrets::derive(master, &name);
        Self {
            name,
            template,
            policy: Policy::default(),
            offer_ttl: default::offer_ttl(),
            outcome_size: default::outcome_size(),
            confirm_within: default::confirm_within(),
            hold_for: default::hold_for(),
            renewal_grace: default::renewal_grace(),
            pending_same: default::pending_same(),
            pending_total: default::pending_total(),
            open_registration: default::open_registration(),
            rekey_after: default::rekey_after(),
            recheck: default::recheck(),
            session_age: default::session_age(),
            alias_age: 0,
            suites: SUITES,
            secrets,
        }
    }

    /// The suite with this code point, if its code is at hand.
    pub(crate) fn suite(&self, code: u16) -> Option<&'static dyn Suite> {
        self.suites.iter().copied().find(|suite| suite.id().code() == code)
    }
}

impl core::fmt::Debug for ServerSettings {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ServerSettings({})", self.name)
    }
}

/// Keys that never leave the server's replicas: for memory lent to peers, and for answers that
/// must look like any other.
#[derive(Clone)]
pub(crate) struct ServerSecrets {
    /// Authenticates R1's cookie.
    pub(crate) cookie: Secret,
    /// Authenticates parked challenges.
    pub(crate) park: Secret,
    /// Makes the SSK1 of a ciphertext that holds none.
    pub(crate) reject: Secret,
    /// Makes registrations that do not exist.
    pub(crate) decoy: Secret,
}

impl ServerSecrets {
    /// Other names, other secrets: two servers on one machine may share a master.
    fn derive(master: &Secret, name: &ServerName) -> Self {
        let key = |label| hash::prf(master, label, name.as_str().as_bytes());
        Self {
            cookie: key(label::COOKIE),
            park: key(label::PARK),
            reject: key(label::REJECT),
            decoy: key(label::DECOY),
        }
    }
}

#[cfg(test)]
mod tests;
