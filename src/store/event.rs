//! The log: what happened, to whom, when, and why it was refused; never a secret.

use super::Subject;
use super::entity::{Tables, Trouble};
use super::rows::{Happened, Row};
use super::value::words;
use crate::id::{ApplicationName, EventId, KeyId, UserId, UserName};
use crate::message::ConfigurationSerial;
use crate::port::entitlement_store::{ReportResult, Status};
use crate::record::{RejectionCause, RejectionRecord};
use crate::time::UnixTime;

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKind {
    /// A registration was granted; its token has not confirmed it.
    Granted,
    /// An application was told to wait.
    Waiting,
    /// An application was refused: [`Event::cause`].
    Refused,
    /// A registration became active.
    Confirmed,
    /// A registration lost its name, its code or its old key to another, or was confirmed too late.
    Lost,
    /// A renewal took the place of this registration.
    Superseded,
    /// A key was proved that opens no session: [`Event::status`].
    SessionRefused,
    /// A parked challenge was used again.
    ChallengeReplayed,
    /// A configuration was not applied, or the token held an older one than it had applied:
    /// [`Event::result`].
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
    Forgotten,
    /// A name was freed.
    NameFreed,
    /// A waiting application was dismissed.
    Dismissed,
    /// A subject was entitled to a document.
    Entitled,
    /// A subject was entitled to nothing any more.
    EntitlementRevoked,
    /// What a user alone was entitled to was taken away: groups and access path count again.
    EntitlementInherited,
    /// A user came into a group.
    GroupJoined,
    /// A user left a group.
    GroupLeft,
    /// A new epoch of serials began.
    EpochRaised,
}

words! { EventKind {
    Granted = "granted", Waiting = "waiting", Refused = "refused", Confirmed = "confirmed", Lost = "lost",
    Superseded = "superseded", SessionRefused = "session refused", ChallengeReplayed = "challenge replayed",
    Reported = "reported", CodeIssued = "code issued", CodeWithdrawn = "code withdrawn",
    CodeExpirySet = "code expiry set", Suspended = "suspended", Resumed = "resumed", Revoked = "revoked",
    ExpirySet = "expiry set", Renamed = "renamed", Forgotten = "forgotten", NameFreed = "name freed",
    Dismissed = "dismissed", Entitled = "entitled", EntitlementRevoked = "entitlement revoked",
    EntitlementInherited = "entitlement inherited", GroupJoined = "group joined", GroupLeft = "group left",
    EpochRaised = "epoch raised",
} }

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Which entry.
    pub id: EventId,
    /// When.
    pub at: UnixTime,
    /// What.
    pub kind: EventKind,
    /// Why an application was refused.
    pub cause: Option<RejectionCause>,
    /// How a registration stood that opened no session.
    pub status: Option<Status>,
    /// What became of a configuration.
    pub result: Option<ReportResult>,
    /// Whose key.
    pub key_id: Option<KeyId>,
    /// Whose user id.
    pub user_id: Option<UserId>,
    /// Whose name; of a renaming, the new one.
    pub name: Option<UserName>,
    /// Who was entitled, or which group.
    pub subject: Option<Subject>,
    /// In which application.
    pub application: Option<ApplicationName>,
    /// Which configuration.
    pub serial: Option<ConfigurationSerial>,
}

impl Event {
    pub(super) const fn new(kind: EventKind) -> Self {
        Self {
            id: EventId([0; EventId::LEN]),
            at: UnixTime::from_secs(0),
            kind,
            cause: None,
            status: None,
            result: None,
            key_id: None,
            user_id: None,
            name: None,
            subject: None,
            application: None,
            serial: None,
        }
    }

    pub(super) fn refused(refusal: &RejectionRecord) -> Self {
        Self { cause: Some(refusal.cause), name: refusal.name.clone(), ..Self::new(EventKind::Refused) }
    }

    pub(super) fn named(kind: EventKind, name: &UserName) -> Self {
        Self { name: Some(name.clone()), ..Self::new(kind) }
    }

    pub(super) fn of(kind: EventKind, row: &Row) -> Self {
        Self {
            key_id: Some(row.key_id),
            user_id: Some(row.user_id.clone()),
            name: Some(row.name.clone()),
            ..Self::new(kind)
        }
    }

    /// Writes it down.
    pub(super) async fn log<T: Tables>(self, tables: &mut T, now: UnixTime) -> Result<(), Trouble> {
        let entry = Happened {
            id: id(tables, now),
            at: now,
            kind: self.kind,
            cause: self.cause,
            status: self.status,
            result: self.result,
            key_id: self.key_id,
            user_id: self.user_id,
            name: self.name,
            subject: self.subject,
            application: self.application,
            epoch: self.serial.map(|serial| serial.epoch),
            number: self.serial.map(|serial| serial.number),
        };
        tables.insert(entry).await
    }
}

/// Time, then a number that rises in this process, then chance: the order of the log is that of time,
/// and within a second that of each process.
fn id<T: Tables>(tables: &mut T, now: UnixTime) -> EventId {
    let drawn = tables.draw();
    let (time, tick) = (now.as_secs().to_be_bytes(), tables.tick().to_be_bytes());
    let mut id = [0; EventId::LEN];
    for (to, from) in id.iter_mut().zip(time.iter().skip(2).chain(&tick).chain(&drawn)) {
        *to = *from;
    }
    EventId(id)
}

/// The number in an id.
pub(crate) const fn tick_of(id: EventId) -> u32 {
    let [_, _, _, _, _, _, a, b, c, d, ..] = id.0;
    u32::from_be_bytes([a, b, c, d])
}

impl From<Happened> for Event {
    fn from(entry: Happened) -> Self {
        let serial = entry.epoch.zip(entry.number);
        Self {
            id: entry.id,
            at: entry.at,
            kind: entry.kind,
            cause: entry.cause,
            status: entry.status,
            result: entry.result,
            key_id: entry.key_id,
            user_id: entry.user_id,
            name: entry.name,
            subject: entry.subject,
            application: entry.application,
            serial: serial.map(|(epoch, number)| ConfigurationSerial { epoch, number }),
        }
    }
}
