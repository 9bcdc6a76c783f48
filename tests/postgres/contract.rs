//! The contract that every store keeps.

use super::desk::Desk;
use super::operations::plant;
use super::world::{NOW, create, runtime, there};
use super::{connect, server};
use halfkey::port::contract::{Seed, entitlement_store};
use halfkey::port::question::AsyncEntitlementStore;
use halfkey::port::{EntitlementStore, StoreError};
use halfkey::postgres::{Blocking, Store};
use halfkey::{Digest, KeyId};

pub fn seeded(store: Store, seed: &Seed<'_>) -> Blocking {
    let port = Blocking::new(store.clone(), runtime());
    plant(&Desk::There(store, port.clone()), seed, NOW);
    port
}

/// How to connect to a new schema in a database, which may hold many stores.
pub async fn in_schema(database: &str, schema: u32) -> String {
    let client = connect(database).await;
    client.batch_execute(&format!("CREATE SCHEMA s{schema}")).await.unwrap();
    format!("{database} options='-c search_path=s{schema}'")
}

#[test]
fn the_store_keeps_the_contract() {
    let Some(database) = server::database() else { return };
    let mut made = 0;
    let kept = entitlement_store(&mut |seed| {
        made += 1;
        let database = database.clone();
        let store = there(async move { create(&in_schema(&database, made).await).await });
        Box::new(seeded(store, seed))
    });
    assert_eq!(kept, Ok(()));
}

#[test]
fn a_user_travels_without_registering_again() {
    let Some(database) = server::database() else { return };
    let store = Blocking::new(there(async move { create(&database).await }), runtime());
    super::travel::there_and_back(&store, &|entitle, now| {
        store.run(entitle, now).unwrap();
    });
}

#[test]
fn futures_may_go_from_thread_to_thread() {
    fn is_send<T: Send>(_: &T) {}
    fn all(store: &Store, request: &Digest, key_id: &KeyId) {
        is_send(&AsyncEntitlementStore::outcome(store, request, NOW));
        is_send(&AsyncEntitlementStore::confirm(store, key_id, NOW));
        is_send(&store.run(&halfkey::store::operation::Purge { limit: 1 }, NOW));
    }
    let _ = all;
}

#[test]
fn blocking_within_asynchronous_code_is_an_error_and_no_panic() {
    let Some(database) = server::database() else { return };
    let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = own.block_on(create(&database));
    // The runtime's only thread waits for itself.
    let store = Blocking::new(store, own.handle().clone());
    let answer = own.block_on(async { store.outcome(&Digest::new([0; 32]), NOW) });
    assert_eq!(answer, Err(StoreError::Unavailable(0)));
    drop(own);
    assert_eq!(store.outcome(&Digest::new([0; 32]), NOW), Err(StoreError::Unavailable(0)));
}
