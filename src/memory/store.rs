//! An entitlement store in memory: for tests, examples and small installations.
//!
//! One lock guards the whole of it, so every method is one transaction. What grows, and what bounds it:
//!
//! | kept | until |
//! | --- | --- |
//! | stored R3s, some 1.2 kB for each R2 | their `keep_until`, or the first session |
//! | pending registrations | `confirm_by`; capped by the server's settings |
//! | lost registrations | 30 days, so that their tokens are told |
//! | waiting applications | `hold_until`, or the operator says [`Store::dismiss`]; capped likewise |
//! | spent challenges | they lapse: a minute |
//! | active, suspended, revoked and superseded registrations | the operator says [`Store::forget`] |
//! | names taken, and activation codes not used | the operator frees or withdraws them |
//! | entitlements, and the last report for each | for good: as many as the operator grants |
//! | events | there are 1024 newer ones |
//!
//! A restart is survived by writing the state to a file. [`Store::saved_by`] does it within each
//! transaction, which makes an answer durable before it leaves; the whole state is written every
//! time, so beyond some thousands of registrations a database is the better store.

mod alias;
mod life;
mod operator;
mod saved;
mod state;

pub use operator::{Event, OperatorError, Subject};
pub use saved::LoadError;
pub use state::UniqueNames;

use crate::id::{Digest, KeyId};
use crate::message::Address;
use crate::port::entitlement_store::{
    Admission, Admitted, Committed, Confirmed, Entitlement, EntitlementQuery, Report,
};
use crate::port::{EntitlementStore, StoreError};
use crate::random::RandomSource;
use crate::record::{Applicant, ApplicantRecord, ExpectedTags, NewOutcome, Registered};
use crate::sealed::Keep;
use crate::secret::Secret;
use crate::time::UnixTime;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use state::State;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// An [`EntitlementStore`] in memory.
///
/// ```
/// use halfkey::memory::store::Store;
/// use halfkey::port::EntitlementStore;
/// use halfkey::{Digest, Secret, SystemRandom, UnixTime};
///
/// let store = Store::new();
/// assert_eq!(store.outcome(&Digest::new([0; 32]), UnixTime::now()), Ok(None));
///
/// let key = Secret::new([7; 32]); // from a file apart from the state, or from a key service
/// let file = store.save(&key, &mut SystemRandom);
/// assert!(Store::load(&file, &key).is_ok());
/// ```
#[derive(Default)]
pub struct Store {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    state: State,
    keeper: Option<Keeper>,
}

struct Keeper {
    key: Secret,
    random: Box<dyn RandomSource + Send>,
    keep: Keep,
}

impl Store {
    /// An empty store, in which a name belongs to the first who becomes active under it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store with a choice of whose name a name is.
    #[must_use]
    pub fn with_names(unique: UniqueNames) -> Self {
        Self::of(State { unique, ..State::default() })
    }

    fn of(state: State) -> Self {
        Self { inner: Mutex::new(Inner { state, keeper: None }) }
    }

    /// The same store, which from now on hands its whole state, as [`Store::save`] gives it, to
    /// `keep` within every transaction that changes something.
    ///
    /// `keep` returns when the bytes are durable (a file written beside the old one, synchronised
    /// and moved over it). When it fails, with its driver's number for the failure, the transaction
    /// has not happened and the answer is [`StoreError::Unavailable`] with that number.
    #[must_use]
    pub fn saved_by(
        self,
        key: Secret,
        random: Box<dyn RandomSource + Send>,
        keep: impl FnMut(&[u8]) -> Result<(), u32> + Send + 'static,
    ) -> Self {
        self.lock().keeper = Some(Keeper { key, random, keep: Box::new(keep) });
        self
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A transaction that panicked, in the caller's `keep`, left the state as it was before.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One transaction that only looks.
    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock().state)
    }

    /// One transaction that may change something: all of it, durably, or nothing.
    fn change<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut inner = self.lock();
        let Inner { state, keeper } = &mut *inner;
        let Some(Keeper { key, random, keep }) = keeper else { return change(state) };
        let mut draft = state.clone();
        let answer = change(&mut draft)?;
        keep(&saved::seal(&draft, key, random.as_mut())).map_err(StoreError::Unavailable)?;
        *state = draft;
        Ok(answer)
    }
}

impl EntitlementStore for Store {
    fn outcome(&self, request: &Digest, now: UnixTime) -> Result<Option<Vec<u8>>, StoreError> {
        let current = |state: &State| {
            let stored = state.outcomes.get(request).filter(|outcome| now <= outcome.keep_until);
            stored.map(|outcome| outcome.response.clone())
        };
        Ok(self.look(current))
    }

    fn applicant(&self, applicant: &Applicant, now: UnixTime) -> Result<ApplicantRecord, StoreError> {
        // What is swept follows from the time and need not be written down.
        let mut inner = self.lock();
        inner.state.sweep(now);
        Ok(inner.state.applicant(applicant))
    }

    fn commit(&self, outcome: NewOutcome, now: UnixTime) -> Result<Committed, StoreError> {
        self.change(|state| {
            state.sweep(now);
            state.commit(outcome)
        })
    }

    fn expected(&self, key_id: &KeyId) -> Result<Option<ExpectedTags>, StoreError> {
        Ok(self.look(|state| state.rows.get(key_id).and_then(|row| row.expected.clone())))
    }

    fn confirm(&self, key_id: &KeyId, now: UnixTime) -> Result<Confirmed, StoreError> {
        self.change(|state| {
            state.sweep(now);
            Ok(state.confirm(key_id, now))
        })
    }

    fn registration(&self, address: &Address) -> Result<Option<Registered>, StoreError> {
        let find = |state: &State| Some(state.rows.get(&state.key_of(address)?)?.registered.clone());
        Ok(self.look(find))
    }

    fn admit(&self, admission: &Admission, now: UnixTime) -> Result<Admitted, StoreError> {
        self.change(|state| {
            state.sweep(now);
            state.admit(admission, now)
        })
    }

    fn heard(&self, key_id: &KeyId, address: &Address) -> Result<(), StoreError> {
        self.change(|state| {
            let gone = state.rows.get_mut(key_id).map(|row| row.aliases.heard(*address));
            for alias in gone.iter().flatten() {
                state.index.aliases.remove(alias);
            }
            Ok(())
        })
    }

    fn entitlement(
        &self,
        query: &EntitlementQuery,
        _now: UnixTime,
    ) -> Result<Option<Entitlement>, StoreError> {
        Ok(self.look(|state| {
            let entitlement = state.entitlement(&query.user_id, &query.access_path, &query.application)?;
            let last_applied = state.last_applied(&query.key_id, &query.application);
            Some(Entitlement { last_applied, ..entitlement.clone() })
        }))
    }

    fn report(&self, report: &Report, now: UnixTime) -> Result<(), StoreError> {
        self.change(|state| {
            state.report(report, now);
            Ok(())
        })
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({} registrations)", self.look(|state| state.rows.len()))
    }
}
