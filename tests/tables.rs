//! A store made of a third party's tables, with nothing but the public API: both contracts, and what the
//! tables alone must see to.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

#[path = "tables/backend.rs"]
mod backend;
#[path = "store/operations.rs"]
mod operations;
#[path = "tables/stand_in.rs"]
mod stand_in;

use backend::{Redb, place};
use halfkey::port::contract::{Seed, entitlement_store};
use halfkey::port::{EntitlementStore, StoreError};
use halfkey::store::operation::{
    AnnounceKey, Count, IssueCode, ListCodes, ListEvents, Purge, Reseal, SetCodeExpiry, WithdrawCode,
};
use halfkey::store::tables::{Row, Table, VERSION, Value};
use halfkey::store::{
    AsyncTableStore, OpenError, Operation, OperatorError, StorageKeys, TableStore, UniqueNames,
};
use halfkey::{Digest, Secret, UnixTime, UserName};
use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use stand_in::{Contended, Slow, block_on};

type Store = TableStore<Redb>;

const NOW: UnixTime = UnixTime::from_secs(1_000_000);
const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");

fn in_memory() -> Redb {
    Redb::new(Database::builder().create_with_backend(InMemoryBackend::new()).unwrap()).unwrap()
}

fn keys() -> StorageKeys {
    StorageKeys::new(Secret::new([0x5E; 32]))
}

fn new(names: UniqueNames) -> Store {
    Store::create(in_memory(), keys(), names).unwrap()
}

fn seeded(store: Store, seed: &Seed<'_>) -> Store {
    operations::plant(&store, seed, NOW);
    store
}

impl operations::Run for Store {
    const PLAYS: u32 = 8;

    fn run<O: Operation>(&self, operation: &O, now: UnixTime) -> Result<O::Answer, O::Error> {
        Self::run(self, operation, now)
    }
    fn port(&self) -> &dyn EntitlementStore {
        self
    }
}

mod operator {
    use super::{new, operations};

    operations::contract!(new);
}

#[test]
fn the_store_keeps_the_contract() {
    assert_eq!(entitlement_store(&mut |seed| Box::new(seeded(new(UniqueNames::Always), seed))), Ok(()));
}

fn issue(name: &str) -> IssueCode {
    IssueCode { name: UserName::new(name).unwrap(), secret: Secret::new([0xA7; 32]), expires: None }
}

fn codes(store: &Store) -> Vec<String> {
    let page = store.run(&ListCodes::default(), NOW).unwrap();
    page.entries.iter().map(|code| code.name.to_string()).collect()
}

#[test]
fn a_store_is_made_once_and_opened_with_its_key() {
    let backend = in_memory();
    assert_eq!(Store::open(backend.clone(), keys()).err(), Some(OpenError::NotAStore));
    let store = Store::create(backend.clone(), keys(), UniqueNames::Proven).unwrap();
    store.run(&issue("ann"), NOW).unwrap();
    drop(store);
    assert_eq!(Store::create(backend.clone(), keys(), UniqueNames::Always).err(), Some(OpenError::Exists));
    let other = StorageKeys::new(Secret::new([1; 32]));
    assert_eq!(Store::open(backend.clone(), other.clone()).err(), Some(OpenError::StorageKey));
    assert_eq!(Store::migrate(backend.clone(), other).err(), Some(OpenError::StorageKey));
    for store in [Store::open(backend.clone(), keys()), Store::migrate(backend, keys())] {
        let store = store.unwrap();
        assert_eq!(codes(&store), ["ann"]);
        assert_eq!(store.run(&Count, NOW).unwrap().unique_names, UniqueNames::Proven);
    }
}

#[test]
fn a_file_survives_and_shows_no_secret() {
    let path = std::env::temp_dir().join(format!("halfkey-tables-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let open = || Redb::new(Database::create(&path).unwrap()).unwrap();
    let store = Store::create(open(), keys(), UniqueNames::Always).unwrap();
    store.run(&issue("ann"), NOW).unwrap();
    drop(store);
    assert_eq!(codes(&Store::open(open(), keys()).unwrap()), ["ann"]);
    let file = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(file.windows(3).any(|window| window == b"ann"), "the test sees what stands in the open");
    assert!(!file.windows(8).any(|window| window == [0xA7; 8]), "no secret in the clear");
}

/// The bytes of every row of a table, as they are in redb.
fn stored(backend: &Redb, table: &Table) -> Vec<(Vec<u8>, Vec<u8>)> {
    let rows = backend.database().begin_read().unwrap().open_table(ROWS).unwrap();
    let all = rows.iter().unwrap().map(|row| row.map(|(key, row)| (key.value().into(), row.value().into())));
    let all: Result<Vec<(Vec<u8>, Vec<u8>)>, _> = all.collect();
    let start = [table.name().as_bytes(), &[0]].concat();
    all.unwrap().into_iter().filter(|(key, _)| key.starts_with(&start)).collect()
}

fn overwrite(backend: &Redb, key: &[u8], row: &[u8]) {
    let transaction = backend.database().begin_write().unwrap();
    transaction.open_table(ROWS).unwrap().insert(key, row).unwrap();
    transaction.commit().unwrap();
}

fn table(name: &str) -> &'static Table {
    Table::all().iter().find(|table| table.name() == name).unwrap()
}

#[test]
fn a_row_that_was_changed_is_damaged_and_passed_over() {
    let codes_table = table("activation_code");
    let store = new(UniqueNames::Always);
    for name in ["ann", "ben", "cas"] {
        store.run(&issue(name), NOW).unwrap();
    }
    let (key, sound) = stored(store.backend(), codes_table)[1].clone();
    let (_, other) = stored(store.backend(), codes_table)[0].clone();
    let flipped = |place: usize| {
        let mut row = sound.clone();
        row[place] ^= 1;
        row
    };
    let spoilt = (0..sound.len()).map(flipped).chain([vec![], sound[1..].into(), other]);
    for row in spoilt {
        overwrite(store.backend(), &key, &row);
        let page = store.run(&ListCodes::default(), NOW).unwrap();
        let names: Vec<_> = page.entries.iter().map(|code| code.name.as_str()).collect();
        let damaged: Vec<_> = page.damaged.iter().map(ToString::to_string).collect();
        // The row of another name is passed over under that name.
        assert!(!names.contains(&"ben") && damaged.len() == 1, "{names:?} {damaged:?}");
        let change = SetCodeExpiry { name: UserName::new("ben").unwrap(), expires: None };
        assert!(matches!(store.run(&change, NOW), Err(OperatorError::Store(_))));
        assert!(store.run(&Purge { limit: 9 }, NOW).is_ok());
    }
    overwrite(store.backend(), &key, &sound);
    assert_eq!(codes(&store), ["ann", "ben", "cas"]);
}

#[test]
fn another_storage_key_takes_over() {
    let backend = in_memory();
    let store = Store::create(backend.clone(), keys(), UniqueNames::Always).unwrap();
    store.run(&issue("ann"), NOW).unwrap();
    let newer = StorageKeys::new(Secret::new([1; 32]));
    let store = Store::open(backend.clone(), newer.clone().and(Secret::new([0x5E; 32]))).unwrap();
    store.run(&AnnounceKey, NOW).unwrap();
    let reseal = || store.run(&Reseal { after: None, limit: 1000 }, NOW.after(60)).unwrap();
    assert!(reseal().rows > 2, "the schema, the code, and the log");
    assert_eq!(reseal().rows, 0);
    assert_eq!(codes(&Store::open(backend.clone(), newer).unwrap()), ["ann"]);
    assert_eq!(Store::open(backend, keys()).err(), Some(OpenError::StorageKey));
}

#[test]
fn an_operation_is_run_again_after_a_conflict_and_not_for_ever() {
    let made = |conflicts| {
        let backend = Contended::new(in_memory());
        let store = TableStore::create(backend, keys(), UniqueNames::Always).unwrap();
        store.backend().conflicts(conflicts);
        store
    };
    let store = made(99);
    store.run(&issue("ann"), NOW).unwrap();
    assert_eq!(store.backend().pauses(), (1..=99).collect::<Vec<_>>());
    let events = store.run(&ListEvents::default(), NOW).unwrap().entries;
    assert_eq!(events.len(), 1, "what met a conflict has left nothing");
    let store = made(100);
    assert_eq!(store.run(&issue("ann"), NOW), Err(OperatorError::Store(StoreError::Contended)));
    let missing = WithdrawCode(UserName::new("ann").unwrap());
    assert_eq!(store.run(&missing, NOW), Err(OperatorError::NoSuchCode));
}

#[test]
fn a_back_end_may_wait_where_it_says_so() {
    let backend = Slow(in_memory());
    let made = AsyncTableStore::create(backend.clone(), keys(), UniqueNames::Always);
    let (store, waits) = block_on(made);
    let store = store.unwrap();
    assert!(waits > 2, "{waits}");
    assert!(block_on(store.run(&issue("ann"), NOW)).0.is_ok());
    let (page, _) = block_on(store.run(&ListCodes::default(), NOW));
    assert_eq!(page.unwrap().entries.len(), 1);
    // One that lies about it fails, and does nothing.
    let error = TableStore::open(backend, keys()).err();
    assert_eq!(error, Some(OpenError::Store(StoreError::Unavailable(0))));
}

#[test]
fn futures_may_go_from_thread_to_thread() {
    fn is_send<T: Send>(_: &T) {}
    let store = block_on(AsyncTableStore::create(in_memory(), keys(), UniqueNames::Always)).0.unwrap();
    is_send(&store.run(&Purge { limit: 1 }, NOW));
    is_send(&AsyncTableStore::open(in_memory(), keys()));
    let store = new(UniqueNames::Always);
    std::thread::scope(|scope| {
        scope.spawn(|| assert_eq!(store.outcome(&Digest::new([0; 32]), NOW), Ok(None)));
    });
}

#[test]
fn a_later_version_is_told_from_damage() {
    let backend = in_memory();
    let store = Store::create(backend.clone(), keys(), UniqueNames::Always).unwrap();
    drop(store);
    let (key, row) = stored(&backend, table("schema"))[0].clone();
    let id = ["halfkey".to_string()].into();
    assert_eq!(key, place(table("schema"), &id));
    let row = Row::decode(table("schema"), &id, &row).unwrap();
    assert_eq!(row.get("migration"), Some(&Value::Int(VERSION as i64)));
    // The version is sealed with the rest of its row: one that was changed is no later version.
    let mut values = row.values().to_vec();
    values[1] = Value::Int(VERSION as i64 + 1);
    overwrite(&backend, &key, &Row::new(table("schema"), values).unwrap().encode());
    assert_eq!(Store::open(backend, keys()).err(), Some(OpenError::StorageKey));
}
