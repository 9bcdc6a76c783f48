//! Tables as SQL.

use super::seal::{self, Written};
use super::{Database, damaged};
use crate::random::{SystemRandom, draw};
use crate::store::entity::{Column, Entity, Held, Key, Query, Tables, Test, Trouble};
use crate::store::value::{Kind, Value};
use crate::store::{StorageKeys, UniqueNames};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::{AtomicU32, Ordering};

/// What all transactions of a store share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) keys: StorageKeys,
    pub(crate) unique: UniqueNames,
    pub(crate) ticks: AtomicU32,
}

/// The tables of a database within one transaction.
pub(crate) struct Rows<'s, D> {
    pub(crate) database: D,
    pub(crate) shared: &'s Shared,
}

/// The columns in the open, in their order.
fn plain<E: Entity>() -> impl Iterator<Item = &'static Column> + Clone {
    E::COLUMNS.iter().filter(|column| column.kind != Kind::Sealed)
}

fn names<E: Entity>() -> String {
    plain::<E>().map(|column| column.name).collect::<Vec<_>>().join(", ")
}

/// `WHERE` one row, as it was read.
fn this<E: Entity>(row: &Held<E>, parameters: &mut Vec<Value>) -> String {
    let this = wanted::<E>(&Query::at::<E>(row.row.key()), parameters);
    parameters.push(Value::Int(row.version));
    format!("{this} AND version = ${}", parameters.len())
}

/// `WHERE` the rows wanted.
fn wanted<E: Entity>(query: &Query, parameters: &mut Vec<Value>) -> String {
    let mut conditions = Vec::new();
    for (column, test) in &query.conditions {
        let place = parameters.len().saturating_add(1);
        let (condition, value) = match test {
            Test::Is(text) => (format!("{column} = ${place}"), Value::Text(text.clone())),
            Test::AtMost(most) => (format!("{column} <= ${place}"), Value::Int(*most)),
            Test::AtLeast(least) => (format!("{column} >= ${place}"), Value::Int(*least)),
            // LIKE has other ideas of letters in every database.
            Test::Begins(text) => {
                (format!("substr({column}, 1, length(${place})) = ${place}"), Value::Text(text.clone()))
            }
        };
        conditions.push(condition);
        parameters.push(value);
    }
    if let Some(after) = &query.after {
        let mut places = Vec::new();
        for part in after {
            parameters.push(Value::Text(part.clone()));
            places.push(format!("${}", parameters.len()));
        }
        let after = if query.backwards { '<' } else { '>' };
        conditions.push(format!("({}) {after} ({})", keys::<E>(), places.join(", ")));
    }
    if conditions.is_empty() { "TRUE".to_string() } else { conditions.join(" AND ") }
}

/// `WHERE` the rows wanted, in the order wanted.
fn sorted<E: Entity>(query: &Query, parameters: &mut Vec<Value>) -> String {
    let mut rest = wanted::<E>(query, parameters);
    let order = if query.backwards { " DESC" } else { "" };
    let by = query.by.into_iter().chain(E::keys()).map(|column| format!("{column}{order}"));
    let _ = write!(rest, " ORDER BY {}", by.collect::<Vec<_>>().join(", "));
    if let Some(limit) = query.limit {
        let _ = write!(rest, " LIMIT {limit}");
    }
    rest
}

fn keys<E: Entity>() -> String {
    E::keys().collect::<Vec<_>>().join(", ")
}

impl<D: Database> Rows<'_, D> {
    /// The rows that are found, if they are those wanted: a database finds rows by its indexes, and one
    /// that was tampered with finds others.
    async fn read<E: Entity>(
        &mut self,
        rest: &str,
        parameters: &[Value],
        query: &Query,
    ) -> Result<Vec<Held<E>>, Trouble> {
        let (names, table) = (names::<E>(), E::TABLE);
        let sql = format!("SELECT {names}, version, sealed_by, seal FROM halfkey_{table} WHERE {rest}");
        let rows = self.database.query(&sql, parameters).await?;
        let open = |row: Vec<Value>| {
            if query.passes(plain::<E>(), &row) { self.open(row) } else { Err(damaged()) }
        };
        rows.into_iter().map(open).collect()
    }

    async fn keys_where<E: Entity>(&mut self, rest: &str, parameters: &[Value]) -> Result<Vec<Key>, Trouble> {
        let sql = format!("SELECT {} FROM halfkey_{} WHERE {rest}", keys::<E>(), E::TABLE);
        let rows = self.database.query(&sql, parameters).await?;
        let part = |value| match value {
            Value::Text(text) => Ok(text),
            _ => Err(damaged()),
        };
        rows.into_iter().map(|row| row.into_iter().map(part).collect()).collect()
    }

    fn open<E: Entity>(&self, mut row: Vec<Value>) -> Result<Held<E>, Trouble> {
        let (seal, sealed_by, version) = (row.pop(), row.pop(), row.pop());
        match (version, sealed_by, seal) {
            (Some(Value::Int(version)), Some(Value::Text(by)), Some(Value::Bytes(seal))) => {
                let row = seal::read(row, version, (&by, &seal), &self.shared.keys)?;
                Ok(Held { row, version })
            }
            _ => Err(damaged()),
        }
    }

    fn write<E: Entity>(&self, row: &E, version: i64) -> Written {
        seal::write(row, version, &self.shared.keys, &mut SystemRandom)
    }

    /// A statement that changes one row, as it was read.
    async fn one(&mut self, sql: &str, parameters: &[Value]) -> Result<(), Trouble> {
        match self.database.execute(sql, parameters).await? {
            1 => Ok(()),
            0 => Err(Trouble::Conflict),
            _ => Err(damaged()),
        }
    }
}

impl<D: Database> Tables for Rows<'_, D> {
    async fn get<E: Entity>(&mut self, key: Key) -> Result<Option<Held<E>>, Trouble> {
        let (query, mut parameters) = (Query::at::<E>(key), Vec::new());
        let this = wanted::<E>(&query, &mut parameters);
        let mut rows = self.read(&this, &parameters, &query).await?;
        if rows.len() > 1 { Err(damaged()) } else { Ok(rows.pop()) }
    }

    async fn select<E: Entity>(&mut self, query: Query) -> Result<Vec<Held<E>>, Trouble> {
        let mut parameters = Vec::new();
        let rest = sorted::<E>(&query, &mut parameters);
        self.read(&rest, &parameters, &query).await
    }

    async fn keys<E: Entity>(&mut self, query: Query) -> Result<Vec<Key>, Trouble> {
        let mut parameters = Vec::new();
        let rest = sorted::<E>(&query, &mut parameters);
        self.keys_where::<E>(&rest, &parameters).await
    }

    async fn count<E: Entity>(&mut self, query: Query) -> Result<u64, Trouble> {
        let mut parameters = Vec::new();
        let rest = wanted::<E>(&query, &mut parameters);
        let sql = format!("SELECT count(*) FROM halfkey_{} WHERE {rest}", E::TABLE);
        let rows = self.database.query(&sql, &parameters).await?;
        match rows.first().and_then(|row| row.first()) {
            Some(Value::Int(count)) => u64::try_from(*count).map_err(|_| damaged()),
            _ => Err(damaged()),
        }
    }

    async fn insert<E: Entity>(&mut self, row: E) -> Result<(), Trouble> {
        let Written { plain: mut parameters, sealed_by, seal } = self.write(&row, 1);
        parameters.extend([Value::Int(1), sealed_by, seal]);
        let places = (1..=parameters.len()).map(|place| format!("${place}")).collect::<Vec<_>>().join(", ");
        let (names, table) = (names::<E>(), E::TABLE);
        let sql =
            format!("INSERT INTO halfkey_{table} ({names}, version, sealed_by, seal) VALUES ({places})");
        self.one(&sql, &parameters).await
    }

    async fn update<E: Entity>(&mut self, row: &mut Held<E>) -> Result<(), Trouble> {
        let version = row.version.checked_add(1).ok_or_else(damaged)?;
        let Written { plain: mut parameters, sealed_by, seal } = self.write(&row.row, version);
        parameters.extend([Value::Int(version), sealed_by, seal]);
        let columns = plain::<E>().map(|column| column.name).chain(["version", "sealed_by", "seal"]);
        let places = 1..=parameters.len();
        let set = columns.zip(places).map(|(column, place)| format!("{column} = ${place}"));
        let set = set.collect::<Vec<_>>().join(", ");
        let this = this(row, &mut parameters);
        self.one(&format!("UPDATE halfkey_{} SET {set} WHERE {this}", E::TABLE), &parameters).await?;
        row.version = version;
        Ok(())
    }

    async fn delete<E: Entity>(&mut self, row: &Held<E>) -> Result<(), Trouble> {
        let mut parameters = Vec::new();
        let this = this(row, &mut parameters);
        self.one(&format!("DELETE FROM halfkey_{} WHERE {this}", E::TABLE), &parameters).await
    }

    async fn erase<E: Entity>(&mut self, key: Key) -> Result<(), Trouble> {
        let mut parameters = Vec::new();
        let this = wanted::<E>(&Query::at::<E>(key), &mut parameters);
        let sql = format!("DELETE FROM halfkey_{} WHERE {this}", E::TABLE);
        self.database.execute(&sql, &parameters).await.map(drop)
    }

    async fn stale<E: Entity>(&mut self, after: Option<Key>, limit: usize) -> Result<Vec<Key>, Trouble> {
        let mut parameters = alloc::vec![Value::Text(self.shared.keys.current().id.clone())];
        let query = Query { after, ..Query::all().at_most(limit) };
        let rest = format!("sealed_by <> $1 AND {}", sorted::<E>(&query, &mut parameters));
        self.keys_where::<E>(&rest, &parameters).await
    }

    fn unique(&self) -> UniqueNames {
        self.shared.unique
    }

    fn draw(&mut self) -> [u8; 16] {
        draw(&mut SystemRandom)
    }

    fn tick(&mut self) -> u32 {
        self.shared.ticks.fetch_add(1, Ordering::Relaxed)
    }
}
