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
                self.run(&entitlement_store_verbs!(@ $name, self.tidy(), $($field),+), now)
            })*
        }

        impl<B: Backend + 'static> AsyncEntitlementStore for AsyncTableStore<B> {
            $(async fn $verb(&self, $($field: &$type,)+ now: UnixTime) -> Result<$answer, StoreError> {
                self.run(&entitlement_store_verbs!(@ $name, self.tidy(), $($field),+), now).await
            })*
        }
    };
}

every_store_question! { ports }
