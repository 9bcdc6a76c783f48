//! The store in a file of SQLite: the contract, damage, crashes and contention.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a test may panic"
)]

mod common;
#[path = "sqlite/contention.rs"]
mod contention;
#[path = "sqlite/crash.rs"]
mod crash;
#[path = "sqlite/edits.rs"]
mod edits;
#[path = "store/fixture.rs"]
mod fixture;
#[path = "store/gate.rs"]
mod gate;
#[path = "sqlite/hostile.rs"]
mod hostile;
#[path = "store/keeper.rs"]
mod keeper;
#[path = "sqlite/life.rs"]
mod life;
#[path = "sqlite/migration.rs"]
mod migration;
#[path = "store/operations.rs"]
mod operations;
#[path = "store/play.rs"]
mod play;
#[path = "sqlite/room.rs"]
mod room;
#[path = "store/survey.rs"]
mod survey;
#[path = "store/travel.rs"]
mod travel;

use halfkey::port::EntitlementStore;
use halfkey::port::contract::{Seed, entitlement_store};
use halfkey::sqlite::Store;
use halfkey::store::{Operation, StorageKeys, UniqueNames};
use halfkey::{Secret, UnixTime};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

const NOW: UnixTime = UnixTime::from_secs(1_000_000);

/// A directory of the test's own, which goes with it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        Self::within(&std::env::temp_dir(), name)
    }

    /// Where nothing waits for a disk, for tests that have nothing to do with one.
    fn quick(name: &str) -> Self {
        let memory = Path::new("/dev/shm");
        Self::within(if memory.is_dir() { memory.into() } else { std::env::temp_dir() }.as_path(), name)
    }

    fn within(parent: &Path, name: &str) -> Self {
        let path = parent.join(format!("halfkey-sqlite-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A file as the sqlite3 shell opens it.
fn shell(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

fn keys() -> StorageKeys {
    StorageKeys::new(Secret::new([0x5E; 32]))
}

fn seeded(store: Store, seed: &Seed<'_>) -> Store {
    operations::plant(&store, seed, NOW);
    store
}

macro_rules! run {
    ($($store:ty),*) => { $(
        impl operations::Run for $store {
            fn run<O: Operation>(&self, operation: &O, now: UnixTime) -> Result<O::Answer, O::Error> {
                Self::run(self, operation, now)
            }
            fn port(&self) -> &dyn EntitlementStore {
                self
            }
        }
    )* };
}

run!(Store, halfkey::memory::Store);

mod operator {
    use super::*;

    /// A store whose file goes with it.
    struct Own(Store, #[allow(dead_code, reason = "it goes with the store")] Directory);

    impl operations::Run for Own {
        const PLAYS: u32 = 4;

        fn run<O: Operation>(&self, operation: &O, now: UnixTime) -> Result<O::Answer, O::Error> {
            self.0.run(operation, now)
        }
        fn port(&self) -> &dyn EntitlementStore {
            &self.0
        }
    }

    fn make(names: UniqueNames) -> Own {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let directory = Directory::quick(&format!("operator-{}", MADE.fetch_add(1, Ordering::Relaxed)));
        Own(Store::create(directory.0.join("store"), keys(), names).unwrap(), directory)
    }

    operations::contract!(make);
}

#[test]
fn the_store_keeps_the_contract() {
    let directory = Directory::new("contract");
    let mut made = 0;
    let kept = entitlement_store(&mut |seed| {
        made += 1;
        let path = directory.0.join(made.to_string());
        Box::new(seeded(Store::create(path, keys(), UniqueNames::Always).unwrap(), seed))
    });
    assert_eq!(kept, Ok(()));
}
