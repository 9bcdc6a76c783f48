//! Another storage key.

use super::{Operation, OperatorError, operation};
use crate::store::entity::{Entity, Tables, Trouble};
use crate::store::rows::{self, every_table};
use crate::time::UnixTime;

/// Seals anew, under the current storage key, rows that others have sealed. When it answers that there
/// are no more, and every server's current key is this one, the others are of no use any more
/// ([`crate::store::StorageKeys`]). Each time it looks through the whole of every table.
///
/// A store in memory has nothing to do.
#[derive(Clone, Copy, Debug)]
pub struct Reseal {
    /// At most so many rows of each table, so that no transaction grows without bound.
    pub limit: u16,
}

/// What was sealed anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resealed {
    /// How many rows.
    pub rows: usize,
    /// Whether the limit was met: there may be more.
    pub more: bool,
}

macro_rules! reseal {
    ($tables:ident, $limit:ident: $($entity:ident),*) => {
        [$( reseal::<rows::$entity, _>($tables, $limit).await? ),*]
    };
}

operation! { Reseal writes -> Resealed, OperatorError; |self, tables, _now| {
    let limit = usize::from(self.limit.max(1));
    let sealed = every_table!(reseal, tables, limit);
    Ok(Resealed { rows: sealed.iter().sum(), more: sealed.contains(&limit) })
} }

async fn reseal<E: Entity, T: Tables>(tables: &mut T, limit: usize) -> Result<usize, Trouble> {
    let mut stale = tables.stale::<E>(limit).await?;
    for row in &mut stale {
        tables.update(row).await?;
    }
    Ok(stale.len())
}
