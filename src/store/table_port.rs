//! Stores over tables as the port that the steps ask, blocking and asynchronous.

use super::entitlement_store_verbs;
use super::table_store::{AsyncTableStore, TableStore};
use super::tables::{Backend, BlockingBackend};
use crate::port::question::{AsyncEntitlementStore, every_store_question};
use crate::port::{EntitlementStore, StoreError};
use crate::time::UnixTime;

macro_rules! ports {
    ([] $($(#[$doc:meta])* $name:ident $verb:ident ($($field:ident: $type:ty),+) -> $answer:ty;)*) => {
        impl<B: BlockingBackend> EntitlementStore for TableStore<B> {
            $(fn $verb(&self, $($field: &$type,)+ now: UnixTime) -> Result<$answer, StoreError> {
                entitlement_store_verbs!(@ [] self, self.tidy(), now, $name, $($field),+)
            })*
        }

        impl<B: Backend + 'static> AsyncEntitlementStore for AsyncTableStore<B> {
            $(async fn $verb(&self, $($field: &$type,)+ now: UnixTime) -> Result<$answer, StoreError> {
                entitlement_store_verbs!(@ [.await] self, self.tidy(), now, $name, $($field),+)
            })*
        }
    };
}

every_store_question! { ports }
