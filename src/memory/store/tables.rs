//! The tables in memory: rows by key, and an index of the columns that rows are looked for by.

use crate::port::StoreError;
use crate::random::{SystemRandom, draw};
use crate::store::UniqueNames;
use crate::store::entity::{Column, Entity, Held, Key, Query, Tables, Test, Trouble};
use crate::store::event::tick_of;
use crate::store::rows::Happened;
use crate::store::value::Value;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Bound;

/// Most entries of one kind in the log.
const EVENTS: usize = 1024;

/// All that the store holds.
#[derive(Default)]
pub(super) struct State {
    unique: UniqueNames,
    tables: BTreeMap<&'static str, Table>,
    ticks: u32,
}

pub(super) type Row = Vec<Value>;

struct Table {
    columns: &'static [Column],
    rows: BTreeMap<Key, Row>,
    index: BTreeSet<(usize, Cell, Key)>,
}

/// What is looked for in a column.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    Int(i64),
    Text(String),
}

impl Cell {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Int(number) => Some(Self::Int(*number)),
            Value::Text(text) => Some(Self::Text(text.clone())),
            Value::Null | Value::Bytes(_) | Value::Sealed(_) => None,
        }
    }
}

impl Table {
    const fn new(columns: &'static [Column]) -> Self {
        Self { columns, rows: BTreeMap::new(), index: BTreeSet::new() }
    }

    fn indexed(&self, key: &Key, row: &Row) -> Vec<(usize, Cell, Key)> {
        let cells = self.columns.iter().zip(row).enumerate().filter(|(_, (column, _))| column.indexed);
        cells.filter_map(|(place, (_, value))| Some((place, Cell::of(value)?, key.clone()))).collect()
    }

    /// Puts a row, or nothing, in the place of what is there.
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

    /// The rows wanted, in the order of their keys, whatever the limit.
    fn select<'a>(&'a self, query: &'a Query) -> impl Iterator<Item = (&'a Key, &'a Row)> {
        let tests: Option<Vec<(usize, &Test)>> =
            query.conditions.iter().map(|(name, test)| Some((self.place(name)?, test))).collect();
        let look = || query.conditions.iter().find_map(|(name, test)| self.look(name, test));
        let (found, all) = match (&tests, look()) {
            (None, _) => (None, None),
            (Some(_), Some(keys)) => (Some(keys.collect::<BTreeSet<_>>()), None),
            (Some(_), None) => (None, Some(self.rows.iter())),
        };
        let found = found.into_iter().flatten().filter_map(|key| self.rows.get_key_value(key));
        let after = query.after.as_ref();
        found
            .chain(all.into_iter().flatten())
            .filter(move |(key, _)| {
                after.is_none_or(|after| if query.backwards { *key < after } else { *key > after })
            })
            .filter(move |(_, row)| {
                tests
                    .iter()
                    .flatten()
                    .all(|(place, test)| row.get(*place).is_some_and(|value| test.passes(value)))
            })
    }

    /// The rows wanted, in the order wanted.
    fn sorted<'a>(&'a self, query: &'a Query) -> Vec<(&'a Key, &'a Row)> {
        let mut rows: Vec<(&Key, &Row)> = self.select(query).collect();
        if let Some(place) = query.by.and_then(|name| self.place(name)) {
            rows.sort_by_key(|(_, row)| row.get(place).and_then(Cell::of));
        }
        if query.backwards {
            rows.reverse();
        }
        rows.truncate(query.limit.unwrap_or(usize::MAX));
        rows
    }

    /// How many rows are wanted, whatever the limit.
    fn count(&self, query: &Query) -> usize {
        match query.conditions.as_slice() {
            [(name, test)] if query.after.is_none() => self.look(name, test).map(Iterator::count),
            _ => None,
        }
        .unwrap_or_else(|| self.select(query).count())
    }

    /// The keys of the rows that pass a test on an indexed column.
    fn look(&self, name: &str, test: &Test) -> Option<impl Iterator<Item = &Key>> {
        let place =
            self.place(name).filter(|place| self.columns.get(*place).is_some_and(|column| column.indexed))?;
        let (from, to) = match test {
            Test::Is(text) => (Cell::Text(text.clone()), Cell::Text(text.clone())),
            Test::AtMost(most) => (Cell::Int(i64::MIN), Cell::Int(*most)),
            Test::AtLeast(least) => (Cell::Int(*least), Cell::Int(i64::MAX)),
            Test::Begins(_) => return None,
        };
        let entries = self.index.range((Bound::Included((place, from, Key::new())), Bound::Unbounded));
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
        self.tables.entry(E::TABLE).or_insert_with(|| Table::new(E::COLUMNS))
    }

    /// Every row of a table.
    pub(super) fn rows<E: Entity>(&self) -> impl Iterator<Item = &Row> {
        self.tables.get(E::TABLE).into_iter().flat_map(|table| table.rows.values())
    }

    /// A row that was written down; not when its key is there already, or it is no row of the table.
    #[must_use]
    pub(super) fn restore<E: Entity>(&mut self, row: Row) -> bool {
        let key = E::get(row.clone()).map(|entity| entity.key());
        key.is_some_and(|key| self.table::<E>().put(&key, Some(row)).is_none())
    }

    /// Counts on from where the log ends: what comes within the same second stands after it.
    pub(super) fn count_on(&mut self) {
        let last = self.rows::<Happened>().last().cloned().and_then(Happened::get);
        self.ticks = last.map_or(0, |last| tick_of(last.id));
    }

    /// Lets the oldest entry of the log go that is of the same kind as a new one, if there are too many:
    /// what strangers cause does not push out what the operator did.
    fn trim(&mut self, new: &Key) {
        let log = self.table::<Happened>();
        let kind = log.place("kind").and_then(|place| log.rows.get(new)?.get(place));
        let Some(Value::Text(kind)) = kind else { return };
        let alike = Query::all().and("kind", Test::Is(kind.clone()));
        if log.count(&alike) > EVENTS {
            let oldest = log.select(&alike).next().map(|(key, _)| key.clone());
            oldest.map(|key| log.put(&key, None));
        }
    }
}

/// A transaction: undone when it is dropped, unless it is kept.
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
            if table == Happened::TABLE && before.is_none() {
                self.state.trim(&key);
            }
        }
    }

    fn put<E: Entity>(&mut self, key: Key, row: Option<Row>) {
        let before = self.state.table::<E>().put(&key, row);
        self.before.push((E::TABLE, key, before));
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

fn held<E: Entity>(row: &Row) -> Result<Held<E>, Trouble> {
    let row = E::get(row.clone()).ok_or(StoreError::Damaged)?;
    Ok(Held { row, version: 0 })
}

impl Tables for Draft<'_> {
    async fn get<E: Entity>(&mut self, key: Key) -> Result<Option<Held<E>>, Trouble> {
        self.state.table::<E>().rows.get(&key).map(held).transpose()
    }

    async fn select<E: Entity>(&mut self, query: Query) -> Result<Vec<Held<E>>, Trouble> {
        self.state.table::<E>().sorted(&query).into_iter().map(|(_, row)| held(row)).collect()
    }

    async fn keys<E: Entity>(&mut self, query: Query) -> Result<Vec<Key>, Trouble> {
        Ok(self.state.table::<E>().sorted(&query).into_iter().map(|(key, _)| key.clone()).collect())
    }

    async fn count<E: Entity>(&mut self, query: Query) -> Result<u64, Trouble> {
        Ok(u64::try_from(self.state.table::<E>().count(&query)).unwrap_or(u64::MAX))
    }

    async fn insert<E: Entity>(&mut self, row: E) -> Result<(), Trouble> {
        let key = row.key();
        if self.state.table::<E>().rows.contains_key(&key) {
            return Err(Trouble::Conflict);
        }
        self.put::<E>(key, Some(row.put()));
        Ok(())
    }

    async fn update<E: Entity>(&mut self, row: &mut Held<E>) -> Result<(), Trouble> {
        self.put::<E>(row.row.key(), Some(row.row.put()));
        Ok(())
    }

    async fn delete<E: Entity>(&mut self, row: &Held<E>) -> Result<(), Trouble> {
        self.put::<E>(row.row.key(), None);
        Ok(())
    }

    async fn erase<E: Entity>(&mut self, key: Key) -> Result<(), Trouble> {
        self.put::<E>(key, None);
        Ok(())
    }

    async fn stale<E: Entity>(&mut self, _: Option<Key>, _: usize) -> Result<Vec<Key>, Trouble> {
        Ok(Vec::new())
    }

    fn unique(&self) -> UniqueNames {
        self.state.unique
    }

    fn draw(&mut self) -> [u8; 16] {
        draw(&mut SystemRandom)
    }

    fn tick(&mut self) -> u32 {
        self.state.ticks = self.state.ticks.wrapping_add(1);
        self.state.ticks
    }
}
