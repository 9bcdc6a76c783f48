//! Tables and their columns.

use crate::store::cell::{Field as Typed, Kind};

/// A kind of [`Value`](super::Value).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// [`Value::Int`](super::Value::Int).
    Int,
    /// [`Value::Text`](super::Value::Text).
    Text,
    /// [`Value::Bytes`](super::Value::Bytes).
    Bytes,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Column {
    /// Name, of lower-case letters and underscores.
    pub name: &'static str,
    /// Kind of its values.
    pub kind: ColumnKind,
    /// True where a value may be null.
    pub optional: bool,
    /// True where queries look rows up by it: an index on it spares reading the table through.
    pub indexed: bool,
}

/// A field of a typed row: a column, or a secret within the seal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) optional: bool,
    pub(crate) indexed: bool,
}

impl Field {
    pub(crate) const fn of<F: Typed>(name: &'static str, indexed: bool) -> Self {
        Self { name, kind: F::KIND, optional: F::OPTIONAL, indexed }
    }
}

/// A table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub(crate) name: &'static str,
    pub(crate) fields: &'static [Field],
    pub(crate) keys: usize,
}

/// Version of the tables that this version of the crate keeps. Later versions add columns, which may be
/// null, and tables; they take none away.
pub const VERSION: u64 = 3;

const fn own(name: &'static str, kind: ColumnKind) -> Column {
    Column { name, kind, optional: false, indexed: false }
}

/// The columns at the end of every table: the row's version, the id of the storage key that sealed the
/// row, and the seal.
pub(super) const OWN: [Column; 3] =
    [own("version", ColumnKind::Int), own("sealed_by", ColumnKind::Text), own("seal", ColumnKind::Bytes)];

impl Table {
    /// Returns the table's name, of lower-case letters and underscores.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the columns in the order of a row's values: the key columns, the others, then `version`,
    /// `sealed_by` and `seal`.
    pub fn columns(&self) -> impl Iterator<Item = Column> + Clone + use<> {
        self.fields.iter().filter_map(plain).chain(OWN)
    }

    /// Returns the columns of the primary key: one to three, all of kind [`ColumnKind::Text`].
    pub fn key_columns(&self) -> impl Iterator<Item = Column> + Clone + use<> {
        self.columns().take(self.keys)
    }
}

fn plain(field: &Field) -> Option<Column> {
    let kind = match field.kind {
        Kind::Int => ColumnKind::Int,
        Kind::Text => ColumnKind::Text,
        Kind::Bytes => ColumnKind::Bytes,
        Kind::Sealed => return None,
    };
    Some(Column { name: field.name, kind, optional: field.optional, indexed: field.indexed })
}
