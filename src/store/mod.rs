//! Entitlement stores (patent's 30): what every store in this crate does alike, wherever its rows are.
//!
//! ```text
//!  EntitlementStore (the steps ask)      Operation (the operator asks)
//!              └───────────── rules ────────────┘      one text, asynchronous, each a transaction
//!                               │
//!                             tables                   get, select, insert, update, delete
//!              ┌────────────────┼────────────────┐
//!        memory::Store     sqlite::Store    postgres::Store
//! ```
//!
//! An operator asks with the values in [`operation`], which each store performs by its method `run`:
//! ```
//! use halfkey::memory::Store;
//! use halfkey::store::operation::{IssueCode, Registrations};
//! use halfkey::{Secret, UnixTime, UserName};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (store, now) = (Store::new(), UnixTime::now());
//! let (name, secret) = (UserName::normalise("Alice")?, Secret::new([7; 32]));
//! store.run(&IssueCode { name, secret, expires: Some(now.after(7 * 86_400)) }, now)?;
//!
//! let mut list = Registrations::default();
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

pub(crate) mod entity;
pub(crate) mod event;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod key;
pub mod operation;
pub(crate) mod rows;
pub(crate) mod rules;
mod subject;
pub(crate) mod value;

pub use event::{Event, EventKind};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use key::StorageKeys;
pub use operation::{Operation, OperatorError};
pub use rows::State;
pub use subject::{Subject, SubjectError};

/// Whose name a name is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UniqueNames {
    /// The first who becomes active under it holds it.
    #[default]
    Always,
    /// Only who proved a right to it (an activation code, the operator's approval) holds it.
    /// Others may register under one name side by side, and only their user ids tell them apart.
    Proven,
}

value::words! { UniqueNames { Always = "always", Proven = "proven" } }

/// The result of a future that never waits; `None` should it wait all the same.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = core::task::Context::from_waker(core::task::Waker::noop());
    match core::pin::pin!(future).poll(&mut context) {
        core::task::Poll::Ready(result) => Some(result),
        core::task::Poll::Pending => None,
    }
}

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
                self.run(&$crate::store::entitlement_store_verbs!(@ $name, $tidy, $($field),+), now)
            })*
        }
    };
    ([$store:tt, $tidy:tt, waiting] $($(#[$doc:meta])* $name:ident $verb:ident ($($field:ident: $type:ty),+) -> $answer:ty;)*) => {
        impl $crate::port::question::AsyncEntitlementStore for $store {
            $(async fn $verb(&self, $($field: &$type,)+ now: $crate::UnixTime) -> Result<$answer, $crate::port::StoreError> {
                self.run(&$crate::store::entitlement_store_verbs!(@ $name, $tidy, $($field),+), now).await
            })*
        }
    };
    (@ Commit, $tidy:expr, $field:ident) => { $crate::store::rules::Commit($field, $tidy) };
    (@ $name:ident, $tidy:expr, $($field:ident),+) => { $crate::store::rules::$name($($field),+) };
}
pub(crate) use entitlement_store_verbs;

#[cfg(test)]
mod tests;
