//! The operator's contract, which every store keeps.

use super::contract::in_schema;
use super::operations::{self, Run};
use super::server;
use super::world::{keys, pool, runtime, there};
use halfkey::port::EntitlementStore;
use halfkey::postgres::{Blocking, Store};
use halfkey::store::{Operation, UniqueNames};
use halfkey::{UnixTime, memory};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A store in PostgreSQL; where there is none, which has been said then, one in memory.
pub enum Desk {
    There(Store, Blocking),
    Skipped(memory::Store),
}

impl Run for Desk {
    const PLAYS: u32 = 4;

    fn run<O: Operation>(&self, operation: &O, now: UnixTime) -> Result<O::Answer, O::Error> {
        match self {
            Self::There(store, _) => runtime().block_on(store.run(operation, now)),
            Self::Skipped(store) => store.run(operation, now),
        }
    }

    fn port(&self) -> &dyn EntitlementStore {
        match self {
            Self::There(_, port) => port,
            Self::Skipped(store) => store,
        }
    }
}

fn make(names: UniqueNames) -> Desk {
    static DATABASE: OnceLock<Option<String>> = OnceLock::new();
    static MADE: AtomicU32 = AtomicU32::new(0);
    let Some(database) = DATABASE.get_or_init(server::database).clone() else {
        return Desk::Skipped(memory::Store::with_names(names));
    };
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    let store = there(async move {
        let database = in_schema(&database, made).await;
        Store::create(pool(&database, 2), keys(), names).await.unwrap()
    });
    Desk::There(store.clone(), Blocking::new(store, runtime()))
}

operations::contract!(make);
