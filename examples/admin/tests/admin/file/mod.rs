//! The commands over a store in a file of SQLite.

use crate::desk::Desk;

/// A directory with a key and an empty store.
#[expect(clippy::unnecessary_wraps, reason = "a database may be missing")]
fn desk() -> Option<Desk> {
    Some(Desk::new())
}

/// A directory with nothing in it.
#[expect(clippy::unnecessary_wraps, reason = "a database may be missing")]
fn bare() -> Option<Desk> {
    Some(Desk::bare())
}

#[path = "../commands.rs"]
mod commands;
#[path = "../imports.rs"]
mod imports;
#[path = "../rotation.rs"]
mod rotation;
