//! Typed rows over the tables of a back end: sealed when they are written, opened when they are read.

use super::cell::{Cell, Cells, Kind};
use super::entity::{Entity, Tables, Versioned};
use super::key::{StorageKey, StorageKeys};
use super::rows::SchemaRow;
use super::tables::{Condition, Field, Key, Query, Row, Table, Transaction, TxError, Value};
use super::unique_names::UniqueNames;
use crate::port::StoreError;
use crate::random::{RandomSource, SystemRandom, draw};
use crate::sealed;
use crate::wire::stored::encode_secret;
use crate::wire::{decode, encode};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

const LABEL: &[u8] = b"halfkey/1 row";

/// Values that all transactions of a store share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) keys: StorageKeys,
    pub(crate) unique: UniqueNames,
    ticks: AtomicU32,
}

impl Shared {
    pub(crate) const fn new(keys: StorageKeys, unique: UniqueNames) -> Self {
        Self { keys, unique, ticks: AtomicU32::new(0) }
    }
}

/// The tables within one transaction of a back end, with their rows sealed under a storage key.
pub(crate) struct SealedTables<'s, T> {
    pub(crate) transaction: T,
    shared: &'s Shared,
    /// The key that seals, once it is known in this transaction.
    sealing: Option<&'s StorageKey>,
    /// True where a key is announced that this process does not hold.
    lacks_announced: bool,
}

const fn damaged() -> TxError {
    TxError::Error(StoreError::Damaged)
}

impl<'s, T: Transaction> SealedTables<'s, T> {
    pub(crate) const fn new(transaction: T, shared: &'s Shared) -> Self {
        Self { transaction, shared, sealing: None, lacks_announced: false }
    }

    /// Returns the key that the store is sealed with. Before there is a store, it is the current one.
    async fn sealing(&mut self) -> Result<&'s StorageKey, TxError> {
        if let Some(key) = self.sealing {
            return Ok(key);
        }
        let (keys, place) = (&self.shared.keys, Key::from([SchemaRow::ID.into()]));
        let schema = self.get::<SchemaRow>(place).await?.map(|schema| schema.row);
        let key = match schema.as_ref().and_then(|schema| schema.sealing.as_ref()) {
            Some(id) => keys.find(id).ok_or(StoreError::StorageKey)?,
            None => keys.current(),
        };
        let announced = schema.and_then(|schema| schema.announced);
        self.lacks_announced = announced.is_some_and(|id| keys.find(&id).is_none());
        self.sealing = Some(key);
        Ok(key)
    }

    /// Opens a row that was found, if it is one of those wanted: an index that was tampered with leads
    /// to others.
    fn open<E: Entity>(&self, row: Row, query: &Query) -> Result<Versioned<E>, TxError> {
        if row.table().name() == E::TABLE.name() && query.holds(&row) {
            let version = row.version();
            Ok(Versioned { row: open(row, &self.shared.keys)?, version })
        } else {
            Err(damaged())
        }
    }

    async fn seal<E: Entity>(&mut self, row: &E, version: i64) -> Result<Row, TxError> {
        let key = self.sealing().await?;
        Ok(seal(row, version, key, &mut SystemRandom)?)
    }
}

impl<T: Transaction> Tables for SealedTables<'_, T> {
    async fn get<E: Entity>(&mut self, key: Key) -> Result<Option<Versioned<E>>, TxError> {
        let row = self.transaction.get(E::TABLE, &key).await?;
        row.map(|row| if row.key() == key { self.open(row, &Query::all()) } else { Err(damaged()) })
            .transpose()
    }

    async fn select<E: Entity>(&mut self, query: Query) -> Result<Vec<Versioned<E>>, TxError> {
        let rows = self.transaction.select(E::TABLE, &query).await?;
        rows.into_iter().map(|row| self.open(row, &query)).collect()
    }

    async fn keys<E: Entity>(&mut self, query: Query) -> Result<Vec<Key>, TxError> {
        self.transaction.keys(E::TABLE, &query).await
    }

    async fn count<E: Entity>(&mut self, query: Query) -> Result<u64, TxError> {
        self.transaction.count(E::TABLE, &query).await
    }

    async fn insert<E: Entity>(&mut self, row: E) -> Result<(), TxError> {
        let row = self.seal(&row, 1).await?;
        self.transaction.insert(row).await
    }

    async fn update<E: Entity>(&mut self, row: &mut Versioned<E>) -> Result<(), TxError> {
        let version = row.version.checked_add(1).ok_or_else(damaged)?;
        let sealed = self.seal(&row.row, version).await?;
        self.transaction.update(sealed, row.version).await?;
        row.version = version;
        Ok(())
    }

    async fn delete<E: Entity>(&mut self, row: &Versioned<E>) -> Result<(), TxError> {
        self.transaction.delete(E::TABLE, &row.row.key(), Some(row.version)).await
    }

    async fn delete_by_key<E: Entity>(&mut self, key: Key) -> Result<(), TxError> {
        self.transaction.delete(E::TABLE, &key, None).await
    }

    async fn stale<E: Entity>(&mut self, after: Option<Key>, limit: usize) -> Result<Vec<Key>, TxError> {
        let sealing = Condition::IsNot(self.sealing().await?.id.clone());
        let query = Query { after, ..Query::all().and("sealed_by", sealing).at_most(limit) };
        self.transaction.keys(E::TABLE, &query).await
    }

    fn is_alone(&self) -> bool {
        self.transaction.is_alone()
    }

    fn storage_key(&self) -> Option<String> {
        Some(self.shared.keys.current_id())
    }

    fn seal_anew(&mut self) {
        self.sealing = Some(self.shared.keys.current());
    }

    fn lacks_announced(&self) -> bool {
        self.lacks_announced
    }

    fn unique(&self) -> UniqueNames {
        self.shared.unique
    }

    fn draw(&mut self) -> [u8; 16] {
        draw(&mut SystemRandom)
    }

    fn tick(&mut self, least: u32) -> u32 {
        self.shared.ticks.fetch_max(least, Ordering::Relaxed);
        self.shared.ticks.fetch_add(1, Ordering::Relaxed)
    }
}

/// Seals a row under a key: its secrets are encrypted, all other values authenticated.
fn seal<E: Entity>(
    row: &E,
    version: i64,
    key: &StorageKey,
    random: &mut dyn RandomSource,
) -> Result<Row, StoreError> {
    let cells = row.put().into_iter().zip(E::TABLE.fields);
    let (secret, plain): (Vec<_>, Vec<_>) = cells.partition(|(_, field)| field.kind == Kind::Sealed);
    let secret = secret.into_iter().map(|(cell, _)| cell).collect();
    let plain = plain.into_iter().map(|(cell, _)| cell.plain()).collect::<Option<Vec<Value>>>();
    let mut values = plain.ok_or(StoreError::Damaged)?;
    let text = encode_secret(&Cells(secret));
    let seal = sealed::seal(&key.secret, LABEL, &associated(E::TABLE, &values, version), &text, random);
    values.extend([Value::Int(version), Value::Text(key.id.clone()), Value::Bytes(seal)]);
    Row::new(E::TABLE, values)
}

/// Opens a row under the key that sealed it.
fn open<E: Entity>(row: Row, keys: &StorageKeys) -> Result<E, TxError> {
    let mut plain = row.into_values();
    let (seal, sealed_by, version) = (plain.pop(), plain.pop(), plain.pop());
    let (Some(Value::Int(version)), Some(Value::Text(id)), Some(Value::Bytes(seal))) =
        (version, sealed_by, seal)
    else {
        return Err(damaged());
    };
    let key = keys.find(&id).ok_or(StoreError::StorageKey)?;
    let associated = associated(E::TABLE, &plain, version);
    let text = sealed::open(&key.secret, LABEL, &associated, &seal).map_err(|_| damaged())?;
    let Cells(secret) = decode(&text, "row", usize::MAX).map_err(|_| damaged())?;
    let (mut plain, mut secret) = (plain.into_iter(), secret.into_iter());
    let cell = |field: &Field| match field.kind {
        Kind::Sealed => secret.next(),
        Kind::Int | Kind::Text | Kind::Bytes => plain.next().map(Cell::from),
    };
    let row = E::TABLE.fields.iter().map(cell).collect::<Option<Vec<Cell>>>().ok_or_else(damaged)?;
    if plain.next().is_some() || secret.next().is_some() {
        return Err(damaged());
    }
    E::get(row).ok_or_else(damaged)
}

/// `[table, version, name, value, name, value, …]` of the columns that are neither null nor an empty part
/// of the key: a column that a later version of the schema adds changes nothing in the rows that were there
/// before.
fn associated(table: &'static Table, plain: &[Value], version: i64) -> Vec<u8> {
    let mut cells = vec![Cell::Text(table.name().into()), Cell::Int(version)];
    let is_left_out = |place: usize, value: &Value| match value {
        Value::Null => true,
        Value::Text(text) => place < table.keys && text.is_empty(),
        Value::Int(_) | Value::Bytes(_) => false,
    };
    let columns = table.columns().zip(plain).enumerate();
    for (_, (column, value)) in columns.filter(|(place, (_, value))| !is_left_out(*place, value)) {
        cells.extend([Cell::Text(column.name.into()), value.clone().into()]);
    }
    encode(&Cells(cells))
}
