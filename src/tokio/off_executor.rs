//! Stores that block, for programs that may not.

use crate::port::question::{AsyncEntitlementStore, every_store_question};
use crate::port::{EntitlementStore, StoreError};
use crate::time::UnixTime;
use core::fmt;
use core::num::NonZeroUsize;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

/// A blocking store for asynchronous programs: each question is answered on one of tokio's threads for
/// blocking work, and is answered to its end even when nobody waits for the answer any more.
///
/// ```
/// use halfkey::memory::Store;
/// use halfkey::store::operation::Count;
/// use halfkey::tokio::{Acceptor, OffExecutor};
/// use halfkey::UnixTime;
/// use std::sync::Arc;
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
///
/// # fn main() -> setting::Outcome {
/// # let setting::Setting { settings, keys, .. } = setting::Setting::new()?;
/// let store = Arc::new(Store::new()); // the operator's part of the program has it, too
/// let acceptor = Acceptor::builder(settings, keys, OffExecutor::shared(store.clone())).build();
/// println!("{:?}", store.run(&Count, UnixTime::now())?);
/// # drop(acceptor);
/// # Ok(()) }
/// ```
///
/// Questions wait in one queue, which so many threads work through as there are processors, or as
/// [`OffExecutor::at_once`] says: a store that has one question after the other answered, as one over SQLite does, is
/// not waited for by a hundred threads.
pub struct OffExecutor<S> {
    store: Arc<S>,
    queue: Arc<Queue>,
}

impl<S> OffExecutor<S> {
    /// The store.
    pub fn new(store: S) -> Self {
        Self::shared(Arc::new(store))
    }

    /// A store that other parts of the program use, too.
    #[must_use]
    pub fn shared(store: Arc<S>) -> Self {
        let at_once = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self { store, queue: Queue::new(at_once) }
    }

    /// Sets how many questions are in work at a time. Those that have been asked before stay in another queue.
    #[must_use]
    pub fn at_once(self, at_once: NonZeroUsize) -> Self {
        Self { queue: Queue::new(at_once), ..self }
    }

    /// The store.
    #[must_use]
    pub const fn store(&self) -> &Arc<S> {
        &self.store
    }
}

impl<S: Send + Sync + 'static> OffExecutor<S> {
    /// Does something with the store, in its turn among the questions. It is done to its end even when nobody waits
    /// for it any more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where it panics, or the runtime ends before.
    pub async fn perform<T: Send + 'static>(
        &self,
        work: impl FnOnce(&S) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let store = Arc::clone(&self.store);
        self.queue.push(Box::new(move || drop(answer.send(work(&store)))));
        answered.await.map_err(|_| LOST)
    }
}

impl<S> Clone for OffExecutor<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), queue: Arc::clone(&self.queue) }
    }
}

impl<S: fmt::Debug> fmt::Debug for OffExecutor<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OffExecutor").field(&self.store).finish()
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// Questions that wait, and the threads that work through them.
struct Queue {
    at_once: NonZeroUsize,
    state: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    threads: usize,
}

impl Queue {
    fn new(at_once: NonZeroUsize) -> Arc<Self> {
        Arc::new(Self { at_once, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(self: &Arc<Self>, job: Job) {
        let mut state = self.state();
        state.jobs.push_back(job);
        if state.threads < self.at_once.get() {
            state.threads = state.threads.saturating_add(1);
            drop(state);
            let thread = Thread { queue: Arc::clone(self), counted: true };
            spawn_blocking(move || thread.work());
        }
    }
}

/// A thread that works through the queue. A runtime that ends may drop it before it has begun.
struct Thread {
    queue: Arc<Queue>,
    /// True while the queue counts on it.
    counted: bool,
}

impl Thread {
    fn work(mut self) {
        while let Some(job) = self.next() {
            // Who waits for one that panics learns that the answer is lost.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }

    /// Takes the next question. Where there is none, the queue learns under the same lock that the thread ends.
    fn next(&mut self) -> Option<Job> {
        let mut state = self.queue.state();
        let job = state.jobs.pop_front();
        if job.is_none() {
            state.threads = state.threads.saturating_sub(1);
            self.counted = false;
        }
        job
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if self.counted {
            let mut state = self.queue.state();
            state.threads = state.threads.saturating_sub(1);
        }
    }
}

/// Number in [`StoreError::Unavailable`] where the thread of a question was lost.
const LOST: StoreError = StoreError::Unavailable(0);

macro_rules! off_executor {
    ([] $($(#[$doc:meta])* $name:ident $verb:ident ($($field:ident: $type:ty),+) -> $answer:ty;)*) => {
        impl<S: EntitlementStore + 'static> AsyncEntitlementStore for OffExecutor<S> {
            $(async fn $verb(&self, $($field: &$type,)+ now: UnixTime) -> Result<$answer, StoreError> {
                $(let $field = $field.clone();)+
                self.perform(move |store| store.$verb($(&$field,)+ now)).await?
            })*
        }
    };
}
every_store_question!(off_executor);
