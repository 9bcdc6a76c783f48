//! Tables as SQL.

use super::{Database, damaged};
use crate::store::tables::{Column, Condition, Key, Query, Row, Table, Transaction, TxError, Value};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

/// A transaction whose tables are those of a database.
pub(crate) struct Statements<D>(pub(crate) D);

fn names(columns: impl Iterator<Item = Column>) -> String {
    columns.map(|column| column.name).collect::<Vec<_>>().join(", ")
}

/// Returns the condition for the row with this key, and with this version.
fn this(table: &Table, key: &Key, version: Option<i64>, parameters: &mut Vec<Value>) -> String {
    let mut conditions = Vec::new();
    for (column, part) in table.key_columns().zip(key.parts()) {
        parameters.push(Value::Text(part.clone()));
        conditions.push(format!("{} = ${}", column.name, parameters.len()));
    }
    if let Some(version) = version {
        parameters.push(Value::Int(version));
        conditions.push(format!("version = ${}", parameters.len()));
    }
    conditions.join(" AND ")
}

/// Returns the condition for the rows wanted.
fn wanted(table: &Table, query: &Query, parameters: &mut Vec<Value>) -> String {
    let mut conditions = Vec::new();
    for (column, condition) in &query.conditions {
        let place = parameters.len().saturating_add(1);
        let (condition, value) = match condition {
            Condition::Is(text) => (format!("{column} = ${place}"), Value::Text(text.clone())),
            Condition::IsNot(text) => (format!("{column} <> ${place}"), Value::Text(text.clone())),
            Condition::AtMost(most) => (format!("{column} <= ${place}"), Value::Int(*most)),
            Condition::AtLeast(least) => (format!("{column} >= ${place}"), Value::Int(*least)),
            // LIKE takes letters for equal that are not, differently in every database.
            Condition::Begins(text) => {
                (format!("substr({column}, 1, length(${place})) = ${place}"), Value::Text(text.clone()))
            }
        };
        conditions.push(condition);
        parameters.push(value);
    }
    if let Some(after) = &query.after {
        let mut places = Vec::new();
        for part in after.parts() {
            parameters.push(Value::Text(part.clone()));
            places.push(format!("${}", parameters.len()));
        }
        let after = if query.backwards { '<' } else { '>' };
        conditions.push(format!("({}) {after} ({})", names(table.key_columns()), places.join(", ")));
    }
    if conditions.is_empty() { "TRUE".to_string() } else { conditions.join(" AND ") }
}

/// Returns the condition, the order and the limit of the rows wanted.
fn sorted(table: &Table, query: &Query, parameters: &mut Vec<Value>) -> String {
    let mut rest = wanted(table, query, parameters);
    let order = if query.backwards { " DESC" } else { "" };
    let by = query.order_by.into_iter().chain(table.key_columns().map(|column| column.name));
    let by = by.map(|column| format!("{column}{order}"));
    let _ = write!(rest, " ORDER BY {}", by.collect::<Vec<_>>().join(", "));
    if let Some(limit) = query.limit {
        let _ = write!(rest, " LIMIT {limit}");
    }
    rest
}

impl<D: Database> Statements<D> {
    async fn read(
        &mut self,
        table: &'static Table,
        rest: &str,
        parameters: &[Value],
    ) -> Result<Vec<Row>, TxError> {
        let sql = format!("SELECT {} FROM halfkey_{} WHERE {rest}", names(table.columns()), table.name());
        let rows = self.0.query(&sql, parameters).await?;
        rows.into_iter().map(|values| Ok(Row::new(table, values)?)).collect()
    }

    /// Runs a statement that changes one row, as it was read.
    async fn one(&mut self, sql: &str, parameters: &[Value]) -> Result<(), TxError> {
        match self.0.execute(sql, parameters).await? {
            1 => Ok(()),
            0 => Err(TxError::Conflict),
            _ => Err(damaged()),
        }
    }
}

impl<D: Database> Transaction for Statements<D> {
    fn is_alone(&self) -> bool {
        D::DIALECT.alone
    }

    async fn get(&mut self, table: &'static Table, key: &Key) -> Result<Option<Row>, TxError> {
        let mut parameters = Vec::new();
        let this = this(table, key, None, &mut parameters);
        let mut rows = self.read(table, &this, &parameters).await?;
        if rows.len() > 1 { Err(damaged()) } else { Ok(rows.pop()) }
    }

    async fn select(&mut self, table: &'static Table, query: &Query) -> Result<Vec<Row>, TxError> {
        let mut parameters = Vec::new();
        let rest = sorted(table, query, &mut parameters);
        self.read(table, &rest, &parameters).await
    }

    async fn insert(&mut self, row: Row) -> Result<(), TxError> {
        let table = row.table();
        let places = (1..=row.values().len()).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
        let (columns, name) = (names(table.columns()), table.name());
        let sql = format!("INSERT INTO halfkey_{name} ({columns}) VALUES ({places})");
        self.one(&sql, row.values()).await
    }

    async fn update(&mut self, row: Row, version: i64) -> Result<(), TxError> {
        let (table, key) = (row.table(), row.key());
        let mut parameters = row.into_values();
        let set = (1..).zip(table.columns()).map(|(place, column)| format!("{} = ${place}", column.name));
        let set = set.collect::<Vec<_>>().join(", ");
        let this = this(table, &key, Some(version), &mut parameters);
        self.one(&format!("UPDATE halfkey_{} SET {set} WHERE {this}", table.name()), &parameters).await
    }

    async fn delete(
        &mut self,
        table: &'static Table,
        key: &Key,
        version: Option<i64>,
    ) -> Result<(), TxError> {
        let mut parameters = Vec::new();
        let this = this(table, key, version, &mut parameters);
        let sql = format!("DELETE FROM halfkey_{} WHERE {this}", table.name());
        match version {
            Some(_) => self.one(&sql, &parameters).await,
            None => self.0.execute(&sql, &parameters).await.map(drop),
        }
    }

    async fn keys(&mut self, table: &'static Table, query: &Query) -> Result<Vec<Key>, TxError> {
        let mut parameters = Vec::new();
        let rest = sorted(table, query, &mut parameters);
        let columns = names(table.key_columns());
        let sql = format!("SELECT {columns} FROM halfkey_{} WHERE {rest}", table.name());
        let rows = self.0.query(&sql, &parameters).await?;
        let part = |value| match value {
            Value::Text(text) => Ok(text),
            _ => Err(damaged()),
        };
        let key = |row: Vec<Value>| row.into_iter().map(part).collect::<Result<Vec<_>, _>>().map(Key::from);
        rows.into_iter().map(key).collect()
    }

    async fn count(&mut self, table: &'static Table, query: &Query) -> Result<u64, TxError> {
        let mut parameters = Vec::new();
        let rest = wanted(table, query, &mut parameters);
        let sql = format!("SELECT count(*) FROM halfkey_{} WHERE {rest}", table.name());
        let rows = self.0.query(&sql, &parameters).await?;
        match rows.first().and_then(|row| row.first()) {
            Some(Value::Int(count)) => u64::try_from(*count).map_err(|_| damaged()),
            _ => Err(damaged()),
        }
    }
}
