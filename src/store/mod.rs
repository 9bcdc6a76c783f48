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

/// Makes a store that performs operations an [`crate::port::EntitlementStore`]; with each outcome go
/// `$tidy` rows of each kind that have expired.
macro_rules! entitlement_store {
    ($store:ty, $tidy:expr) => {
        impl $crate::port::EntitlementStore for $store {
            fn outcome(
                &self,
                request: &$crate::Digest,
                now: $crate::UnixTime,
            ) -> Result<Option<alloc::vec::Vec<u8>>, $crate::port::StoreError> {
                self.run(&$crate::store::rules::FindOutcome(request), now)
            }
            fn applicant(
                &self,
                applicant: &$crate::record::Applicant,
                now: $crate::UnixTime,
            ) -> Result<$crate::record::ApplicantRecord, $crate::port::StoreError> {
                self.run(&$crate::store::rules::FindApplicant(applicant), now)
            }
            fn commit(
                &self,
                outcome: $crate::record::NewOutcome,
                now: $crate::UnixTime,
            ) -> Result<$crate::port::entitlement_store::Committed, $crate::port::StoreError> {
                self.run(&$crate::store::rules::Commit(&outcome, $tidy), now)
            }
            fn expected(
                &self,
                key_id: &$crate::KeyId,
            ) -> Result<Option<$crate::record::ExpectedTags>, $crate::port::StoreError> {
                self.run(&$crate::store::rules::FindExpected(key_id), $crate::UnixTime::default())
            }
            fn confirm(
                &self,
                key_id: &$crate::KeyId,
                now: $crate::UnixTime,
            ) -> Result<$crate::port::entitlement_store::Confirmed, $crate::port::StoreError> {
                self.run(&$crate::store::rules::Confirm(key_id), now)
            }
            fn registration(
                &self,
                address: &$crate::message::Address,
            ) -> Result<Option<$crate::record::ServerRegistration>, $crate::port::StoreError> {
                self.run(&$crate::store::rules::FindRegistration(address), $crate::UnixTime::default())
            }
            fn admit(
                &self,
                admission: &$crate::port::entitlement_store::Admission,
                now: $crate::UnixTime,
            ) -> Result<$crate::port::entitlement_store::Admitted, $crate::port::StoreError> {
                self.run(&$crate::store::rules::Admit(admission), now)
            }
            fn confirm_alias(
                &self,
                key_id: &$crate::KeyId,
                address: &$crate::message::Address,
            ) -> Result<(), $crate::port::StoreError> {
                self.run(&$crate::store::rules::Heard(key_id, address), $crate::UnixTime::default())
            }
            fn entitlement(
                &self,
                query: &$crate::port::entitlement_store::EntitlementQuery,
                now: $crate::UnixTime,
            ) -> Result<Option<$crate::port::entitlement_store::Entitlement>, $crate::port::StoreError> {
                self.run(&$crate::store::rules::FindEntitlement(query), now)
            }
            fn report(
                &self,
                report: &$crate::port::entitlement_store::Report,
                now: $crate::UnixTime,
            ) -> Result<(), $crate::port::StoreError> {
                self.run(&$crate::store::rules::TakeReport(report), now)
            }
        }
    };
}
pub(crate) use entitlement_store;

#[cfg(test)]
mod tests;
