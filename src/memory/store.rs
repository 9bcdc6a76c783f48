//! An entitlement store in memory: for tests, examples and small installations.
//!
//! One lock guards the whole of it, so every method is one transaction. What grows, and what bounds it:
//!
//! | kept | until |
//! | --- | --- |
//! | stored R3s, some 1.2 kB for each R2 | their `keep_until`, or the first session |
//! | pending registrations | `confirm_by`; capped by the server's settings |
//! | lost registrations | 30 days, so that their tokens are told |
//! | waiting applications | `hold_until`, or the operator dismisses them; capped likewise |
//! | spent challenges | they lapse: a minute |
//! | active, suspended, revoked and superseded registrations | the operator forgets them |
//! | names taken | the operator frees them |
//! | activation codes not used | their time is over, or the operator withdraws them |
//! | entitlements, members of groups, and the last report for each | for good: as many as the operator grants |
//! | events | there are 1024 newer ones of their kind |
//!
//! What has expired goes as outcomes come, or when the operator asks for it
//! ([`crate::store::operation::Purge`]).
//!
//! A restart is survived by writing the state to a file. [`Store::saved_by`] does it within each
//! transaction, which makes an answer durable before it leaves; the whole state is written every
//! time, so beyond some thousands of registrations a database is the better store.

mod saved;
mod tables;

pub use saved::LoadError;

use crate::port::StoreError;
use crate::random::RandomSource;
use crate::sealed::Keep;
use crate::secret::Secret;
use crate::store::entity::Trouble;
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
    /// An empty store, in which a name belongs to the first who becomes active under it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store with a choice of whose name a name is.
    #[must_use]
    pub fn with_names(unique: UniqueNames) -> Self {
        Self::of(State::new(unique))
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
        // A transaction that panicked, in the caller's `keep`, has been undone.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Performs an operation: all of it, durably, or nothing.
    ///
    /// # Errors
    /// The operation's.
    pub fn run<O: Operation>(&self, operation: &O, now: UnixTime) -> Result<O::Answer, O::Error> {
        let mut inner = self.lock();
        let Inner { state, keeper } = &mut *inner;
        let mut draft = Draft::new(state);
        let answer = match at_once(operation.perform(&mut draft, now)) {
            Some(Ok(answer)) => answer,
            Some(Err(Trouble::Error(error))) => return Err(error),
            // Nobody else is there: a row that is in the way stays there.
            Some(Err(Trouble::Conflict)) | None => return Err(StoreError::Damaged.into()),
        };
        if let Some(Keeper { key, random, keep }) = keeper.as_mut().filter(|_| draft.has_changes()) {
            keep(&saved::seal(draft.state(), key, random.as_mut())).map_err(StoreError::Unavailable)?;
        }
        draft.keep();
        Ok(answer)
    }
}

/// How many rows of each kind that have expired go with each outcome that comes.
const TIDY: usize = 64;

entitlement_store!(Store, TIDY);

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({} registrations)", self.lock().state.rows::<rows::Row>().count())
    }
}
