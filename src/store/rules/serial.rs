//! Giving serials, which rise over everything.

use super::find::{get_by_key, upsert};
use crate::id::UserId;
use crate::message::ConfigurationSerial;
use crate::store::entity::{Tables, Versioned};
use crate::store::rows::{CounterRow, MembershipChangeRow};
use crate::store::tables::TxError;

/// Name of the only counter, that of serials.
const SERIAL: &str = "serial";

async fn counter<T: Tables>(tables: &mut T) -> Result<Option<Versioned<CounterRow>>, TxError> {
    get_by_key(tables, &SERIAL).await
}

/// Returns the last serial that was given; number 0 of epoch 0 at the beginning.
pub(in crate::store) async fn last_serial<T: Tables>(tables: &mut T) -> Result<ConfigurationSerial, TxError> {
    let counter = counter(tables).await?;
    let (epoch, number) = counter.map_or((0, 0), |counter| (counter.epoch, counter.number));
    Ok(ConfigurationSerial { epoch, number })
}

/// Gives the next serial. Serials rise over all subjects: a user's own entitlement is newer than that
/// of the access path which it replaces.
pub(in crate::store) async fn next_number<T: Tables>(tables: &mut T) -> Result<ConfigurationSerial, TxError> {
    if let Some(mut counter) = counter(tables).await? {
        counter.number = counter.number.saturating_add(1);
        let serial = ConfigurationSerial { epoch: counter.epoch, number: counter.number };
        tables.update(&mut counter).await?;
        return Ok(serial);
    }
    let serial = ConfigurationSerial { epoch: 0, number: 1 };
    tables.insert(CounterRow { name: SERIAL.into(), epoch: 0, number: 1 }).await?;
    Ok(serial)
}

/// Gives a serial to a change of a user's groups or access path. The user may fall back to a document
/// that was set long ago, and no token must take that for a rollback.
pub(in crate::store) async fn moved<T: Tables>(tables: &mut T, user_id: &UserId) -> Result<(), TxError> {
    let number = next_number(tables).await?.number;
    let before = get_by_key(tables, user_id).await?;
    upsert(tables, before, MembershipChangeRow { user_id: user_id.clone(), number }).await
}

/// Begins a new epoch.
pub(in crate::store) async fn next_epoch<T: Tables>(tables: &mut T) -> Result<u32, TxError> {
    let Some(mut counter) = counter(tables).await? else {
        tables.insert(CounterRow { name: SERIAL.into(), epoch: 1, number: 0 }).await?;
        return Ok(1);
    };
    counter.epoch = counter.epoch.saturating_add(1);
    tables.update(&mut counter).await?;
    Ok(counter.epoch)
}
