//! Storing an outcome.

use super::find::get_by_key;
use super::room::{self, Crowd};
use crate::id::TicketId;
use crate::port::StoreError;
use crate::port::entitlement_store::Committed;
use crate::record::{Effect, NewOutcome, NewRegistration};
use crate::store::entity::{Tables, Versioned};
use crate::store::event::{AuditEvent, AuditEventKind};
use crate::store::operation::{Operation, operation, tidy};
use crate::store::rows::{AliasRow, OutcomeRow, RegistrationRow, RequestRow};
use crate::store::tables::TxError;
use crate::time::UnixTime;

/// [`crate::port::EntitlementStore::commit`], and how many expired rows of each kind are removed with
/// it: what comes with outcomes goes with them.
pub(crate) struct Commit<'a>(pub(crate) &'a NewOutcome, pub(crate) usize);

operation! { Commit<'_> writes -> Committed, StoreError; |self, tables, now| {
    let NewOutcome { request, response, keep_until, effect, limits } = self.0;
    if let Some(stored) = get_by_key::<OutcomeRow, _>(tables, request).await? {
        if now <= stored.keep_until {
            return Ok(Committed::Existing(stored.row.response));
        }
        tables.delete(&stored).await?;
    }
    let event = match effect {
        Effect::Refused(refusal) => {
            if let Some(ticket_id) = &refusal.ticket {
                take(tables, ticket_id).await?;
            }
            Some(AuditEvent::refused(refusal))
        }
        Effect::Granted(new) => Some(grant(tables, new, self.0, now).await?),
        Effect::Waiting { application, instead_of } => {
            let mut row = RequestRow::new(application, now);
            // The ticket is there only where the same request came again after its time.
            let mut before = take(tables, &application.ticket_id).await?;
            if let Some(ticket_id) = instead_of {
                before = take(tables, ticket_id).await?.or(before);
            }
            let event = match before.filter(|before| now <= before.hold_until) {
                Some(before) => {
                    row.go_on(before);
                    None
                }
                None => Some(AuditEvent::named(AuditEventKind::Waiting, &application.name)),
            };
            if row.answer.is_none() {
                let crowd = row.takes().is_none().then(|| Crowd::draw(tables, *limits));
                row.crowd = crowd.as_ref().map(Crowd::name);
                room::for_request(tables, &row, crowd, *limits).await?;
            }
            tables.insert(row).await?;
            event
        }
    };
    tables.insert(OutcomeRow { request: *request, response: response.clone(), keep_until: *keep_until }).await?;
    if let Some(event) = event {
        event.log(tables, now).await?;
    }
    if self.1 > 0 {
        tidy(tables, self.1, now).await?;
    }
    Ok(Committed::Stored)
} }

/// Removes the application that waits with a ticket, and returns it.
async fn take<T: Tables>(tables: &mut T, ticket_id: &TicketId) -> Result<Option<RequestRow>, TxError> {
    let Some(waiter) = get_by_key::<RequestRow, _>(tables, ticket_id).await? else { return Ok(None) };
    tables.delete(&waiter).await?;
    Ok(Some(waiter.row))
}

async fn grant<T: Tables>(
    tables: &mut T,
    new: &NewRegistration,
    outcome: &NewOutcome,
    now: UnixTime,
) -> Result<AuditEvent, TxError> {
    // Only a broken random source gives two keys one ID: no key is better than another's.
    let key: Option<Versioned<RegistrationRow>> = get_by_key(tables, &new.registered.key_id).await?;
    let alias: Option<Versioned<AliasRow>> = get_by_key(tables, &new.alias).await?;
    if key.is_some() || alias.is_some() {
        return Err(StoreError::Damaged.into());
    }
    let mut row = RegistrationRow::granted(new, outcome.request, now);
    let crowd = row.is_open().then(|| Crowd::draw(tables, outcome.limits));
    row.crowd = crowd.as_ref().map(Crowd::name);
    room::for_registration(tables, &row, crowd, outcome.limits, now).await?;
    let (key_id, event) = (row.key_id, AuditEvent::of(AuditEventKind::Granted, &row));
    tables.insert(row).await?;
    tables
        .insert(AliasRow {
            alias: new.alias,
            key_id,
            number: 0,
            issued_by: None,
            used: false,
            issued_at: Some(now),
        })
        .await?;
    Ok(event)
}
