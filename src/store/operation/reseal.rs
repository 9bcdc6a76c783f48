//! Changing the storage key.

use super::page::{Cursor, LIMIT_MAX};
use super::{Operation, OperatorError, operation};
use crate::store::entity::{Entity, Tables, Versioned};
use crate::store::event::{AuditEvent, AuditEventKind};
use crate::store::log::is_lacking;
use crate::store::rows::{self, SchemaRow, every_table};
use crate::store::rules::get_by_key;
use crate::store::tables::TxError;
use crate::time::UnixTime;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Announces the current storage key of this program, which is to seal rows later: every server is to hold it. A
/// server that does not says so in the log, the next time that it changes something. Announcing it again asks
/// again.
///
/// A store in memory has nothing to do.
#[derive(Clone, Copy, Debug)]
pub struct AnnounceKey;

operation! { AnnounceKey writes -> (), OperatorError; |self, tables, now| {
    let Some((current, mut schema)) = key_and_schema(tables).await? else { return Ok(()) };
    if schema.sealing.as_ref() != Some(&current) {
        (schema.announced, schema.announced_at) = (Some(current), Some(now));
        tables.update(&mut schema).await?;
        AuditEvent::new(AuditEventKind::StorageKeyAnnounced).log(tables, now).await?;
    }
    Ok(())
} }

/// Seconds between announcing a key and using it.
const ANNOUNCED: u64 = 60;

async fn key_and_schema<T: Tables>(
    tables: &mut T,
) -> Result<Option<(String, Versioned<SchemaRow>)>, TxError> {
    let schema = get_by_key::<SchemaRow, _>(tables, &SchemaRow::ID).await?;
    Ok(tables.storage_key().zip(schema))
}

/// Has the current key seal from here on, if it was announced and no server lacks it.
async fn change_key<T: Tables>(tables: &mut T, now: UnixTime) -> Result<(), TxError<OperatorError>> {
    let Some((current, mut schema)) = key_and_schema(tables).await? else { return Ok(()) };
    if schema.sealing.as_ref() == Some(&current) {
        return Ok(());
    }
    let announced = schema.announced_at.filter(|_| schema.announced.as_ref() == Some(&current));
    if announced.is_none_or(|since| since.after(ANNOUNCED) > now) {
        return Err(OperatorError::KeyNotAnnounced.into());
    }
    if is_lacking(tables).await? {
        return Err(OperatorError::KeyLacking.into());
    }
    tables.seal_anew();
    (schema.sealing, schema.announced, schema.announced_at) = (Some(current), None, None);
    tables.update(&mut schema).await?;
    Ok(AuditEvent::new(AuditEventKind::StorageKeyChanged).log(tables, now).await?)
}

/// Has the current storage key of this program seal all rows of the store from here on, and seals rows again that
/// other keys sealed. Once a pass from the beginning finds no row, not even a damaged one, the other keys are
/// not needed any more: no server seals with them (see the storage keys of the store).
///
/// Fails with [`OperatorError::KeyNotAnnounced`] where [`AnnounceKey`] was not performed a minute ago, or by a clock that
/// was ahead (perform it again), and with
/// [`OperatorError::KeyLacking`] where a server has said since that it does not hold the key.
///
/// A store in memory has nothing to do.
///
/// A minute after [`AnnounceKey`]:
/// ```
/// use halfkey::store::operation::{AnnounceKey, Reseal};
/// # use halfkey::memory::Store;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, now) = (Store::new(), halfkey::UnixTime::now());
/// store.run(&AnnounceKey, now)?;
/// let (now, mut after) = (now.after(60), None);
/// loop {
///     let resealed = store.run(&Reseal { after, limit: 500 }, now)?;
///     resealed.damaged.iter().for_each(|place| println!("cannot be read: {place:?}"));
///     after = resealed.next;
///     if after.is_none() {
///         break;
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Reseal {
    /// Place to go on from: the `next` of an earlier answer.
    pub after: Option<Cursor>,
    /// Most rows, 1 to 1000, so that no transaction grows without bound.
    pub limit: u16,
}

/// Answer of [`Reseal`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resealed {
    /// Number of rows that were sealed again.
    pub rows: usize,
    /// Places of rows that cannot be read, each the name of a table and a key in it: they were changed
    /// without the storage key, or their storage key is not at hand. They stay as they are.
    pub damaged: Vec<Cursor>,
    /// Place to go on from; `None` at the end.
    pub next: Option<Cursor>,
}

/// A pass through all tables.
struct Pass<'a> {
    after: Option<&'a str>,
    left: usize,
    resealed: Resealed,
}

macro_rules! reseal {
    ($tables:ident, $pass:ident: $($entity:ident),*) => {
        $( $pass.through::<rows::$entity, _>($tables).await?; )*
    };
}

operation! { Reseal writes -> Resealed, OperatorError; |self, tables, now| {
    change_key(tables, now).await?;
    let after = self.after.as_ref().map(ToString::to_string);
    let mut pass =
        Pass { after: after.as_deref(), left: self.limit.clamp(1, LIMIT_MAX).into(), resealed: Resealed::default() };
    every_table!(reseal, tables, pass);
    Ok(pass.resealed)
} }

impl Pass<'_> {
    async fn through<E: Entity, T: Tables>(&mut self, tables: &mut T) -> Result<(), TxError> {
        // A place is the name of a table, and a key in it.
        let after = match self.after.map(|after| after.split_once(' ').unwrap_or((after, ""))) {
            Some((table, key)) if table == E::TABLE.name() => Some(Cursor::key::<E>(key)),
            Some(_) => return Ok(()),
            None => None,
        };
        self.after = None;
        if self.left == 0 {
            return Ok(());
        }
        let stale = tables.stale::<E>(after, self.left).await?;
        self.left = self.left.saturating_sub(stale.len());
        if let Some(last) = stale.last().filter(|_| self.left == 0) {
            self.resealed.next = Some(Cursor::within(E::TABLE.name(), last));
        }
        for key in stale {
            let place = Cursor::within(E::TABLE.name(), &key);
            match tables.get::<E>(key).await {
                Ok(None) => {}
                Ok(Some(mut row)) => {
                    tables.update(&mut row).await?;
                    self.resealed.rows = self.resealed.rows.saturating_add(1);
                }
                Err(error) if error.is_of_a_row() => self.resealed.damaged.push(place),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
