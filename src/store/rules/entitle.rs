//! What a user is entitled to, and what became of it.

use super::find::{by, put};
use crate::id::{AccessPath, ApplicationName, KeyId, UserId};
use crate::message::ConfigurationSerial;
use crate::port::StoreError;
use crate::port::entitlement_store::{Entitlement, EntitlementQuery, Report, ReportResult};
use crate::store::Subject;
use crate::store::entity::{Held, Query, Tables, Trouble};
use crate::store::event::{Event, EventKind};
use crate::store::operation::{Operation, operation};
use crate::store::rows::{Counter, Entitled, Member, Moved, Reported, Row, State};
use crate::time::UnixTime;
use alloc::string::ToString;
use alloc::vec;

/// The name of the one counter, of serials.
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

/// What the user is entitled to now, under the serial that it has for this user. Of whoever left a
/// group, or has lost what was theirs alone, the store knows that much: where nothing else holds, that is
/// nothing any more, and no reason to keep what was given.
pub(in crate::store) async fn current<T: Tables>(
    tables: &mut T,
    user: &UserId,
    path: &AccessPath,
    application: &ApplicationName,
) -> Result<Option<(ConfigurationSerial, Option<Held<Entitled>>)>, Trouble> {
    // Before what it makes newer, for databases in which it may change in between.
    let moved: Option<Held<Moved>> = by(tables, user).await?;
    let entitled = entitled(tables, user, path, application).await?;
    let numbers = [moved.map(|moved| moved.number), entitled.as_ref().map(|entitled| entitled.number)];
    let Some(number) = numbers.into_iter().max().flatten() else { return Ok(None) };
    let epoch = counter(tables).await?.map_or(0, |counter| counter.epoch);
    Ok(Some((ConfigurationSerial { epoch, number }, entitled)))
}

/// What the user is entitled to: as that user; else as a member of a group, whose newest counts; else
/// by the access path.
async fn entitled<T: Tables>(
    tables: &mut T,
    user: &UserId,
    path: &AccessPath,
    application: &ApplicationName,
) -> Result<Option<Held<Entitled>>, Trouble> {
    let key = |subject: Subject| vec![subject.to_string(), application.to_string()];
    if let Some(own) = tables.get(key(Subject::User(user.clone()))).await? {
        return Ok(Some(own));
    }
    let mut newest: Option<Held<Entitled>> = None;
    for member in tables.select::<Member>(Query::all().is("user_id", user)).await? {
        let of_group: Option<Held<Entitled>> = tables.get(key(Subject::Group(member.row.group_name))).await?;
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
    let row: Option<Held<Row>> = by(tables, key_id).await?;
    // Only who has opened a session can report.
    let Some(row) = row.filter(|row| row.state != State::Pending) else { return Ok(()) };
    let before = reported(tables, key_id, application).await?;
    // A token may name any application; only those are remembered that it is, or was, entitled in.
    if before.is_none() && entitled(tables, &row.user_id, &row.access_path, application).await?.is_none() {
        return Ok(());
    }
    if *result != ReportResult::Applied {
        let event = Event {
            result: Some(*result),
            application: Some(application.clone()),
            serial: Some(*serial),
            ..Event::of(EventKind::Reported, &row)
        };
        event.log(tables, now).await?;
    }
    let applied = before.as_ref().and_then(|before| before.applied());
    let applied = if *result == ReportResult::Applied { applied.max(Some(*serial)) } else { applied };
    let row = Reported {
        key_id: *key_id,
        application: application.clone(),
        epoch: serial.epoch,
        number: serial.number,
        result: *result,
        applied_epoch: applied.map(|serial| serial.epoch),
        applied_number: applied.map(|serial| serial.number),
        at: now,
    };
    put(tables, before, row).await
} }

/// The last report of a key on an application.
pub(in crate::store) async fn reported<T: Tables>(
    tables: &mut T,
    key_id: &KeyId,
    application: &ApplicationName,
) -> Result<Option<Held<Reported>>, Trouble> {
    tables.get(vec![key_id.to_string(), application.to_string()]).await
}

impl Reported {
    pub(in crate::store) fn applied(&self) -> Option<ConfigurationSerial> {
        let (epoch, number) = self.applied_epoch.zip(self.applied_number)?;
        Some(ConfigurationSerial { epoch, number })
    }
}

/// The last serial that was given; none at the beginning.
pub(in crate::store) async fn counter<T: Tables>(tables: &mut T) -> Result<Option<Held<Counter>>, Trouble> {
    by(tables, &SERIAL).await
}

/// The next serial. Serials rise over all subjects: a user's own entitlement is newer than the access
/// path's that it replaces.
pub(in crate::store) async fn next_number<T: Tables>(tables: &mut T) -> Result<ConfigurationSerial, Trouble> {
    if let Some(mut counter) = counter(tables).await? {
        counter.number = counter.number.saturating_add(1);
        let serial = ConfigurationSerial { epoch: counter.epoch, number: counter.number };
        tables.update(&mut counter).await?;
        return Ok(serial);
    }
    let serial = ConfigurationSerial { epoch: 0, number: 1 };
    tables.insert(Counter { name: SERIAL.into(), epoch: 0, number: 1 }).await?;
    Ok(serial)
}

/// What the user is entitled to may be what was set long ago from now on: the change itself is given a
/// serial, so that no token takes it for a rollback.
pub(in crate::store) async fn moved<T: Tables>(tables: &mut T, user_id: &UserId) -> Result<(), Trouble> {
    let number = next_number(tables).await?.number;
    let before = by(tables, user_id).await?;
    put(tables, before, Moved { user_id: user_id.clone(), number }).await
}

/// Begins a new epoch.
pub(in crate::store) async fn next_epoch<T: Tables>(tables: &mut T) -> Result<u32, Trouble> {
    let Some(mut counter) = counter(tables).await? else {
        tables.insert(Counter { name: SERIAL.into(), epoch: 1, number: 0 }).await?;
        return Ok(1);
    };
    counter.epoch = counter.epoch.saturating_add(1);
    tables.update(&mut counter).await?;
    Ok(counter.epoch)
}
