//! Databases as earlier versions of the schema left them: `tests/data/store-N.json`.
//!
//! Before a migration is added, `cargo test --features sqlite --test sqlite -- --ignored write_down`
//! writes such a file with the version that was current until then. It has the schema in the words of
//! PostgreSQL, as the migrations do; bytes are hexadecimal.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// The versions that there are databases of.
pub const VERSIONS: [u64; 2] = [1, 2];

/// The storage key under which their rows are sealed.
pub const STORAGE_KEY: [u8; 32] = [0x5E; 32];

/// When they were left.
pub const LEFT: u64 = super::common::START + 10;

/// In what words a database is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Words {
    Sqlite,
    Postgres,
}

pub fn path(version: u64) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/store-{version}.json"))
}

pub fn read(version: u64) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path(version)).unwrap()).unwrap()
}

/// The SQL that makes a database as it was left.
pub fn script(fixture: &Value, words: Words) -> String {
    let mut script = String::new();
    for statement in fixture["schema"].as_array().unwrap() {
        let statement = statement.as_str().unwrap();
        let statement = match words {
            Words::Postgres => statement.to_string(),
            Words::Sqlite => {
                let strict = if statement.starts_with("CREATE TABLE") { " STRICT" } else { "" };
                statement.replace("BIGINT", "INTEGER").replace("BYTEA", "BLOB") + strict
            }
        };
        writeln!(script, "{statement};").unwrap();
    }
    for (table, content) in fixture["tables"].as_object().unwrap() {
        let list = |value: &Value| value.as_array().unwrap().clone();
        let names: Vec<String> =
            list(&content["columns"]).iter().map(|name| name.as_str().unwrap().into()).collect();
        for row in list(&content["rows"]) {
            let values: Vec<String> = list(&row).iter().map(|value| literal(value, words)).collect();
            let (names, values) = (names.join(", "), values.join(", "));
            writeln!(script, "INSERT INTO {table} ({names}) VALUES ({values});").unwrap();
        }
    }
    script
}

fn literal(value: &Value, words: Words) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Object(bytes) => {
            let hex = bytes["bytes"].as_str().unwrap();
            if words == Words::Sqlite { format!("X'{hex}'") } else { format!("'\\x{hex}'::bytea") }
        }
        other => panic!("{other}"),
    }
}

/// Bytes, as they stand in a fixture.
pub fn bytes(bytes: &[u8]) -> Value {
    let hex = bytes.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    json!({ "bytes": hex })
}
