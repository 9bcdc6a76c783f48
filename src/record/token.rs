//! The token's memory: `InFlight → Joined → Active`, or `Waiting`.

use crate::id::{AccessPath, Alias, ApplicationName, Digest, KeyId, ServerName, TicketId, Txn, UserId};
use crate::message::{ConfigurationSerial, Status};
use crate::policy::{Policy, SuiteId, SuiteList};
use crate::secret::Secret;
use crate::template::Form;
use crate::time::{Period, UnixTime};
use alloc::vec::Vec;

/// A registration that has begun and is not complete.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a token has few, and moves them seldom")]
pub enum Attempt {
    /// R2 was sent, or may have been.
    InFlight(InFlight),
    /// The operator has not decided yet.
    Waiting(Waiting),
}

impl Attempt {
    /// Returns the run that it belongs to.
    #[must_use]
    pub const fn txn(&self) -> &Txn {
        match self {
            Self::InFlight(half) => &half.txn,
            Self::Waiting(waiting) => &waiting.txn,
        }
    }
}

/// The resume record: stored before R2 leaves, so that a lost R3 costs nothing. SSK1 itself stays
/// with the token under `txn`.
#[derive(Clone, Debug)]
pub struct InFlight {
    /// The run.
    pub txn: Txn,
    /// Its suite.
    pub suite: SuiteId,
    /// The suites that a policy may allow: those of R0 that the certificate lists and the anchor accepts.
    pub offered: SuiteList,
    /// The server.
    pub server_name: ServerName,
    /// SHA-256 of its certificate.
    pub certificate: Digest,
    /// Time at which that certificate ends.
    pub certificate_end: UnixTime,
    /// The anchor that vouched for it: SHA-256 of the anchor's encoding.
    pub anchor: Digest,
    /// R2, resent unchanged until it is answered.
    pub request: Vec<u8>,
    /// Transcript thB.
    pub transcript: Digest,
    /// The ephemeral secret.
    pub ss_e: Secret,
    /// Key with which the proof in R2 was made.
    pub proof_key: ProofKey,
    /// The earlier key that this run renews.
    pub renews: Option<KeyId>,
    /// The key that is erased once the new one is active, although this run does not renew it.
    pub replaces: Option<KeyId>,
    /// The form, for a run that is told to wait.
    pub form: Form,
    /// The ticket's public name, and the ticket, for a run that is told to wait.
    pub ticket: (TicketId, Secret),
    /// Length of R3's sealed plaintext, in bytes.
    pub outcome_size: u16,
    /// Time for which R2 is sent again; then the run is given up.
    pub resend: Period,
}

impl InFlight {
    /// Returns the key that gives up its place to the new one: the one that is renewed or replaced.
    #[must_use]
    pub fn supersedes(&self) -> Option<KeyId> {
        self.renews.or(self.replaces)
    }
}

/// The key whose proof R2 carries, and which the join mixes in.
#[derive(Clone, Debug)]
pub enum ProofKey {
    /// No proof: trust on first use.
    None,
    /// An activation code's A, or a ticket.
    Secret(Secret),
    /// K_renew of this earlier key, which the token holds.
    Renewal(KeyId),
}

/// A run that ended in `Wait`: ask again with the ticket.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The run that was told to wait.
    pub txn: Txn,
    /// The server.
    pub server_name: ServerName,
    /// The ticket's public name.
    pub ticket_id: TicketId,
    /// The ticket.
    pub ticket: Secret,
    /// The form that was sent, and has to be sent again.
    pub form: Form,
    /// The earlier key that the run renews.
    pub renews: Option<KeyId>,
    /// The key that is erased once the new one is active, although the run does not renew it.
    pub replaces: Option<KeyId>,
    /// Time to wait before asking again.
    pub retry: Period,
    /// Time for which the server holds the request.
    pub hold: Period,
}

/// A registration as the token keeps it, without its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRegistration {
    /// Key ID of the registration.
    pub key_id: KeyId,
    /// The server.
    pub server_name: ServerName,
    /// SHA-256 of the certificate under which it was made.
    pub certificate: Digest,
    /// Time at which that certificate ends: later than this the server cannot say that it is (see
    /// [`TokenRegistration::clock_floor`]).
    pub certificate_end: UnixTime,
    /// SHA-256 of the trust anchor that vouched for it.
    pub anchor: Digest,
    /// The user identification code.
    pub user_id: UserId,
    /// The access control path.
    pub access_path: AccessPath,
    /// The suite under which it was made.
    pub suite: SuiteId,
    /// Permissions of the key.
    pub policy: Policy,
    /// The alias for the next session.
    pub alias: Option<Alias>,
    /// Progress of the registration.
    pub progress: Progress,
    /// The key that this one renews or replaces, kept until this one is active.
    pub supersedes: Option<KeyId>,
    /// The configurations held, one for each application.
    pub configurations: Vec<HeldConfiguration>,
    /// Latest time that the server has stated, as far as it can be believed: not later than its certificate's
    /// end.
    pub clock_floor: UnixTime,
    /// The status that the server last proved, where it was not active; forgotten when a session opens.
    pub not_active: Option<Status>,
}

/// The progress of a registration on the token's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The key is there; the server may not know that yet.
    Joined {
        /// The run.
        txn: Txn,
        /// Transcript thJ.
        transcript: Digest,
        /// The tag of R4.
        tag_c: [u8; 32],
        /// Time for which the server waits for R4.
        confirm: Period,
    },
    /// Both sides have proved the key.
    Active,
}

/// The configuration last applied for one application: a document, or that it was taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldConfiguration {
    /// The application.
    pub application: ApplicationName,
    /// Serial: no configuration with a lower one is applied any more.
    pub serial: ConfigurationSerial,
    /// Its digest ([`crate::configuration::digest`]).
    pub digest: Digest,
    /// Time for which the document may be used, on the token's clock; `None` for unlimited.
    pub valid: Option<Period>,
    /// [`TokenRegistration::clock_floor`] when the document came: it may be used for no longer on the server's
    /// clock either.
    pub floor: UnixTime,
    /// Set when the server took the document away: then only serial and digest are left.
    pub revoked: bool,
}

impl HeldConfiguration {
    /// Tells whether there is a document that may be used when the token's clock says `now`; `floor` is
    /// [`TokenRegistration::clock_floor`].
    #[must_use]
    pub fn in_force(&self, now: UnixTime, floor: UnixTime) -> bool {
        let lasts = |valid: Period| !valid.is_over(now) && floor.since(self.floor) <= valid.seconds();
        !self.revoked && self.valid.is_none_or(lasts)
    }
}

impl TokenRegistration {
    /// Takes over what an earlier registration of the same user at the same server held of configurations, so
    /// that none is rolled back by a renewal. Those of another user are not this one's.
    pub fn inherit_from(&mut self, earlier: &Self) {
        if (&self.server_name, &self.user_id) != (&earlier.server_name, &earlier.user_id) {
            return;
        }
        for held in &earlier.configurations {
            if self.configuration(&held.application).is_none() {
                self.configurations.push(held.clone());
            }
        }
        self.clock_floor = self.clock_floor.max(earlier.clock_floor);
    }

    /// Tells whether the key is of no use any more, as the server has proved: another registration with the server
    /// takes its place.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        matches!(self.not_active, Some(Status::Revoked | Status::Lost))
    }

    /// Returns the configuration held for an application.
    #[must_use]
    pub fn configuration(&self, application: &ApplicationName) -> Option<&HeldConfiguration> {
        self.configurations.iter().find(|held| held.application == *application)
    }
}
