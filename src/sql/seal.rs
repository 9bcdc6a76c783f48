//! The seal of a row: its secrets encrypted, and all the rest of it authenticated.

use super::damaged;
use crate::port::StoreError;
use crate::random::RandomSource;
use crate::sealed;
use crate::store::StorageKeys;
use crate::store::entity::{Entity, Trouble};
use crate::store::value::{Cells, Kind, Value};
use crate::wire::stored::encode_secret;
use crate::wire::{decode, encode};
use alloc::vec;
use alloc::vec::Vec;

const LABEL: &[u8] = b"halfkey/1 row";

/// A row as it is written: what stands in the open, and the seal under the current key.
pub(super) struct Written {
    pub(super) plain: Vec<Value>,
    pub(super) sealed_by: Value,
    pub(super) seal: Value,
}

pub(super) fn write<E: Entity>(
    row: &E,
    version: i64,
    keys: &StorageKeys,
    random: &mut dyn RandomSource,
) -> Written {
    let cells = row.put().into_iter().zip(E::COLUMNS);
    let (secret, plain): (Vec<_>, Vec<_>) = cells.partition(|(_, column)| column.kind == Kind::Sealed);
    let values = |cells: Vec<(Value, _)>| cells.into_iter().map(|(value, _)| value).collect::<Vec<_>>();
    let (secret, plain) = (values(secret), values(plain));
    let key = keys.current();
    let text = encode_secret(&Cells(secret));
    let seal = sealed::seal(&key.secret, LABEL, &associated::<E>(&plain, version), &text, random);
    Written { plain, sealed_by: Value::Text(key.id.clone()), seal: Value::Bytes(seal) }
}

pub(super) fn read<E: Entity>(
    plain: Vec<Value>,
    version: i64,
    (sealed_by, seal): (&str, &[u8]),
    keys: &StorageKeys,
) -> Result<E, Trouble> {
    let key = keys.find(sealed_by).ok_or(StoreError::StorageKey)?;
    let associated = associated::<E>(&plain, version);
    let text = sealed::open(key, LABEL, &associated, seal).map_err(|_| damaged())?;
    let Cells(secret) = decode(&text, "row", usize::MAX).map_err(|_| damaged())?;
    let (mut plain, mut secret) = (plain.into_iter(), secret.into_iter());
    let cell = |column: &crate::store::entity::Column| match column.kind {
        Kind::Sealed => secret.next(),
        Kind::Int | Kind::Text | Kind::Bytes => plain.next(),
    };
    let row = E::COLUMNS.iter().map(cell).collect::<Option<Vec<Value>>>().ok_or_else(damaged)?;
    if plain.next().is_some() || secret.next().is_some() {
        return Err(damaged());
    }
    E::get(row).ok_or_else(damaged)
}

/// `[table, version, name, value, name, value, …]` of the columns that are not null: a column that a
/// later version of the schema adds changes nothing in the rows that were there before.
fn associated<E: Entity>(plain: &[Value], version: i64) -> Vec<u8> {
    let mut cells = vec![Value::Text(E::TABLE.into()), Value::Int(version)];
    let columns = E::COLUMNS.iter().filter(|column| column.kind != Kind::Sealed);
    for (column, value) in columns.zip(plain).filter(|(_, value)| !matches!(value, Value::Null)) {
        cells.extend([Value::Text(column.name.into()), value.clone()]);
    }
    encode(&Cells(cells))
}
