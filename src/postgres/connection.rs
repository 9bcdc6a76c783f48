//! PostgreSQL behind [`crate::sql::Database`].

use super::error;
use crate::sql::{Database, Dialect};
use crate::store::tables::{TxError, Value};
use alloc::string::String;
use alloc::vec::Vec;
use deadpool_postgres::tokio_postgres::types::{ToSql, Type};
use deadpool_postgres::tokio_postgres::{Error, Row, Transaction};

/// A connection within a transaction.
pub(super) struct Lent<'t> {
    pub(super) transaction: &'t Transaction<'t>,
    /// Error of the first statement that failed. The transaction is over then: COMMIT would roll it
    /// back and report success.
    pub(super) fault: &'t mut Option<TxError>,
}

type Parameter<'v> = (&'v (dyn ToSql + Sync), Type);

/// Adds the parameters' types, so that no statement has to be prepared and kept on a connection.
fn bind(parameters: &[Value]) -> Vec<Parameter<'_>> {
    parameters.iter().map(bound).collect()
}

fn bound(value: &Value) -> Parameter<'_> {
    match value {
        // The type is that of its place.
        Value::Null => (&None::<&str>, Type::UNKNOWN),
        Value::Int(number) => (number, Type::INT8),
        Value::Text(text) => (text, Type::TEXT),
        Value::Bytes(bytes) => (bytes, Type::BYTEA),
    }
}

fn values(row: &Row) -> Result<Vec<Value>, Error> {
    let value = |(place, column): (usize, &deadpool_postgres::tokio_postgres::Column)| {
        let value = match *column.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(place)?.map(Value::Int),
            Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(place)?.map(Value::Bytes),
            _ => row.try_get::<_, Option<String>>(place)?.map(Value::Text),
        };
        Ok(value.unwrap_or(Value::Null))
    };
    row.columns().iter().enumerate().map(value).collect()
}

impl Lent<'_> {
    fn noted<T>(&mut self, answer: Result<T, Error>) -> Result<T, TxError> {
        answer.map_err(|error| self.fault.get_or_insert(error::of_statement(&error)).clone())
    }
}

impl Database for Lent<'_> {
    const DIALECT: Dialect = Dialect {
        // So that an update of the system's collations breaks no index.
        text: "TEXT COLLATE \"C\"",
        bytes: "BYTEA",
        int: "BIGINT",
        table: "",
        alone: false,
        exists: "SELECT count(*) FROM information_schema.tables \
                 WHERE table_schema = current_schema() AND table_name = 'halfkey_schema'",
    };

    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, TxError> {
        let answer = self.transaction.query_typed(sql, &bind(parameters)).await;
        let rows = self.noted(answer)?;
        let rows: Result<_, Error> = rows.iter().map(values).collect();
        self.noted(rows)
    }

    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, TxError> {
        let answer = self.transaction.execute_typed(sql, &bind(parameters)).await;
        self.noted(answer)
    }
}
