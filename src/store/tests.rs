//! Rows as they may come out of a database.

use super::entity::Entity;
use super::rows::{self, every_table};
use super::value::{Cells, Kind, Value};
use crate::wire::{decode, encode};
use proptest::prelude::*;
use std::string::String;
use std::vec::Vec;
use zeroize::Zeroizing;

/// A value that may stand in a column of this kind, or in none of its type.
fn value(kind: Kind) -> BoxedStrategy<Value> {
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
        Kind::Int => prop_oneof![any::<i64>(), 0..3i64].prop_map(Value::Int).boxed(),
        Kind::Text => words.prop_map(Value::Text).boxed(),
        Kind::Bytes => any::<Vec<u8>>().prop_map(Value::Bytes).boxed(),
        Kind::Sealed => any::<Vec<u8>>().prop_map(|bytes| Value::Sealed(Zeroizing::new(bytes))).boxed(),
    };
    prop_oneof![8 => right, 2 => Just(Value::Null), 1 => any::<i64>().prop_map(Value::Int)].boxed()
}

fn cbor(row: Vec<Value>) -> Vec<u8> {
    encode(&Cells(row))
}

/// What is taken for a row is that row, or one that is the same again when it is written down.
fn any_row<E: Entity>() {
    let columns: Vec<_> = E::COLUMNS.iter().map(|column| value(column.kind)).collect();
    proptest!(ProptestConfig::with_cases(200), |(row in columns)| {
        let bytes = cbor(row.clone());
        let Ok(Cells(again)) = decode::<Cells>(&bytes, "row", usize::MAX) else {
            return Err(TestCaseError::fail("what is written is read"));
        };
        prop_assert_eq!(cbor(again), bytes);
        if let Some(entity) = E::get(row) {
            let put = entity.put();
            prop_assert_eq!(put.len(), E::COLUMNS.len());
            prop_assert_eq!(entity.key().len(), E::KEYS);
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
    fn table<E: Entity>() -> &'static str {
        let names: std::collections::BTreeSet<_> = E::COLUMNS.iter().map(|column| column.name).collect();
        assert_eq!(names.len(), E::COLUMNS.len(), "{}", E::TABLE);
        let keys = E::COLUMNS.iter().take(E::KEYS);
        assert!(keys.clone().count() == E::KEYS && E::KEYS > 0, "{}", E::TABLE);
        assert!(keys.clone().all(|key| key.kind == Kind::Text && !key.optional), "{}", E::TABLE);
        E::TABLE
    }
    macro_rules! tables {
        (: $($entity:ident),*) => { [$( table::<rows::$entity>() ),*] };
    }
    let tables = every_table!(tables);
    let names: std::collections::BTreeSet<_> = tables.iter().collect();
    assert_eq!(names.len(), tables.len());
}
