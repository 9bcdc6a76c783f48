//! Rows as they may come out of a database.

use super::cell::{Cell, Cells, Kind};
use super::entity::Entity;
use super::rows::{self, every_table};
use super::tables::{Column, ColumnKind, Table};
use crate::wire::{decode, encode};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::string::String;
use std::vec::Vec;
use zeroize::Zeroizing;

/// A value that may stand in a column of this kind, or in none of its type.
fn value(kind: Kind) -> BoxedStrategy<Cell> {
    let words = prop_oneof![
        "[0-9a-f]{32}",
        "[0-9a-f]{64}",
        "(user|group|path):[a-z]{1,8}",
        "[1-3](,[1-3]){0,2}",
        Just(String::from("active")),
        Just(String::from("pending")),
        Just(String::from("refused")),
        ".{0,12}",
    ];
    let right = match kind {
        Kind::Int => prop_oneof![any::<i64>(), 0..3i64].prop_map(Cell::Int).boxed(),
        Kind::Text => words.prop_map(Cell::Text).boxed(),
        Kind::Bytes => any::<Vec<u8>>().prop_map(Cell::Bytes).boxed(),
        Kind::Sealed => any::<Vec<u8>>().prop_map(|bytes| Cell::Sealed(Zeroizing::new(bytes))).boxed(),
    };
    prop_oneof![8 => right, 2 => Just(Cell::Null), 1 => any::<i64>().prop_map(Cell::Int)].boxed()
}

fn cbor(row: Vec<Cell>) -> Vec<u8> {
    encode(&Cells(row))
}

/// Tests that cells taken for a row are that row, or one that is the same when it is written again.
fn any_row<E: Entity>() {
    let columns: Vec<_> = E::TABLE.fields.iter().map(|column| value(column.kind)).collect();
    proptest!(ProptestConfig::with_cases(200), |(row in columns)| {
        let bytes = cbor(row.clone());
        let Ok(Cells(again)) = decode::<Cells>(&bytes, "row", usize::MAX) else {
            return Err(TestCaseError::fail("what is written is read"));
        };
        prop_assert_eq!(cbor(again), bytes);
        if let Some(entity) = E::get(row) {
            let put = entity.put();
            prop_assert_eq!(put.len(), E::TABLE.fields.len());
            prop_assert_eq!(entity.key().parts().len(), E::TABLE.keys);
            let again = E::get(put.clone()).map(|entity| cbor(entity.put()));
            prop_assert_eq!(again, Some(cbor(put)));
        }
    });
}

macro_rules! any_rows {
    (: $($entity:ident),*) => { $( any_row::<rows::$entity>(); )* };
}

#[test]
fn no_row_of_a_database_is_fatal() {
    every_table!(any_rows);
}

/// Each table has a name of its own, no column twice, and a key of text in front.
#[test]
fn tables_are_well_formed() {
    let names: BTreeSet<_> = Table::all().iter().map(|table| table.name()).collect();
    assert_eq!(names.len(), Table::all().len());
    for table in Table::all() {
        let names: BTreeSet<_> = table.columns().map(|column| column.name).collect();
        assert_eq!(names.len(), table.columns().count(), "{}", table.name());
        assert!((1..=3).contains(&table.key_columns().count()), "{}", table.name());
        let is_key = |column: Column| column.kind == ColumnKind::Text && !column.optional;
        assert!(table.key_columns().all(is_key), "{}", table.name());
    }
}
