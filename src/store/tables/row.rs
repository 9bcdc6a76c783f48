//! Rows, as a back end keeps them.

use super::schema::{Column, ColumnKind, Table};
use super::value::{Key, Value};
use crate::port::StoreError;
use crate::store::cell::{Cell, Cells};
use crate::wire::{decode, encode};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

impl From<Value> for Cell {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Int(number) => Self::Int(number),
            Value::Text(text) => Self::Text(text),
            Value::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

impl Cell {
    /// Returns the value of a cell that is no secret.
    pub(crate) fn plain(self) -> Option<Value> {
        match self {
            Self::Null => Some(Value::Null),
            Self::Int(number) => Some(Value::Int(number)),
            Self::Text(text) => Some(Value::Text(text)),
            Self::Bytes(bytes) => Some(Value::Bytes(bytes)),
            Self::Sealed(_) => None,
        }
    }
}

/// A row: one value for each of its table's columns.
#[derive(Clone, Debug)]
pub struct Row {
    table: &'static Table,
    values: Vec<Value>,
}

impl Row {
    /// Makes a row of values in the order of [`Table::columns`].
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for values of another number or kind.
    pub fn new(table: &'static Table, values: Vec<Value>) -> Result<Self, StoreError> {
        let fits = |(column, value): (Column, &Value)| match value {
            Value::Null => column.optional,
            Value::Int(_) => column.kind == ColumnKind::Int,
            Value::Text(_) => column.kind == ColumnKind::Text,
            Value::Bytes(_) => column.kind == ColumnKind::Bytes,
        };
        let whole = table.columns().count() == values.len() && table.columns().zip(&values).all(fits);
        if whole { Ok(Self { table, values }) } else { Err(StoreError::Damaged) }
    }

    /// Returns the table.
    #[must_use]
    pub const fn table(&self) -> &'static Table {
        self.table
    }

    /// Returns the values in the order of [`Table::columns`].
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    pub(crate) fn into_values(self) -> Vec<Value> {
        self.values
    }

    /// Returns the value in the column of this name, or `None` where there is no such column.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.table.columns().zip(&self.values).find(|(column, _)| column.name == name).map(|(_, value)| value)
    }

    pub(super) fn int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        }
    }

    /// Returns the primary key.
    #[must_use]
    pub fn key(&self) -> Key {
        let text = |value: &Value| match value {
            Value::Text(text) => text.clone(),
            _ => String::new(),
        };
        self.values.iter().take(self.table.keys).map(text).collect::<Vec<_>>().into()
    }

    /// Returns the version: 1 for a new row, and one more with every change.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.int("version").unwrap_or_default()
    }

    /// Encodes the row, for back ends that keep bytes.
    ///
    /// The values stand with the names of their columns, so that a later version of this crate, which
    /// may have more columns, reads what an earlier one wrote.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut cells = Vec::new();
        for (column, value) in self.table.columns().zip(&self.values) {
            if *value != Value::Null {
                cells.extend([Cell::Text(column.name.to_string()), value.clone().into()]);
            }
        }
        encode(&Cells(cells))
    }

    /// Decodes a row that [`Row::encode`] made and that was written under this key.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for other bytes, and for a row that belongs under another key.
    pub fn decode(table: &'static Table, key: &Key, bytes: &[u8]) -> Result<Self, StoreError> {
        let Cells(cells) = decode(bytes, "row", usize::MAX).map_err(|_| StoreError::Damaged)?;
        let mut cells = cells.into_iter();
        let mut values = Vec::new();
        let mut next = cells.next();
        for column in table.columns() {
            let named = matches!(&next, Some(Cell::Text(name)) if name == column.name);
            values.push(if named {
                cells.next().and_then(Cell::plain).ok_or(StoreError::Damaged)?
            } else {
                Value::Null
            });
            if named {
                next = cells.next();
            }
        }
        let row = Self::new(table, values)?;
        if next.is_none() && row.key() == *key { Ok(row) } else { Err(StoreError::Damaged) }
    }
}
