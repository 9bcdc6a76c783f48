//! Words for the library's errors, for scripts. They stay the same in later versions.

use halfkey::port::StoreError;
use halfkey::store::OpenError;

/// Returns the word for an error of a store.
#[must_use]
pub const fn store(error: &StoreError) -> &'static str {
    match error {
        StoreError::Damaged => "damaged",
        StoreError::Contended => "busy",
        StoreError::Full => "full",
        StoreError::ReadOnly => "read-only",
        StoreError::StorageKey => "storage-key",
        _ => "unavailable",
    }
}

/// Returns the word for an error of opening a store.
#[must_use]
pub const fn open(error: &OpenError) -> &'static str {
    match error {
        OpenError::NotAStore => "not-a-store",
        OpenError::Newer { .. } => "newer-store",
        OpenError::Older { .. } => "older-store",
        OpenError::TooOld { .. } => "too-old-store",
        OpenError::StorageKey => "storage-key",
        OpenError::Store(error) => store(error),
        _ => "not-opened",
    }
}
