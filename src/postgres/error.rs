//! Meaning of PostgreSQL's errors.

use crate::port::StoreError;
use crate::store::tables::TxError;
use deadpool_postgres::tokio_postgres::Error;
use deadpool_postgres::tokio_postgres::error::SqlState;
use std::error::Error as _;

/// [`StoreError::Unavailable`]: no connection could be had.
pub(super) const NO_CONNECTION: u32 = 0;
/// [`StoreError::Unavailable`]: it is not known whether a transaction was committed.
pub(super) const UNKNOWN: u32 = 0x8000_0011;
/// [`StoreError::Unavailable`]: no answer came in time.
pub(super) const NO_ANSWER: u32 = 0x8000_0012;

/// Judges the error of a statement, whose transaction has no effect. It is run again, on another
/// connection, when another transaction was quicker or this connection was lost.
pub(super) fn of_statement(error: &Error) -> TxError {
    match error.code() {
        Some(code) if is_conflict(code) || ends_connection(code) => TxError::Conflict,
        Some(code) => TxError::Error(of_code(code)),
        None if is_lost(error) => TxError::Conflict,
        // A value is not of its column's type.
        None => TxError::Error(StoreError::Damaged),
    }
}

/// Judges the error of a COMMIT, which has no effect only where the server says so.
pub(super) fn of_commit(error: &Error) -> TxError {
    match error.code() {
        Some(code) if is_conflict(code) => TxError::Conflict,
        Some(code) if !ends_connection(code) && code.code() != "40003" => TxError::Error(of_code(code)),
        _ => TxError::Error(StoreError::Unavailable(UNKNOWN)),
    }
}

/// Judges the error of an attempt to connect.
pub(super) fn of_connecting(error: &Error) -> StoreError {
    error.code().map_or(StoreError::Unavailable(NO_CONNECTION), of_code)
}

/// Tells whether another transaction was quicker: a serialization failure, a deadlock, or a key, table
/// or column that exists.
fn is_conflict(code: &SqlState) -> bool {
    [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::UNIQUE_VIOLATION,
        SqlState::DUPLICATE_TABLE,
        SqlState::DUPLICATE_COLUMN,
    ]
    .contains(code)
}

/// Tells whether the server closes the connection with this error.
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
