//! Finding a user's entitlement and the serial that it has for a key, and taking reports on it.

use super::choose::choose;
use super::find::{get_by_key, upsert};
use super::serial::{last_serial, next_number};
use crate::configuration::UserInformation;
use crate::id::{AccessPath, ApplicationName, KeyId, UserId};
use crate::message::ConfigurationSerial;
use crate::port::StoreError;
use crate::port::entitlement_store::{Entitlement, EntitlementQuery, Report, ReportResult};
use crate::store::entity::{Tables, Versioned};
use crate::store::event::{AuditEvent, AuditEventKind};
use crate::store::operation::{Operation, operation};
use crate::store::rows::{
    DeliveryRow, EntitlementRow, MembershipChangeRow, RegistrationRow, RegistrationState, ReportRow,
};
use crate::store::tables::TxError;
use crate::time::UnixTime;
use alloc::string::ToString;

/// [`crate::port::EntitlementStore::entitlement`], as long as nothing has to be written.
pub(crate) struct FindEntitlement<'a>(pub(crate) &'a EntitlementQuery);

/// Answer of [`FindEntitlement`].
pub(crate) enum FoundEntitlement {
    /// It is this one.
    Known(Option<Entitlement>),
    /// It is another one than this key was last given, and gets its serial by [`GiveEntitlement`].
    Changed,
}

operation! { FindEntitlement<'_> reads -> FoundEntitlement, StoreError; |self, tables, _now| {
    let Some(standing) = asked(tables, self.0).await? else { return Ok(FoundEntitlement::Known(None)) };
    let Some(serial) = standing.serial else { return Ok(FoundEntitlement::Changed) };
    Ok(FoundEntitlement::Known(Some(answer(tables, self.0, serial, standing.entitled).await?)))
} }

/// [`crate::port::EntitlementStore::entitlement`], which gives the next serial and remembers it where
/// this is another entitlement than the key was last given.
pub(crate) struct GiveEntitlement<'a>(pub(crate) &'a EntitlementQuery);

operation! { GiveEntitlement<'_> writes -> Option<Entitlement>, StoreError; |self, tables, _now| {
    let Some(Standing { entitled, serial, given }) = asked(tables, self.0).await? else { return Ok(None) };
    let serial = match serial {
        Some(serial) => serial,
        None => {
            let serial = next_number(tables).await?;
            let row = DeliveryRow {
                key_id: self.0.key_id,
                application: self.0.application.clone(),
                condition: entitled.as_ref().map(|entitled| entitled.condition.clone()),
                entitled: entitled.as_ref().map(|entitled| entitled.number),
                number: serial.number,
            };
            upsert(tables, given, row).await?;
            serial
        }
    };
    Ok(Some(answer(tables, self.0, serial, entitled).await?))
} }

/// Returns how the key of a query stands. A serial is not good for a token that holds a later one, which
/// another key of its user was given.
async fn asked<T: Tables>(tables: &mut T, query: &EntitlementQuery) -> Result<Option<Standing>, TxError> {
    let EntitlementQuery { key_id, user_id, access_path, application, information, held } = query;
    let given = given(tables, key_id, application).await?;
    let mut standing = stand(tables, given, user_id, access_path, application, information).await?;
    if let Some(standing) = standing.as_mut().filter(|standing| standing.given.is_some())
        && *held > standing.serial
        // What was never given is held by a token that outlived a backup of the store, or lies.
        && *held <= Some(last_serial(tables).await?)
    {
        standing.serial = None;
    }
    Ok(standing)
}

async fn answer<T: Tables>(
    tables: &mut T,
    query: &EntitlementQuery,
    serial: ConfigurationSerial,
    entitled: Option<Versioned<EntitlementRow>>,
) -> Result<Entitlement, TxError> {
    let reported = reported(tables, &query.key_id, &query.application).await?;
    Ok(Entitlement {
        serial,
        valid_for: entitled.as_ref().and_then(|entitled| entitled.valid_for),
        document: entitled.and_then(|entitled| entitled.row.document()),
        last_applied: reported.and_then(|reported| reported.applied()),
    })
}

/// How a key stands in an application of which something is known for its user.
pub(in crate::store) struct Standing {
    /// Entitlement that counts; `None` for a user who has none any more, or none for what the client says.
    /// That is a revocation: the token must not keep the old document.
    pub(in crate::store) entitled: Option<Versioned<EntitlementRow>>,
    /// Serial of that; `None` where it is another one than the key was last given, and gets the next.
    pub(in crate::store) serial: Option<ConfigurationSerial>,
    /// Entitlement that the key was last given, where this is remembered.
    pub(in crate::store) given: Option<Versioned<DeliveryRow>>,
}

async fn stand<T: Tables>(
    tables: &mut T,
    given: Option<Versioned<DeliveryRow>>,
    user: &UserId,
    path: &AccessPath,
    application: &ApplicationName,
    said: &UserInformation,
) -> Result<Option<Standing>, TxError> {
    // It is read before what it makes newer, for databases in which that may change in between.
    let moved: Option<Versioned<MembershipChangeRow>> = get_by_key(tables, user).await?;
    let choice = choose(tables, user, path, application, said).await?;
    let entitled = choice.entitled;
    let number = entitled.as_ref().map(|entitled| entitled.number);
    let number = match &given {
        // A user who comes back to an old document must not look like a server that was set back.
        Some(given) => (given.entitled == number).then_some(given.number),
        None if choice.varies && entitled.is_some() => None,
        None => match number.max(moved.map(|moved| moved.number)) {
            None => return Ok(None),
            number => number,
        },
    };
    let epoch = last_serial(tables).await?.epoch;
    let serial = number.map(|number| ConfigurationSerial { epoch, number });
    Ok(Some(Standing { entitled, serial, given }))
}

/// Returns how a registration stands where its client last said to be, as far as that chose its
/// entitlement.
pub(in crate::store) async fn standing<T: Tables>(
    tables: &mut T,
    row: &RegistrationRow,
    application: &ApplicationName,
) -> Result<Option<Standing>, TxError> {
    let given = given(tables, &row.key_id, application).await?;
    let last = given.as_ref().and_then(|given| given.condition.clone()).unwrap_or_default();
    stand(tables, given, &row.user_id, &row.access_path, application, last.information()).await
}

async fn given<T: Tables>(
    tables: &mut T,
    key_id: &KeyId,
    application: &ApplicationName,
) -> Result<Option<Versioned<DeliveryRow>>, TxError> {
    tables.get([key_id.to_string(), application.to_string()].into()).await
}

impl Standing {
    /// Returns the serial, or the next one that there will be.
    pub(in crate::store) async fn current<T: Tables>(
        &self,
        tables: &mut T,
    ) -> Result<ConfigurationSerial, TxError> {
        if let Some(serial) = self.serial {
            return Ok(serial);
        }
        let last = last_serial(tables).await?;
        Ok(ConfigurationSerial { number: last.number.saturating_add(1), ..last })
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
    if before.is_none() && !is_or_was_entitled(tables, &row, application).await? {
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

async fn is_or_was_entitled<T: Tables>(
    tables: &mut T,
    row: &RegistrationRow,
    application: &ApplicationName,
) -> Result<bool, TxError> {
    let standing = standing(tables, row, application).await?;
    Ok(standing.is_some_and(|standing| standing.entitled.is_some() || standing.given.is_some()))
}

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
