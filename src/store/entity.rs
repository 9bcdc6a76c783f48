//! Tables of a store, each row a value of one type: what a store must be able to do for the rules.

use super::UniqueNames;
use super::value::{Field, Kind, Value};
use crate::port::StoreError;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub optional: bool,
    /// Whether rows are looked for by it.
    pub indexed: bool,
}

impl Column {
    pub const fn of<F: Field>(name: &'static str, indexed: bool) -> Self {
        Self { name, kind: F::KIND, optional: F::OPTIONAL, indexed }
    }
}

/// A primary key: one or two texts.
pub(crate) type Key = Vec<String>;

/// A type whose values are the rows of a table.
pub trait Entity: Clone + Send + Sync + 'static {
    const TABLE: &'static str;
    /// Those of the primary key come first.
    const COLUMNS: &'static [Column];
    const KEYS: usize;
    fn put(&self) -> Vec<Value>;
    fn get(row: Vec<Value>) -> Option<Self>;
    fn key(&self) -> Key;

    /// The names of the columns of the primary key.
    fn keys() -> impl Iterator<Item = &'static str> {
        Self::COLUMNS.iter().take(Self::KEYS).map(|column| column.name)
    }
}

/// Declares a struct and the table that its values are the rows of. A field marked `indexed` is one
/// that rows are looked for by.
macro_rules! entity {
    (
        $(#[$doc:meta])* $name:ident, $table:literal, by [ $( $(#[$kdoc:meta])* $key:ident: $ktype:ty $(, $kindexed:ident)? );+ ] {
            $( $(#[$fdoc:meta])* $field:ident: $type:ty $(, $indexed:ident)? );* $(;)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub(crate) struct $name {
            $( $(#[$kdoc])* pub(crate) $key: $ktype, )+
            $( $(#[$fdoc])* pub(crate) $field: $type, )*
        }

        impl $crate::store::entity::Entity for $name {
            const TABLE: &'static str = $table;
            const COLUMNS: &'static [$crate::store::entity::Column] = &[
                $( $crate::store::entity::Column::of::<$ktype>(stringify!($key), $crate::store::entity::entity!(@ $($kindexed)?)), )+
                $( $crate::store::entity::Column::of::<$type>(stringify!($field), $crate::store::entity::entity!(@ $($indexed)?)), )*
            ];
            const KEYS: usize = [$(stringify!($key)),+].len();

            fn put(&self) -> alloc::vec::Vec<$crate::store::value::Value> {
                use $crate::store::value::Field;
                alloc::vec![ $( Field::put(&self.$key), )+ $( Field::put(&self.$field), )* ]
            }

            fn get(row: alloc::vec::Vec<$crate::store::value::Value>) -> Option<Self> {
                use $crate::store::value::Field;
                let mut row = row.into_iter();
                let entity = Self {
                    $( $key: Field::get(row.next()?)?, )+
                    $( $field: Field::get(row.next()?)?, )*
                };
                row.next().is_none().then_some(entity)
            }

            fn key(&self) -> $crate::store::entity::Key {
                alloc::vec![ $( alloc::string::ToString::to_string(&self.$key) ),+ ]
            }
        }
    };
    (@) => { false };
    (@ indexed) => { true };
}
pub(crate) use entity;

/// A row as it was read. A store may number its versions, to tell when another has changed it since.
#[derive(Clone)]
pub struct Held<E> {
    pub row: E,
    pub version: i64,
}

impl<E> Deref for Held<E> {
    type Target = E;
    fn deref(&self) -> &E {
        &self.row
    }
}

impl<E> DerefMut for Held<E> {
    fn deref_mut(&mut self) -> &mut E {
        &mut self.row
    }
}

/// What rows are wanted: all conditions hold.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pub conditions: Vec<(&'static str, Test)>,
    /// They come in the order of this column, of a time, and then of their keys; of the keys alone
    /// where there is none.
    pub by: Option<&'static str>,
    /// Only keys that come after this one.
    pub after: Option<Key>,
    /// From the greatest key to the least.
    pub backwards: bool,
    /// At most so many.
    pub limit: Option<usize>,
}

/// A condition on one column; none holds of `NULL`.
#[derive(Clone, Debug)]
pub enum Test {
    Is(String),
    AtMost(i64),
    AtLeast(i64),
    Begins(String),
}

impl Test {
    pub fn passes(&self, value: &Value) -> bool {
        match (value, self) {
            (Value::Text(text), Self::Is(wanted)) => text == wanted,
            (Value::Text(text), Self::Begins(wanted)) => text.starts_with(wanted.as_str()),
            (Value::Int(number), Self::AtMost(most)) => number <= most,
            (Value::Int(number), Self::AtLeast(least)) => number >= least,
            _ => false,
        }
    }
}

impl Query {
    pub fn all() -> Self {
        Self::default()
    }

    /// The one row with this key.
    pub fn at<E: Entity>(key: Key) -> Self {
        let tests = key.into_iter().map(Test::Is);
        Self { conditions: E::keys().zip(tests).collect(), ..Self::all() }
    }

    /// Whether a row is one of those wanted: an index that was tampered with leads to others.
    pub fn wants<E: Entity>(&self, row: &E) -> bool {
        self.passes(E::COLUMNS.iter(), &row.put())
    }

    /// Whether the values in these columns are those of a row that is wanted.
    pub fn passes(&self, columns: impl Iterator<Item = &'static Column> + Clone, values: &[Value]) -> bool {
        self.conditions.iter().all(|(name, test)| {
            let value = columns.clone().zip(values).find(|(column, _)| column.name == *name);
            value.is_some_and(|(_, value)| test.passes(value))
        })
    }

    pub fn is(self, column: &'static str, value: &impl Field) -> Self {
        match value.put() {
            Value::Text(text) => self.and(column, Test::Is(text)),
            // No rule looks for anything else: a mistake would find nothing.
            _ => Self { limit: Some(0), ..self },
        }
    }

    pub fn until(self, column: &'static str, time: crate::time::UnixTime) -> Self {
        self.and(column, Test::AtMost(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)))
    }

    pub fn from(self, column: &'static str, time: crate::time::UnixTime) -> Self {
        self.and(column, Test::AtLeast(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)))
    }

    /// The earliest first, so that a database that looks through an index by time may stop at the limit.
    pub fn earliest(self, column: &'static str) -> Self {
        Self { by: Some(column), ..self }
    }

    pub fn and(mut self, column: &'static str, test: Test) -> Self {
        self.conditions.push((column, test));
        self
    }

    /// Registrations that are pending, their time over or not.
    pub fn pending(self) -> Self {
        self.from("confirm_by", crate::time::UnixTime::default())
    }

    pub fn at_most(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
    }
}

/// Why a transaction ends without effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble<E = StoreError> {
    /// Another was quicker: the same again, from the beginning.
    Conflict,
    /// It is of no use to try again.
    Error(E),
}

impl Trouble {
    /// Whether it is only that a row cannot be read, and others can.
    pub fn is_of_a_row(&self) -> bool {
        matches!(self, Self::Error(StoreError::Damaged | StoreError::StorageKey))
    }
}

impl<E> From<E> for Trouble<E> {
    fn from(error: E) -> Self {
        Self::Error(error)
    }
}

/// The tables within one transaction. What is changed is there for later calls, and for others when
/// the transaction ends well.
///
/// The methods are asynchronous so that one text of the rules serves every kind of store; those of a
/// store that never waits are ready at once.
pub trait Tables: Send {
    /// The row with this key.
    fn get<E: Entity>(&mut self, key: Key) -> impl Future<Output = Result<Option<Held<E>>, Trouble>> + Send;

    /// The rows wanted.
    fn select<E: Entity>(
        &mut self,
        query: Query,
    ) -> impl Future<Output = Result<Vec<Held<E>>, Trouble>> + Send;

    /// The keys of the rows wanted. None of the rows is read: a damaged one has a key like any other.
    fn keys<E: Entity>(&mut self, query: Query) -> impl Future<Output = Result<Vec<Key>, Trouble>> + Send;

    /// How many are wanted, whatever the limit.
    fn count<E: Entity>(&mut self, query: Query) -> impl Future<Output = Result<u64, Trouble>> + Send;

    /// A new row. [`Trouble::Conflict`] when its key is there.
    fn insert<E: Entity>(&mut self, row: E) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Changes a row. [`Trouble::Conflict`] when another has changed it.
    fn update<E: Entity>(&mut self, row: &mut Held<E>) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Removes a row. [`Trouble::Conflict`] when another has changed it.
    fn delete<E: Entity>(&mut self, row: &Held<E>) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// Removes a row without reading it, be it there or not.
    fn erase<E: Entity>(&mut self, key: Key) -> impl Future<Output = Result<(), Trouble>> + Send;

    /// The keys of rows that are not sealed under the current storage key, where there is such a thing.
    fn stale<E: Entity>(
        &mut self,
        after: Option<Key>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Key>, Trouble>> + Send;

    /// Whose name a name is.
    fn unique(&self) -> UniqueNames;

    /// Random bytes, for identifiers.
    fn draw(&mut self) -> [u8; 16];

    /// A number greater than the one before, in this process.
    fn tick(&mut self) -> u32;
}
