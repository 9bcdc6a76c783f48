//! Another process on the same database: this test binary, run again.

use super::world::*;
use super::{connect, server::block_on};
use halfkey::message::Address;
use halfkey::port::entitlement_store::{Admission, Admitted, Committed, Confirmed, Document, Status};
use halfkey::port::question::AsyncEntitlementStore;
use halfkey::postgres::Store;
use halfkey::store::Subject;
use halfkey::store::operation::{Entitle, JoinGroup};
use halfkey::{Alias, ApplicationName, Group};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

const JOB: &str = "HALFKEY_TEST_CHILD";

/// What a child writes before what it has to say: the test harness writes too.
const SAYS: &str = "child: ";

/// A child, and the lines that it says. It is killed when it is dropped.
pub struct Worker {
    pub child: Child,
    pub says: Receiver<String>,
    pub hears: ChildStdin,
}

impl Worker {
    /// Starts one: `job` is `live` or `confirm`, and `first` the first number of its registrations.
    pub fn start(job: &str, database: &str, first: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child::does_its_job", "--nocapture", "--test-threads=1"])
            .env(JOB, format!("{job}|{first}|{database}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let (tell, says) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some((_, said)) = line.split_once(SAYS) {
                    // What was cut off by a kill was not said.
                    let Some(said) = said.strip_suffix(" .") else { continue };
                    let _ = tell.send(said.to_owned());
                }
            }
        });
        let hears = child.stdin.take().unwrap();
        Self { child, says, hears }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(said: &str) {
    // One write: a pipe takes it whole or not at all.
    let _ = std::io::stdout().write_all(format!("{SAYS}{said} .\n").as_bytes());
}

/// The part of a child; nothing where this is none.
#[test]
fn does_its_job() {
    let Ok(job) = std::env::var(JOB) else { return };
    let mut parts = job.splitn(3, '|');
    let (job, first, database) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let first: u64 = first.parse().unwrap();
    block_on(async {
        match job {
            "live" => live(database, first).await,
            _ => confirm(&open(database).await, first).await,
        }
    });
}

/// Confirms a hundred registrations at once, when it is told to.
async fn confirm(store: &Store, first: u64) {
    say("ready");
    std::io::stdin().lines().next();
    let ask = |n| {
        let store = store.clone();
        tokio::spawn(async move { (n, insist!(store.confirm(&key(n), NOW))) })
    };
    let tasks: Vec<_> = (first..first + 100).map(ask).collect();
    for task in tasks {
        let (n, confirmed) = task.await.unwrap();
        say(&format!("{n} {confirmed:?}"));
    }
    say("done");
}

/// Where a registration has come to, as far as its token was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Granted,
    Active,
    Lost,
    Admitted,
    Entitled(u64),
    Joined,
}

impl Stage {
    fn words(self) -> String {
        match self {
            Self::Entitled(number) => format!("entitled {number}"),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    pub fn read(words: &str) -> (u64, Self) {
        let mut words = words.split(' ');
        let n = words.next().unwrap().parse().unwrap();
        let stage = match words.next().unwrap() {
            "granted" => Self::Granted,
            "active" => Self::Active,
            "lost" => Self::Lost,
            "admitted" => Self::Admitted,
            "joined" => Self::Joined,
            "entitled" => Self::Entitled(words.next().unwrap().parse().unwrap()),
            other => panic!("{other}"),
        };
        (n, stage)
    }
}

/// The name that a registration is for: two want each.
pub fn wanted(n: u64) -> halfkey::UserName {
    name(&format!("name-{}", n / 2))
}

pub fn session(n: u64) -> Admission {
    Admission::new(key(n), Address::Alias(alias(n)), Alias::new(id(n, 8)), Some((id(n, 9), NOW.after(60))))
}

pub fn application() -> ApplicationName {
    ApplicationName::new("ledger").unwrap()
}

/// Lives of registrations, one after the other, and each step said when it is done. Whatever the
/// server does meanwhile: what is answered with `busy` is asked again.
async fn live(database: &str, first: u64) {
    let store = insist!(async { Store::open(pool(database, 2), keys()).await });
    for n in first.. {
        let said = |stage: Stage| say(&format!("{n} {}", stage.words()));
        let outcome = granted(n, user(n), wanted(n), None);
        if let Committed::Existing(bytes) = insist!(store.commit(&outcome, NOW)) {
            assert_eq!(bytes, outcome.response);
        }
        said(Stage::Granted);
        if insist!(store.confirm(&key(n), NOW)) == Confirmed::Lost {
            said(Stage::Lost);
            continue;
        }
        said(Stage::Active);
        match insist!(store.admit(&session(n), NOW)) {
            // Or by this very admission, whose answer was lost.
            Admitted::As(Status::Active) | Admitted::Spent => said(Stage::Admitted),
            other => panic!("{other:?}"),
        }
        let document = Document { media_type: "text/plain".into(), body: n.to_be_bytes().to_vec() };
        let subject = Subject::User(user(n));
        let entitle = Entitle::new(subject, application(), document);
        said(Stage::Entitled(insist!(store.run(&entitle, NOW)).number));
        let join = JoinGroup { user_id: user(n), group: Group::new("everyone").unwrap() };
        insist!(store.run(&join, NOW));
        said(Stage::Joined);
    }
}

#[test]
fn of_separate_processes_one_wins_each_name() {
    let Some(database) = super::server::database() else { return };
    block_on(async {
        let store = create(&database).await;
        for n in 0..300 {
            let outcome = granted(n, user(n), name(&format!("name-{}", n % 3)), None);
            store.commit(&outcome, NOW).await.unwrap();
        }
    });
    let mut workers = [0, 100, 200].map(|first| Worker::start("confirm", &database, first));
    for worker in &mut workers {
        assert_eq!(worker.says.recv().unwrap(), "ready");
    }
    for worker in &mut workers {
        worker.hears.write_all(b"go\n").unwrap();
    }
    let mut winners = Vec::new();
    for worker in &workers {
        let said: Vec<String> = worker.says.iter().take_while(|line| line != "done").collect();
        assert_eq!(said.len(), 100);
        let won = said.iter().filter_map(|line| line.strip_suffix(" Active")?.parse::<u64>().ok());
        winners.extend(won.map(|n| n % 3));
    }
    winners.sort_unstable();
    assert_eq!(winners, [0, 1, 2]);
    block_on(async {
        let client = connect(&database).await;
        let pending = "SELECT count(*) FROM halfkey_registration WHERE state = 'pending'";
        assert_eq!(count(&client, pending).await, 0);
        super::audit::check(&database).await;
    });
}
