//! The store for programs that block.

use super::Store;
use crate::id::{Digest, KeyId};
use crate::message::Address;
use crate::port::entitlement_store::{
    Admission, Admitted, Committed, Confirmed, Entitlement, EntitlementQuery, Report,
};
use crate::port::{EntitlementStore, StoreError};
use crate::record::{Applicant, ApplicantRecord, ExpectedTags, NewOutcome, ServerRegistration};
use crate::store::Operation;
use crate::time::UnixTime;
use alloc::vec::Vec;
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

impl EntitlementStore for Blocking {
    fn outcome(&self, request: &Digest, now: UnixTime) -> Result<Option<Vec<u8>>, StoreError> {
        let request = *request;
        self.wait(async move |store| store.outcome(&request, now).await)
    }

    fn applicant(&self, applicant: &Applicant, now: UnixTime) -> Result<ApplicantRecord, StoreError> {
        let applicant = applicant.clone();
        self.wait(async move |store| store.applicant(&applicant, now).await)
    }

    fn commit(&self, outcome: NewOutcome, now: UnixTime) -> Result<Committed, StoreError> {
        self.wait(async move |store| store.commit(&outcome, now).await)
    }

    fn expected(&self, key_id: &KeyId) -> Result<Option<ExpectedTags>, StoreError> {
        let key_id = *key_id;
        self.wait(async move |store| store.expected(&key_id).await)
    }

    fn confirm(&self, key_id: &KeyId, now: UnixTime) -> Result<Confirmed, StoreError> {
        let key_id = *key_id;
        self.wait(async move |store| store.confirm(&key_id, now).await)
    }

    fn registration(&self, address: &Address) -> Result<Option<ServerRegistration>, StoreError> {
        let address = *address;
        self.wait(async move |store| store.registration(&address).await)
    }

    fn admit(&self, admission: &Admission, now: UnixTime) -> Result<Admitted, StoreError> {
        let admission = *admission;
        self.wait(async move |store| store.admit(&admission, now).await)
    }

    fn confirm_alias(&self, key_id: &KeyId, address: &Address) -> Result<(), StoreError> {
        let (key_id, address) = (*key_id, *address);
        self.wait(async move |store| store.confirm_alias(&key_id, &address).await)
    }

    fn entitlement(
        &self,
        query: &EntitlementQuery,
        now: UnixTime,
    ) -> Result<Option<Entitlement>, StoreError> {
        let query = query.clone();
        self.wait(async move |store| store.entitlement(&query, now).await)
    }

    fn report(&self, report: &Report, now: UnixTime) -> Result<(), StoreError> {
        let report = report.clone();
        self.wait(async move |store| store.report(&report, now).await)
    }
}
