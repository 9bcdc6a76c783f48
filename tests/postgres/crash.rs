//! Clients and the server itself are killed at any moment; nothing that was acknowledged is lost.
//!
//! `HALFKEY_KILLS=1000 cargo test --release --features postgres --test postgres crash -- --nocapture`
//! is the full run; without the variable it is a short one.

use super::audit;
use super::child::{Stage, Worker, application, session, wanted};
use super::server::{self, Server, block_on};
use super::world::*;
use halfkey::message::Address;
use halfkey::port::entitlement_store::{Admitted, Committed, Confirmed, EntitlementQuery, Status};
use halfkey::port::question::AsyncEntitlementStore;
use halfkey::postgres::Store;
use halfkey::record::Lifecycle;
use halfkey::store::operation::{ListMembers, MemberFilter};
use halfkey::{AccessPath, Alias, RandomSource, SystemRandom};
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

fn kills(few: u64, part: u64) -> u64 {
    let kills = std::env::var("HALFKEY_KILLS").ok().and_then(|kills| kills.parse::<u64>().ok());
    kills.map_or(few, |kills| few.max(kills / part))
}

/// A number below `most`.
fn any(most: u64) -> u64 {
    let mut bytes = [0; 8];
    SystemRandom.fill(&mut bytes);
    u64::from_be_bytes(bytes) % most
}

/// What the tokens of all children were told.
#[derive(Default)]
struct Told {
    stages: BTreeMap<u64, Vec<Stage>>,
    /// Those that are looked at already, step by step.
    checked: u64,
    acknowledged: u64,
}

impl Told {
    fn hear(&mut self, said: &str) {
        let (n, stage) = Stage::read(said);
        self.stages.entry(n).or_default().push(stage);
        self.acknowledged += 1;
    }

    fn hear_all(&mut self, worker: &Worker) {
        while let Ok(said) = worker.says.recv() {
            self.hear(&said);
        }
    }

    /// What was acknowledged is there, and every token can go on.
    async fn check(&mut self, store: &Store) {
        for (n, stages) in std::mem::take(&mut self.stages) {
            check(store, n, &stages).await;
            self.checked += 1;
        }
    }
}

async fn check(store: &Store, n: u64, stages: &[Stage]) {
    let outcome = granted(n, user(n), wanted(n), None);
    let row = store.registration(&Address::Key(key(n)), NOW).await.unwrap();
    let row = row.unwrap_or_else(|| panic!("{n} was granted: {stages:?}"));
    // Its token sends R2 again, and R4; or opens a session, if it had R5.
    if !stages.contains(&Stage::Admitted) && !matches!(row.lifecycle, Lifecycle::Active) {
        assert_eq!(store.commit(&outcome, NOW).await, Ok(Committed::Existing(outcome.response.clone())));
    }
    let lost = stages.contains(&Stage::Lost);
    let confirmed = store.confirm(&key(n), NOW).await.unwrap();
    if stages.contains(&Stage::Active) {
        assert_eq!(confirmed, Confirmed::Active, "{n}: {stages:?}");
    }
    if lost {
        assert_eq!(confirmed, Confirmed::Lost, "{n}: {stages:?}");
    }
    if stages.contains(&Stage::Admitted) {
        assert_eq!(store.admit(&session(n), NOW).await, Ok(Admitted::Spent), "{n}: {stages:?}");
        let issued = store.registration(&Address::Alias(session(n).next_alias), NOW).await.unwrap();
        assert_eq!(issued.map(|row| row.key_id), Some(key(n)), "its token was given this alias");
        assert_eq!(store.outcome(&request(n), NOW).await, Ok(None));
    }
    let mut fresh = [0; 16];
    SystemRandom.fill(&mut fresh);
    let mut next = session(n);
    (next.next_alias, next.spend) = (Alias::new(fresh), Some((fresh, NOW.after(60))));
    let status = if confirmed == Confirmed::Active { Status::Active } else { Status::Lost };
    assert_eq!(store.admit(&next, NOW).await, Ok(Admitted::As(status)), "{n}: {stages:?}");
    if let Some(Stage::Entitled(number)) = stages.iter().find(|stage| matches!(stage, Stage::Entitled(_))) {
        let query = EntitlementQuery::new(key(n), user(n), AccessPath::new("/staff").unwrap(), application());
        let held = store.entitlement(&query, NOW).await.unwrap().unwrap();
        assert!(held.serial.number >= *number, "{n}: {stages:?}");
        assert_eq!(held.document.unwrap().body, n.to_be_bytes());
    }
    if stages.contains(&Stage::Joined) {
        let of_user = ListMembers::of(MemberFilter { user_id: Some(user(n)), group: None });
        assert_eq!(store.run(&of_user, NOW).await.unwrap().entries.len(), 1, "{n}: {stages:?}");
    }
}

fn report(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Each child begins at a number of its own.
fn first(round: u64) -> u64 {
    round * 100_000
}

#[test]
fn killed_clients_lose_nothing_acknowledged() {
    let Some(database) = server::database() else { return };
    block_on(create(&database));
    let mut told = Told::default();
    let rounds = kills(20, 1) / 2;
    for round in 0..rounds {
        // Two at a time, one of which goes on while the other is killed.
        let pair = [0, 1].map(|half| Worker::start("live", &database, first(2 * round + half)));
        for mut worker in pair {
            for _ in 0..any(14) {
                told.hear(&worker.says.recv().unwrap());
            }
            std::thread::sleep(Duration::from_micros(any(8_000))); // any moment will do
            worker.child.kill().unwrap();
            worker.child.wait().unwrap();
            told.hear_all(&worker);
        }
        block_on(async { told.check(&open(&database).await).await });
        if round % 50 == 0 {
            block_on(audit::check(&database));
        }
    }
    block_on(audit::check(&database));
    let Told { checked, acknowledged, .. } = told;
    let killed = 2 * rounds;
    report(format_args!(
        "{killed} clients killed: {acknowledged} steps of {checked} lives acknowledged, none lost"
    ));
}

#[test]
fn a_killed_server_loses_nothing_acknowledged() {
    let Some(server) = Server::new() else { return };
    let database = server.database();
    block_on(create(&database));
    let mut told = Told::default();
    let kills = kills(3, 10);
    let workers = [0, 1].map(|half| Worker::start("live", &database, first(half)));
    for _ in 0..kills {
        for worker in &workers {
            for _ in 0..=any(40) {
                told.hear(&worker.says.recv().unwrap());
            }
        }
        std::thread::sleep(Duration::from_micros(any(8_000))); // any moment will do
        server.kill();
        server.start();
    }
    for mut worker in workers {
        worker.child.kill().unwrap();
        told.hear_all(&worker);
    }
    block_on(async {
        told.check(&open(&database).await).await;
        audit::check(&database).await;
    });
    let Told { checked, acknowledged, .. } = told;
    report(format_args!(
        "server killed {kills} times: {acknowledged} steps of {checked} lives acknowledged, none lost"
    ));
}
