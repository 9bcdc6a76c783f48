//! Connections that are lost, at every kind of moment.

use super::audit;
use super::server::{self, Server, block_on};
use super::world::*;
use halfkey::message::Address;
use halfkey::port::StoreError;
use halfkey::port::entitlement_store::{Admission, Admitted, Committed, Confirmed, Status};
use halfkey::port::question::AsyncEntitlementStore;
use halfkey::postgres::tokio_postgres::Client;
use halfkey::store::operation::{OperatorError, Purge};
use halfkey::{Alias, Digest};

/// Sessions of a store.
const OURS: &str = "datname = current_database() AND application_name = 'halfkey'";

/// Waits until a session of a store waits for this.
async fn is_waiting(client: &Client, event: &str) {
    let waiting = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE {OURS} AND wait_event_type || wait_event LIKE '{event}'"
    );
    while count(client, &waiting).await == 0 {
        tokio::task::yield_now().await;
    }
}

async fn terminate(client: &Client, which: &str) {
    let sql = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE {OURS} {which}) s"
    );
    count(client, &sql).await;
}

#[test]
fn a_connection_lost_in_a_transaction_is_replaced_by_another() {
    let Some(database) = server::database() else { return };
    block_on(async {
        let store = create(&database).await;
        let (blocker, other) = (connect(&database).await, connect(&database).await);
        for n in 1..=3 {
            let outcome = granted(n, user(n), name(&format!("name-{n}")), None);
            store.commit(&outcome, NOW).await.unwrap();
            blocker.batch_execute("BEGIN; SELECT * FROM halfkey_registration FOR UPDATE").await.unwrap();
            let asked = tokio::spawn({
                let store = store.clone();
                async move { store.confirm(&key(n), NOW).await }
            });
            is_waiting(&other, "Lock%").await;
            terminate(&other, "AND wait_event_type = 'Lock'").await;
            // Again it waits, on another connection.
            is_waiting(&other, "Lock%").await;
            blocker.batch_execute("ROLLBACK").await.unwrap();
            assert_eq!(asked.await.unwrap(), Ok(Confirmed::Active));
        }
        // Idle ones, all at once.
        terminate(&other, "").await;
        assert_eq!(store.confirm(&key(1), NOW).await, Ok(Confirmed::Active));
        audit::check(&database).await;
    });
}

#[test]
fn connections_lost_at_random_leave_nothing_half_done() {
    let Some(database) = server::database() else { return };
    block_on(create(&database));
    let (over, is_over) = std::sync::mpsc::channel::<()>();
    let killer = std::thread::spawn({
        let database = database.clone();
        move || {
            block_on(async {
                let (client, mut killed) = (connect(&database).await, 0);
                // Not for ever: where everything is slow, something has to come through at last.
                while is_over.try_recv().is_err() && killed < 200 {
                    let one = "AND state <> 'idle' ORDER BY random() LIMIT 1";
                    terminate(&client, one).await;
                    killed += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
                killed
            })
        }
    });
    let confirmed = on_two_servers(&database, 100, |store, n| async move {
        let outcome = granted(n, user(n), name(&format!("name-{}", n / 2)), None);
        let before = insist!(store.commit(&outcome, NOW));
        assert!(before == Committed::Stored || before == Committed::Existing(response(n)));
        insist!(store.confirm(&key(n), NOW))
    });
    let _ = over.send(());
    assert!(killer.join().unwrap() > 0);
    for pair in confirmed.chunks(2) {
        assert_eq!(pair.iter().filter(|confirmed| **confirmed == Confirmed::Active).count(), 1);
    }
    block_on(audit::check(&database));
}

#[test]
fn what_becomes_of_a_commit_that_is_not_answered_is_not_guessed() {
    let Some(server) = Server::new() else { return };
    let database = server.database();
    block_on(async {
        let store = create(&database).await;
        store.commit(&granted(1, user(1), name("ann"), None), NOW).await.unwrap();
        let admin = connect(&database).await;
        // A commit is done here, and then waits for a second server that there is not.
        let standby = async |names: &str| {
            let names = format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'");
            admin.batch_execute(&names).await.unwrap();
            admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
            let showing = format!(
                "SELECT count(*) FROM pg_settings WHERE name = 'synchronous_standby_names' AND setting = '{}'",
                if names.ends_with("''") { "" } else { "nobody" }
            );
            while count(&admin, &showing).await == 0 {
                tokio::task::yield_now().await;
            }
        };
        admin.batch_execute("CREATE TABLE probe (n int)").await.unwrap();
        standby("nobody").await;
        let unknown = Err(StoreError::Unavailable(0x8000_0011));
        let cut = async |kind: &'static str| {
            is_waiting(&admin, kind).await;
            terminate(&admin, "AND wait_event = 'SyncRep'").await;
        };
        // The setting is shown before commits wait for it.
        let probe = async {
            let client = connect(&database).await;
            client.batch_execute("SET application_name = 'halfkey'").await.unwrap();
            while client.batch_execute("INSERT INTO probe VALUES (1)").await.is_ok() {}
        };
        both(cut("IPCSyncRep"), probe).await;
        let (outcome, request) = (granted(2, user(2), name("bob"), None), request(2));
        let ((), committed) = both(cut("IPCSyncRep"), store.commit(&outcome, NOW)).await;
        assert_eq!(committed, unknown.clone().map(|()| Committed::Stored));
        let ((), confirmed) = both(cut("IPCSyncRep"), store.confirm(&key(2), NOW)).await;
        assert_eq!(confirmed, unknown.clone().map(|()| Confirmed::Active));
        let parked =
            Admission::new(key(1), Address::Key(key(1)), Alias::new([9; 16]), Some(([9; 16], NOW.after(60))));
        let ((), admitted) = both(cut("IPCSyncRep"), store.admit(&parked, NOW)).await;
        assert_eq!(admitted, unknown.clone().map(|()| Admitted::Spent));
        let unparked = Admission::new(parked.key_id, parked.address, Alias::new([10; 16]), None);
        let ((), admitted) = both(cut("IPCSyncRep"), store.admit(&unparked, NOW)).await;
        assert_eq!(admitted, unknown.clone().map(|()| Admitted::Spent));
        standby("").await;

        // Asked again, each says what is so.
        assert_eq!(store.commit(&outcome, NOW).await, Ok(Committed::Existing(response(2))));
        assert_eq!(store.outcome(&request, NOW).await, Ok(Some(response(2))));
        assert_eq!(store.confirm(&key(2), NOW).await, Ok(Confirmed::Active));
        assert_eq!(store.admit(&parked, NOW).await, Ok(Admitted::Spent));
        assert_eq!(store.admit(&unparked, NOW).await, Ok(Admitted::As(Status::Active)));
        audit::check(&database).await;
    });
}

#[test]
fn a_future_that_is_dropped_undoes_what_it_was_at() {
    let Some(database) = server::database() else { return };
    block_on(async {
        let store = create(&database).await;
        let store_of_one = halfkey::postgres::Store::open(pool(&database, 1), keys()).await.unwrap();
        store.commit(&granted(1, user(1), name("ann"), None), NOW).await.unwrap();
        let (blocker, other) = (connect(&database).await, connect(&database).await);
        blocker.batch_execute("BEGIN; SELECT * FROM halfkey_registration FOR UPDATE").await.unwrap();
        let asked = tokio::spawn({
            let store = store_of_one.clone();
            async move { store.confirm(&key(1), NOW).await }
        });
        is_waiting(&other, "Lock%").await;
        asked.abort();
        assert!(asked.await.unwrap_err().is_cancelled());
        // The pool's one place is free, and its connection does not wait behind what was given up.
        assert_eq!(store_of_one.outcome(&request(1), NOW).await, Ok(Some(response(1))));
        blocker.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(count(&other, "SELECT count(*) FROM halfkey_name").await, 0);
        assert_eq!(store_of_one.confirm(&key(1), NOW).await, Ok(Confirmed::Active));
        audit::check(&database).await;
    });
}

/// Nothing was asked of the database, so nothing can have been written.
#[test]
fn who_waits_too_long_for_a_connection_is_told_so() {
    let Some(database) = server::database() else { return };
    block_on(async {
        create(&database).await;
        let pool = pool(&database, 1);
        let store = halfkey::postgres::Store::open(pool.clone(), keys()).await.unwrap();
        let taken = pool.get().await.unwrap();
        let outcome = granted(1, user(1), name("ann"), None);
        let (committed, read) = both(store.commit(&outcome, NOW), store.outcome(&request(1), NOW)).await;
        assert_eq!(committed, Err(StoreError::Unavailable(0)));
        assert_eq!(read, Err(StoreError::Unavailable(0)));
        drop(taken);
        assert_eq!(store.commit(&outcome, NOW).await, Ok(Committed::Stored));
    });
}

#[test]
fn a_server_that_is_away_is_an_error_at_once() {
    let Some(server) = Server::new() else { return };
    let database = server.database();
    block_on(async {
        let store = create(&database).await;
        let request = Digest::new([0; 32]);
        server.kill();
        assert_eq!(store.outcome(&request, NOW).await, Err(StoreError::Unavailable(0)));
        let purged = store.run(&Purge { limit: 1 }, NOW).await;
        assert_eq!(purged.unwrap_err(), OperatorError::Store(StoreError::Unavailable(0)));
        server.start();
        assert_eq!(store.outcome(&request, NOW).await, Ok(None));
    });
}
