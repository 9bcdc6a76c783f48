//! The schema, version by version: numbered migrations, each from one version to the next.

use super::{Database, Dialect};
use crate::store::tables::{TxError, VERSION};
use alloc::string::{String, ToString};

/// Migrations in order; their number is the version of the schema.
const MIGRATIONS: [&str; 3] = [
    include_str!("migration/0001.sql"),
    include_str!("migration/0002.sql"),
    include_str!("migration/0003.sql"),
];

// Every version of the tables has its migration.
const _: () = assert!(MIGRATIONS.len() as u64 == VERSION);

/// Migrates a schema from version `from`, 0 for none, to version `to`.
pub(crate) async fn migrate<D: Database>(database: &mut D, from: u64, to: u64) -> Result<(), TxError> {
    for (migration, version) in MIGRATIONS.iter().zip(1..) {
        if version > from && version <= to {
            for statement in statements(migration, D::DIALECT) {
                database.execute(&statement, &[]).await?;
            }
        }
    }
    Ok(())
}

/// Returns the statements of a migration in the words of a dialect.
fn statements(migration: &str, dialect: Dialect) -> impl Iterator<Item = String> {
    let lines = migration.lines().filter(|line| !line.trim_start().starts_with("--"));
    let text = lines.collect::<alloc::vec::Vec<_>>().join("\n");
    let statements: alloc::vec::Vec<String> =
        text.split(';').map(str::trim).filter(|statement| !statement.is_empty()).map(String::from).collect();
    statements.into_iter().map(move |statement| {
        let end = if statement.starts_with("CREATE TABLE") { dialect.table } else { "" };
        let words = statement.replace("TEXT", dialect.text).replace("BIGINT", dialect.int);
        let words = words.replace("BYTEA", dialect.bytes);
        words.to_string() + end
    })
}
