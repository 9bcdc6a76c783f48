//! Making and opening a store in a database.

use super::Database;
use super::migration;
use super::rows::Statements;
use crate::port::StoreError;
use crate::store::entity::Tables;
use crate::store::rows::SchemaRow;
use crate::store::sealing::{SealedTables, Shared};
use crate::store::tables::{Key, TxError, VERSION, Value};
use crate::store::{OpenError, StorageKeys, UniqueNames};

/// Makes a store in a database that holds none.
pub(crate) async fn create<D: Database>(
    database: D,
    keys: StorageKeys,
    unique: UniqueNames,
) -> Result<Shared, OpenError> {
    let shared = Shared::new(keys, unique);
    let mut rows = SealedTables::new(Statements(database), &shared);
    if exists(&mut rows.transaction.0).await? {
        return Err(OpenError::Exists);
    }
    migration::migrate(&mut rows.transaction.0, 0, VERSION).await?;
    rows.insert(SchemaRow::new(unique, Some(shared.keys.current_id()))).await?;
    Ok(shared)
}

/// Opens the store in a database; migrates one of an earlier version if `migrate` is set.
pub(crate) async fn open<D: Database>(
    database: D,
    keys: StorageKeys,
    migrate: bool,
) -> Result<Shared, OpenError> {
    let mut shared = Shared::new(keys, UniqueNames::default());
    let mut rows = SealedTables::new(Statements(database), &shared);
    if !exists(&mut rows.transaction.0).await? {
        return Err(OpenError::NotAStore);
    }
    // The version comes first: a later version may have changed the rest of the row.
    let found = rows.transaction.0.query("SELECT migration FROM halfkey_schema", &[]).await?;
    let found = match found.first().and_then(|row| row.first()) {
        Some(Value::Int(found)) => u64::try_from(*found).map_err(|_| OpenError::NotAStore)?,
        _ => return Err(OpenError::NotAStore),
    };
    if found > VERSION {
        return Err(OpenError::Newer { found, known: VERSION });
    }
    if found == 0 {
        // No version has this number: the row was changed.
        return Err(OpenError::StorageKey);
    }
    if found < VERSION {
        if !migrate {
            return Err(OpenError::Older { found, known: VERSION });
        }
        migration::migrate(&mut rows.transaction.0, found, VERSION).await?;
    }
    // A schema is migrated only with the storage key at hand: an error undoes the transaction.
    let schema =
        rows.get::<SchemaRow>(Key::from([SchemaRow::ID.into()])).await.map_err(|error| match error {
            TxError::Error(StoreError::Damaged) => OpenError::StorageKey,
            other => other.into(),
        })?;
    let mut schema = schema.ok_or(OpenError::NotAStore)?;
    if found < VERSION {
        schema.migration = VERSION;
        schema.sealing.get_or_insert_with(|| shared.keys.current_id());
        rows.update(&mut schema).await?;
    }
    shared.unique = schema.row.unique_names;
    Ok(shared)
}

async fn exists<D: Database>(database: &mut D) -> Result<bool, TxError> {
    let rows = database.query(D::DIALECT.exists, &[]).await?;
    Ok(matches!(rows.first().and_then(|row| row.first()), Some(Value::Int(1..))))
}
