//! Pages of a list, and places in it.

use crate::port::StoreError;
use crate::store::entity::{Entity, Tables, Versioned};
use crate::store::tables::{Key, Query, TxError};
use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use core::str::FromStr;

/// Entries of a page where no number is asked for.
const PAGE: u16 = 100;

/// Most entries of a page, and most rows of a kind that one transaction removes or seals again.
pub(super) const LIMIT_MAX: u16 = 1000;

/// Part of a list: 100 entries unless told otherwise, 1 to 1000.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Entries, in the list's order.
    pub entries: Vec<T>,
    /// Place at which the next page begins; `None` at the end. Rows inserted before it between two
    /// calls are not returned.
    pub next: Option<Cursor>,
    /// Places of rows on this page that cannot be read, or lead to others that cannot: they were
    /// changed without the storage key, or sealed under a key that is not at hand.
    pub damaged: Vec<Cursor>,
}

/// Place in a list. It can be written down as text and read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// Returns the place of a key. No part of a key has a space in it.
    fn at(key: &Key) -> Self {
        Self(key.parts().join(" "))
    }

    /// Returns the place of a row.
    pub(super) fn of(row: &impl Entity) -> Self {
        Self::at(&row.key())
    }

    pub(super) fn within(table: &str, key: &Key) -> Self {
        Self(alloc::format!("{table} {}", key.parts().join(" ")))
    }

    /// Returns the key that a place is written as, or one somewhere in the table.
    pub(super) fn key<E: Entity>(place: &str) -> Key {
        let mut parts: Vec<String> = place.splitn(E::TABLE.keys, ' ').map(String::from).collect();
        parts.resize(E::TABLE.keys, String::new());
        parts.into()
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Cursor {
    type Err = Infallible;
    /// Reads a place: any text is some place in a list.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.into()))
    }
}

impl<T> Page<T> {
    /// Takes an entry that was made of a row and others that it leads to, if any. Where one of those
    /// cannot be read, the row counts as damaged.
    pub(super) fn take(&mut self, place: Cursor, made: Result<Option<T>, TxError>) -> Result<(), TxError> {
        match made {
            Ok(entry) => self.entries.extend(entry),
            Err(error) if error.is_of_a_row() => self.damaged.push(place),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

impl<E: Entity> Page<E> {
    /// Reads a page of rows.
    pub(super) async fn read<T: Tables>(
        tables: &mut T,
        query: Query,
        after: Option<&Cursor>,
        limit: Option<u16>,
    ) -> Result<Self, TxError> {
        let limit = usize::from(limit.unwrap_or(PAGE).clamp(1, LIMIT_MAX));
        let after = after.map(|cursor| Cursor::key::<E>(&cursor.0));
        let query = Query { after, ..query };
        match Self::whole(tables, query.clone(), limit).await {
            Err(error) if error.is_of_a_row() => Self::sound(tables, query, limit).await,
            page => page,
        }
    }

    async fn whole<T: Tables>(tables: &mut T, query: Query, limit: usize) -> Result<Self, TxError> {
        // One more than wanted tells whether there is a next page.
        let mut rows: Vec<Versioned<E>> = tables.select(query.at_most(limit.saturating_add(1))).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|last| Cursor::of(&last.row));
        let entries = rows.into_iter().map(|versioned| versioned.row).collect();
        Ok(Self { entries, next, damaged: Vec::new() })
    }

    /// Reads the same row by row, without those that cannot be read.
    async fn sound<T: Tables>(tables: &mut T, query: Query, limit: usize) -> Result<Self, TxError> {
        let mut keys = tables.keys::<E>(query.clone().at_most(limit.saturating_add(1))).await?;
        let more = keys.len() > limit;
        keys.truncate(limit);
        let next = keys.last().filter(|_| more).map(Cursor::at);
        let mut page = Self { entries: Vec::new(), next, damaged: Vec::new() };
        for key in keys {
            let place = Cursor::at(&key);
            let made = match tables.get::<E>(key).await {
                Ok(Some(versioned)) if !query.wants(&versioned.row) => {
                    Err(TxError::Error(StoreError::Damaged))
                }
                row => row.map(|versioned| versioned.map(|versioned| versioned.row)),
            };
            page.take(place, made)?;
        }
        Ok(page)
    }
}
