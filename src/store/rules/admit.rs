//! Admitting a proven session, and issuing its alias.

use super::confirm::{confirm, drop_outcome};
use super::find::get_by_key;
use crate::id::{Alias, ChallengeId, KeyId};
use crate::message::Address;
use crate::port::StoreError;
use crate::port::entitlement_store::{Admission, Admitted, Status};
use crate::store::entity::{Tables, Versioned};
use crate::store::event::{AuditEvent, AuditEventKind};
use crate::store::log::say_lacking;
use crate::store::operation::{Operation, operation};
use crate::store::rows::{AliasRow, ChallengeRow, RegistrationRow, RegistrationState};
use crate::store::tables::{Query, TxError};
use crate::time::UnixTime;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Most aliases of a key that were issued by one address and never used.
const UNUSED: usize = 4;
/// Most aliases of a key in all. A token that opens session after session and never sends a record
/// makes a chain of them, and needs none of the first ones any more.
const ALL: usize = 32;

/// [`crate::port::EntitlementStore::admit`].
pub(crate) struct Admit<'a>(pub(crate) &'a Admission);

operation! { Admit<'_> writes -> Admitted, StoreError; |self, tables, now| {
    let Admission { key_id, address, next_alias, spend, alias_age } = self.0;
    if let Some((id, lapses)) = spend {
        let id = ChallengeId(*id);
        if *lapses < now || get_by_key::<ChallengeRow, _>(tables, &id).await?.is_some() {
            let event = AuditEvent { key_id: Some(*key_id), ..AuditEvent::new(AuditEventKind::ChallengeReplayed) };
            event.log(tables, now).await?;
            return Ok(Admitted::Spent);
        }
        tables.insert(ChallengeRow { id, lapses: *lapses }).await?;
    }
    let row: Option<Versioned<RegistrationRow>> = get_by_key(tables, key_id).await?;
    if let Some(row) = &row
        && let Some(answer) = again(tables, row, address, *alias_age, now).await?
    {
        return Ok(answer);
    }
    // It is this session's own where the same admission is asked for again after its answer was lost.
    let issued: Option<Versioned<AliasRow>> = get_by_key(tables, next_alias).await?;
    let own = |handed: &Versioned<AliasRow>| handed.key_id == *key_id && handed.issued_by == Some(issuer(address));
    if issued.as_ref().is_some_and(|handed| !own(handed)) {
        return Err(StoreError::Damaged.into());
    }
    let Some(mut row) = row else { return Ok(Admitted::As(Status::Revoked)) };
    confirm(tables, &mut row, now).await?;
    drop_outcome(tables, &row).await?;
    (row.tags, row.request, row.last_seen) = (None, None, Some(now));
    tables.update(&mut row).await?;
    let status = status(&row, now);
    match status {
        Status::Active if issued.is_some() => {}
        Status::Active => {
            if issue(tables, key_id, *next_alias, address, now).await? {
                AuditEvent::of(AuditEventKind::AliasForked, &row).log(tables, now).await?;
            }
        }
        _ => {
            let event = AuditEvent { status: Some(status), ..AuditEvent::of(AuditEventKind::SessionRefused, &row) };
            event.log(tables, now).await?;
        }
    }
    say_lacking(tables, now).await?;
    Ok(Admitted::As(status))
} }

/// Admits a session of an alias that was handed out not long ago, without another in its place. Nothing is written
/// but that the alias is in use, once. Whatever else there is to say of the registration is said the ordinary way.
async fn again<T: Tables>(
    tables: &mut T,
    row: &RegistrationRow,
    address: &Address,
    alias_age: u32,
    now: UnixTime,
) -> Result<Option<Admitted>, TxError> {
    let (Address::Alias(alias), 1..) = (address, alias_age) else { return Ok(None) };
    if status(row, now) != Status::Active || !row.is_settled() {
        return Ok(None);
    }
    let Some(mut handed) = get_by_key::<AliasRow, _>(tables, alias).await? else { return Ok(None) };
    let young = handed.issued_at.is_some_and(|at| at <= now && now < at.after(alias_age.into()));
    if handed.key_id != row.key_id || !young {
        return Ok(None);
    }
    let settled = handed.used;
    if !settled {
        handed.used = true;
        tables.update(&mut handed).await?;
    }
    Ok(Some(Admitted::Again { settled }))
}

fn status(row: &RegistrationRow, now: UnixTime) -> Status {
    match row.state {
        RegistrationState::Active if row.expires.is_some_and(|expires| expires <= now) => Status::Expired,
        RegistrationState::Active => Status::Active,
        RegistrationState::Superseded => Status::Expired,
        RegistrationState::Suspended => Status::Suspended,
        RegistrationState::Revoked => Status::Revoked,
        RegistrationState::Lost | RegistrationState::Pending => Status::Lost,
    }
}

/// Returns the aliases of a key, in the order in which they were issued.
async fn aliases<T: Tables>(tables: &mut T, key_id: &KeyId) -> Result<Vec<Versioned<AliasRow>>, TxError> {
    let mut aliases: Vec<Versioned<AliasRow>> = tables.select(Query::all().is("key_id", key_id)).await?;
    aliases.sort_by_key(|handed| handed.number);
    Ok(aliases)
}

/// Returns the issuer of an alias. The key ID is not written down again.
fn issuer(address: &Address) -> String {
    match address {
        Address::Key(_) => "key".into(),
        Address::Alias(alias) => alias.to_string(),
    }
}

/// Issues an alias. Returns true if a session was opened before with one that the same address issued, or that is
/// newer than a key ID: then this token is not the one of that session.
async fn issue<T: Tables>(
    tables: &mut T,
    key_id: &KeyId,
    alias: Alias,
    by: &Address,
    now: UnixTime,
) -> Result<bool, TxError> {
    let mut held = aliases(tables, key_id).await?;
    let left_behind = |handed: &Versioned<AliasRow>| match by {
        Address::Key(_) => handed.used,
        Address::Alias(_) => handed.used && handed.issued_by == Some(issuer(by)),
    };
    let forked = held.iter().any(left_behind);
    for handed in held.iter_mut().filter(|handed| Address::Alias(handed.alias) == *by && !handed.used) {
        handed.used = true;
        tables.update(handed).await?;
    }
    let issued_by = Some(issuer(by));
    let idle = |handed: &&Versioned<AliasRow>| handed.issued_by == issued_by && !handed.used;
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
    tables
        .insert(AliasRow { alias, key_id: *key_id, number, issued_by, used: false, issued_at: Some(now) })
        .await?;
    Ok(forked)
}

/// [`crate::port::EntitlementStore::confirm_alias`].
pub(crate) struct ConfirmAlias<'a>(pub(crate) &'a KeyId, pub(crate) &'a Address);

operation! { ConfirmAlias<'_> writes -> (), StoreError; |self, tables, _now| {
    let held = aliases(tables, self.0).await?;
    let place = match self.1 {
        Address::Alias(alias) => held.iter().position(|handed| handed.alias == *alias),
        // The key ID is as old as the oldest alias that it issued.
        Address::Key(_) => held.iter().position(|handed| handed.issued_by.as_deref() == Some("key")),
    };
    // Aliases that an address issued are newer than the address.
    for older in held.iter().take(place.unwrap_or(0)) {
        tables.delete(older).await?;
    }
    Ok(())
} }
