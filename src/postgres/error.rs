//! What an error of PostgreSQL means for who asked.

use crate::port::StoreError;
use crate::store::entity::Trouble;
use deadpool_postgres::tokio_postgres::Error;
use deadpool_postgres::tokio_postgres::error::SqlState;
use std::error::Error as _;

/// [`StoreError::Unavailable`]: there is no connection to be had.
pub(super) const NO_CONNECTION: u32 = 0;
/// [`StoreError::Unavailable`]: what became of a transaction is not known.
pub(super) const UNKNOWN: u32 = 1;
/// [`StoreError::Unavailable`]: no answer in time.
pub(super) const NO_ANSWER: u32 = 2;

/// Of a statement: its transaction has no effect. It is of use to try again, on another connection,
/// when another was quicker or this connection was lost.
pub(super) fn of_statement(error: &Error) -> Trouble {
    match error.code() {
        Some(code) if is_conflict(code) || ends_connection(code) => Trouble::Conflict,
        Some(code) => Trouble::Error(of_code(code)),
        None if is_lost(error) => Trouble::Conflict,
        // A value that does not stand in its column.
        None => Trouble::Error(StoreError::Damaged),
    }
}

/// Of a COMMIT: there is no effect only where the server says so.
pub(super) fn of_commit(error: &Error) -> Trouble {
    match error.code() {
        Some(code) if is_conflict(code) => Trouble::Conflict,
        Some(code) if !ends_connection(code) && code.code() != "40003" => Trouble::Error(of_code(code)),
        _ => Trouble::Error(StoreError::Unavailable(UNKNOWN)),
    }
}

/// Of an attempt to connect.
pub(super) fn of_connecting(error: &Error) -> StoreError {
    error.code().map_or(StoreError::Unavailable(NO_CONNECTION), of_code)
}

/// Whether another was quicker: a serialization failure, a deadlock, a key or a table that is there.
fn is_conflict(code: &SqlState) -> bool {
    [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_TABLE,
    ]
    .contains(code)
}

/// Whether it is the server's last word on this connection.
fn ends_connection(code: &SqlState) -> bool {
    code.code().starts_with("57P") || code.code().starts_with("08")
}

fn is_lost(error: &Error) -> bool {
    error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>())
}

fn of_code(code: &SqlState) -> StoreError {
    match code.code() {
        "53100" => StoreError::Full,
        "25006" => StoreError::ReadOnly,
        "XX001" | "XX002" => StoreError::Damaged,
        code => StoreError::Unavailable(u32::from_str_radix(code, 36).unwrap_or(NO_ANSWER)),
    }
}
