//! The commands over a store in a database of PostgreSQL, where one is installed.

use crate::desk::Desk;
use crate::server;

/// A directory with a key, and an empty store.
fn desk() -> Option<Desk> {
    let desk = bare()?;
    desk.make();
    Some(desk)
}

/// A directory with nothing in it, and an empty database.
fn bare() -> Option<Desk> {
    let mut desk = Desk::bare();
    desk.db = url(&server::database()?);
    Some(desk)
}

/// The same as a URL, with a host before it that nothing answers at.
fn url(database: &str) -> String {
    let field = |name: &str| {
        let mut fields = database.split(' ').filter_map(|field| field.split_once('='));
        fields.find(|(found, _)| *found == name).map_or("", |(_, value)| value).replace('/', "%2F")
    };
    let (host, port) = (field("host"), field("port"));
    let port = if port.is_empty() { "5432" } else { &port };
    format!("postgres://{}@127.0.0.1:1,{host}:{port}/{}", field("user"), field("dbname"))
}

#[path = "../commands.rs"]
mod commands;
#[path = "../imports.rs"]
mod imports;
#[path = "../rotation.rs"]
mod rotation;

#[test]
fn a_database_that_does_not_answer_is_told_without_its_password() {
    let mut desk = Desk::bare();
    desk.run(&["keygen", &desk.path("key")]).ok();
    desk.db = "postgres://ann:hunter2@127.0.0.1:1/gate".into();
    let run = desk.json(&["status"]);
    run.fails(3, "unavailable");
    assert!(run.err.contains("ann@127.0.0.1:1/gate") && !run.err.contains("hunter2"), "{run:?}");
    desk.db = "postgres://ann:hunter2@127.0.0.1:one/gate".into();
    let run = desk.json(&["status"]);
    run.fails(2, "usage");
    assert!(!run.err.contains("hunter2"), "{run:?}");
}

#[test]
fn a_database_has_a_store_or_none() {
    let Some(desk) = bare() else { return };
    desk.run(&["keygen", &desk.path("key")]).ok();
    desk.json(&["status"]).fails(3, "not-a-store");
    desk.run(&["init"]).ok();
    assert!(desk.run(&["migrate"]).ok().out.contains("the tables of this version"));
    let run = desk.json(&["backup", &desk.path("copy")]);
    run.fails(2, "usage");
    assert!(run.err.contains("pg_dump") && !std::path::Path::new(&desk.path("copy")).exists(), "{run:?}");
    desk.run(&["keygen", &desk.path("other")]).ok();
    desk.json(&["status", "--key-file", &desk.path("other")]).fails(3, "storage-key");
}
