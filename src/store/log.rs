//! Writing the log.

use super::entity::Tables;
use super::event::{AuditEvent, AuditEventKind};
use super::rows::{EventRow, RegistrationRow};
use super::tables::{Query, TxError};
use crate::id::{EventId, UserName};
use crate::message::ConfigurationSerial;
use crate::record::RejectionRecord;
use crate::time::UnixTime;
use alloc::vec::Vec;

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
            condition: None,
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

    /// Makes an id of the time, a number that rises in this process, and random bytes. It is greater than those
    /// of all earlier events of the same key, name and subject, or about storage keys, also where another process wrote them in the same
    /// second, or by a clock that is ahead: what follows from an event comes after it in the log. Where transactions
    /// write one at a time, it is greater than those of all earlier events.
    async fn place<T: Tables>(&self, tables: &mut T, now: UnixTime) -> Result<EventId, TxError> {
        let mut last = None;
        let alike = [
            self.key_id.as_ref().map(|key_id| Query::all().is("key_id", key_id)),
            self.name.as_ref().map(|name| Query::all().is("name", name)),
            self.subject.as_ref().map(|subject| Query::all().is("subject", subject)),
        ];
        let queries = match self.kind {
            _ if tables.is_alone() => alloc::vec![Query::all()],
            // Anybody can cause a refusal, which follows from nothing: it meets no other transaction here.
            AuditEventKind::Refused => Vec::new(),
            AuditEventKind::StorageKeyAnnounced | AuditEventKind::StorageKeyLacking => {
                ASKED.iter().map(|kind| Query::all().is("kind", kind)).collect()
            }
            _ => alike.into_iter().flatten().collect(),
        };
        for query in queries {
            last = last.max(newest(tables, query).await?);
        }
        let seconds = last.map_or(0, seconds_of).max(now.as_secs());
        let least = last.filter(|last| seconds_of(*last) == seconds);
        let tick = tables.tick(least.map_or(0, |last| tick_of(last).saturating_add(1)));
        let (time, tick, drawn) = (seconds.to_be_bytes(), tick.to_be_bytes(), tables.draw());
        let mut id = [0; EventId::LEN];
        for (to, from) in id.iter_mut().zip(time.iter().skip(2).chain(&tick).chain(&drawn)) {
            *to = *from;
        }
        Ok(EventId(id))
    }

    fn row(self, at: UnixTime) -> EventRow {
        EventRow {
            id: self.id,
            at,
            kind: self.kind,
            cause: self.cause,
            status: self.status,
            result: self.result,
            key_id: self.key_id,
            user_id: self.user_id,
            name: self.name,
            subject: self.subject,
            application: self.application,
            condition: self.condition,
            epoch: self.serial.map(|serial| serial.epoch),
            number: self.serial.map(|serial| serial.number),
        }
    }

    /// Writes the event into the log.
    pub(super) async fn log<T: Tables>(self, tables: &mut T, now: UnixTime) -> Result<(), TxError> {
        let entry = EventRow { id: self.place(tables, now).await?, ..self.row(now) };
        tables.insert(entry).await?;
        say_lacking(tables, now).await
    }
}

/// Events of asking who lacks a storage key: each comes after those before it in the log.
const ASKED: [AuditEventKind; 2] = [AuditEventKind::StorageKeyAnnounced, AuditEventKind::StorageKeyLacking];

/// Returns the newest event of those that a query is for.
async fn newest<T: Tables>(tables: &mut T, query: Query) -> Result<Option<EventId>, TxError> {
    let keys = tables.keys::<EventRow>(Query { backwards: true, ..query }.at_most(1)).await?;
    Ok(keys.first().and_then(|key| key.parts().first()?.parse().ok()))
}

/// Says once for each announcement that this process does not hold the storage key that is announced. Called at
/// the end of a transaction that has written.
pub(super) async fn say_lacking<T: Tables>(tables: &mut T, now: UnixTime) -> Result<(), TxError> {
    if !tables.lacks_announced() || is_lacking(tables).await? {
        return Ok(());
    }
    let event = AuditEvent::new(AuditEventKind::StorageKeyLacking);
    let entry = EventRow { id: event.place(tables, now).await?, ..event.row(now) };
    tables.insert(entry).await
}

/// Tells whether a process has said since the last announcement that it lacks the storage key: by their order in the
/// log, since clocks of servers may be wrong.
pub(super) async fn is_lacking<T: Tables>(tables: &mut T) -> Result<bool, TxError> {
    let [announced, said] = ASKED.map(|kind| Query::all().is("kind", &kind));
    let announced = newest(tables, announced).await?;
    Ok(newest(tables, said).await?.is_some_and(|said| announced.is_none_or(|announced| announced < said)))
}

/// Returns the time in an id, in seconds.
const fn seconds_of(id: EventId) -> u64 {
    let [a, b, c, d, e, f, ..] = id.0;
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
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
            condition: entry.condition,
            serial: serial.map(|(epoch, number)| ConfigurationSerial { epoch, number }),
        }
    }
}
