//! Changing the storage key.

use super::page::{Cursor, LIMIT_MAX};
use super::{Operation, OperatorError, operation};
use crate::store::entity::{Entity, Tables};
use crate::store::rows::{self, every_table};
use crate::store::tables::TxError;
use crate::time::UnixTime;
use alloc::string::ToString;
use alloc::vec::Vec;

/// Seals rows again, under the current storage key, that other keys sealed. Once a pass from the
/// beginning finds no row, not even a damaged one, and this key is the current one of every server, the
/// others are not needed any more (see the storage keys of the store).
///
/// A store in memory has nothing to do.
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

operation! { Reseal writes -> Resealed, OperatorError; |self, tables, _now| {
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
