//! The store for programs that block.

use super::Store;
use crate::port::question::{AsyncEntitlementStore, every_store_question};
use crate::port::{EntitlementStore, StoreError};
use crate::store::Operation;
use crate::time::UnixTime;
use core::time::Duration;
use std::sync::mpsc;
use tokio::runtime::Handle;

/// Longer than the store itself takes for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A [`Store`] for blocking programs: an [`EntitlementStore`] whose work is done on a tokio runtime
/// while the caller waits.
///
/// The runtime must run on threads of its own: a multi-threaded one, or one that another thread is
/// driving. Within asynchronous code use [`Store`] itself. Called there all the same, this holds up
/// the thread it is called on; where that is the runtime's only one, or the runtime is shut down, the
/// answer is [`StoreError::Unavailable`]`(0)`, after 20 seconds at most.
///
/// ```
/// use halfkey::UnixTime;
/// use halfkey::postgres::{Blocking, Store};
/// use halfkey::store::operation::Count;
///
/// fn count(store: Store) -> Result<(), Box<dyn std::error::Error>> {
///     let runtime = tokio::runtime::Runtime::new()?; // on threads of its own, for as long as the store is used
///     let store = Blocking::new(store, runtime.handle().clone()); // for `driver::Acceptor`
///     println!("{:?}", store.run(&Count, UnixTime::now())?);
///     Ok(())
/// }
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
pub struct Blocking {
    store: Store,
    runtime: Handle,
}

impl Blocking {
    /// The store, and the runtime that does the work.
    #[must_use]
    pub const fn new(store: Store, runtime: Handle) -> Self {
        Self { store, runtime }
    }

    /// [`Store::run`].
    ///
    /// # Errors
    /// The operation's.
    pub fn run<O>(&self, operation: &O, now: UnixTime) -> Result<O::Answer, O::Error>
    where
        O: Operation + Clone + 'static,
        O::Answer: 'static,
        O::Error: 'static,
    {
        let operation = operation.clone();
        self.wait(async move |store| store.run(&operation, now).await)
    }

    /// Waits for what the runtime does: not by driving it, which panics within asynchronous code.
    fn wait<T, E, F>(&self, ask: impl FnOnce(Store) -> F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: Future<Output = Result<T, E>> + Send + 'static,
    {
        let (answers, answer) = mpsc::sync_channel(1);
        let asked = ask(self.store.clone());
        let task = self.runtime.spawn(async move {
            // Nobody waits any more where this cannot be sent.
            let _ = answers.send(asked.await);
        });
        answer.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            task.abort();
            Err(StoreError::Unavailable(super::error::NO_CONNECTION).into())
        })
    }
}

macro_rules! blocking_verbs {
    ([] $($(#[$doc:meta])* $name:ident $verb:ident ($($field:ident: $type:ty),+) -> $answer:ty;)*) => {
        impl EntitlementStore for Blocking {
            $(fn $verb(&self, $($field: &$type,)+ now: UnixTime) -> Result<$answer, StoreError> {
                $(let $field = $field.clone();)+
                self.wait(async move |store| AsyncEntitlementStore::$verb(&store, $(&$field,)+ now).await)
            })*
        }
    };
}
every_store_question!(blocking_verbs);
