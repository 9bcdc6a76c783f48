//! The server's memory: `Pending → Active → Superseded`, suspended, revoked, expired; and `Waiting`.

use super::{KeySet, RejectionCode, RejectionRecord};
use crate::id::{AccessPath, Alias, CodeId, Digest, KeyId, TicketId, Txn, UserId, UserName};
use crate::policy::{Policy, SuiteId};
use crate::secret::Secret;
use crate::template::Form;
use crate::time::UnixTime;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// A registration as the server keeps it: the patent's row of shared keys.
#[derive(Clone, Debug)]
pub struct ServerRegistration {
    /// Key ID of the registration.
    pub key_id: KeyId,
    /// The user identification code (patent step 160).
    pub user_id: UserId,
    /// The name under which the user registered.
    pub name: UserName,
    /// The access control path (patent step 180).
    pub access_path: AccessPath,
    /// The suite under which it was made.
    pub suite: SuiteId,
    /// Permissions of the key.
    pub policy: Policy,
    /// State in its life.
    pub lifecycle: Lifecycle,
    /// Time at which the key expires; `None` for never.
    pub expires: Option<UnixTime>,
    /// The keys.
    pub keys: StoredKeys,
}

/// The keys that the server keeps. K_confirm is not among them: see [`ExpectedTags`].
#[derive(Clone, Debug)]
pub struct StoredKeys {
    /// K_auth.
    pub auth: Secret,
    /// K_derive.
    pub derive: Secret,
    /// K_renew.
    pub renew: Secret,
}

impl StoredKeys {
    pub(crate) fn of(keys: &KeySet) -> Self {
        Self { auth: keys.auth.clone(), derive: keys.derive.clone(), renew: keys.renew.clone() }
    }

    pub(crate) fn key_set(&self) -> KeySet {
        KeySet::from_stored(self.auth.clone(), self.derive.clone(), Secret::absent(), self.renew.clone())
    }
}

/// The state of a registration on the server's side.
///
/// ```text
///            first valid R4 or session proof        renewal confirmed
///  Pending ───────────────────────────────▶ Active ───────────────────▶ Superseded
///     │ confirm_by passes, or another was first │ ▲
///     ▼                                         ▼ │ operator            operator
///   Lost                                     Suspended      any ───────────────────▶ Revoked
/// ```
/// Expiry is read off [`ServerRegistration::expires`] and needs no transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lifecycle {
    /// Granted, not yet proved by the token; until then the name and the code are free.
    Pending {
        /// Time at which it lapses.
        confirm_by: UnixTime,
    },
    /// Both sides have proved the key.
    Active,
    /// Another registration took the name, the code or the old key first, or R4 came too late.
    Lost,
    /// A renewal has taken its place.
    Superseded,
    /// Put on hold by the operator.
    Suspended,
    /// Ended by the operator, for good.
    Revoked,
}

/// The question to the store about an applicant, asked in order to judge a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applicant {
    /// The name applied for; for a ticket, the name in the form.
    pub name: UserName,
    /// Proof that the request carries.
    pub proof: Option<ProofId>,
}

/// The kind of proof that a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProofId {
    /// An activation code for the name.
    Activation,
    /// An earlier key.
    Renewal(KeyId),
    /// A ticket from a run that was told to wait.
    Ticket(TicketId),
}

/// An activation code as the store keeps it.
#[derive(Clone, Debug)]
pub struct Activation {
    /// ID of the code; a later code for the same name has another ID.
    pub id: CodeId,
    /// A.
    pub secret: Secret,
}

/// The thing that a registration takes when it becomes active, in competition with all that claim the
/// same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Takes {
    /// The activation code that proves it.
    Code(CodeId),
    /// The place of the earlier key that it renews.
    Place(KeyId),
}

/// The store's knowledge of an [`Applicant`], read in one transaction.
#[derive(Clone, Debug, Default)]
pub struct ApplicantRecord {
    /// Set when a registration that is or was active holds the name; for an applicant without proof,
    /// also whether an activation code keeps it for somebody else.
    pub name_taken: bool,
    /// An unused activation code for the name, whose time is not over.
    pub activation: Option<Activation>,
    /// An unused activation code for the name whose time is over, for the operator's log alone: it proves nothing.
    pub expired: Option<Activation>,
    /// The earlier registration that a renewal names, or that the application behind a ticket
    /// renews.
    pub earlier: Option<Box<ServerRegistration>>,
    /// The application that a ticket names.
    pub waiting: Option<Box<WaitingRequest>>,
    /// The operator's answer to that application, once there is one.
    pub answer: Option<RequestAnswer>,
}

/// The operator's answer to an application that waits. It is kept until the token comes with its ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestAnswer {
    /// Approved: whoever decides on requests is told so, and says what is granted.
    Approved,
    /// Refused; the token is told this code.
    Refused(RejectionCode),
}

/// An application that waits for the operator.
#[derive(Clone, Debug)]
pub struct WaitingRequest {
    /// The ticket's public name.
    pub ticket_id: TicketId,
    /// The ticket.
    pub ticket: Secret,
    /// The name applied for.
    pub name: UserName,
    /// The form, which must be the same when the token asks again.
    pub form: Form,
    /// Thing that the proof of the first request lays claim to.
    pub takes: Option<Takes>,
    /// Time at which it is forgotten.
    pub hold_until: UnixTime,
}

/// An outcome that is about to leave: stored first, all of it or nothing, and only if no outcome
/// is stored under the same request.
#[derive(Clone, Debug)]
pub struct NewOutcome {
    /// H(R2).
    pub request: Digest,
    /// R3, byte for byte.
    pub response: Vec<u8>,
    /// Time until which a repeated R2 must get the same R3.
    pub keep_until: UnixTime,
    /// Effect besides the outcome itself.
    pub effect: Effect,
    /// Limits within which the effect finds room: the oldest make way for it.
    pub limits: PendingLimits,
}

/// Most pending registrations, and most waiting applications, of one kind. Where a new one would be one more,
/// the oldest makes way: a limit keeps nobody out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingLimits {
    /// Most with one proof; without a proof, most for one name.
    pub same: u32,
    /// Most without a proof in all. A store may keep it by shares that chance makes unequal, above a thousand.
    pub total: u32,
}

impl Default for PendingLimits {
    /// 8 with one proof, 100 000 in all.
    fn default() -> Self {
        Self { same: 8, total: 100_000 }
    }
}

/// The effect of an outcome besides being stored.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Refused: a ticket that was used is used up, and nothing else changes.
    Refused(RejectionRecord),
    /// A pending registration.
    Granted(Box<NewRegistration>),
    /// A waiting application; it replaces one with the ticket in `instead_of`.
    Waiting {
        /// The application.
        application: Box<WaitingRequest>,
        /// The ticket that was used, if this is a repeated wait: the operator's answer, and the time since when it waits, go on.
        instead_of: Option<TicketId>,
    },
}

/// A pending registration and what confirms it.
#[derive(Clone, Debug)]
pub struct NewRegistration {
    /// The row, with [`Lifecycle::Pending`].
    pub registered: ServerRegistration,
    /// Its first alias.
    pub alias: Alias,
    /// Tags that R4 and R5 will carry.
    pub expected: ExpectedTags,
    /// Thing that it takes when it becomes active.
    pub takes: Option<Takes>,
    /// The ticket that was used up.
    pub ticket: Option<TicketId>,
}

/// The tags of R4 and R5, kept instead of K_confirm until the first session.
#[derive(Clone, Debug)]
pub struct ExpectedTags {
    /// Run that the tags belong to.
    pub txn: Txn,
    /// The tag of R4.
    pub confirm: Secret,
    /// The tag of R5 `done`.
    pub done: Secret,
    /// The tag of R5 `lost`.
    pub lost: Secret,
}
