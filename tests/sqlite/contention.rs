//! Many threads and many processes on one file: one wins, and none waits for ever.

use super::operations::Run;
use super::{Directory, NOW, keys, shell};
use halfkey::message::Address;
use halfkey::policy::{Policy, SuiteId};
use halfkey::port::entitlement_store::{Admission, Admitted, Committed, Confirmed, Status};
use halfkey::port::{EntitlementStore, StoreError};
use halfkey::record::{
    Effect, ExpectedTags, Lifecycle, NewOutcome, NewRegistration, ServerRegistration, StoredKeys, Takes,
};
use halfkey::sqlite::Store;
use halfkey::store::operation::*;
use halfkey::store::{OperatorError, RegistrationState, UniqueNames};
use halfkey::{AccessPath, Alias, CodeId, Digest, KeyId, Secret, Txn, UserId, UserName};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

const CHILD: &str = "HALFKEY_RIVAL";
const NAMES: u8 = 6;
const RIVALS: u8 = 4;

fn name(n: u8) -> UserName {
    UserName::new(&format!("name-{n}")).unwrap()
}

fn key(rival: u8, n: u8) -> [u8; 16] {
    let mut key = [rival; 16];
    key[0] = n;
    key
}

/// A rival's application for a name is granted.
fn grant(store: &impl Run, rival: u8, n: u8, takes: Option<Takes>) {
    let secret = || Secret::new([rival; 32]);
    let id = key(rival, n);
    let expected = ExpectedTags { txn: Txn::new(id), confirm: secret(), done: secret(), lost: secret() };
    let registered = ServerRegistration {
        key_id: KeyId::new(id),
        user_id: UserId::new(&format!("user-{rival}-{n}")).unwrap(),
        name: name(n),
        access_path: AccessPath::new("/").unwrap(),
        suite: SuiteId::XWing,
        policy: Policy::default(),
        lifecycle: Lifecycle::Pending { confirm_by: NOW.after(100) },
        expires: None,
        keys: StoredKeys { auth: secret(), derive: secret(), renew: secret() },
    };
    let new = NewRegistration { registered, alias: Alias::new(id), expected, takes, ticket: None };
    let mut request = [rival; 32];
    request[0] = n;
    let outcome = NewOutcome {
        request: Digest::new(request),
        response: id.to_vec(),
        keep_until: NOW.after(100),
        effect: Effect::Granted(new.into()),
        limits: halfkey::record::PendingLimits::default(),
    };
    assert_eq!(store.port().commit(&outcome, NOW), Ok(Committed::Stored));
}

fn confirms(store: &impl Run, rival: u8, n: u8) -> bool {
    store.port().confirm(&KeyId::new(key(rival, n)), NOW).unwrap() == Confirmed::Active
}

/// Everybody opens a session with the one challenge of the one token.
fn enters(store: &impl Run, rival: u8, token: KeyId) -> bool {
    let (address, next_alias) = (Address::Key(token), Alias::new(key(rival, 200)));
    let admission = Admission::new(token, address, next_alias, Some(([1; 16], NOW.after(60))));
    store.port().admit(&admission, NOW).unwrap() == Admitted::As(Status::Active)
}

fn count(rivals: u8, wins: impl Fn(u8) -> bool + Sync) -> usize {
    std::thread::scope(|scope| {
        let wins = &wins;
        let threads: Vec<_> = (0..rivals).map(|rival| scope.spawn(move || wins(rival))).collect();
        threads.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
    })
}

#[test]
fn of_many_threads_one_wins() {
    let directory = Directory::new("threads");
    let store = Store::create(directory.0.join("store"), keys(), UniqueNames::Always).unwrap();
    assert_eq!(
        count(12, |rival| {
            grant(&store, rival, 0, None);
            confirms(&store, rival, 0)
        }),
        1
    );
    let code: CodeId =
        store.run(&IssueCode { name: name(1), secret: Secret::new([1; 32]), expires: None }, NOW).unwrap();
    let takes = Some(Takes::Code(code));
    assert_eq!(
        count(12, |rival| {
            grant(&store, rival, 1, takes);
            confirms(&store, rival, 1)
        }),
        1
    );
    let filter =
        RegistrationFilter { state: Some(RegistrationState::Active), ..RegistrationFilter::default() };
    let active =
        store.run(&ListRegistrations { filter, ..ListRegistrations::default() }, NOW).unwrap().entries;
    assert_eq!(active.len(), 2);
    assert_eq!(count(12, |rival| enters(&store, rival, active[0].key_id)), 1);
}

#[test]
#[ignore = "one of the processes"]
fn child() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let [path, rival, token] = task.split('\n').collect::<Vec<_>>()[..] else { panic!() };
    let (rival, token) = (rival.parse().unwrap(), token.parse().unwrap());
    let store = Store::open(path, keys()).unwrap();
    println!("\nready");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    for n in 0..NAMES {
        grant(&store, rival, n, None);
        if confirms(&store, rival, n) {
            println!("\nwon name-{n}");
        }
    }
    if enters(&store, rival, token) {
        println!("\nwon the challenge");
    }
}

#[test]
fn of_many_processes_one_wins() {
    let directory = Directory::new("processes");
    let path = directory.0.join("store");
    let store = Store::create(&path, keys(), UniqueNames::Always).unwrap();
    grant(&store, 99, 99, None);
    assert!(confirms(&store, 99, 99));
    let start = |rival: u8| {
        let token = KeyId::new(key(99, 99));
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "contention::child", "--include-ignored", "--nocapture", "--test-threads=1"])
            .env(CHILD, format!("{}\n{rival}\n{token}", path.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line == "ready"));
        (child, lines)
    };
    let mut children: Vec<(Child, _)> = (0..RIVALS).map(start).collect();
    for (child, _) in &mut children {
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    let mut won: Vec<String> = Vec::new();
    for (mut child, lines) in children {
        won.extend(lines.filter(|line| line.starts_with("won ")));
        assert!(child.wait().unwrap().success());
    }
    won.sort();
    let mut wanted: Vec<String> = (0..NAMES).map(|n| format!("won name-{n}")).collect();
    wanted.push("won the challenge".into());
    assert_eq!(won, wanted);
    super::survey::hangs_together(&store, NOW).unwrap();
}

#[test]
fn who_waits_too_long_is_told_so() {
    let directory = Directory::new("busy");
    let path = directory.0.join("store");
    let store = Store::create(&path, keys(), UniqueNames::Always).unwrap();
    grant(&store, 1, 1, None);
    let other = shell(&path);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let issue = IssueCode { name: name(2), secret: Secret::new([1; 32]), expires: None };
    assert_eq!(store.run(&issue, NOW), Err(OperatorError::Store(StoreError::Contended)));
    // Who only reads waits for nobody, also when it opens the store.
    for store in [store, Store::open(&path, keys()).unwrap()] {
        assert!(store.registration(&Address::Key(KeyId::new(key(1, 1))), NOW).unwrap().is_some());
    }
    let store = Store::open(&path, keys()).unwrap();
    other.execute_batch("ROLLBACK").unwrap();
    store.run(&issue, NOW).unwrap();
}
