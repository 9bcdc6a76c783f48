//! Typed rows, and the tables of them that the rules are written over.

use super::cell::{Cell, Field};
use super::tables::{Condition, Key, Query, Table, TxError};
use super::unique_names::UniqueNames;
use crate::time::UnixTime;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

/// Type whose values are the rows of a table.
pub trait Entity: Clone + Send + Sync + 'static {
    const TABLE: &'static Table;
    fn put(&self) -> Vec<Cell>;
    fn get(row: Vec<Cell>) -> Option<Self>;
    fn key(&self) -> Key;
}

/// Declares a struct and the table of its values. A field marked `indexed` is one that queries look
/// rows up by; a column may have another name than its field.
macro_rules! entity {
    (
        $(#[$doc:meta])* $name:ident, $table:literal, by [ $( $(#[$kdoc:meta])* $key:ident: $ktype:ty $(, $kindexed:ident)? );+ ] {
            $( $(#[$fdoc:meta])* $field:ident $(as $column:literal)?: $type:ty $(, $indexed:ident)? );* $(;)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone)]
        #[allow(unreachable_pub, reason = "lists name some of the rows")]
        pub struct $name {
            $( $(#[$kdoc])* pub(crate) $key: $ktype, )+
            $( $(#[$fdoc])* pub(crate) $field: $type, )*
        }

        impl $crate::store::entity::Entity for $name {
            const TABLE: &'static $crate::store::tables::Table = &$crate::store::tables::Table { name: $table, fields: &[
                $( $crate::store::tables::Field::of::<$ktype>(stringify!($key), $crate::store::entity::entity!(@ $($kindexed)?)), )+
                $( $crate::store::tables::Field::of::<$type>($crate::store::entity::entity!(name $field $($column)?), $crate::store::entity::entity!(@ $($indexed)?)), )*
            ], keys: [$(stringify!($key)),+].len() };

            fn put(&self) -> alloc::vec::Vec<$crate::store::cell::Cell> {
                use $crate::store::cell::Field;
                alloc::vec![ $( Field::put(&self.$key), )+ $( Field::put(&self.$field), )* ]
            }

            fn get(row: alloc::vec::Vec<$crate::store::cell::Cell>) -> Option<Self> {
                use $crate::store::cell::Field;
                let mut row = row.into_iter();
                let entity = Self {
                    $( $key: Field::get(row.next()?)?, )+
                    $( $field: Field::get(row.next()?)?, )*
                };
                row.next().is_none().then_some(entity)
            }

            fn key(&self) -> $crate::store::tables::Key {
                alloc::vec![ $( alloc::string::ToString::to_string(&self.$key) ),+ ].into()
            }
        }
    };
    (name $field:ident) => { stringify!($field) };
    (name $field:ident $column:literal) => { $column };
    (@) => { false };
    (@ indexed) => { true };
}
pub(crate) use entity;

/// Row with the version under which it was read.
#[derive(Clone)]
pub struct Versioned<E> {
    pub row: E,
    pub version: i64,
}

impl<E> Deref for Versioned<E> {
    type Target = E;
    fn deref(&self) -> &E {
        &self.row
    }
}

impl<E> DerefMut for Versioned<E> {
    fn deref_mut(&mut self) -> &mut E {
        &mut self.row
    }
}

impl Query {
    pub(crate) fn all() -> Self {
        Self::default()
    }

    /// Asks for texts of this field's column.
    pub(crate) fn is(self, column: &'static str, value: &impl Field) -> Self {
        match value.put() {
            Cell::Text(text) => self.and(column, Condition::Is(text)),
            // Rules compare only texts for equality: another query is a mistake, and finds nothing.
            _ => Self { limit: Some(0), ..self },
        }
    }

    pub(crate) fn until(self, column: &'static str, time: UnixTime) -> Self {
        self.and(column, Condition::AtMost(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)))
    }

    pub(crate) fn from(self, column: &'static str, time: UnixTime) -> Self {
        self.and(column, Condition::AtLeast(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)))
    }

    /// Puts the earliest first, so that a database that looks through an index by time may stop at the
    /// limit.
    pub(crate) fn earliest(self, column: &'static str) -> Self {
        Self { order_by: Some(column), ..self }
    }

    pub(crate) fn and(mut self, column: &'static str, condition: Condition) -> Self {
        self.conditions.push((column, condition));
        self
    }

    /// Asks for registrations that are pending, whether or not their time is over.
    pub(crate) fn pending(self) -> Self {
        self.from("confirm_by", UnixTime::default())
    }

    pub(crate) fn at_most(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Tells whether all conditions hold for a typed row.
    pub(crate) fn wants<E: Entity>(&self, row: &E) -> bool {
        let cells = row.put();
        self.conditions.iter().all(|(name, condition)| {
            let cell = E::TABLE.fields.iter().zip(&cells).find(|(field, _)| field.name == *name);
            cell.is_some_and(|(_, cell)| condition.holds_for(cell))
        })
    }
}

impl Condition {
    /// Tells whether the condition holds for a cell.
    pub(crate) fn holds_for(&self, cell: &Cell) -> bool {
        match cell {
            Cell::Text(text) => self.holds_for_text(text),
            Cell::Int(number) => self.holds_for_number(*number),
            Cell::Null | Cell::Bytes(_) | Cell::Sealed(_) => false,
        }
    }
}

/// Typed tables within one transaction. Changes are seen by later calls at once, and by others when the
/// transaction is committed.
///
/// The methods are asynchronous so that one text of the rules serves every kind of store; those of a
/// store that never waits are ready at once.
pub trait Tables: Send {
    /// Returns the row with this key.
    fn get<E: Entity>(
        &mut self,
        key: Key,
    ) -> impl Future<Output = Result<Option<Versioned<E>>, TxError>> + Send;

    /// Returns the rows wanted.
    fn select<E: Entity>(
        &mut self,
        query: Query,
    ) -> impl Future<Output = Result<Vec<Versioned<E>>, TxError>> + Send;

    /// Returns the keys of the rows wanted. No row is read: a damaged one has a key like any other.
    fn keys<E: Entity>(&mut self, query: Query) -> impl Future<Output = Result<Vec<Key>, TxError>> + Send;

    /// Counts the rows wanted, whatever the limit.
    fn count<E: Entity>(&mut self, query: Query) -> impl Future<Output = Result<u64, TxError>> + Send;

    /// Adds a row. [`TxError::Conflict`] where a row has its key.
    fn insert<E: Entity>(&mut self, row: E) -> impl Future<Output = Result<(), TxError>> + Send;

    /// Changes a row. [`TxError::Conflict`] where another transaction changed it.
    fn update<E: Entity>(
        &mut self,
        row: &mut Versioned<E>,
    ) -> impl Future<Output = Result<(), TxError>> + Send;

    /// Removes a row. [`TxError::Conflict`] where another transaction changed it.
    fn delete<E: Entity>(&mut self, row: &Versioned<E>) -> impl Future<Output = Result<(), TxError>> + Send;

    /// Removes the row with this key, if there is one, without reading it.
    fn delete_by_key<E: Entity>(&mut self, key: Key) -> impl Future<Output = Result<(), TxError>> + Send;

    /// Returns the keys of rows that are not sealed under the current storage key.
    fn stale<E: Entity>(
        &mut self,
        after: Option<Key>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Key>, TxError>> + Send;

    /// Tells whether no other transaction that writes can run beside this one.
    fn is_alone(&self) -> bool;

    /// Returns the id of the current storage key of this process; `None` where rows are not sealed.
    fn storage_key(&self) -> Option<String>;

    /// Seals with the current storage key of this process from here on, in this transaction.
    fn seal_anew(&mut self);

    /// Tells whether a storage key is announced that this process does not hold. It is known once a row was written in
    /// this transaction.
    fn lacks_announced(&self) -> bool;

    /// Tells who may hold a user name.
    fn unique(&self) -> UniqueNames;

    /// Draws random bytes, for identifiers.
    fn draw(&mut self) -> [u8; 16];

    /// Returns a number greater than the one before in this process, and not below `least`.
    fn tick(&mut self, least: u32) -> u32;
}
