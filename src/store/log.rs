//! Writing the log.

use super::entity::Tables;
use super::event::{AuditEvent, AuditEventKind};
use super::rows::{EventRow, RegistrationRow};
use super::tables::TxError;
use crate::id::{EventId, UserName};
use crate::message::ConfigurationSerial;
use crate::record::RejectionRecord;
use crate::time::UnixTime;

impl AuditEvent {
    pub(super) const fn new(kind: AuditEventKind) -> Self {
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
        Self { cause: Some(refusal.cause), name: refusal.name.clone(), ..Self::new(AuditEventKind::Refused) }
    }

    pub(super) fn named(kind: AuditEventKind, name: &UserName) -> Self {
        Self { name: Some(name.clone()), ..Self::new(kind) }
    }

    pub(super) fn of(kind: AuditEventKind, row: &RegistrationRow) -> Self {
        Self {
            key_id: Some(row.key_id),
            user_id: Some(row.user_id.clone()),
            name: Some(row.name.clone()),
            ..Self::new(kind)
        }
    }

    /// Writes the event into the log.
    pub(super) async fn log<T: Tables>(self, tables: &mut T, now: UnixTime) -> Result<(), TxError> {
        let entry = EventRow {
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

/// Makes an id of the time, a number that rises in this process, and random bytes: the log is in the
/// order of time, and within a second in the order of each process.
fn id<T: Tables>(tables: &mut T, now: UnixTime) -> EventId {
    let drawn = tables.draw();
    let (time, tick) = (now.as_secs().to_be_bytes(), tables.tick().to_be_bytes());
    let mut id = [0; EventId::LEN];
    for (to, from) in id.iter_mut().zip(time.iter().skip(2).chain(&tick).chain(&drawn)) {
        *to = *from;
    }
    EventId(id)
}

/// Returns the number in an id.
pub(crate) const fn tick_of(id: EventId) -> u32 {
    let [_, _, _, _, _, _, a, b, c, d, ..] = id.0;
    u32::from_be_bytes([a, b, c, d])
}

impl From<EventRow> for AuditEvent {
    fn from(entry: EventRow) -> Self {
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
