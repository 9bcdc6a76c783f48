//! Entitlement stores (patent's 30): everything that the stores in this crate do alike, wherever their
//! rows are.
//!
//! ```text
//!  EntitlementStore (the steps ask)      Operation (the operator asks)
//!              └───────────── rules ────────────┘      one text, asynchronous, each a transaction
//!                               │
//!                             tables                   get, select, insert, update, delete
//!              ┌────────────────┴────────────────┐
//!        memory::Store                     tables::Backend   sealed rows, wherever they are
//!                              ┌────────────────┼────────────────┐
//!                        sqlite::Store    postgres::Store    TableStore<B>
//! ```
//!
//! An operator's operations are the values in [`operation`], which each store performs by its method
//! `run`:
//! ```
//! use halfkey::memory::Store;
//! use halfkey::store::operation::{IssueCode, ListRegistrations};
//! use halfkey::{Secret, UnixTime, UserName};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (store, now) = (Store::new(), UnixTime::now());
//! let (name, secret) = (UserName::normalise("Alice")?, Secret::new([7; 32]));
//! store.run(&IssueCode { name, secret, expires: Some(now.after(7 * 86_400)) }, now)?;
//!
//! let mut list = ListRegistrations::default();
//! loop {
//!     let page = store.run(&list, now)?;
//!     for entry in &page.entries {
//!         println!("{} {}", entry.key_id, entry.name);
//!     }
//!     let Some(next) = page.next else { break };
//!     list.after = Some(next);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # After a store was restored from a backup
//! The server does not know what happened since. It refuses keys that were made or renewed meanwhile, and has again
//! in force what was revoked or replaced:
//! 1. [`operation::RaiseEpoch`], before the server is started: tokens refuse configurations with serials that they
//!    have seen before with other contents.
//! 2. What was suspended, revoked or expired since is so once more: the operator's own records say what.
//! 3. A user whose key is refused gets a code by [`operation::Readmit`], and registers beside that key
//!    (`exchange::RegisterOptions::replaces`): the token erases it once the new one is active.

mod at_once;
pub(crate) mod cell;
mod condition;
mod convert;
pub(crate) mod entity;
mod event;
mod key;
pub(crate) mod log;
mod open_error;
pub mod operation;
pub(crate) mod rows;
pub(crate) mod rules;
pub(crate) mod sealing;
mod subject;
mod table_port;
mod table_store;
pub mod tables;
mod unique_names;

pub(crate) use at_once::at_once;
pub use condition::{ConditionError, EntitlementCondition};
pub use event::{AuditEvent, AuditEventKind};
pub use key::StorageKeys;
pub use open_error::OpenError;
pub use operation::{Operation, OperatorError};
pub use rows::RegistrationState;
pub use subject::{Subject, SubjectError};
pub use table_store::{AsyncTableStore, TableStore};
pub use unique_names::UniqueNames;

/// Makes a store that performs operations a port of the steps: an
/// [`EntitlementStore`](crate::port::EntitlementStore) where `run` answers at once, an
/// [`AsyncEntitlementStore`](crate::port::question::AsyncEntitlementStore) where it is `async`. With each
/// outcome go `$tidy` rows of each kind that have expired.
macro_rules! entitlement_store {
    (async $store:tt, $tidy:tt) => {
        $crate::port::question::every_store_question! { $crate::store::entitlement_store_verbs, $store, $tidy, waiting }
    };
    ($store:tt, $tidy:tt) => {
        $crate::port::question::every_store_question! { $crate::store::entitlement_store_verbs, $store, $tidy, blocking }
    };
}
pub(crate) use entitlement_store;

macro_rules! entitlement_store_verbs {
    ([$store:tt, $tidy:tt, blocking] $($(#[$doc:meta])* $name:ident $verb:ident ($($field:ident: $type:ty),+) -> $answer:ty;)*) => {
        impl $crate::port::EntitlementStore for $store {
            $(fn $verb(&self, $($field: &$type,)+ now: $crate::UnixTime) -> Result<$answer, $crate::port::StoreError> {
                $crate::store::entitlement_store_verbs!(@ [] self, $tidy, now, $name, $($field),+)
            })*
        }
    };
    ([$store:tt, $tidy:tt, waiting] $($(#[$doc:meta])* $name:ident $verb:ident ($($field:ident: $type:ty),+) -> $answer:ty;)*) => {
        impl $crate::port::question::AsyncEntitlementStore for $store {
            $(async fn $verb(&self, $($field: &$type,)+ now: $crate::UnixTime) -> Result<$answer, $crate::port::StoreError> {
                $crate::store::entitlement_store_verbs!(@ [.await] self, $tidy, now, $name, $($field),+)
            })*
        }
    };
    (@ [$($wait:tt)*] $store:expr, $tidy:expr, $now:expr, Commit, $outcome:ident) => {
        $store.run(&$crate::store::rules::Commit($outcome, $tidy), $now) $($wait)*
    };
    // Most questions for an entitlement change nothing, and need no transaction that writes.
    (@ [$($wait:tt)*] $store:expr, $tidy:expr, $now:expr, FindEntitlement, $query:ident) => {
        match $store.run(&$crate::store::rules::FindEntitlement($query), $now) $($wait)* ? {
            $crate::store::rules::FoundEntitlement::Known(known) => Ok(known),
            $crate::store::rules::FoundEntitlement::Changed => {
                $store.run(&$crate::store::rules::GiveEntitlement($query), $now) $($wait)*
            }
        }
    };
    (@ [$($wait:tt)*] $store:expr, $tidy:expr, $now:expr, $name:ident, $($field:ident),+) => {
        $store.run(&$crate::store::rules::$name($($field),+), $now) $($wait)*
    };
}
pub(crate) use entitlement_store_verbs;

#[cfg(test)]
mod tests;
