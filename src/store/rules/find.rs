//! Looking rows up, without judging them.

use crate::id::{Digest, KeyId};
use crate::message::Address;
use crate::port::StoreError;
use crate::record::{ExpectedTags, ServerRegistration};
use crate::store::entity::{Entity, Tables, Versioned};
use crate::store::operation::{Operation, operation};
use crate::store::rows::{AliasRow, OutcomeRow, RegistrationRow};
use crate::store::tables::{Query, TxError};
use crate::time::UnixTime;
use alloc::string::ToString;
use alloc::vec::Vec;

/// Returns the row with a key of one part.
pub(in crate::store) async fn get_by_key<E: Entity, T: Tables>(
    tables: &mut T,
    key: &impl ToString,
) -> Result<Option<Versioned<E>>, TxError> {
    tables.get([key.to_string()].into()).await
}

/// Writes a row in the place of the one before, or adds it.
pub(in crate::store) async fn upsert<E: Entity, T: Tables>(
    tables: &mut T,
    before: Option<Versioned<E>>,
    row: E,
) -> Result<(), TxError> {
    match before {
        Some(Versioned { version, .. }) => tables.update(&mut Versioned { row, version }).await,
        None => tables.insert(row).await,
    }
}

/// Removes rows without reading them, and returns their number.
pub(in crate::store) async fn delete_where<E: Entity, T: Tables>(
    tables: &mut T,
    query: Query,
) -> Result<usize, TxError> {
    let keys = tables.keys::<E>(query).await?;
    let count = keys.len();
    for key in keys {
        tables.delete_by_key::<E>(key).await?;
    }
    Ok(count)
}

/// [`crate::port::EntitlementStore::outcome`].
pub(crate) struct FindOutcome<'a>(pub(crate) &'a Digest);

operation! { FindOutcome<'_> reads -> Option<Vec<u8>>, StoreError; |self, tables, now| {
    Ok(get_by_key::<OutcomeRow, _>(tables, self.0).await?.filter(|held| now <= held.keep_until).map(|held| held.row.response))
} }

/// [`crate::port::EntitlementStore::expected`].
pub(crate) struct FindExpected<'a>(pub(crate) &'a KeyId);

operation! { FindExpected<'_> reads -> Option<ExpectedTags>, StoreError; |self, tables, _now| {
    Ok(get_by_key::<RegistrationRow, _>(tables, self.0).await?.and_then(|held| held.row.tags))
} }

/// [`crate::port::EntitlementStore::registration`].
pub(crate) struct FindRegistration<'a>(pub(crate) &'a Address);

operation! { FindRegistration<'_> reads -> Option<ServerRegistration>, StoreError; |self, tables, _now| {
    let row = match self.0 {
        Address::Key(key_id) => get_by_key::<RegistrationRow, _>(tables, key_id).await?,
        Address::Alias(alias) => match get_by_key::<AliasRow, _>(tables, alias).await? {
            Some(handed) => get_by_key::<RegistrationRow, _>(tables, &handed.key_id).await?,
            // The store is asked all the same, so that the time does not show whether an alias is still
            // good.
            None => get_by_key::<RegistrationRow, _>(tables, alias).await?.filter(|_| false),
        },
    };
    Ok(row.map(|held| held.row.registered()))
} }
