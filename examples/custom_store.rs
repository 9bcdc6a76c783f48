//! An entitlement store of one's own: it keeps an audit log beside whatever store does the work.
//!
//! `cargo run --example custom_store` runs the contract that every store keeps, then registers a
//! token with it. The forty lines to write are those between the two rules; a store over a database
//! implements the same methods, each one transaction.

mod setting;

use halfkey::memory::Store;
use halfkey::port::contract::{Seed, entitlement_store};
use halfkey::port::entitlement_store::{
    Admission, Admitted, Committed, Confirmed, Entitlement, EntitlementQuery, Report,
};
use halfkey::port::{EntitlementStore, StoreError};
use halfkey::record::{Applicant, ApplicantRecord, ExpectedTags, NewOutcome, ServerRegistration};
use halfkey::session::Address;
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::store::operation::{DecideRequest, Entitle, IssueCode};
use halfkey::store::{EntitlementCondition, Subject};
use halfkey::{Digest, KeyId, SystemRandom, UnixTime};
use setting::{Outcome, Setting, say};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};

// ----------------------------------------------------------------------------------------------
type Answer<T> = Result<T, StoreError>;

/// A store, and what was asked of it that changed something. No `Debug` of this crate shows a secret.
struct Audited<S>(S, Mutex<Vec<String>>);

impl<S> Audited<S> {
    fn note<T>(&self, what: &str, whose: impl Debug, answer: Answer<T>) -> Answer<T> {
        let word = if answer.is_ok() { "done" } else { "failed" };
        self.1.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{what} {whose:?}: {word}"));
        answer
    }
}

impl<S: EntitlementStore> EntitlementStore for Audited<S> {
    fn outcome(&self, request: &Digest, now: UnixTime) -> Answer<Option<Vec<u8>>> {
        self.0.outcome(request, now)
    }
    fn applicant(&self, applicant: &Applicant, now: UnixTime) -> Answer<ApplicantRecord> {
        self.0.applicant(applicant, now)
    }
    fn commit(&self, outcome: &NewOutcome, now: UnixTime) -> Answer<Committed> {
        self.note("commit", outcome.request, self.0.commit(outcome, now))
    }
    fn expected(&self, key_id: &KeyId, now: UnixTime) -> Answer<Option<ExpectedTags>> {
        self.0.expected(key_id, now)
    }
    fn confirm(&self, key_id: &KeyId, now: UnixTime) -> Answer<Confirmed> {
        self.note("confirm", key_id, self.0.confirm(key_id, now))
    }
    fn registration(&self, address: &Address, now: UnixTime) -> Answer<Option<ServerRegistration>> {
        self.0.registration(address, now)
    }
    fn admit(&self, admission: &Admission, now: UnixTime) -> Answer<Admitted> {
        self.note("admit", admission.key_id, self.0.admit(admission, now))
    }
    fn confirm_alias(&self, key_id: &KeyId, address: &Address, now: UnixTime) -> Answer<()> {
        self.0.confirm_alias(key_id, address, now)
    }
    fn entitlement(&self, query: &EntitlementQuery, now: UnixTime) -> Answer<Option<Entitlement>> {
        self.0.entitlement(query, now)
    }
    fn report(&self, report: &Report, now: UnixTime) -> Answer<()> {
        self.note("report", report.key_id, self.0.report(report, now))
    }
}
// ----------------------------------------------------------------------------------------------

/// A store that holds what a part of the contract begins with.
fn seeded(seed: &Seed<'_>) -> Box<dyn EntitlementStore> {
    let store = Store::new();
    let (name, secret) = (seed.code.0.clone(), seed.code.1.clone());
    let (user, application, document) = seed.entitled;
    let (application, document) = (application.clone(), document.clone());
    let (subject, now) = (Subject::User(user.clone()), UnixTime::now());
    // A store that cannot be seeded breaks the contract soon enough.
    let _ = store.run(&IssueCode { name, secret, expires: None }, now);
    let _ = store.run(&Entitle::new(subject.clone(), application, document), now);
    for (outcome, ticket_id, answer) in seed.answered {
        let _ = store.commit(outcome, now);
        let _ = store.run(&DecideRequest { ticket_id, answer }, now);
    }
    let (application, places) = seed.by_place;
    for (said, document) in places {
        let entitle = Entitle::new(subject.clone(), application.clone(), document.clone());
        let _ = EntitlementCondition::new(said).map(|place| store.run(&entitle.when(place), now));
    }
    Box::new(Audited(store, Mutex::default()))
}

fn main() -> Outcome {
    entitlement_store(&mut seeded)?;
    say(format_args!("the store keeps the contract"));

    let setting = Setting::new()?;
    let quick = PinSettings::for_tests();
    let (token, _) =
        SoftwareToken::new(setting.anchors.clone(), &"2468".into(), quick, Box::new(SystemRandom))?;
    let store = Arc::new(Audited(Store::new(), Mutex::default()));
    let registration = setting.tell(token, Arc::clone(&store), "alice")?;
    say(format_args!("alice is registered as {}; the audit log:", registration.user_id));
    for line in store.1.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        say(format_args!("  {line}"));
    }
    Ok(())
}
