//! Tables in memory: rows by key, and an index of the columns that queries look rows up by.

use crate::port::StoreError;
use crate::random::{SystemRandom, draw};
use crate::store::UniqueNames;
use crate::store::cell::Cell;
use crate::store::entity::{Entity, Tables, Versioned};
use crate::store::log::tick_of;
use crate::store::operation::CLOCKS;
use crate::store::rows::EventRow;
use crate::store::tables::{Condition, Field, Key, Query, TxError};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Bound;

/// Most entries of one kind in the log.
const EVENTS: usize = 1024;

/// State of the store.
#[derive(Default)]
pub(super) struct State {
    unique: UniqueNames,
    tables: BTreeMap<&'static str, Table>,
    ticks: u32,
}

pub(super) type Row = Vec<Cell>;

struct Table {
    columns: &'static [Field],
    rows: BTreeMap<Key, Row>,
    index: BTreeSet<(usize, IndexValue, Key)>,
}

/// Value in an index.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum IndexValue {
    Int(i64),
    Text(String),
}

impl IndexValue {
    fn of(value: &Cell) -> Option<Self> {
        match value {
            Cell::Int(number) => Some(Self::Int(*number)),
            Cell::Text(text) => Some(Self::Text(text.clone())),
            Cell::Null | Cell::Bytes(_) | Cell::Sealed(_) => None,
        }
    }
}

impl Table {
    const fn new(columns: &'static [Field]) -> Self {
        Self { columns, rows: BTreeMap::new(), index: BTreeSet::new() }
    }

    fn indexed(&self, key: &Key, row: &Row) -> Vec<(usize, IndexValue, Key)> {
        let cells = self.columns.iter().zip(row).enumerate().filter(|(_, (column, _))| column.indexed);
        cells.filter_map(|(place, (_, value))| Some((place, IndexValue::of(value)?, key.clone()))).collect()
    }

    /// Replaces the row with this key by another, or by none. Returns the row there was.
    fn put(&mut self, key: &Key, row: Option<Row>) -> Option<Row> {
        let before = self.rows.remove(key);
        for entry in before.iter().flat_map(|row| self.indexed(key, row)).collect::<Vec<_>>() {
            self.index.remove(&entry);
        }
        if let Some(row) = row {
            self.index.extend(self.indexed(key, &row));
            self.rows.insert(key.clone(), row);
        }
        before
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Returns the rows wanted, in the order of their keys, whatever the limit.
    fn select<'a>(&'a self, query: &'a Query) -> impl Iterator<Item = (&'a Key, &'a Row)> {
        let tests: Option<Vec<(usize, &Condition)>> =
            query.conditions.iter().map(|(name, test)| Some((self.place(name)?, test))).collect();
        let look = || query.conditions.iter().find_map(|(name, test)| self.look(name, test));
        let (found, all) = match (&tests, look()) {
            (None, _) => (None, None),
            (Some(_), Some(keys)) => (Some(keys.collect::<BTreeSet<_>>()), None),
            (Some(_), None) => (None, Some(self.rows.iter())),
        };
        let found = found.into_iter().flatten().filter_map(|key| self.rows.get_key_value(key));
        found.chain(all.into_iter().flatten()).filter(|(key, _)| query.follows(key)).filter(
            move |(_, row)| {
                tests
                    .iter()
                    .flatten()
                    .all(|(place, test)| row.get(*place).is_some_and(|value| test.holds_for(value)))
            },
        )
    }

    /// Returns the rows wanted, in the order wanted.
    fn sorted<'a>(&'a self, query: &'a Query) -> Vec<(&'a Key, &'a Row)> {
        let mut rows: Vec<(&Key, &Row)> = self.select(query).collect();
        if let Some(place) = query.order_by.and_then(|name| self.place(name)) {
            rows.sort_by_key(|(_, row)| row.get(place).and_then(IndexValue::of));
        }
        if query.backwards {
            rows.reverse();
        }
        rows.truncate(query.limit.unwrap_or(usize::MAX));
        rows
    }

    /// Counts the rows wanted, whatever the limit.
    fn count(&self, query: &Query) -> usize {
        match query.conditions.as_slice() {
            [(name, test)] if query.after.is_none() => self.look(name, test).map(Iterator::count),
            _ => None,
        }
        .unwrap_or_else(|| self.select(query).count())
    }

    /// Returns the keys of the rows that meet a condition on an indexed column.
    fn look(&self, name: &str, test: &Condition) -> Option<impl Iterator<Item = &Key>> {
        let place =
            self.place(name).filter(|place| self.columns.get(*place).is_some_and(|column| column.indexed))?;
        let (from, to) = test.range()?;
        let (from, to) = (IndexValue::of(&from.into())?, IndexValue::of(&to.into())?);
        let entries = self.index.range((Bound::Included((place, from, Key::default())), Bound::Unbounded));
        Some(entries.take_while(move |(at, cell, _)| *at == place && *cell <= to).map(|(_, _, key)| key))
    }
}

impl State {
    pub(super) fn new(unique: UniqueNames) -> Self {
        Self { unique, ..Self::default() }
    }

    pub(super) const fn unique(&self) -> UniqueNames {
        self.unique
    }

    fn table<E: Entity>(&mut self) -> &mut Table {
        self.tables.entry(E::TABLE.name()).or_insert_with(|| Table::new(E::TABLE.fields))
    }

    /// Returns every row of a table.
    pub(super) fn rows<E: Entity>(&self) -> impl Iterator<Item = &Row> {
        self.tables.get(E::TABLE.name()).into_iter().flat_map(|table| table.rows.values())
    }

    /// Adds a row from a file; returns false where a row has its key, or it is no row of the table.
    #[must_use]
    pub(super) fn restore<E: Entity>(&mut self, row: Row) -> bool {
        let key = E::get(row.clone()).map(|entity| entity.key());
        key.is_some_and(|key| self.table::<E>().put(&key, Some(row)).is_none())
    }

    /// Continues the numbers of the log where it ends, so that later events of the same second come
    /// later.
    pub(super) fn count_on(&mut self) {
        let last = self.rows::<EventRow>().last().cloned().and_then(EventRow::get);
        self.ticks = last.map_or(0, |last| tick_of(last.id));
    }

    /// Removes the oldest log entry of the same kind as a new one, where there are too many: refusals,
    /// which anybody can cause, push out nothing that the operator did. One that a clock has written which was
    /// ahead goes first.
    fn trim(&mut self, new: &Key) {
        let log = self.table::<EventRow>();
        let Some(row) = log.rows.get(new).cloned().and_then(EventRow::get) else { return };
        let alike = Query::all().is("kind", &row.kind);
        if log.count(&alike) > EVENTS {
            let early = log.select(&alike).last().filter(|(_, last)| {
                EventRow::get((*last).clone()).is_some_and(|last| last.at > row.at.after(CLOCKS))
            });
            let gone = early.or_else(|| log.select(&alike).next()).map(|(key, _)| key.clone());
            gone.map(|key| log.put(&key, None));
        }
    }
}

/// Transaction: undone when it is dropped, unless it is kept.
pub(super) struct Draft<'s> {
    state: &'s mut State,
    before: Vec<(&'static str, Key, Option<Row>)>,
}

impl<'s> Draft<'s> {
    pub(super) const fn new(state: &'s mut State) -> Self {
        Self { state, before: Vec::new() }
    }

    pub(super) const fn state(&self) -> &State {
        self.state
    }

    pub(super) const fn has_changes(&self) -> bool {
        !self.before.is_empty()
    }

    pub(super) fn keep(mut self) {
        for (table, key, before) in core::mem::take(&mut self.before) {
            if table == EventRow::TABLE.name() && before.is_none() {
                self.state.trim(&key);
            }
        }
    }

    fn put<E: Entity>(&mut self, key: Key, row: Option<Row>) {
        let before = self.state.table::<E>().put(&key, row);
        self.before.push((E::TABLE.name(), key, before));
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        while let Some((table, key, row)) = self.before.pop() {
            if let Some(table) = self.state.tables.get_mut(table) {
                table.put(&key, row);
            }
        }
    }
}

fn held<E: Entity>(row: &Row) -> Result<Versioned<E>, TxError> {
    let row = E::get(row.clone()).ok_or(StoreError::Damaged)?;
    Ok(Versioned { row, version: 0 })
}

impl Tables for Draft<'_> {
    async fn get<E: Entity>(&mut self, key: Key) -> Result<Option<Versioned<E>>, TxError> {
        self.state.table::<E>().rows.get(&key).map(held).transpose()
    }

    async fn select<E: Entity>(&mut self, query: Query) -> Result<Vec<Versioned<E>>, TxError> {
        self.state.table::<E>().sorted(&query).into_iter().map(|(_, row)| held(row)).collect()
    }

    async fn keys<E: Entity>(&mut self, query: Query) -> Result<Vec<Key>, TxError> {
        Ok(self.state.table::<E>().sorted(&query).into_iter().map(|(key, _)| key.clone()).collect())
    }

    async fn count<E: Entity>(&mut self, query: Query) -> Result<u64, TxError> {
        Ok(u64::try_from(self.state.table::<E>().count(&query)).unwrap_or(u64::MAX))
    }

    async fn insert<E: Entity>(&mut self, row: E) -> Result<(), TxError> {
        let key = row.key();
        if self.state.table::<E>().rows.contains_key(&key) {
            return Err(TxError::Conflict);
        }
        self.put::<E>(key, Some(row.put()));
        Ok(())
    }

    async fn update<E: Entity>(&mut self, row: &mut Versioned<E>) -> Result<(), TxError> {
        self.put::<E>(row.row.key(), Some(row.row.put()));
        Ok(())
    }

    async fn delete<E: Entity>(&mut self, row: &Versioned<E>) -> Result<(), TxError> {
        self.put::<E>(row.row.key(), None);
        Ok(())
    }

    async fn delete_by_key<E: Entity>(&mut self, key: Key) -> Result<(), TxError> {
        self.put::<E>(key, None);
        Ok(())
    }

    async fn stale<E: Entity>(&mut self, _: Option<Key>, _: usize) -> Result<Vec<Key>, TxError> {
        Ok(Vec::new())
    }

    fn is_alone(&self) -> bool {
        // Its numbers are those of one process, and rise.
        false
    }

    fn storage_key(&self) -> Option<String> {
        None
    }

    fn seal_anew(&mut self) {}

    fn lacks_announced(&self) -> bool {
        false
    }

    fn unique(&self) -> UniqueNames {
        self.state.unique
    }

    fn draw(&mut self) -> [u8; 16] {
        draw(&mut SystemRandom)
    }

    fn tick(&mut self, least: u32) -> u32 {
        self.state.ticks = self.state.ticks.wrapping_add(1).max(least);
        self.state.ticks
    }
}
