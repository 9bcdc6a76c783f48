//! Confirming pending registrations, of which one wins each claim.

use super::find::{delete_where, get_by_key};
use super::serial::moved;
use crate::id::{CodeId, KeyId};
use crate::port::StoreError;
use crate::port::entitlement_store::Confirmed;
use crate::store::UniqueNames;
use crate::store::entity::{Tables, Versioned};
use crate::store::event::{AuditEvent, AuditEventKind};
use crate::store::operation::{Operation, operation};
use crate::store::rows::{
    AliasRow, CodeRow, DeliveryRow, NameRow, OutcomeRow, RegistrationRow, RegistrationState, ReportRow,
    RequestRow,
};
use crate::store::tables::{Query, TxError};
use crate::time::UnixTime;
use alloc::string::ToString;
use alloc::vec::Vec;

/// Seconds for which a lost registration is kept, so that its token can be told: 30 days.
const LOST_KEPT: u64 = 30 * 86_400;

/// [`crate::port::EntitlementStore::confirm`].
pub(crate) struct Confirm<'a>(pub(crate) &'a KeyId);

operation! { Confirm<'_> writes -> Confirmed, StoreError; |self, tables, now| {
    match get_by_key::<RegistrationRow, _>(tables, self.0).await? {
        Some(mut row) => confirm(tables, &mut row, now).await,
        None => Ok(Confirmed::Lost),
    }
} }

/// Settles a pending registration, as active or lost; returns how any other was settled.
pub(super) async fn confirm<T: Tables>(
    tables: &mut T,
    row: &mut Versioned<RegistrationRow>,
    now: UnixTime,
) -> Result<Confirmed, TxError> {
    match row.state {
        RegistrationState::Active | RegistrationState::Suspended | RegistrationState::Superseded => {
            Ok(Confirmed::Active)
        }
        RegistrationState::Lost | RegistrationState::Revoked => Ok(Confirmed::Lost),
        RegistrationState::Pending => {
            let in_time = row.confirm_by.is_some_and(|confirm_by| now <= confirm_by);
            if in_time && may_win(tables, row, now).await? {
                win(tables, row, now).await?;
                Ok(Confirmed::Active)
            } else {
                lose(tables, row, now).await?;
                Ok(Confirmed::Lost)
            }
        }
    }
}

/// Tells whether everything that a pending registration claims can still be had.
async fn may_win<T: Tables>(tables: &mut T, row: &RegistrationRow, now: UnixTime) -> Result<bool, TxError> {
    let code: Option<Versioned<CodeRow>> = get_by_key(tables, &row.name).await?;
    let proof_good = match (row.code, row.renews) {
        (Some(id), _) => code.is_some_and(|code| code.id == id),
        (None, Some(earlier)) => get_by_key::<RegistrationRow, _>(tables, &earlier)
            .await?
            .is_some_and(|earlier| row.may_renew(&earlier)),
        // A name for which a user was invited is not for the first who comes.
        (None, None) => row.ticket.is_some() || code.is_none_or(|code| code.is_over(now)),
    };
    if !proof_good {
        return Ok(false);
    }
    let Some(holder) = get_by_key::<NameRow, _>(tables, &row.name).await? else { return Ok(true) };
    Ok(row.renews.is_some() && (holder.user_id == row.user_id || !takes_name(tables, row).await?))
}

/// Tells whether a registration, once active, holds its name against others.
async fn takes_name<T: Tables>(tables: &mut T, row: &RegistrationRow) -> Result<bool, TxError> {
    let earlier = match (tables.unique(), row.renews) {
        (UniqueNames::Always, _) => return Ok(true),
        (UniqueNames::Proven, None) => return Ok(!row.is_open()),
        (UniqueNames::Proven, Some(earlier)) => earlier,
    };
    let Some(earlier) = get_by_key::<RegistrationRow, _>(tables, &earlier).await? else { return Ok(false) };
    let holder: Option<Versioned<NameRow>> = get_by_key(tables, &earlier.name).await?;
    Ok(holder.is_some_and(|holder| holder.user_id == earlier.user_id))
}

async fn win<T: Tables>(
    tables: &mut T,
    row: &mut Versioned<RegistrationRow>,
    now: UnixTime,
) -> Result<(), TxError> {
    // Claims that only one can have come first. Where rows are locked one by one, rivals wait for each
    // other here, and hold nothing yet that the winner needs. Every claim is judged again as it is
    // taken, for databases in which another transaction may have changed it in between.
    let mut earlier: Option<Versioned<RegistrationRow>> = None;
    if let Some(key_id) = row.renews {
        earlier = get_by_key(tables, &key_id).await?;
        if !earlier.as_ref().is_some_and(|earlier| row.may_renew(earlier)) {
            return Err(TxError::Conflict);
        }
    }
    if let Some(earlier) = &mut earlier {
        settle(tables, earlier, RegistrationState::Superseded).await?;
    }
    if takes_name(tables, row).await? {
        match get_by_key::<NameRow, _>(tables, &row.name).await? {
            None => {
                let (name, user_id) = (row.name.clone(), row.user_id.clone());
                tables.insert(NameRow { name, user_id }).await?;
            }
            Some(holder) if row.renews.is_some() && holder.user_id == row.user_id => {}
            Some(_) => return Err(TxError::Conflict),
        }
    }
    row.confirmed_at = Some(now);
    settle(tables, row, RegistrationState::Active).await?;
    AuditEvent::of(AuditEventKind::Confirmed, row).log(tables, now).await?;
    let code: Option<Versioned<CodeRow>> = get_by_key(tables, &row.name).await?;
    match code {
        // The code is used up; or it has expired, and is of no use for a name that is taken.
        Some(code) if row.code == Some(code.id) || code.is_over(now) => withdraw(tables, &code).await?,
        _ if row.code.is_some() => return Err(TxError::Conflict),
        _ => {}
    }
    if let Some(ticket_id) = row.ticket
        && let Some(waiter) = get_by_key::<RequestRow, _>(tables, &ticket_id).await?
    {
        tables.delete(&waiter).await?;
    }
    if let Some(earlier) = earlier {
        AuditEvent::of(AuditEventKind::Superseded, &earlier).log(tables, now).await?;
        inherit(tables, &earlier.key_id, &row.key_id).await?;
        if earlier.access_path != row.access_path {
            moved(tables, &row.user_id).await?;
        }
    }
    for rival in rivals(tables, row).await? {
        let mut rival = rival;
        let same_ticket = rival.ticket.is_some() && rival.ticket == row.ticket;
        if same_ticket || !may_win(tables, &rival, now).await? {
            lose(tables, &mut rival, now).await?;
        }
    }
    Ok(())
}

/// Returns the pending registrations that share a claim with `row`.
async fn rivals<T: Tables>(
    tables: &mut T,
    row: &RegistrationRow,
) -> Result<Vec<Versioned<RegistrationRow>>, TxError> {
    let mut queries = alloc::vec![Query::all().is("name", &row.name)];
    queries.extend(row.code.map(|code| Query::all().is("code", &code)));
    queries.extend(row.renews.map(|earlier| Query::all().is("renews", &earlier)));
    queries.extend(row.ticket.map(|ticket_id| Query::all().is("ticket", &ticket_id)));
    let mut rivals: Vec<Versioned<RegistrationRow>> = Vec::new();
    for query in queries {
        rivals.extend(tables.select(query.pending()).await?);
    }
    rivals.sort_by_key(|rival| rival.key_id);
    rivals.dedup_by_key(|rival| rival.key_id);
    Ok(rivals)
}

/// Moves the reports of a renewed key, and what it was given, to the key that renews it.
async fn inherit<T: Tables>(tables: &mut T, from: &KeyId, to: &KeyId) -> Result<(), TxError> {
    for report in tables.select::<ReportRow>(Query::all().is("key_id", from)).await? {
        tables.delete(&report).await?;
        tables.insert(ReportRow { key_id: *to, ..report.row }).await?;
    }
    for delivery in tables.select::<DeliveryRow>(Query::all().is("key_id", from)).await? {
        tables.delete(&delivery).await?;
        tables.insert(DeliveryRow { key_id: *to, ..delivery.row }).await?;
    }
    Ok(())
}

/// Sets the state of a registration, which is pending no longer.
pub(in crate::store) async fn settle<T: Tables>(
    tables: &mut T,
    row: &mut Versioned<RegistrationRow>,
    state: RegistrationState,
) -> Result<(), TxError> {
    (row.state, row.confirm_by, row.crowd) = (state, None, None);
    tables.update(row).await
}

pub(in crate::store) async fn lose<T: Tables>(
    tables: &mut T,
    row: &mut Versioned<RegistrationRow>,
    now: UnixTime,
) -> Result<(), TxError> {
    lose_until(tables, row, now.after(LOST_KEPT), now).await
}

/// Loses a registration, which is kept until `forget_at`.
pub(super) async fn lose_until<T: Tables>(
    tables: &mut T,
    row: &mut Versioned<RegistrationRow>,
    forget_at: UnixTime,
    now: UnixTime,
) -> Result<(), TxError> {
    row.forget_at = Some(forget_at);
    settle(tables, row, RegistrationState::Lost).await?;
    AuditEvent::of(AuditEventKind::Lost, row).log(tables, now).await
}

/// Removes an activation code, used or withdrawn, and the requests that wait with it as their proof.
pub(in crate::store) async fn withdraw<T: Tables>(
    tables: &mut T,
    code: &Versioned<CodeRow>,
) -> Result<(), TxError> {
    let id: CodeId = code.id;
    for waiter in tables.select::<RequestRow>(Query::all().is("name", &code.name)).await? {
        if waiter.code == Some(id) {
            tables.delete(&waiter).await?;
        }
    }
    tables.delete(code).await
}

/// Removes a registration and everything that belongs to it; its name stays taken.
pub(in crate::store) async fn forget<T: Tables>(
    tables: &mut T,
    row: &Versioned<RegistrationRow>,
) -> Result<(), TxError> {
    delete_where::<AliasRow, _>(tables, Query::all().is("key_id", &row.key_id)).await?;
    delete_where::<ReportRow, _>(tables, Query::all().is("key_id", &row.key_id)).await?;
    delete_where::<DeliveryRow, _>(tables, Query::all().is("key_id", &row.key_id)).await?;
    drop_outcome(tables, row).await?;
    tables.delete(row).await
}

/// Removes the stored R3 of a registration.
pub(super) async fn drop_outcome<T: Tables>(tables: &mut T, row: &RegistrationRow) -> Result<(), TxError> {
    match row.request {
        Some(request) => tables.delete_by_key::<OutcomeRow>([request.to_string()].into()).await,
        None => Ok(()),
    }
}
