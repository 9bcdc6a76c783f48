//! What an operator decides for a server, and the secrets its replicas share.

use crate::hash;
use crate::id::ServerName;
use crate::policy::Policy;
use crate::secret::Secret;
use crate::suite::{SUITES, Suite};
use crate::template::Template;
use crate::transcript::label;

/// A server's settings: handed by reference to every server step.
///
/// Replicas of one server have equal settings, so that any of them can answer any message.
#[derive(Clone)]
#[non_exhaustive]
pub struct ServerSettings {
    /// The server's name, as its certificate has it.
    pub name: ServerName,
    /// What users fill in.
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
    /// The most registrations pending for one proof, or for one name without proof, and applications
    /// waiting with one proof: 8.
    pub pending_same: u32,
    /// The most registrations pending and applications waiting in all: 100 000. An applicant without
    /// proof finds no room beyond it; those with one are bounded by [`Self::pending_same`].
    pub pending_total: u32,
    /// Whether registrations without any proof are considered: trust on first use. Default: yes.
    pub open_registration: bool,
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
            offer_ttl: 600,
            outcome_size: 1024,
            confirm_within: 86_400,
            hold_for: 30 * 86_400,
            renewal_grace: 30 * 86_400,
            pending_same: 8,
            pending_total: 100_000,
            open_registration: true,
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
