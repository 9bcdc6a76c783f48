//! The store in memory: the contract, implementations that fail it, and the operator's operations.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test may panic"
)]

#[path = "store/flaws.rs"]
mod flaws;
#[path = "store/operations.rs"]
mod operations;

use halfkey::memory::store::{LoadError, Store};
use halfkey::message::Address;
use halfkey::policy::{Policy, SuiteId};
use halfkey::port::contract::{Seed, entitlement_store};
use halfkey::port::entitlement_store::{Admission, Admitted, Committed, Confirmed, Status};
use halfkey::port::{EntitlementStore, StoreError};
use halfkey::record::{
    Effect, ExpectedTags, Lifecycle, NewOutcome, NewRegistration, PendingLimits, RejectionCause,
    RejectionRecord, ServerRegistration, StoredKeys, Takes,
};
use halfkey::registration::RejectionCode;
use halfkey::store::operation::{
    Count, DeleteRegistration, IssueCode, ListRegistrations, RegistrationFilter, ReleaseName, Resume, Revoke,
    Suspend,
};
use halfkey::store::{Operation, OperatorError, RegistrationState, UniqueNames};
use halfkey::{AccessPath, Alias, CodeId, Digest, KeyId, Secret, Txn, UnixTime, UserId, UserName};
use std::sync::LazyLock;
use std::sync::{Arc, Mutex};

const NOW: UnixTime = UnixTime::from_secs(1_000_000);
static KEY: LazyLock<Secret> = LazyLock::new(|| Secret::new([0x5E; 32]));

fn fixed(out: &mut [u8]) {
    out.fill(3);
}

fn seeded(store: Store, seed: &Seed<'_>) -> Store {
    operations::plant(&store, seed, NOW);
    store
}

impl operations::Run for Store {
    const PLAYS: u32 = 128;

    fn run<O: Operation>(&self, operation: &O, now: UnixTime) -> Result<O::Answer, O::Error> {
        Self::run(self, operation, now)
    }
    fn port(&self) -> &dyn EntitlementStore {
        self
    }
}

mod operator {
    use super::{Store, operations};

    operations::contract!(Store::with_names);
}

#[test]
fn the_store_keeps_the_contract() {
    assert_eq!(entitlement_store(&mut |seed| Box::new(seeded(Store::new(), seed))), Ok(()));
}

fn row(n: u8, name: &str) -> ServerRegistration {
    let key = || Secret::new([n; 32]);
    ServerRegistration {
        key_id: KeyId::new([n; 16]),
        user_id: UserId::new(&format!("user-{n}")).unwrap(),
        name: UserName::new(name).unwrap(),
        access_path: AccessPath::new("/").unwrap(),
        suite: SuiteId::XWing,
        policy: Policy::default(),
        lifecycle: Lifecycle::Pending { confirm_by: NOW.after(100) },
        expires: None,
        keys: StoredKeys { auth: key(), derive: key(), renew: key() },
    }
}

fn grant(store: &Store, n: u8, name: &str, takes: Option<Takes>) -> Result<Committed, StoreError> {
    let tag = || Secret::new([n; 32]);
    let expected = ExpectedTags { txn: Txn::new([n; 16]), confirm: tag(), done: tag(), lost: tag() };
    let new = NewRegistration {
        registered: row(n, name),
        alias: Alias::new([n; 16]),
        expected,
        takes,
        ticket: None,
    };
    let outcome = NewOutcome {
        request: Digest::new([n; 32]),
        response: vec![n; 100],
        keep_until: NOW.after(100),
        effect: Effect::Granted(new.into()),
        limits: halfkey::record::PendingLimits::default(),
    };
    store.commit(&outcome, NOW)
}

fn issue(store: &Store, name: &str, secret: u8) -> Result<CodeId, OperatorError> {
    let (name, secret) = (UserName::new(name).unwrap(), Secret::new([secret; 32]));
    store.run(&IssueCode { name, secret, expires: None }, NOW)
}

fn key(n: u8) -> KeyId {
    KeyId::new([n; 16])
}

fn lifecycle(store: &Store, n: u8) -> Option<Lifecycle> {
    store.registration(&Address::Key(key(n)), NOW).unwrap().map(|row| row.lifecycle)
}

#[test]
fn of_many_threads_one_wins_the_name_and_one_the_challenge() {
    let store = Store::new();
    for n in 0..32 {
        grant(&store, n, "ann", None).unwrap();
    }
    let count = |wins: &(dyn Fn(u8) -> bool + Sync)| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..32).map(|n| scope.spawn(move || wins(n))).collect();
            threads.into_iter().map(|thread| u32::from(thread.join().unwrap())).sum::<u32>()
        })
    };
    assert_eq!(count(&|n| store.confirm(&key(n), NOW) == Ok(Confirmed::Active)), 1);
    let active =
        RegistrationFilter { state: Some(RegistrationState::Active), ..RegistrationFilter::default() };
    let active = ListRegistrations { filter: active, ..ListRegistrations::default() };
    let winner = store.run(&active, NOW).unwrap().entries[0].key_id;
    let admitted = count(&|n| {
        let (address, next_alias) = (Address::Key(winner), Alias::new([100 + n; 16]));
        let admission = Admission::new(winner, address, next_alias, Some(([1; 16], NOW.after(60))));
        store.admit(&admission, NOW) == Ok(Admitted::As(Status::Active))
    });
    assert_eq!(admitted, 1);
}

#[test]
fn the_operator_rules_over_registrations() {
    let store = Store::new();
    grant(&store, 1, "ann", None).unwrap();
    assert_eq!(store.run(&Suspend(key(1)), NOW), Err(OperatorError::OtherState));
    store.confirm(&key(1), NOW).unwrap();
    store.run(&Suspend(key(1)), NOW).unwrap();
    let admission = |next: u8| Admission::new(key(1), Address::Key(key(1)), Alias::new([next; 16]), None);
    assert_eq!(store.admit(&admission(50), NOW), Ok(Admitted::As(Status::Suspended)));
    // A suspended key has no heir, and its owner was not told that the registration is lost.
    grant(&store, 2, "ann", Some(Takes::Place(key(1)))).unwrap();
    assert_eq!(store.confirm(&key(2), NOW), Ok(Confirmed::Lost));
    assert_eq!(store.confirm(&key(1), NOW), Ok(Confirmed::Active));
    assert_eq!(lifecycle(&store, 1), Some(Lifecycle::Suspended));
    store.run(&Resume(key(1)), NOW).unwrap();
    assert_eq!(store.admit(&admission(51), NOW), Ok(Admitted::As(Status::Active)));
    store.run(&Revoke(key(1)), NOW).unwrap();
    assert_eq!(store.admit(&admission(52), NOW), Ok(Admitted::As(Status::Revoked)));
    assert_eq!(store.run(&Resume(key(1)), NOW), Err(OperatorError::OtherState));

    // The name stays taken until it is freed, even when the registration is gone.
    let ann = UserName::new("ann").unwrap();
    store.run(&DeleteRegistration(key(1)), NOW).unwrap();
    assert_eq!(lifecycle(&store, 1), None);
    assert_eq!(issue(&store, "ann", 1), Err(OperatorError::NameTaken));
    let free = ReleaseName { name: ann.clone(), held_by: UserId::new("user-1").unwrap() };
    store.run(&free, NOW).unwrap();
    assert_eq!(store.run(&free, NOW), Err(OperatorError::NameFree));
    grant(&store, 3, "ann", None).unwrap();
    assert_eq!(store.confirm(&key(3), NOW), Ok(Confirmed::Active));
    assert_eq!(store.run(&Suspend(key(9)), NOW), Err(OperatorError::NoSuchKey));
}

#[test]
fn a_code_that_is_replaced_no_longer_proves() {
    let store = Store::new();
    let first = issue(&store, "ann", 1).unwrap();
    grant(&store, 1, "ann", Some(Takes::Code(first))).unwrap();
    let second = issue(&store, "ann", 2).unwrap();
    grant(&store, 2, "ann", Some(Takes::Code(second))).unwrap();
    assert_eq!(store.confirm(&key(1), NOW), Ok(Confirmed::Lost));
    assert_eq!(store.confirm(&key(2), NOW), Ok(Confirmed::Active));
}

#[test]
fn names_may_repeat_where_only_proof_takes_them() {
    let store = Store::with_names(UniqueNames::Proven);
    for n in 1..=2 {
        grant(&store, n, "ann", None).unwrap();
    }
    assert_eq!(store.confirm(&key(1), NOW), Ok(Confirmed::Active));
    assert_eq!(store.confirm(&key(2), NOW), Ok(Confirmed::Active));
    grant(&store, 3, "ann", None).unwrap();
    // An invited one takes the name: the open ones keep what they have, and nobody else gets it.
    let code = issue(&store, "ann", 1).unwrap();
    grant(&store, 4, "ann", Some(Takes::Code(code))).unwrap();
    assert_eq!(store.confirm(&key(4), NOW), Ok(Confirmed::Active));
    assert_eq!(store.confirm(&key(3), NOW), Ok(Confirmed::Lost));
    grant(&store, 5, "ann", Some(Takes::Place(key(1)))).unwrap();
    assert_eq!(store.confirm(&key(5), NOW), Ok(Confirmed::Active));
    assert_eq!(lifecycle(&store, 1), Some(Lifecycle::Superseded));
}

/// Above a thousand, the limit of all is kept by shares, of which none is full long before the whole.
#[test]
fn what_has_no_proof_is_limited_in_all() {
    let store = Store::new();
    let limits = PendingLimits { same: 8, total: 2000 };
    for n in 0..3000u32 {
        let id: [u8; 16] = std::array::from_fn(|at| n.to_be_bytes()[at % 4] ^ at as u8);
        let registered = ServerRegistration {
            key_id: KeyId::new(id),
            name: UserName::new(&format!("name-{n}")).unwrap(),
            ..row(1, "ann")
        };
        let tag = || Secret::new([1; 32]);
        let expected = ExpectedTags { txn: Txn::new(id), confirm: tag(), done: tag(), lost: tag() };
        let (alias, takes, ticket) = (Alias::new(id), None, None);
        let new = NewRegistration { registered, alias, expected, takes, ticket };
        let (request, keep_until) = (Digest::new(std::array::from_fn(|at| id[at % 16])), NOW.after(100));
        let effect = Effect::Granted(new.into());
        store.commit(&NewOutcome { request, response: vec![1], keep_until, effect, limits }, NOW).unwrap();
        if n == 1199 {
            assert_eq!(store.run(&Count, NOW).unwrap().pending, 1200);
        }
    }
    let counted = store.run(&Count, NOW).unwrap();
    assert!((1900..=2000).contains(&counted.pending), "{counted:?}");
    assert_eq!(counted.lost, 0);
}

#[test]
fn a_count_is_of_what_is_there() {
    let store = Store::new();
    let counts = |store: &Store| {
        let counted = store.run(&Count, NOW).unwrap();
        (counted.codes, counted.pending, counted.waiting)
    };
    assert_eq!(counts(&store), (0, 0, 0));
    for (n, name) in ["ann", "ben", "cat"].into_iter().enumerate() {
        issue(&store, name, 7).unwrap();
        assert_eq!(counts(&store), (n as u64 + 1, 0, 0));
    }
    grant(&store, 1, "dan", None).unwrap();
    assert_eq!(counts(&store), (3, 1, 0));
}

#[test]
fn a_lost_registration_is_told_for_a_while_and_then_forgotten() {
    let store = Store::new();
    grant(&store, 1, "ann", None).unwrap();
    let refusal = RejectionRecord {
        cause: RejectionCause::NameTaken,
        code: RejectionCode::NameTaken,
        name: None,
        ticket: None,
    };
    let comes = |n: u8, now: UnixTime| {
        let (request, keep_until) = (Digest::new([n; 32]), now);
        let effect = Effect::Refused(refusal.clone());
        store
            .commit(
                &NewOutcome {
                    request,
                    response: Vec::new(),
                    keep_until,
                    effect,
                    limits: halfkey::record::PendingLimits::default(),
                },
                now,
            )
            .unwrap();
    };
    comes(50, NOW.after(100));
    assert_eq!(lifecycle(&store, 1), Some(row(1, "ann").lifecycle));
    comes(51, NOW.after(101));
    assert_eq!(lifecycle(&store, 1), Some(Lifecycle::Lost));
    comes(52, NOW.after(101 + 30 * 86_400));
    assert_eq!(lifecycle(&store, 1), Some(Lifecycle::Lost));
    comes(53, NOW.after(102 + 30 * 86_400));
    assert_eq!(lifecycle(&store, 1), None);
    assert_eq!(
        store.registration(&Address::Alias(Alias::new([1; 16])), NOW).map(|row| row.is_none()),
        Ok(true)
    );
}

#[test]
fn what_cannot_be_saved_has_not_happened() {
    let fail = Arc::new(Mutex::new(false));
    let failing = Arc::clone(&fail);
    let keep = move |_: &[u8]| if *failing.lock().unwrap() { Err(28) } else { Ok(()) };
    let store = Store::new().saved_by(KEY.clone(), Box::new(fixed), keep);
    grant(&store, 1, "ann", None).unwrap();
    *fail.lock().unwrap() = true;
    assert_eq!(store.confirm(&key(1), NOW), Err(StoreError::Unavailable(28)));
    assert_eq!(grant(&store, 2, "ann", None), Err(StoreError::Unavailable(28)));
    assert_eq!((lifecycle(&store, 1), lifecycle(&store, 2)), (row(1, "ann").lifecycle.into(), None));
    *fail.lock().unwrap() = false;
    assert_eq!(store.confirm(&key(1), NOW), Ok(Confirmed::Active));
}

#[test]
fn a_file_survives_or_is_refused() {
    let store = Store::with_names(UniqueNames::Proven);
    grant(&store, 1, "ann", None).unwrap();
    let file = store.save(&KEY, &mut fixed);
    let again = Store::load(&file, &KEY).unwrap();
    assert_eq!(again.save(&KEY, &mut fixed), file);
    assert!(!file.windows(8).any(|window| window == [1; 8]), "no key in the clear");

    assert_eq!(Store::load(&file, &Secret::new([0; 32])).err(), Some(LoadError::Seal));
    assert_eq!(Store::load(b"", &KEY).err(), Some(LoadError::NotAStore));
    for length in 0..file.len() {
        assert!(Store::load(&file[..length], &KEY).is_err(), "{length}");
    }
    for place in 0..file.len() {
        let mut file = file.clone();
        file[place] ^= 1;
        assert!(Store::load(&file, &KEY).is_err(), "{place}");
    }
}

#[test]
fn a_key_named_twice_is_not_overwritten() {
    let store = Store::new();
    grant(&store, 1, "ann", None).unwrap();
    store.confirm(&key(1), NOW).unwrap();
    let mut twin = row(1, "eve");
    twin.keys.auth = Secret::new([9; 32]);
    let tag = || Secret::new([9; 32]);
    let expected = ExpectedTags { txn: Txn::new([9; 16]), confirm: tag(), done: tag(), lost: tag() };
    let new =
        NewRegistration { registered: twin, alias: Alias::new([9; 16]), expected, takes: None, ticket: None };
    let outcome = NewOutcome {
        request: Digest::new([9; 32]),
        response: vec![],
        keep_until: NOW,
        effect: Effect::Granted(new.into()),
        limits: halfkey::record::PendingLimits::default(),
    };
    assert_eq!(store.commit(&outcome, NOW), Err(StoreError::Damaged));
    let row = store.registration(&Address::Key(key(1)), NOW).unwrap().unwrap();
    assert_eq!((row.name.as_str(), row.keys.auth.expose()), ("ann", &[1; 32]));
    assert_eq!(store.outcome(&Digest::new([9; 32]), NOW), Ok(None));
}

/// Nobody else's key or alias is given away, whichever of the two it is that comes again.
#[test]
fn a_key_and_an_alias_are_given_once() {
    let store = Store::new();
    let comes = |request: u8, key: u8, alias: u8| {
        let tag = || Secret::new([1; 32]);
        let expected = ExpectedTags { txn: Txn::new([1; 16]), confirm: tag(), done: tag(), lost: tag() };
        let (registered, alias) = (row(key, "ann"), Alias::new([alias; 16]));
        let new = NewRegistration { registered, alias, expected, takes: None, ticket: None };
        let (request, keep_until) = (Digest::new([request; 32]), NOW.after(100));
        let (effect, limits) = (Effect::Granted(new.into()), PendingLimits::default());
        store.commit(&NewOutcome { request, response: vec![1], keep_until, effect, limits }, NOW)
    };
    assert_eq!(comes(1, 1, 1), Ok(Committed::Stored));
    for (key, alias) in [(1, 2), (2, 1), (1, 1)] {
        assert_eq!(comes(2, key, alias), Err(StoreError::Damaged), "key {key}, alias {alias}");
    }
    assert_eq!(comes(2, 2, 2), Ok(Committed::Stored));
}
