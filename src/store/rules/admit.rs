//! A proven session is let in, and its alias issued.

use super::confirm::{confirm, drop_outcome};
use super::find::by;
use crate::id::{Alias, ChallengeId, KeyId};
use crate::message::Address;
use crate::port::StoreError;
use crate::port::entitlement_store::{Admission, Admitted, Status};
use crate::store::entity::{Held, Query, Tables, Trouble};
use crate::store::event::{Event, EventKind};
use crate::store::operation::{Operation, operation};
use crate::store::rows::{Handed, Row, Spent, State};
use crate::time::UnixTime;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Most aliases of a key that were issued by one address and never used.
const UNUSED: usize = 4;
/// Most aliases of a key in all. A token that opens session after session and never sends a record
/// makes a chain of them, of whose beginning it needs nothing any more.
const ALL: usize = 32;

/// [`crate::port::EntitlementStore::admit`].
pub(crate) struct Admit<'a>(pub(crate) &'a Admission);

operation! { Admit<'_> writes -> Admitted, StoreError; |self, tables, now| {
    let Admission { key_id, address, next_alias, spend } = self.0;
    if let Some((id, lapses)) = spend {
        let id = ChallengeId(*id);
        if *lapses < now || by::<Spent, _>(tables, &id).await?.is_some() {
            let event = Event { key_id: Some(*key_id), ..Event::new(EventKind::ChallengeReplayed) };
            event.log(tables, now).await?;
            return Ok(Admitted::Spent);
        }
        tables.insert(Spent { id, lapses: *lapses }).await?;
    }
    // Its own where the same admission is asked for again, because its answer was lost.
    let issued: Option<Held<Handed>> = by(tables, next_alias).await?;
    let own = |handed: &Held<Handed>| handed.key_id == *key_id && handed.issued_by == Some(issuer(address));
    if issued.as_ref().is_some_and(|handed| !own(handed)) {
        return Err(StoreError::Damaged.into());
    }
    let Some(mut row) = by::<Row, _>(tables, key_id).await? else {
        return Ok(Admitted::As(Status::Revoked));
    };
    confirm(tables, &mut row, now).await?;
    drop_outcome(tables, &row).await?;
    (row.tags, row.request, row.last_seen) = (None, None, Some(now));
    tables.update(&mut row).await?;
    let status = status(&row, now);
    match status {
        Status::Active if issued.is_some() => {}
        Status::Active => issue(tables, key_id, *next_alias, address).await?,
        _ => {
            let event = Event { status: Some(status), ..Event::of(EventKind::SessionRefused, &row) };
            event.log(tables, now).await?;
        }
    }
    Ok(Admitted::As(status))
} }

fn status(row: &Row, now: UnixTime) -> Status {
    match row.state {
        State::Active if row.expires.is_some_and(|expires| expires <= now) => Status::Expired,
        State::Active => Status::Active,
        State::Superseded => Status::Expired,
        State::Suspended => Status::Suspended,
        State::Revoked => Status::Revoked,
        State::Lost | State::Pending => Status::Lost,
    }
}

/// The aliases of a key, in the order in which they were issued.
async fn aliases<T: Tables>(tables: &mut T, key_id: &KeyId) -> Result<Vec<Held<Handed>>, Trouble> {
    let mut aliases: Vec<Held<Handed>> = tables.select(Query::all().is("key_id", key_id)).await?;
    aliases.sort_by_key(|handed| handed.number);
    Ok(aliases)
}

/// By whom an alias is issued. The key's name is not written down again.
fn issuer(address: &Address) -> String {
    match address {
        Address::Key(_) => "key".into(),
        Address::Alias(alias) => alias.to_string(),
    }
}

async fn issue<T: Tables>(tables: &mut T, key_id: &KeyId, alias: Alias, by: &Address) -> Result<(), Trouble> {
    let mut held = aliases(tables, key_id).await?;
    for handed in held.iter_mut().filter(|handed| Address::Alias(handed.alias) == *by && !handed.used) {
        handed.used = true;
        tables.update(handed).await?;
    }
    let issued_by = Some(issuer(by));
    let idle = |handed: &&Held<Handed>| handed.issued_by == issued_by && !handed.used;
    let gone = if held.iter().filter(idle).count() >= UNUSED {
        held.iter().find(idle)
    } else if held.len() >= ALL {
        held.iter().find(|handed| Address::Alias(handed.alias) != *by)
    } else {
        None
    };
    if let Some(gone) = gone {
        tables.delete(gone).await?;
    }
    let number = held.last().map_or(0, |last| last.number.saturating_add(1));
    tables.insert(Handed { alias, key_id: *key_id, number, issued_by, used: false }).await
}

/// [`crate::port::EntitlementStore::confirm_alias`].
pub(crate) struct ConfirmAlias<'a>(pub(crate) &'a KeyId, pub(crate) &'a Address);

operation! { ConfirmAlias<'_> writes -> (), StoreError; |self, tables, _now| {
    let held = aliases(tables, self.0).await?;
    let place = match self.1 {
        Address::Alias(alias) => held.iter().position(|handed| handed.alias == *alias),
        // The key's name is as old as the oldest alias it has issued.
        Address::Key(_) => held.iter().position(|handed| handed.issued_by.as_deref() == Some("key")),
    };
    // What an address issued is newer than the address.
    for older in held.iter().take(place.unwrap_or(0)) {
        tables.delete(older).await?;
    }
    Ok(())
} }
