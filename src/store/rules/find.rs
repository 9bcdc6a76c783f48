//! What is looked up and not judged.

use crate::id::{Digest, KeyId};
use crate::message::Address;
use crate::port::StoreError;
use crate::record::{ExpectedTags, ServerRegistration};
use crate::store::entity::{Entity, Held, Query, Tables, Trouble};
use crate::store::operation::{Operation, operation};
use crate::store::rows::{Answer, Handed, Row};
use crate::time::UnixTime;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

/// The row with a key of one part.
pub(in crate::store) async fn by<E: Entity, T: Tables>(
    tables: &mut T,
    key: &impl ToString,
) -> Result<Option<Held<E>>, Trouble> {
    tables.get(vec![key.to_string()]).await
}

/// Writes a row in the place of what was there before, if anything was.
pub(in crate::store) async fn put<E: Entity, T: Tables>(
    tables: &mut T,
    before: Option<Held<E>>,
    row: E,
) -> Result<(), Trouble> {
    match before {
        Some(Held { version, .. }) => tables.update(&mut Held { row, version }).await,
        None => tables.insert(row).await,
    }
}

/// Removes rows without reading them, and counts them.
pub(in crate::store) async fn erase<E: Entity, T: Tables>(
    tables: &mut T,
    query: Query,
) -> Result<usize, Trouble> {
    let keys = tables.keys::<E>(query).await?;
    let count = keys.len();
    for key in keys {
        tables.erase::<E>(key).await?;
    }
    Ok(count)
}

/// [`crate::port::EntitlementStore::outcome`].
pub(crate) struct FindOutcome<'a>(pub(crate) &'a Digest);

operation! { FindOutcome<'_> reads -> Option<Vec<u8>>, StoreError; |self, tables, now| {
    Ok(by::<Answer, _>(tables, self.0).await?.filter(|held| now <= held.keep_until).map(|held| held.row.response))
} }

/// [`crate::port::EntitlementStore::expected`].
pub(crate) struct FindExpected<'a>(pub(crate) &'a KeyId);

operation! { FindExpected<'_> reads -> Option<ExpectedTags>, StoreError; |self, tables, _now| {
    Ok(by::<Row, _>(tables, self.0).await?.and_then(|held| held.row.tags))
} }

/// [`crate::port::EntitlementStore::registration`].
pub(crate) struct FindRegistration<'a>(pub(crate) &'a Address);

operation! { FindRegistration<'_> reads -> Option<ServerRegistration>, StoreError; |self, tables, _now| {
    let row = match self.0 {
        Address::Key(key_id) => by::<Row, _>(tables, key_id).await?,
        Address::Alias(alias) => match by::<Handed, _>(tables, alias).await? {
            Some(handed) => by::<Row, _>(tables, &handed.key_id).await?,
            // Asked all the same, lest the time tell whether an alias that was seen is still good.
            None => by::<Row, _>(tables, alias).await?.filter(|_| false),
        },
    };
    Ok(row.map(|held| held.row.registered()))
} }
