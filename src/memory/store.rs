//! An entitlement store in memory: for tests, examples and small installations.
//!
//! One lock guards the store, so every method is one transaction. What it keeps, and for how long:
//!
//! | kept | until |
//! | --- | --- |
//! | stored R3s, some 1.2 kB for each R2 | their `keep_until`, or the first session |
//! | pending registrations | `confirm_by`; capped by the server's settings |
//! | lost registrations | 30 days, so that their tokens can be told |
//! | waiting requests | `hold_until`, or the operator rejects them; capped likewise |
//! | spent challenges | they lapse, after a minute |
//! | active, suspended, revoked and superseded registrations | the operator deletes them |
//! | names taken | the operator releases them |
//! | activation codes not used | they expire, or the operator withdraws them |
//! | entitlements, members of groups, and for each the last report and what was last given | for good: the operator sets their number |
//! | events | there are 1024 newer ones of their kind |
//!
//! Expired rows are removed when outcomes are stored, or by [`crate::store::operation::Purge`].
//!
//! To survive a restart, the state is written to a file. [`Store::saved_by`] writes it within each
//! transaction, before the answer leaves. The whole state is written every time, so a database is the
//! better store from some thousands of registrations on.

mod saved;
mod tables;

pub use saved::LoadError;

use crate::port::StoreError;
use crate::random::RandomSource;
use crate::sealed::Keep;
use crate::secret::Secret;
use crate::store::tables::TxError;
use crate::store::{Operation, UniqueNames, at_once, entitlement_store, rows};
use crate::time::UnixTime;
use alloc::boxed::Box;
use core::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tables::{Draft, State};

/// An [`crate::port::EntitlementStore`] in memory.
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
    /// Makes an empty store, in which a name belongs to the first user who becomes active under it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an empty store, and sets who may hold a user name.
    #[must_use]
    pub fn with_names(unique: UniqueNames) -> Self {
        Self::of(State::new(unique))
    }

    fn of(state: State) -> Self {
        Self { inner: Mutex::new(Inner { state, keeper: None }) }
    }

    /// Has the store hand its whole state, as [`Store::save`] gives it, to `keep` within every
    /// transaction that changes something.
    ///
    /// `keep` returns when the bytes are durable: for example, when a file was written beside the old
    /// one, synchronised and moved over it. When it fails, with the driver's error number, the
    /// transaction has no effect, and the answer is [`StoreError::Unavailable`] with that number.
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
        // A transaction that panicked, in the caller's `keep`, has been undone.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Performs an operation: as a whole, durably, or not at all.
    ///
    /// # Errors
    /// The operation's.
    pub fn run<O: Operation>(&self, operation: &O, now: UnixTime) -> Result<O::Answer, O::Error> {
        let mut inner = self.lock();
        let Inner { state, keeper } = &mut *inner;
        let mut draft = Draft::new(state);
        let answer = match at_once(operation.perform(&mut draft, now)) {
            Some(Ok(answer)) => answer,
            Some(Err(TxError::Error(error))) => return Err(error),
            // No other transaction runs: a row that is in the way stays there.
            Some(Err(TxError::Conflict)) | None => return Err(StoreError::Damaged.into()),
        };
        if let Some(Keeper { key, random, keep }) = keeper.as_mut().filter(|_| draft.has_changes()) {
            keep(&saved::seal(draft.state(), key, random.as_mut())).map_err(StoreError::Unavailable)?;
        }
        draft.keep();
        Ok(answer)
    }
}

/// Expired rows of each kind that are removed with each outcome that is stored.
const TIDY: usize = 64;

entitlement_store!(Store, TIDY);

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({} registrations)", self.lock().state.rows::<rows::RegistrationRow>().count())
    }
}
