//! A store and a token that record every call, and fail on demand.

use halfkey::certificate::TrustAnchors;
use halfkey::key::KemPublicKey;
use halfkey::message::Address;
use halfkey::policy::SuiteId;
use halfkey::port::entitlement_store::{
    Admission, Admitted, Committed, Confirmed, Entitlement, EntitlementQuery, Report,
};
use halfkey::port::token::JoinRequest;
use halfkey::port::{EntitlementStore, StoreError, Token, TokenError};
use halfkey::record::{
    Applicant, ApplicantRecord, Attempt, ExpectedTags, NewOutcome, ServerRegistration, TokenRegistration,
};
use halfkey::schedule::{KeyUse, Ssk1Use};
use halfkey::{Digest, KeyId, Secret, Txn, UnixTime};
use std::sync::Mutex;

/// When a call fails: before anything has happened, or when all of it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    After,
}

/// Number of the first call that fails, from 0. Every later call fails too: the power is gone.
pub(crate) type Fall = Option<(usize, Moment)>;

/// Notes calls; from the one that falls on, none succeeds.
#[derive(Default)]
pub(crate) struct Power {
    pub(crate) calls: Mutex<Vec<&'static str>>,
    pub(crate) fall: Mutex<Fall>,
}

impl Power {
    pub(crate) fn falling(fall: Fall) -> Self {
        Self { calls: Mutex::default(), fall: Mutex::new(fall) }
    }

    fn call<T, E>(&self, name: &'static str, gone: E, act: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let at = self.calls.lock().unwrap().len();
        self.calls.lock().unwrap().push(name);
        let fall = *self.fall.lock().unwrap();
        match fall {
            Some((fall, Moment::After)) if at == fall => act().and(Err(gone)),
            Some((fall, _)) if at >= fall => Err(gone),
            _ => act(),
        }
    }
}

pub(crate) struct WatchedStore<'s> {
    pub(crate) inner: &'s dyn EntitlementStore,
    pub(crate) power: Power,
    pub(crate) outcomes: Mutex<Vec<NewOutcome>>,
}

impl<'s> WatchedStore<'s> {
    pub(crate) fn new(inner: &'s dyn EntitlementStore, fall: Fall) -> Self {
        Self { inner, power: Power::falling(fall), outcomes: Mutex::default() }
    }
}

const GONE: StoreError = StoreError::Unavailable(9);

impl EntitlementStore for WatchedStore<'_> {
    fn outcome(&self, request: &Digest, now: UnixTime) -> Result<Option<Vec<u8>>, StoreError> {
        self.power.call("outcome", GONE, || self.inner.outcome(request, now))
    }
    fn applicant(&self, applicant: &Applicant, now: UnixTime) -> Result<ApplicantRecord, StoreError> {
        self.power.call("applicant", GONE, || self.inner.applicant(applicant, now))
    }
    fn commit(&self, outcome: &NewOutcome, now: UnixTime) -> Result<Committed, StoreError> {
        self.outcomes.lock().unwrap().push(outcome.clone());
        self.power.call("commit", GONE, || self.inner.commit(outcome, now))
    }
    fn expected(&self, key_id: &KeyId, now: UnixTime) -> Result<Option<ExpectedTags>, StoreError> {
        self.power.call("expected", GONE, || self.inner.expected(key_id, now))
    }
    fn confirm(&self, key_id: &KeyId, now: UnixTime) -> Result<Confirmed, StoreError> {
        self.power.call("confirm", GONE, || self.inner.confirm(key_id, now))
    }
    fn registration(
        &self,
        address: &Address,
        now: UnixTime,
    ) -> Result<Option<ServerRegistration>, StoreError> {
        self.power.call("registration", GONE, || self.inner.registration(address, now))
    }
    fn admit(&self, admission: &Admission, now: UnixTime) -> Result<Admitted, StoreError> {
        self.power.call("admit", GONE, || self.inner.admit(admission, now))
    }
    fn confirm_alias(&self, key_id: &KeyId, address: &Address, now: UnixTime) -> Result<(), StoreError> {
        self.power.call("confirm_alias", GONE, || self.inner.confirm_alias(key_id, address, now))
    }
    fn entitlement(
        &self,
        query: &EntitlementQuery,
        now: UnixTime,
    ) -> Result<Option<Entitlement>, StoreError> {
        self.power.call("entitlement", GONE, || self.inner.entitlement(query, now))
    }
    fn report(&self, report: &Report, now: UnixTime) -> Result<(), StoreError> {
        self.power.call("report", GONE, || self.inner.report(report, now))
    }
}

/// A token that loses power, and answers in the suite of [`crate::recording`] with what it has of X-Wing.
pub(crate) struct WatchedToken<T> {
    pub(crate) inner: T,
    pub(crate) power: Power,
}

const OUT: TokenError = TokenError::Device(9);

fn known(suite: SuiteId) -> SuiteId {
    if let SuiteId::Private(_) = suite { SuiteId::XWing } else { suite }
}

impl<T: Token> Token for WatchedToken<T> {
    fn anchors(&self) -> Result<TrustAnchors, TokenError> {
        self.power.call("anchors", OUT, || self.inner.anchors())
    }
    fn wrap(&mut self, txn: &Txn, suite: SuiteId, server_key: &KemPublicKey) -> Result<Vec<u8>, TokenError> {
        self.power.call("wrap", OUT, || self.inner.wrap(txn, known(suite), server_key))
    }
    fn derive_from_ssk1(
        &mut self,
        txn: &Txn,
        wanted: Ssk1Use,
        transcript: &Digest,
    ) -> Result<Secret, TokenError> {
        self.power.call("half", OUT, || self.inner.derive_from_ssk1(txn, wanted, transcript))
    }
    fn save_attempt(&mut self, attempt: Attempt) -> Result<(), TokenError> {
        self.power.call("hold", OUT, || self.inner.save_attempt(attempt))
    }
    fn attempts(&self) -> Result<Vec<Attempt>, TokenError> {
        self.power.call("attempts", OUT, || self.inner.attempts())
    }
    fn abandon(&mut self, txn: &Txn) -> Result<(), TokenError> {
        self.power.call("give_up", OUT, || self.inner.abandon(txn))
    }
    fn join(&mut self, join: &JoinRequest) -> Result<[u8; 32], TokenError> {
        let suite = known(join.suite);
        let registration = TokenRegistration { suite, ..join.registration.clone() };
        let mut join = join.clone();
        (join.suite, join.registration) = (suite, registration);
        self.power.call("join", OUT, || self.inner.join(&join))
    }
    fn derive(&mut self, key_id: &KeyId, question: &KeyUse) -> Result<Secret, TokenError> {
        self.power.call("answer", OUT, || self.inner.derive(key_id, question))
    }
    fn registrations(&self) -> Result<Vec<TokenRegistration>, TokenError> {
        self.power.call("registrations", OUT, || self.inner.registrations())
    }
    fn update(&mut self, registration: &TokenRegistration) -> Result<(), TokenError> {
        let registration = TokenRegistration { suite: known(registration.suite), ..registration.clone() };
        self.power.call("update", OUT, || self.inner.update(&registration))
    }
    fn remove(&mut self, key_id: &KeyId) -> Result<(), TokenError> {
        self.power.call("remove", OUT, || self.inner.remove(key_id))
    }
}
