//! The schema, version by version: numbered migrations, each of which turns one version into the next.

use super::{Database, Dialect};
use crate::store::entity::Trouble;
use alloc::string::{String, ToString};

/// The migrations in order; how many there are is the version of the schema.
const MIGRATIONS: [&str; 2] = [include_str!("migration/0001.sql"), include_str!("migration/0002.sql")];

/// The version of the schema that this version of the crate keeps.
pub(crate) const CURRENT: u64 = MIGRATIONS.len() as u64;

/// Turns a schema of version `from`, 0 for none, into one of version `to`.
pub(crate) async fn migrate<D: Database>(database: &mut D, from: u64, to: u64) -> Result<(), Trouble> {
    for (migration, version) in MIGRATIONS.iter().zip(1..) {
        if version > from && version <= to {
            for statement in statements(migration, D::DIALECT) {
                database.execute(&statement, &[]).await?;
            }
        }
    }
    Ok(())
}

/// The statements of a migration in the words of a database.
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
