//! Stores with one flaw each, and the clause that notices it; and one that restarts all the time.

use super::{KEY, NOW, fixed, operations, row, seeded};
use halfkey::memory::store::Store;
use halfkey::message::Address;
use halfkey::port::contract::{
    ContractViolation, Seed, entitlement_store, entitlement_store_without_conditions,
};
use halfkey::port::entitlement_store::{
    Admission, Admitted, Committed, ConfigurationSerial, Confirmed, Entitlement, EntitlementQuery, Report,
    UserInformation,
};
use halfkey::port::{EntitlementStore, StoreError};
use halfkey::record::{
    Activation, Applicant, ApplicantRecord, Effect, ExpectedTags, Lifecycle, NewOutcome, PendingLimits,
    ProofId, ServerRegistration,
};
use halfkey::store::Operation;
use halfkey::store::operation::ListRegistrations;
use halfkey::{Digest, KeyId, Secret, Txn, UnixTime, UserId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Every answer comes from a store that was just read from the file that the last change wrote.
struct Restarting {
    file: Arc<Mutex<Vec<u8>>>,
}

impl Restarting {
    fn new(store: Store) -> Self {
        Self { file: Arc::new(Mutex::new(store.save(&KEY, &mut fixed))) }
    }
    fn store(&self) -> Store {
        let file = Arc::clone(&self.file);
        let store = Store::load(&file.lock().unwrap(), &KEY).unwrap();
        store.saved_by(KEY.clone(), Box::new(fixed), move |bytes| {
            *file.lock().unwrap() = bytes.into();
            Ok(())
        })
    }
}

/// A way to break a store, and the clause that notices.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Flaw {
    None,
    TwoWin,
    ForgetsOutcomes,
    OverwritesOutcomes,
    AdmitsTwice,
    SpendsForgeries,
    DropsAliasesEarly,
    KeepsEveryAlias,
    MakesUpRegistrations,
    SaysEveryNameIsFree,
    KeepsTags,
    ConfirmsLate,
    LosesOnRepeat,
    KeepsCodes,
    OthersDocuments,
    StaysWhereItWas,
    RepeatsSerials,
    ForgetsApplications,
    ForgetsAnswers,
    ApprovesAgain,
    KeepsEverything,
}

struct Flawed<S> {
    inner: S,
    flaw: Flaw,
    calls: AtomicU32,
    code: OnceLock<Activation>,
    first: OnceLock<UserInformation>,
    given: Mutex<HashMap<Option<Vec<u8>>, ConfigurationSerial>>,
}

trait Reach: Send + Sync {
    fn reach<T>(&self, with: impl FnOnce(&Store) -> T) -> T;
}
impl Reach for Store {
    fn reach<T>(&self, with: impl FnOnce(&Store) -> T) -> T {
        with(self)
    }
}
impl Reach for Restarting {
    fn reach<T>(&self, with: impl FnOnce(&Store) -> T) -> T {
        with(&self.store())
    }
}

impl<S: Reach> Flawed<S> {
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }
    /// Some registration, if there is one.
    fn any(&self, now: UnixTime) -> Result<Option<ServerRegistration>, StoreError> {
        self.inner.reach(|store| {
            let last = store.run(&ListRegistrations::default(), NOW).unwrap().entries.pop();
            last.map_or(Ok(None), |row| store.registration(&Address::Key(row.key_id), now))
        })
    }
}

impl<S: Reach> EntitlementStore for Flawed<S> {
    fn outcome(&self, request: &Digest, now: UnixTime) -> Result<Option<Vec<u8>>, StoreError> {
        if self.has(Flaw::ForgetsOutcomes) && now > UnixTime::from_secs(1_800_000_000) {
            return Ok(None);
        }
        self.inner.reach(|store| store.outcome(request, now))
    }
    fn applicant(&self, applicant: &Applicant, now: UnixTime) -> Result<ApplicantRecord, StoreError> {
        let mut record = self.inner.reach(|store| store.applicant(applicant, now))?;
        if self.has(Flaw::SaysEveryNameIsFree) {
            record.name_taken = false;
        }
        if self.has(Flaw::ForgetsApplications) {
            record.waiting = None;
        }
        if self.has(Flaw::ForgetsAnswers) {
            record.answer = None;
        }
        if self.has(Flaw::KeepsCodes) && applicant.proof == Some(ProofId::Activation) {
            if let Some(code) = record.activation {
                self.code.get_or_init(|| code);
            }
            record.activation = self.code.get().filter(|_| applicant.name.as_str() == "invited").cloned();
        }
        Ok(record)
    }
    fn commit(&self, outcome: &NewOutcome, now: UnixTime) -> Result<Committed, StoreError> {
        let mut outcome = outcome.clone();
        if self.has(Flaw::OverwritesOutcomes) {
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            outcome.request = Digest::new([0x80 | call as u8; 32]);
        }
        if self.has(Flaw::KeepsEverything) {
            outcome.limits = PendingLimits { same: 1000, total: 1000 };
        }
        if self.has(Flaw::ApprovesAgain)
            && let Effect::Refused(refusal) = &mut outcome.effect
        {
            refusal.ticket = None;
        }
        self.inner.reach(|store| store.commit(&outcome, now))
    }
    fn expected(&self, key_id: &KeyId, now: UnixTime) -> Result<Option<ExpectedTags>, StoreError> {
        let tag = || Secret::new([1; 32]);
        match self.inner.reach(|store| store.expected(key_id, now))? {
            None if self.has(Flaw::KeepsTags) => {
                let txn = Txn::new([1; 16]);
                Ok(Some(ExpectedTags { txn, confirm: tag(), done: tag(), lost: tag() }))
            }
            tags => Ok(tags),
        }
    }
    fn confirm(&self, key_id: &KeyId, now: UnixTime) -> Result<Confirmed, StoreError> {
        let before = self.registration(&Address::Key(*key_id), now)?.map(|row| row.lifecycle);
        if self.has(Flaw::ConfirmsLate) && now > UnixTime::from_secs(1_800_000_000 + 86_400) {
            return Ok(Confirmed::Active);
        }
        match self.inner.reach(|store| store.confirm(key_id, now))? {
            Confirmed::Lost if self.has(Flaw::TwoWin) => Ok(Confirmed::Active),
            Confirmed::Active if self.has(Flaw::LosesOnRepeat) && before == Some(Lifecycle::Active) => {
                Ok(Confirmed::Lost)
            }
            confirmed => Ok(confirmed),
        }
    }
    fn registration(
        &self,
        address: &Address,
        now: UnixTime,
    ) -> Result<Option<ServerRegistration>, StoreError> {
        let found = self.inner.reach(|store| store.registration(address, now))?;
        if self.has(Flaw::MakesUpRegistrations) && found.is_none() {
            return Ok(self.any(now)?.or(Some(row(1, "made-up"))));
        }
        if self.has(Flaw::KeepsEveryAlias) && found.is_none() && matches!(address, Address::Alias(_)) {
            return self.any(now);
        }
        Ok(found)
    }
    fn admit(&self, admission: &Admission, now: UnixTime) -> Result<Admitted, StoreError> {
        let mut admission = *admission;
        if self.has(Flaw::AdmitsTwice) {
            admission.spend = None;
        }
        if self.has(Flaw::SpendsForgeries) && admission.spend.is_some() {
            let again = self.inner.reach(|store| store.admit(&admission, now))?;
            let mut lured = admission;
            lured.spend = None;
            return match again {
                Admitted::Spent => self.inner.reach(|store| store.admit(&lured, now)).map(|_| again),
                admitted => Ok(admitted),
            };
        }
        let admitted = self.inner.reach(|store| store.admit(&admission, now))?;
        if self.has(Flaw::DropsAliasesEarly) {
            self.inner.reach(|store| {
                store.confirm_alias(&admission.key_id, &Address::Alias(admission.next_alias), now)
            })?;
        }
        Ok(admitted)
    }
    fn confirm_alias(&self, key_id: &KeyId, address: &Address, now: UnixTime) -> Result<(), StoreError> {
        self.inner.reach(|store| store.confirm_alias(key_id, address, now))
    }
    fn entitlement(
        &self,
        query: &EntitlementQuery,
        now: UnixTime,
    ) -> Result<Option<Entitlement>, StoreError> {
        let mut query = query.clone();
        if self.has(Flaw::OthersDocuments) {
            query.user_id = UserId::new("user-1").unwrap();
        }
        if self.has(Flaw::StaysWhereItWas) {
            query.information = self.first.get_or_init(|| query.information.clone()).clone();
        }
        let found = self.inner.reach(|store| store.entitlement(&query, now))?;
        Ok(found.map(|entitlement| {
            if !self.has(Flaw::RepeatsSerials) {
                return entitlement;
            }
            let body = entitlement.document.as_ref().map(|document| document.body.clone());
            let serial = *self.given.lock().unwrap().entry(body).or_insert(entitlement.serial);
            Entitlement { serial, ..entitlement }
        }))
    }
    fn report(&self, report: &Report, now: UnixTime) -> Result<(), StoreError> {
        self.inner.reach(|store| store.report(report, now))
    }
}

impl operations::Run for Flawed<Restarting> {
    const PLAYS: u32 = 2;

    fn run<O: Operation>(&self, operation: &O, now: UnixTime) -> Result<O::Answer, O::Error> {
        self.inner.reach(|store| store.run(operation, now))
    }
    fn port(&self) -> &dyn EntitlementStore {
        self
    }
}

mod operator_of_a_store_that_restarts {
    use super::{Flaw, Restarting, Store, flawed, operations};

    operations::contract!(|names| *flawed(Restarting::new(Store::with_names(names)), Flaw::None));
}

fn flawed<S: Reach>(inner: S, flaw: Flaw) -> Box<Flawed<S>> {
    let (calls, code, first) = (AtomicU32::new(0), OnceLock::new(), OnceLock::new());
    Box::new(Flawed { inner, flaw, calls, code, first, given: Mutex::default() })
}

#[test]
fn a_store_that_restarts_before_every_call_keeps_the_contract() {
    let make = &mut |seed: &Seed<'_>| -> Box<dyn EntitlementStore> {
        flawed(Restarting::new(seeded(Store::new(), seed)), Flaw::None)
    };
    assert_eq!(entitlement_store(make), Ok(()));
}

#[test]
fn the_contract_notices_each_flaw() {
    for (flaw, clause) in [
        (Flaw::TwoWin, "one registration alone wins a name"),
        (Flaw::ForgetsOutcomes, "an outcome is kept, byte for byte, until its keep_until"),
        (Flaw::OverwritesOutcomes, "an outcome is kept, byte for byte, until its keep_until"),
        (Flaw::AdmitsTwice, "a parked challenge admits once"),
        (Flaw::SpendsForgeries, "a spent challenge has no effect"),
        (Flaw::DropsAliasesEarly, "an alias is kept until the token has spoken in a session of a newer one"),
        (Flaw::KeepsEveryAlias, "a spent challenge has no effect"),
        (Flaw::MakesUpRegistrations, "what is not stored has no effect"),
        (Flaw::SaysEveryNameIsFree, "an active registration has taken its name"),
        (Flaw::KeepsTags, "the first session ends what R2 and R4 may repeat"),
        (Flaw::ConfirmsLate, "a registration confirmed too late is lost"),
        (Flaw::LosesOnRepeat, "confirming an active registration again changes nothing"),
        (Flaw::KeepsCodes, "a code is used by the registration that wins"),
        (Flaw::OthersDocuments, "another user is not given the document"),
        (
            Flaw::KeepsEverything,
            "the oldest registration pending with a code makes way for one more, and is lost",
        ),
        (
            Flaw::StaysWhereItWas,
            "a user is given the document for what the client says, and none where there is none",
        ),
        (
            Flaw::RepeatsSerials,
            "what differs from what was given last has a higher serial, also where it was given before",
        ),
        (Flaw::ForgetsApplications, "a waiting application is found by its ticket, as it was"),
        (Flaw::ForgetsAnswers, "the operator's answer is given with the application that it is to"),
        (Flaw::ApprovesAgain, "a refusal that uses a ticket up removes its application"),
    ] {
        let violation = entitlement_store(&mut |seed| flawed(seeded(Store::new(), seed), flaw));
        assert_eq!(violation.map_err(|violation| violation.clause()), Err(clause), "{flaw:?}");
    }
}

/// A store that is not given the entitlements under conditions does not pass for one that keeps them.
#[test]
fn a_store_without_conditions_says_so() {
    let blind = |seed: &Seed<'_>| -> Box<dyn EntitlementStore> {
        let (code, [everywhere, ..]) = operations::seeds(seed);
        let store = Store::new();
        store.run(&code, NOW).unwrap();
        store.run(&everywhere, NOW).unwrap();
        operations::answer(&store, seed, NOW);
        Box::new(store)
    };
    let clause = |kept: Result<(), ContractViolation>| kept.map_err(|violation| violation.clause());
    let chosen = "a user is given the document for what the client says, and none where there is none";
    assert_eq!(clause(entitlement_store(&mut { blind })), Err(chosen));
    assert_eq!(clause(entitlement_store_without_conditions(&mut { blind })), Ok(()));
    let whole = entitlement_store_without_conditions(&mut |seed| Box::new(seeded(Store::new(), seed)));
    assert_eq!(clause(whole), Err("a store that looks at what the client says keeps the whole contract"));
}
