//! Finding a user's entitlement, and taking reports on it.

use super::find::{get_by_key, upsert};
use crate::id::{AccessPath, ApplicationName, KeyId, UserId};
use crate::message::ConfigurationSerial;
use crate::port::StoreError;
use crate::port::entitlement_store::{Entitlement, EntitlementQuery, Report, ReportResult};
use crate::store::Subject;
use crate::store::entity::{Tables, Versioned};
use crate::store::event::{AuditEvent, AuditEventKind};
use crate::store::operation::{Operation, operation};
use crate::store::rows::{
    CounterRow, EntitlementRow, MembershipChangeRow, MembershipRow, RegistrationRow, RegistrationState,
    ReportRow,
};
use crate::store::tables::{Key, Query, TxError};
use crate::time::UnixTime;
use alloc::string::ToString;

/// Name of the only counter, that of serials.
const SERIAL: &str = "serial";

/// [`crate::port::EntitlementStore::entitlement`].
pub(crate) struct FindEntitlement<'a>(pub(crate) &'a EntitlementQuery);

operation! { FindEntitlement<'_> reads -> Option<Entitlement>, StoreError; |self, tables, _now| {
    let EntitlementQuery { key_id, user_id, access_path, application, .. } = self.0;
    let Some((serial, entitled)) = current(tables, user_id, access_path, application).await? else {
        return Ok(None);
    };
    let reported = reported(tables, key_id, application).await?;
    Ok(Some(Entitlement {
        serial,
        valid_for: entitled.as_ref().and_then(|entitled| entitled.valid_for),
        document: entitled.and_then(|entitled| entitled.row.document()),
        last_applied: reported.and_then(|reported| reported.applied()),
    }))
} }

/// Returns the user's entitlement now, under the serial that it has for this user. For a user who left
/// a group, or lost an entitlement of its own, and has no other, that is a revocation: the token must
/// not keep the old document.
pub(in crate::store) async fn current<T: Tables>(
    tables: &mut T,
    user: &UserId,
    path: &AccessPath,
    application: &ApplicationName,
) -> Result<Option<(ConfigurationSerial, Option<Versioned<EntitlementRow>>)>, TxError> {
    // It is read before what it makes newer, for databases in which that may change in between.
    let moved: Option<Versioned<MembershipChangeRow>> = get_by_key(tables, user).await?;
    let entitled = entitled(tables, user, path, application).await?;
    let numbers = [moved.map(|moved| moved.number), entitled.as_ref().map(|entitled| entitled.number)];
    let Some(number) = numbers.into_iter().max().flatten() else { return Ok(None) };
    let epoch = counter(tables).await?.map_or(0, |counter| counter.epoch);
    Ok(Some((ConfigurationSerial { epoch, number }, entitled)))
}

/// Returns the user's own entitlement; else the newest of the user's groups; else that of the access
/// path.
async fn entitled<T: Tables>(
    tables: &mut T,
    user: &UserId,
    path: &AccessPath,
    application: &ApplicationName,
) -> Result<Option<Versioned<EntitlementRow>>, TxError> {
    let key = |subject: Subject| Key::from([subject.to_string(), application.to_string()]);
    if let Some(own) = tables.get(key(Subject::User(user.clone()))).await? {
        return Ok(Some(own));
    }
    let mut newest: Option<Versioned<EntitlementRow>> = None;
    for member in tables.select::<MembershipRow>(Query::all().is("user_id", user)).await? {
        let of_group: Option<Versioned<EntitlementRow>> =
            tables.get(key(Subject::Group(member.row.group_name))).await?;
        newest = [newest, of_group].into_iter().flatten().max_by_key(|entitled| entitled.number);
    }
    match newest {
        Some(newest) => Ok(Some(newest)),
        None => tables.get(key(Subject::AccessPath(path.clone()))).await,
    }
}

/// [`crate::port::EntitlementStore::report`].
pub(crate) struct TakeReport<'a>(pub(crate) &'a Report);

operation! { TakeReport<'_> writes -> (), StoreError; |self, tables, now| {
    let Report { key_id, application, serial, result } = self.0;
    let row: Option<Versioned<RegistrationRow>> = get_by_key(tables, key_id).await?;
    // Only a registration that has opened a session can report.
    let Some(row) = row.filter(|row| row.state != RegistrationState::Pending) else { return Ok(()) };
    let before = reported(tables, key_id, application).await?;
    // A token may name any application: reports are kept only for those in which it is, or was,
    // entitled.
    if before.is_none() && entitled(tables, &row.user_id, &row.access_path, application).await?.is_none() {
        return Ok(());
    }
    if *result != ReportResult::Applied {
        let event = AuditEvent {
            result: Some(*result),
            application: Some(application.clone()),
            serial: Some(*serial),
            ..AuditEvent::of(AuditEventKind::Reported, &row)
        };
        event.log(tables, now).await?;
    }
    let applied = before.as_ref().and_then(|before| before.applied());
    let applied = if *result == ReportResult::Applied { applied.max(Some(*serial)) } else { applied };
    let row = ReportRow {
        key_id: *key_id,
        application: application.clone(),
        epoch: serial.epoch,
        number: serial.number,
        result: *result,
        applied_epoch: applied.map(|serial| serial.epoch),
        applied_number: applied.map(|serial| serial.number),
        at: now,
    };
    upsert(tables, before, row).await
} }

/// Returns the last report of a key on an application.
pub(in crate::store) async fn reported<T: Tables>(
    tables: &mut T,
    key_id: &KeyId,
    application: &ApplicationName,
) -> Result<Option<Versioned<ReportRow>>, TxError> {
    tables.get([key_id.to_string(), application.to_string()].into()).await
}

impl ReportRow {
    pub(in crate::store) fn applied(&self) -> Option<ConfigurationSerial> {
        let (epoch, number) = self.applied_epoch.zip(self.applied_number)?;
        Some(ConfigurationSerial { epoch, number })
    }
}

/// Returns the last serial that was given; `None` at the beginning.
pub(in crate::store) async fn counter<T: Tables>(
    tables: &mut T,
) -> Result<Option<Versioned<CounterRow>>, TxError> {
    get_by_key(tables, &SERIAL).await
}

/// Gives the next serial. Serials rise over all subjects: a user's own entitlement is newer than that
/// of the access path which it replaces.
pub(in crate::store) async fn next_number<T: Tables>(tables: &mut T) -> Result<ConfigurationSerial, TxError> {
    if let Some(mut counter) = counter(tables).await? {
        counter.number = counter.number.saturating_add(1);
        let serial = ConfigurationSerial { epoch: counter.epoch, number: counter.number };
        tables.update(&mut counter).await?;
        return Ok(serial);
    }
    let serial = ConfigurationSerial { epoch: 0, number: 1 };
    tables.insert(CounterRow { name: SERIAL.into(), epoch: 0, number: 1 }).await?;
    Ok(serial)
}

/// Gives a serial to a change of a user's groups or access path. The user may fall back to a document
/// that was set long ago, and no token must take that for a rollback.
pub(in crate::store) async fn moved<T: Tables>(tables: &mut T, user_id: &UserId) -> Result<(), TxError> {
    let number = next_number(tables).await?.number;
    let before = get_by_key(tables, user_id).await?;
    upsert(tables, before, MembershipChangeRow { user_id: user_id.clone(), number }).await
}

/// Begins a new epoch.
pub(in crate::store) async fn next_epoch<T: Tables>(tables: &mut T) -> Result<u32, TxError> {
    let Some(mut counter) = counter(tables).await? else {
        tables.insert(CounterRow { name: SERIAL.into(), epoch: 1, number: 0 }).await?;
        return Ok(1);
    };
    counter.epoch = counter.epoch.saturating_add(1);
    tables.update(&mut counter).await?;
    Ok(counter.epoch)
}
