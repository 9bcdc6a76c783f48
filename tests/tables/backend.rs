//! A back end over `redb`, an embedded key-value store, as a third party would write it.
//!
//! | redb table | key | value |
//! | --- | --- | --- |
//! | `rows` | name of the table, 0, key of the row | the row's bytes |
//! | `index` | name of the table, 0, column, 0, value, key of the row | nothing |

use halfkey::port::StoreError;
use halfkey::store::tables::{
    Backend, BlockingBackend, ColumnKind, Key, Query, Row, Table, Transaction, TxError, Value,
};
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use std::sync::Arc;

const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
const INDEX: TableDefinition<'_, &[u8], ()> = TableDefinition::new("index");

/// Greater than any byte of a key, all of which are UTF-8.
const END: &[u8] = &[0xFF];

#[derive(Clone)]
pub(crate) struct Redb(Arc<Database>);

pub(crate) enum Tx {
    Reads(ReadTransaction),
    Writes(Box<WriteTransaction>),
}

fn failed<E: Into<redb::Error>>(error: E) -> TxError {
    TxError::Error(match error.into() {
        redb::Error::Corrupted(_) => StoreError::Damaged,
        _ => StoreError::Unavailable(1),
    })
}

impl Redb {
    pub(crate) fn new(database: Database) -> Result<Self, TxError> {
        let transaction = database.begin_write().map_err(failed)?;
        transaction.open_table(ROWS).map_err(failed)?;
        transaction.open_table(INDEX).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(Self(Arc::new(database)))
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0
    }
}

impl Backend for Redb {
    type Transaction<'b> = Tx;

    /// There is one writer at a time, and readers see a snapshot: no transaction meets a conflict.
    async fn begin(&self, write: bool) -> Result<Tx, TxError> {
        if write {
            self.0.begin_write().map(|tx| Tx::Writes(Box::new(tx))).map_err(failed)
        } else {
            self.0.begin_read().map(Tx::Reads).map_err(failed)
        }
    }

    async fn commit(&self, transaction: Tx) -> Result<(), TxError> {
        match transaction {
            Tx::Reads(_) => Ok(()),
            Tx::Writes(transaction) => transaction.commit().map_err(failed),
        }
    }
}

impl BlockingBackend for Redb {}

/// Opens both tables of a transaction, of whatever kind, and looks into them.
macro_rules! look {
    ($tx:ident, |$rows:ident, $index:ident| $look:expr) => {
        match $tx {
            Tx::Reads(tx) => {
                let ($rows, $index) =
                    (tx.open_table(ROWS).map_err(failed)?, tx.open_table(INDEX).map_err(failed)?);
                $look
            }
            Tx::Writes(tx) => {
                let ($rows, $index) =
                    (tx.open_table(ROWS).map_err(failed)?, tx.open_table(INDEX).map_err(failed)?);
                $look
            }
        }
    };
}

fn prefix(table: &Table) -> Vec<u8> {
    [table.name().as_bytes(), &[0]].concat()
}

pub(crate) fn place(table: &Table, key: &Key) -> Vec<u8> {
    [prefix(table), key.sort_key()].concat()
}

/// The places in the index that lead to a row.
fn entries(row: &Row) -> Vec<Vec<u8>> {
    let (table, key) = (row.table(), row.key().sort_key());
    let columns = table.columns().zip(row.values()).filter(|(column, _)| column.indexed);
    let entry = |name: &str, value: Vec<u8>| [&prefix(table), name.as_bytes(), &[0], &value, &key].concat();
    columns.filter_map(|(column, value)| Some(entry(column.name, value.sort_key()?))).collect()
}

fn get(
    rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
    table: &'static Table,
    key: &Key,
) -> Result<Option<Row>, TxError> {
    let found = rows.get(place(table, key).as_slice()).map_err(failed)?;
    Ok(found.map(|bytes| Row::decode(table, key, bytes.value())).transpose()?)
}

/// The keys of the rows that may be wanted, by an index where there is one.
fn candidates(
    rows: &impl ReadableTable<&'static [u8], &'static [u8]>,
    index: &impl ReadableTable<&'static [u8], ()>,
    table: &'static Table,
    query: &Query,
) -> Result<Vec<Key>, TxError> {
    let mut keys = Vec::new();
    let key = |bytes: &[u8]| Key::from_sort_key(bytes).ok_or(StoreError::Damaged);
    if let Some((column, least, greatest)) = query.range(table) {
        let start = [&prefix(table), column.name.as_bytes(), &[0]].concat();
        let bound = |value: &Value| value.sort_key().unwrap_or_default();
        let from = [start.as_slice(), &bound(&least)].concat();
        let to = [start.as_slice(), &bound(&greatest), END].concat();
        for entry in index.range(from.as_slice()..to.as_slice()).map_err(failed)? {
            let (entry, _) = entry.map_err(failed)?;
            let rest = &entry.value()[start.len()..];
            let value = match column.kind {
                ColumnKind::Int => 8,
                _ => rest.iter().position(|byte| *byte == 0).map_or(rest.len(), |end| end + 1),
            };
            keys.push(key(&rest[value..])?);
        }
    } else {
        let from = prefix(table);
        let to = [from.as_slice(), END].concat();
        for row in rows.range(from.as_slice()..to.as_slice()).map_err(failed)? {
            let (place, _) = row.map_err(failed)?;
            keys.push(key(&place.value()[from.len()..])?);
        }
    }
    Ok(keys)
}

impl Transaction for Tx {
    async fn get(&mut self, table: &'static Table, key: &Key) -> Result<Option<Row>, TxError> {
        look!(self, |rows, _index| get(&rows, table, key))
    }

    async fn select(&mut self, table: &'static Table, query: &Query) -> Result<Vec<Row>, TxError> {
        look!(self, |rows, index| {
            let keys = candidates(&rows, &index, table, query)?;
            let found = keys.iter().filter_map(|key| get(&rows, table, key).transpose());
            Ok(query.pick(found.collect::<Result<Vec<_>, _>>()?))
        })
    }

    async fn insert(&mut self, row: Row) -> Result<(), TxError> {
        // redb opens a table of a transaction once at a time.
        let before = get(&self.rows()?, row.table(), &row.key())?;
        if before.is_some() { Err(TxError::Conflict) } else { self.put(&row) }
    }

    async fn update(&mut self, row: Row, version: i64) -> Result<(), TxError> {
        self.remove(row.table(), &row.key(), Some(version))?;
        self.put(&row)
    }

    async fn delete(
        &mut self,
        table: &'static Table,
        key: &Key,
        version: Option<i64>,
    ) -> Result<(), TxError> {
        self.remove(table, key, version)
    }

    /// A row that cannot be decoded counts as wanted where it may be.
    async fn keys(&mut self, table: &'static Table, query: &Query) -> Result<Vec<Key>, TxError> {
        look!(self, |rows, index| {
            let (mut sound, mut broken) = (Vec::new(), Vec::new());
            for key in candidates(&rows, &index, table, query)? {
                match get(&rows, table, &key) {
                    Ok(row) => sound.extend(row),
                    Err(TxError::Error(StoreError::Damaged)) => broken.push(key),
                    Err(error) => return Err(error),
                }
            }
            let mut keys: Vec<Key> = query.pick(sound).iter().map(Row::key).collect();
            keys.extend(broken.into_iter().filter(|key| query.follows(key)));
            if query.order_by.is_none() {
                keys.sort();
                if query.backwards {
                    keys.reverse();
                }
            }
            keys.truncate(query.limit.unwrap_or(usize::MAX));
            Ok(keys)
        })
    }
}

impl Tx {
    fn writes(&self) -> Result<&WriteTransaction, TxError> {
        match self {
            Self::Writes(transaction) => Ok(transaction),
            Self::Reads(_) => Err(TxError::Error(StoreError::ReadOnly)),
        }
    }

    fn rows(&self) -> Result<redb::Table<'_, &'static [u8], &'static [u8]>, TxError> {
        self.writes()?.open_table(ROWS).map_err(failed)
    }

    fn put(&self, row: &Row) -> Result<(), TxError> {
        let place = place(row.table(), &row.key());
        self.rows()?.insert(place.as_slice(), row.encode().as_slice()).map_err(failed)?;
        let mut index = self.writes()?.open_table(INDEX).map_err(failed)?;
        entries(row).iter().try_for_each(|entry| index.insert(entry.as_slice(), ()).map(drop).map_err(failed))
    }

    fn remove(&self, table: &'static Table, key: &Key, version: Option<i64>) -> Result<(), TxError> {
        let mut rows = self.rows()?;
        let row = get(&rows, table, key);
        match (&row, version) {
            (Ok(Some(row)), Some(version)) if row.version() != version => return Err(TxError::Conflict),
            (Ok(None), Some(_)) => return Err(TxError::Conflict),
            (Err(error), Some(_)) => return Err(error.clone()),
            _ => {}
        }
        rows.remove(place(table, key).as_slice()).map_err(failed)?;
        let mut index = self.writes()?.open_table(INDEX).map_err(failed)?;
        // Of one that cannot be decoded, the index leads to a row that is not there any more.
        let entries = row.ok().flatten().iter().flat_map(entries).collect::<Vec<_>>();
        entries.iter().try_for_each(|entry| index.remove(entry.as_slice()).map(drop).map_err(failed))
    }
}
