//! Pending registrations win what they lay claim to, or lose it.

use super::entitle::moved;
use super::find::{by, erase};
use crate::id::{CodeId, KeyId};
use crate::port::StoreError;
use crate::port::entitlement_store::Confirmed;
use crate::store::UniqueNames;
use crate::store::entity::{Held, Query, Tables, Trouble};
use crate::store::event::{Event, EventKind};
use crate::store::operation::{Operation, operation};
use crate::store::rows::{Answer, Code, Handed, Reported, Row, State, Taken, Waiter};
use crate::time::UnixTime;
use alloc::string::ToString;
use alloc::vec::Vec;

/// Seconds for which a lost registration is remembered, so that its token is told: 30 days.
const LOST_KEPT: u64 = 30 * 86_400;

/// [`crate::port::EntitlementStore::confirm`].
pub(crate) struct Confirm<'a>(pub(crate) &'a KeyId);

operation! { Confirm<'_> writes -> Confirmed, StoreError; |self, tables, now| {
    match by::<Row, _>(tables, self.0).await? {
        Some(mut row) => confirm(tables, &mut row, now).await,
        None => Ok(Confirmed::Lost),
    }
} }

/// Settles a pending registration, for better or worse; says how any other was settled.
pub(super) async fn confirm<T: Tables>(
    tables: &mut T,
    row: &mut Held<Row>,
    now: UnixTime,
) -> Result<Confirmed, Trouble> {
    match row.state {
        State::Active | State::Suspended | State::Superseded => Ok(Confirmed::Active),
        State::Lost | State::Revoked => Ok(Confirmed::Lost),
        State::Pending => {
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

/// Whether what a pending registration lays claim to is still to be had.
async fn may_win<T: Tables>(tables: &mut T, row: &Row, now: UnixTime) -> Result<bool, Trouble> {
    let code: Option<Held<Code>> = by(tables, &row.name).await?;
    let proof_good = match (row.code, row.renews) {
        (Some(id), _) => code.is_some_and(|code| code.id == id),
        (None, Some(earlier)) => {
            by::<Row, _>(tables, &earlier).await?.is_some_and(|earlier| row.may_renew(&earlier))
        }
        // A name for which somebody was invited is not for whoever comes first.
        (None, None) => row.ticket.is_some() || code.is_none_or(|code| code.is_over(now)),
    };
    if !proof_good {
        return Ok(false);
    }
    let Some(holder) = by::<Taken, _>(tables, &row.name).await? else { return Ok(true) };
    Ok(row.renews.is_some() && (holder.user_id == row.user_id || !takes_name(tables, row).await?))
}

/// Whether a registration, once active, holds its name against others.
async fn takes_name<T: Tables>(tables: &mut T, row: &Row) -> Result<bool, Trouble> {
    let earlier = match (tables.unique(), row.renews) {
        (UniqueNames::Always, _) => return Ok(true),
        (UniqueNames::Proven, None) => return Ok(!row.is_open()),
        (UniqueNames::Proven, Some(earlier)) => earlier,
    };
    let Some(earlier) = by::<Row, _>(tables, &earlier).await? else { return Ok(false) };
    let holder: Option<Held<Taken>> = by(tables, &earlier.name).await?;
    Ok(holder.is_some_and(|holder| holder.user_id == earlier.user_id))
}

async fn win<T: Tables>(tables: &mut T, row: &mut Held<Row>, now: UnixTime) -> Result<(), Trouble> {
    // First what only one can have: where rows are locked one by one, rivals wait for each other here,
    // and hold nothing yet that the winner needs. What was judged is judged again as it is taken, for
    // databases in which another may have changed it in between.
    let mut earlier: Option<Held<Row>> = None;
    if let Some(key_id) = row.renews {
        earlier = by(tables, &key_id).await?;
        if !earlier.as_ref().is_some_and(|earlier| row.may_renew(earlier)) {
            return Err(Trouble::Conflict);
        }
    }
    if let Some(earlier) = &mut earlier {
        settle(tables, earlier, State::Superseded).await?;
    }
    if takes_name(tables, row).await? {
        match by::<Taken, _>(tables, &row.name).await? {
            None => {
                let (name, user_id) = (row.name.clone(), row.user_id.clone());
                tables.insert(Taken { name, user_id }).await?;
            }
            Some(holder) if row.renews.is_some() && holder.user_id == row.user_id => {}
            Some(_) => return Err(Trouble::Conflict),
        }
    }
    row.confirmed_at = Some(now);
    settle(tables, row, State::Active).await?;
    Event::of(EventKind::Confirmed, row).log(tables, now).await?;
    let code: Option<Held<Code>> = by(tables, &row.name).await?;
    match code {
        // It is used up; or it is over, and of no use for a name that is taken.
        Some(code) if row.code == Some(code.id) || code.is_over(now) => withdraw(tables, &code).await?,
        _ if row.code.is_some() => return Err(Trouble::Conflict),
        _ => {}
    }
    if let Some(ticket_id) = row.ticket
        && let Some(waiter) = by::<Waiter, _>(tables, &ticket_id).await?
    {
        tables.delete(&waiter).await?;
    }
    if let Some(earlier) = earlier {
        Event::of(EventKind::Superseded, &earlier).log(tables, now).await?;
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

/// The pending registrations that lay claim to something of what `row` does.
async fn rivals<T: Tables>(tables: &mut T, row: &Row) -> Result<Vec<Held<Row>>, Trouble> {
    let mut queries = alloc::vec![Query::all().is("name", &row.name)];
    queries.extend(row.code.map(|code| Query::all().is("code", &code)));
    queries.extend(row.renews.map(|earlier| Query::all().is("renews", &earlier)));
    queries.extend(row.ticket.map(|ticket_id| Query::all().is("ticket", &ticket_id)));
    let mut rivals: Vec<Held<Row>> = Vec::new();
    for query in queries {
        rivals.extend(tables.select(query.pending()).await?);
    }
    rivals.sort_by_key(|rival| rival.key_id);
    rivals.dedup_by_key(|rival| rival.key_id);
    Ok(rivals)
}

/// A renewal takes over what is known of the configurations that the earlier key applied.
async fn inherit<T: Tables>(tables: &mut T, from: &KeyId, to: &KeyId) -> Result<(), Trouble> {
    for report in tables.select::<Reported>(Query::all().is("key_id", from)).await? {
        tables.delete(&report).await?;
        tables.insert(Reported { key_id: *to, ..report.row }).await?;
    }
    Ok(())
}

/// Moves a registration on; it is pending no longer.
pub(in crate::store) async fn settle<T: Tables>(
    tables: &mut T,
    row: &mut Held<Row>,
    state: State,
) -> Result<(), Trouble> {
    (row.state, row.confirm_by) = (state, None);
    tables.update(row).await
}

pub(in crate::store) async fn lose<T: Tables>(
    tables: &mut T,
    row: &mut Held<Row>,
    now: UnixTime,
) -> Result<(), Trouble> {
    row.forget_at = Some(now.after(LOST_KEPT));
    settle(tables, row, State::Lost).await?;
    Event::of(EventKind::Lost, row).log(tables, now).await
}

/// Ends an activation code, used or withdrawn. Applications that wait with it as their proof go with it.
pub(in crate::store) async fn withdraw<T: Tables>(tables: &mut T, code: &Held<Code>) -> Result<(), Trouble> {
    let id: CodeId = code.id;
    for waiter in tables.select::<Waiter>(Query::all().is("name", &code.name)).await? {
        if waiter.code == Some(id) {
            tables.delete(&waiter).await?;
        }
    }
    tables.delete(code).await
}

/// Removes a registration and all that belongs to it; its name stays taken.
pub(in crate::store) async fn forget<T: Tables>(tables: &mut T, row: &Held<Row>) -> Result<(), Trouble> {
    erase::<Handed, _>(tables, Query::all().is("key_id", &row.key_id)).await?;
    erase::<Reported, _>(tables, Query::all().is("key_id", &row.key_id)).await?;
    drop_outcome(tables, row).await?;
    tables.delete(row).await
}

/// Forgets the stored R3 of a registration.
pub(super) async fn drop_outcome<T: Tables>(tables: &mut T, row: &Row) -> Result<(), Trouble> {
    match row.request {
        Some(request) => tables.erase::<Answer>(alloc::vec![request.to_string()]).await,
        None => Ok(()),
    }
}
