//! The user entitlement database (patent's 30): registrations, and what each user is entitled to.

use crate::cause::{Cause, Numbered};
use crate::id::{AccessPath, Alias, ApplicationName, Digest, KeyId, UserId};
use crate::message::Address;
use crate::record::{Applicant, ApplicantRecord, ExpectedTags, NewOutcome, ServerRegistration};
use crate::time::UnixTime;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use thiserror::Error;

pub use crate::message::{ConfigurationSerial, Status, UserInformation};

/// Why a store cannot answer. It is the operator's to mend; the peer is told `busy`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It does not answer now. The number is its driver's: 0 says no more than that, 1 that it is not known whether
    /// the change was made, 2 that no answer came in time; others up to 4095 are errors of the operating system, and
    /// those from 46 656 on an SQLSTATE read in base 36.
    #[error("the store is not available{}", Reason(*.0))]
    Unavailable(u32),
    /// It holds something that cannot be.
    #[error("the store holds damaged data")]
    Damaged,
    /// Others were quicker, again and again: it is of use to try once more, later.
    #[error("the store is too busy")]
    Contended,
    /// There is no room left.
    #[error("the store is full")]
    Full,
    /// It may be read, and not written.
    #[error("the store is read-only")]
    ReadOnly,
    /// A row is sealed under a storage key that is not at hand.
    #[error("the store is sealed under another storage key")]
    StorageKey,
    /// It failed, with the cause that its driver gives.
    #[error("the store failed")]
    Failed(#[source] Cause),
}

/// Reason why a store does not answer.
struct Reason(u32);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(": it is not known whether the change was made"),
            2 => f.write_str(": no answer came in time"),
            number => write!(f, ": {}", Numbered(number)),
        }
    }
}

/// The answer to [`EntitlementStore::commit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// Stored, durably.
    Stored,
    /// Another replica was first with the same request: send its answer instead.
    Existing(Vec<u8>),
}

/// The answer to [`EntitlementStore::confirm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// Active now, or already before.
    Active,
    /// Another registration took the name, the code or the old key first, or the time was over.
    Lost,
}

/// A session whose token has proved itself, about to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admission {
    /// Key ID of the session.
    pub key_id: KeyId,
    /// How it was addressed.
    pub address: Address,
    /// The alias handed out in it.
    pub next_alias: Alias,
    /// For a parked challenge, its id and when it lapses: good for one admission, ever.
    pub spend: Option<([u8; 16], UnixTime)>,
    /// Seconds for which an alias opens sessions in which no other is handed out: 0 for none.
    pub alias_age: u32,
}

impl Admission {
    /// Makes an admission, as the exchange asks for it.
    #[must_use]
    pub const fn new(
        key_id: KeyId,
        address: Address,
        next_alias: Alias,
        spend: Option<([u8; 16], UnixTime)>,
    ) -> Self {
        Self { key_id, address, next_alias, spend, alias_age: 0 }
    }
}

/// The answer to [`EntitlementStore::admit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// The registration as it stands now, a pending one made active by this very proof. Where it is active, the
    /// alias has been handed out.
    As(Status),
    /// Active, and the alias of the session is good for more: none has been handed out. A store need never say so.
    Again {
        /// True where a session of this alias was let in before, so that it need not be confirmed.
        settled: bool,
    },
    /// The parked challenge was used before.
    Spent,
}

/// A question for the entitlements of a user (patent step 380). Who is asking comes from the
/// session's key, never from what the token says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntitlementQuery {
    /// The key.
    pub key_id: KeyId,
    /// The user.
    pub user_id: UserId,
    /// Where the user's entitlements begin.
    pub access_path: AccessPath,
    /// The application.
    pub application: ApplicationName,
    /// Information about the user, as the token tells it, normalised. Nobody has checked it: it may choose
    /// among what the user is entitled to, and entitles to nothing.
    pub information: UserInformation,
    /// The serial of the configuration that the token holds.
    pub held: Option<ConfigurationSerial>,
}

impl EntitlementQuery {
    /// Makes a query, as for a token that tells nothing and holds nothing.
    #[must_use]
    pub fn new(
        key_id: KeyId,
        user_id: UserId,
        access_path: AccessPath,
        application: ApplicationName,
    ) -> Self {
        let information = UserInformation::default();
        Self { key_id, user_id, access_path, application, information, held: None }
    }
}

/// Entitlement of a user, for one application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entitlement {
    /// Its serial.
    pub serial: ConfigurationSerial,
    /// Seconds for which it may be used; `None` for without end.
    pub valid_for: Option<u32>,
    /// The configuration; `None` when the user is entitled to nothing any more.
    pub document: Option<Document>,
    /// The highest serial that this key, or one it renews, has reported as applied.
    ///
    /// Wrongly `None` or low: a token restored from a backup, or cloned, goes unnoticed. Wrongly
    /// high: false alarm; the token is served all the same.
    pub last_applied: Option<ConfigurationSerial>,
}

/// A configuration: instructions for the client system (patent step 390), opaque to the protocol.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// Its media type, at most 127 bytes.
    pub media_type: String,
    /// Its body, at most 57 344 bytes.
    pub body: Vec<u8>,
}

impl core::fmt::Debug for Document {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Document({}, {} bytes)", self.media_type, self.body.len())
    }
}

/// Report on a configuration by the token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The key.
    pub key_id: KeyId,
    /// The application.
    pub application: ApplicationName,
    /// The configuration; for [`ReportResult::Regressed`], the last one that was applied.
    pub serial: ConfigurationSerial,
    /// Applied, or why not.
    pub result: ReportResult,
}

impl Report {
    /// Makes a report, as the exchange hands it to the store.
    #[must_use]
    pub const fn new(
        key_id: KeyId,
        application: ApplicationName,
        serial: ConfigurationSerial,
        result: ReportResult,
    ) -> Self {
        Self { key_id, application, serial, result }
    }
}

/// Applied, or why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReportResult {
    /// In force on the token.
    Applied,
    /// Older than what the token holds.
    RolledBack,
    /// Same serial as what the token holds, other content.
    Equivocation,
    /// The client system could not apply it and keeps the last good one.
    Failed,
    /// The token holds configurations for as many applications as it can.
    NoRoom,
    /// Not before `Applied`: the token asked with a serial below the last one it applied. It was
    /// restored from a backup, or cloned.
    Regressed,
}

/// The store behind an authentication server.
///
/// Each method is one transaction. The price of a wrong answer stands with each; a store that
/// cannot answer says so with [`StoreError`] rather than guess.
///
/// The trait is object-safe, so a program may choose its store when it starts:
/// ```
/// use halfkey::driver::{Acceptor, AcceptorBuilder};
/// use halfkey::memory::Store;
/// use halfkey::port::{AuthServer, EntitlementStore};
/// use halfkey::ServerSettings;
/// use std::sync::Arc;
///
/// fn begin(settings: ServerSettings, keys: impl AuthServer + 'static, kept: Option<Store>) -> AcceptorBuilder {
///     let store: Arc<dyn EntitlementStore> = match kept {
///         Some(store) => Arc::new(store), // or an `sqlite::Store`
///         None => Arc::new(Store::new()),
///     };
///     Acceptor::builder(settings, keys, store)
/// }
/// # fn main() {}
/// ```
/// `examples/custom_store.rs` implements the trait.
pub trait EntitlementStore: Send + Sync {
    /// R3 as it was sent for the request with this hash, if it was, until its `keep_until`.
    ///
    /// Forgetting one early: a token whose R3 was lost must register anew.
    ///
    /// # Errors
    /// [`StoreError`].
    fn outcome(&self, request: &Digest, now: UnixTime) -> Result<Option<Vec<u8>>, StoreError>;

    /// Returns the facts about an applicant, read in one transaction.
    ///
    /// A name wrongly said to be free: refused later, by [`EntitlementStore::confirm`]. A code said
    /// to be unused that is used: likewise. A code or key made up: registers a stranger.
    ///
    /// # Errors
    /// [`StoreError`].
    fn applicant(&self, applicant: &Applicant, now: UnixTime) -> Result<ApplicantRecord, StoreError>;

    /// Stores an outcome and its effect, unless one is stored under the same request. Where the effect finds a
    /// limit reached, the oldest makes way ([`PendingLimits`](crate::record::PendingLimits)): a waiting application or a pending registration without
    /// proof is forgotten, one with a proof becomes `Lost`.
    ///
    /// Refusing or keeping more instead: strangers shut out users, or fill the store.
    ///
    /// Returning before it is durable: a crash sends out a key that the server does not know.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing is stored.
    fn commit(&self, outcome: &NewOutcome, now: UnixTime) -> Result<Committed, StoreError>;

    /// The tags that R4 and R5 of this key will carry, if it was granted and no session has been
    /// opened with it.
    ///
    /// # Errors
    /// [`StoreError`].
    fn expected(&self, key_id: &KeyId, now: UnixTime) -> Result<Option<ExpectedTags>, StoreError>;

    /// Makes a pending registration active by compare-and-set: takes its name and its code, puts it
    /// in the place of the key it renews (`Superseded`), marks the other pending ones of the same
    /// name, code or old key `Lost`. Again on an active one: `Active` again.
    ///
    /// Letting two win: two users under one name.
    ///
    /// # Errors
    /// [`StoreError`].
    fn confirm(&self, key_id: &KeyId, now: UnixTime) -> Result<Confirmed, StoreError>;

    /// The registration that S0 names, in whatever state of its life; `None` for an address never
    /// handed out, or an alias dropped.
    ///
    /// # Errors
    /// [`StoreError`].
    fn registration(
        &self,
        address: &Address,
        now: UnixTime,
    ) -> Result<Option<ServerRegistration>, StoreError>;

    /// Lets a proven session in: spends the parked challenge, confirms a pending registration (as
    /// [`EntitlementStore::confirm`] does), forgets its expected tags and stored R3, and issues the
    /// alias (at most 4 unused ones for each address; the oldest goes first).
    ///
    /// Admitting one challenge twice: two sessions, each with its own key, that one token opened.
    ///
    /// # Errors
    /// [`StoreError`].
    fn admit(&self, admission: &Admission, now: UnixTime) -> Result<Admitted, StoreError>;

    /// The token has sent a record in a session opened by this address: older aliases than it and
    /// those issued with it may go.
    ///
    /// Dropping earlier: a lost S3 locks out a token that uses aliases alone.
    ///
    /// # Errors
    /// [`StoreError`].
    fn confirm_alias(&self, key_id: &KeyId, address: &Address, now: UnixTime) -> Result<(), StoreError>;

    /// What the user is entitled to (patent step 380); `None` where nothing is known of that
    /// application.
    ///
    /// Another document than this key was given last, under a serial that is not higher than all that it
    /// was given: its token refuses the document as rolled back, also where the user has only come back
    /// to an earlier place.
    ///
    /// # Errors
    /// [`StoreError`].
    fn entitlement(&self, query: &EntitlementQuery, now: UnixTime)
    -> Result<Option<Entitlement>, StoreError>;

    /// What became of a configuration. [`ReportResult::Applied`] raises
    /// [`Entitlement::last_applied`], and nothing lowers it; a report may come twice.
    ///
    /// # Errors
    /// [`StoreError`].
    fn report(&self, report: &Report, now: UnixTime) -> Result<(), StoreError>;
}
