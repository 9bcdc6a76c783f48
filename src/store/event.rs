//! Events of the log: kinds, subjects, times and causes; never a secret.

use super::cell::words;
use super::condition::EntitlementCondition;
use super::subject::Subject;
use crate::id::{ApplicationName, EventId, KeyId, UserId, UserName};
use crate::message::ConfigurationSerial;
use crate::port::entitlement_store::{ReportResult, Status};
use crate::record::RejectionCause;
use crate::time::UnixTime;

/// Kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuditEventKind {
    /// A registration was granted; its token has not confirmed it.
    Granted,
    /// An application was told to wait, for the first time.
    Waiting,
    /// An application was refused: [`AuditEvent::cause`].
    Refused,
    /// A registration became active.
    Confirmed,
    /// A registration lost its name, its code or its old key to another, or was confirmed too late.
    Lost,
    /// A renewal took the place of this registration.
    Superseded,
    /// A key was proved that opens no session: [`AuditEvent::status`].
    SessionRefused,
    /// A parked challenge was used again.
    ChallengeReplayed,
    /// A session was opened by an alias, or by the key ID, that its token had left behind: the token was copied, or
    /// set back to an earlier state.
    AliasForked,
    /// A configuration was not applied, or the token held an older one than it had applied:
    /// [`AuditEvent::result`].
    Reported,
    /// An activation code was issued.
    CodeIssued,
    /// An activation code was withdrawn.
    CodeWithdrawn,
    /// The time of an activation code was set.
    CodeExpirySet,
    /// A registration was put on hold.
    Suspended,
    /// A suspended registration was made active again.
    Resumed,
    /// A registration was ended.
    Revoked,
    /// The time of a registration was set.
    ExpirySet,
    /// A registration was given another name.
    Renamed,
    /// A registration was erased.
    RegistrationDeleted,
    /// A name was released.
    NameReleased,
    /// The operator approved an application that waits.
    RequestApproved,
    /// The operator refused an application that waits: [`AuditEvent::cause`] is the one whose code its token is told,
    /// if there is one.
    RequestRefused,
    /// A subject was entitled to a document.
    Entitled,
    /// A subject's entitlement was revoked.
    EntitlementRevoked,
    /// A user's own entitlement, or one under a condition, was cleared: others count again.
    EntitlementCleared,
    /// A user joined a group.
    GroupJoined,
    /// A user left a group.
    GroupLeft,
    /// A new epoch of serials began.
    EpochRaised,
    /// A storage key was announced that is to seal rows.
    StorageKeyAnnounced,
    /// A process that changes the store does not hold the storage key that is announced.
    StorageKeyLacking,
    /// The storage key that was announced seals rows from here on.
    StorageKeyChanged,
}

words! { AuditEventKind {
    Granted = "granted", Waiting = "waiting", Refused = "refused", Confirmed = "confirmed", Lost = "lost",
    Superseded = "superseded", SessionRefused = "session refused", ChallengeReplayed = "challenge replayed",
    AliasForked = "alias forked",
    Reported = "reported", CodeIssued = "code issued", CodeWithdrawn = "code withdrawn",
    CodeExpirySet = "code expiry set", Suspended = "suspended", Resumed = "resumed", Revoked = "revoked",
    ExpirySet = "expiry set", Renamed = "renamed", RegistrationDeleted = "forgotten", NameReleased = "name freed",
    RequestApproved = "request approved",
    RequestRefused = "request refused", Entitled = "entitled", EntitlementRevoked = "entitlement revoked",
    EntitlementCleared = "entitlement inherited", GroupJoined = "group joined", GroupLeft = "group left",
    EpochRaised = "epoch raised", StorageKeyAnnounced = "storage key announced",
    StorageKeyLacking = "storage key lacking", StorageKeyChanged = "storage key changed",
} }

/// Entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEvent {
    /// ID of the entry.
    pub id: EventId,
    /// Time of the event.
    pub at: UnixTime,
    /// Kind of the event.
    pub kind: AuditEventKind,
    /// Cause of a refusal, by a rule or by the operator.
    pub cause: Option<RejectionCause>,
    /// Status of a registration that opened no session.
    pub status: Option<Status>,
    /// Result of a configuration.
    pub result: Option<ReportResult>,
    /// Key ID of the registration.
    pub key_id: Option<KeyId>,
    /// User ID of the registration.
    pub user_id: Option<UserId>,
    /// User name; of a renaming, the new one.
    pub name: Option<UserName>,
    /// Subject of an entitlement, or the group that a user joined or left.
    pub subject: Option<Subject>,
    /// Application of an entitlement or report.
    pub application: Option<ApplicationName>,
    /// Condition of an entitlement, if it has one.
    pub condition: Option<EntitlementCondition>,
    /// Serial of a configuration.
    pub serial: Option<ConfigurationSerial>,
}
