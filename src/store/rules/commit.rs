//! An outcome becomes durable.

use super::find::by;
use crate::port::StoreError;
use crate::port::entitlement_store::Committed;
use crate::record::{Effect, NewOutcome, NewRegistration};
use crate::store::entity::{Held, Tables, Trouble};
use crate::store::event::{Event, EventKind};
use crate::store::operation::{Operation, operation, purge};
use crate::store::rows::{Answer, Handed, Row, Waiter};
use crate::time::UnixTime;

/// [`crate::port::EntitlementStore::commit`]. With it go so many rows of each kind that have expired:
/// what comes with outcomes goes with them.
pub(crate) struct Commit<'a>(pub(crate) &'a NewOutcome, pub(crate) usize);

operation! { Commit<'_> writes -> Committed, StoreError; |self, tables, now| {
    let NewOutcome { request, response, keep_until, effect } = self.0;
    if let Some(stored) = by::<Answer, _>(tables, request).await? {
        if now <= stored.keep_until {
            return Ok(Committed::Existing(stored.row.response));
        }
        tables.delete(&stored).await?;
    }
    let event = match effect {
        Effect::Refused(refusal) => Event::refused(refusal),
        Effect::Granted(new) => grant(tables, new, self.0, now).await?,
        Effect::Waiting { application, instead_of } => {
            if let Some(ticket_id) = instead_of
                && let Some(waiter) = by::<Waiter, _>(tables, ticket_id).await?
            {
                tables.delete(&waiter).await?;
            }
            // The same ticket only where the same request came again after its time.
            if let Some(waiter) = by::<Waiter, _>(tables, &application.ticket_id).await? {
                tables.delete(&waiter).await?;
            }
            tables.insert(Waiter::new(application, now)).await?;
            Event::named(EventKind::Waiting, &application.name)
        }
    };
    tables.insert(Answer { request: *request, response: response.clone(), keep_until: *keep_until }).await?;
    event.log(tables, now).await?;
    if self.1 > 0 {
        purge(tables, self.1, now).await?;
    }
    Ok(Committed::Stored)
} }

async fn grant<T: Tables>(
    tables: &mut T,
    new: &NewRegistration,
    outcome: &NewOutcome,
    now: UnixTime,
) -> Result<Event, Trouble> {
    // Only a broken random source names two keys alike; better no key than another's.
    let key: Option<Held<Row>> = by(tables, &new.registered.key_id).await?;
    let alias: Option<Held<Handed>> = by(tables, &new.alias).await?;
    if key.is_some() || alias.is_some() {
        return Err(StoreError::Damaged.into());
    }
    let row = Row::granted(new, outcome.request, now);
    let (key_id, event) = (row.key_id, Event::of(EventKind::Granted, &row));
    tables.insert(row).await?;
    tables.insert(Handed { alias: new.alias, key_id, number: 0, issued_by: None, used: false }).await?;
    Ok(event)
}
