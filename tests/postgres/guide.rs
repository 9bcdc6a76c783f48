//! GUIDE.md on backups and failover: its commands, and what the operator does after them.

use super::audit;
use super::sections;
use super::server::{Server, block_on};
use super::world::*;
use halfkey::UnixTime;
use halfkey::message::Address;
use halfkey::port::entitlement_store::Confirmed;
use halfkey::port::question::AsyncEntitlementStore;
use halfkey::postgres::Store;
use halfkey::store::UniqueNames;
use halfkey::store::operation::{Count, InspectName, InspectRegistration, RaiseEpoch, Readmit};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

async fn register(store: &Store, n: u64, who: &str) {
    store.commit(&granted(n, user(n), name(who), None), NOW).await.unwrap();
    assert_eq!(store.confirm(&key(n), NOW).await, Ok(Confirmed::Active));
}

fn of(server: &Server) -> String {
    format!("host={} port={} user=postgres", server.host(), server.port())
}

async fn make(database: &str) -> Store {
    connect(&database.replace("dbname=halfkey", "dbname=postgres"))
        .await
        .batch_execute("CREATE DATABASE halfkey")
        .await
        .unwrap();
    Store::create(pool(database, 4), keys(), UniqueNames::Always).await.unwrap()
}

#[test]
fn a_restored_dump_serves_again_and_admits_whom_it_does_not_know() {
    let Some(server) = Server::new() else { return };
    let database = |name: &str| format!("{} dbname={name}", of(&server));
    let (original, restored) = (database("halfkey"), database("restored"));
    block_on(async { register(&make(&original).await, 1, "ann").await });
    let port = server.port().to_string();
    let variables = [("PGHOST", server.host()), ("PGPORT", &port), ("PGUSER", "postgres")];
    server.shell(&sections::script("## 4.", "sh postgresql"), &variables);

    block_on(async {
        // Since the dump.
        register(&open(&original).await, 2, "ben").await;

        let store = open(&restored).await;
        assert_eq!(store.run(&RaiseEpoch, NOW).await.unwrap(), 1);
        assert_eq!(store.run(&Count, NOW).await.unwrap().active, 1);
        assert!(store.run(&InspectRegistration(key(1)), NOW).await.unwrap().is_some());
        assert!(store.run(&InspectRegistration(key(2)), NOW).await.unwrap().is_none());
        for who in ["ann", "ben"] {
            let secret = secret(9, 9);
            store.run(&Readmit { name: name(who), secret, expires: None }, NOW).await.unwrap();
            let found = store.run(&InspectName(name(who)), NOW).await.unwrap();
            assert!(found.taken_by.is_none() && found.code.is_some(), "{who}");
        }
        assert_eq!(store.run(&Count, UnixTime::now()).await.unwrap().active, 0);
        register(&store, 3, "cas").await;
        audit::check(&restored).await;
    });
}

/// Registers one after the other until it is told to stop, as a token does that is told busy: with the same message.
async fn registers(store: Store, next: Arc<AtomicU64>, done: Arc<Mutex<Vec<u64>>>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let n = next.fetch_add(1, Ordering::Relaxed);
        let outcome = granted(n, user(n), name(&format!("user{n}")), None);
        insist!(store.commit(&outcome, NOW));
        assert_eq!(insist!(store.confirm(&key(n), NOW)), Confirmed::Active);
        done.lock().unwrap().push(n);
    }
}

#[test]
fn a_standby_takes_over_with_every_registration_that_was_acknowledged() {
    let (Some(primary), Some(standby)) = (Server::new(), Server::empty()) else { return };
    let (db1, db2) = (of(&primary), of(&standby));
    let variables = [("db1", &*db1), ("db2", &*db2)];
    let guide = |mark: &str| standby.shell(&sections::script("## 6.", &format!("sh {mark}")), &variables);
    let both = format!(
        "host={},{} port={},{} user=postgres dbname=halfkey target_session_attrs=read-write",
        primary.host(),
        standby.host(),
        primary.port(),
        standby.port()
    );
    block_on(async { drop(make(&format!("{db1} dbname=halfkey")).await) });
    guide("standby");
    standby.start();
    guide("synchronous");

    let (next, done) = (Arc::new(AtomicU64::new(1)), Arc::new(Mutex::new(Vec::new())));
    let stop = Arc::new(AtomicBool::new(false));
    let acknowledged = || done.lock().unwrap().len();
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let (both, next, done) = (both.clone(), Arc::clone(&next), Arc::clone(&done));
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                block_on(async { registers(open(&both).await, next, done, stop).await });
            })
        })
        .collect();
    let wait_for = |more: usize| {
        let (before, begun) = (acknowledged(), std::time::Instant::now());
        while acknowledged() < before + more {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing is acknowledged");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    wait_for(40);
    // Nothing is acknowledged that one machine alone has.
    standby.stop();
    std::thread::sleep(Duration::from_millis(200));
    let before = acknowledged();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(acknowledged(), before, "acknowledged by the primary alone");
    standby.start();
    wait_for(40);

    primary.kill();
    guide("failover");
    guide("alone");
    wait_for(40);
    stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.join().unwrap();
    }
    block_on(async {
        let store = open(&both).await;
        let done = std::mem::take(&mut *done.lock().unwrap());
        for n in &done {
            let found = store.registration(&Address::Key(key(*n)), NOW).await.unwrap();
            assert!(found.is_some(), "{n} of {} was acknowledged and is lost", done.len());
            assert_eq!(store.confirm(&key(*n), NOW).await, Ok(Confirmed::Active));
        }
        audit::check(&format!("{db2} dbname=halfkey")).await;
    });
}
