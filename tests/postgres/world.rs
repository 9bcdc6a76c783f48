//! Stores, registrations and servers by the dozen.

use super::server::block_on;
use halfkey::policy::{Policy, SuiteId};
use halfkey::port::StoreError;
use halfkey::postgres::deadpool_postgres::{Manager, Pool};
use halfkey::postgres::{OpenError, Store, tokio_postgres};
use halfkey::record::{
    Effect, ExpectedTags, Lifecycle, NewOutcome, NewRegistration, ServerRegistration, StoredKeys, Takes,
};
use halfkey::store::operation::{Cursor, OperatorError, Page};
use halfkey::store::{Operation, StorageKeys, UniqueNames};
use halfkey::{AccessPath, Alias, Digest, KeyId, Secret, Txn, UnixTime, UserId, UserName};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use tokio::runtime::{Builder, Handle};
use tokio_postgres::{Client, NoTls};

pub const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

pub fn keys() -> StorageKeys {
    StorageKeys::new(Secret::new([0x5E; 32]))
}

pub fn pool(database: &str, size: usize) -> Pool {
    let config = format!("{database} application_name=halfkey connect_timeout=10").parse().unwrap();
    Pool::builder(Manager::new(config, NoTls)).max_size(size).build().unwrap()
}

pub async fn create(database: &str) -> Store {
    Store::create(pool(database, 4), keys(), UniqueNames::Always).await.unwrap()
}

pub async fn open(database: &str) -> Store {
    Store::open(pool(database, 16), keys()).await.unwrap()
}

/// A connection without a store.
pub async fn connect(database: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(database, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

pub async fn count(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// A runtime that a thread of its own drives.
pub fn runtime() -> Handle {
    static RUNTIME: OnceLock<Handle> = OnceLock::new();
    let start = || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let handle = runtime.handle().clone();
        std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        handle
    };
    RUNTIME.get_or_init(start).clone()
}

/// Does what is asynchronous on that runtime.
pub fn there<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let (answers, answer) = std::sync::mpsc::channel();
    runtime().spawn(async move { answers.send(future.await) });
    answer.recv().unwrap()
}

/// Asks until there is an answer, as a token does that is told busy.
macro_rules! insist {
    ($ask:expr) => {
        loop {
            match $ask.await.map_err($crate::world::IsBusy::or_busy) {
                Ok(answer) => break answer,
                // A server that is down says so at once.
                Err(Ok(())) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
                Err(Err(error)) => panic!("{error:?}"),
            }
        }
    };
}
pub(crate) use insist;

pub trait IsBusy: Sized {
    /// Or else the error.
    fn or_busy(self) -> Result<(), Self>;
}

impl IsBusy for StoreError {
    fn or_busy(self) -> Result<(), Self> {
        if matches!(self, Self::Contended | Self::Unavailable(_)) { Ok(()) } else { Err(self) }
    }
}

impl IsBusy for OperatorError {
    fn or_busy(self) -> Result<(), Self> {
        match self {
            Self::Store(error) => error.or_busy().map_err(Self::Store),
            error => Err(error),
        }
    }
}

impl IsBusy for OpenError {
    fn or_busy(self) -> Result<(), Self> {
        match self {
            Self::Store(error) => error.or_busy().map_err(Self::Store),
            error => Err(error),
        }
    }
}

/// Two servers, each with its own pool, runtime and thread, ask all at once; the answers in order.
pub fn on_two_servers<T, A>(
    database: &str,
    asked: u64,
    ask: impl Fn(Store, u64) -> A + Send + Sync + 'static,
) -> Vec<T>
where
    T: Send + 'static,
    A: Future<Output = T> + Send + 'static,
{
    let ask = Arc::new(ask);
    let server = |first: u64| {
        let (database, ask) = (database.to_owned(), Arc::clone(&ask));
        std::thread::spawn(move || {
            block_on(async {
                let store = insist!(Store::open(pool(&database, 16), keys()));
                let asked = (first..asked).step_by(2);
                let tasks: Vec<_> = asked.map(|n| (n, tokio::spawn(ask(store.clone(), n)))).collect();
                let mut answers = Vec::new();
                for (n, task) in tasks {
                    answers.push((n, task.await.unwrap()));
                }
                answers
            })
        })
    };
    let servers = [server(0), server(1)];
    let mut answers: Vec<_> = servers.into_iter().flat_map(|server| server.join().unwrap()).collect();
    answers.sort_by_key(|(n, _)| *n);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Sixteen bytes made of a number.
pub fn id(n: u64, kind: u8) -> [u8; 16] {
    let mut id = [kind; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    id
}

pub fn key(n: u64) -> KeyId {
    KeyId::new(id(n, 0))
}

pub fn alias(n: u64) -> Alias {
    Alias::new(id(n, 1))
}

pub fn request(n: u64) -> Digest {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&id(n, 2));
    Digest::new(bytes)
}

pub fn user(n: u64) -> UserId {
    UserId::new(&format!("user-{n}")).unwrap()
}

pub fn name(text: &str) -> UserName {
    UserName::new(text).unwrap()
}

pub fn secret(n: u64, which: u8) -> Secret {
    let mut bytes = [which; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    Secret::new(bytes)
}

/// The `n`th registration: every id and secret in it is made of `n`, and so are the bytes of its R3.
pub fn granted(n: u64, user_id: UserId, name: UserName, takes: Option<Takes>) -> NewOutcome {
    let registered = ServerRegistration {
        key_id: key(n),
        user_id,
        name,
        access_path: AccessPath::new("/staff").unwrap(),
        suite: SuiteId::XWing,
        policy: Policy::default(),
        lifecycle: Lifecycle::Pending { confirm_by: NOW.after(86_400) },
        expires: None,
        keys: StoredKeys { auth: secret(n, 1), derive: secret(n, 2), renew: secret(n, 3) },
    };
    let expected = ExpectedTags {
        txn: Txn::new(id(n, 4)),
        confirm: secret(n, 5),
        done: secret(n, 6),
        lost: secret(n, 7),
    };
    let new = NewRegistration { registered, alias: alias(n), expected, takes, ticket: None };
    NewOutcome {
        request: request(n),
        response: response(n),
        keep_until: NOW.after(86_400),
        effect: Effect::Granted(new.into()),
        limits: halfkey::record::PendingLimits { same: 1000, total: 100_000 },
    }
}

pub fn response(n: u64) -> Vec<u8> {
    n.to_be_bytes().repeat(120)
}

/// Every page of a list.
pub async fn whole<O, T>(store: &Store, mut list: O, next: impl Fn(&mut O, Cursor)) -> Vec<T>
where
    O: Operation<Answer = Page<T>>,
    O::Error: std::fmt::Debug,
    T: Send,
{
    let mut entries = Vec::new();
    loop {
        let page = store.run(&list, NOW).await.unwrap();
        entries.extend(page.entries);
        let Some(cursor) = page.next else { return entries };
        next(&mut list, cursor);
    }
}

/// Both at once.
pub async fn both<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    let (mut one, mut other) = (std::pin::pin!(one), std::pin::pin!(other));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|context| {
        if first.is_none() {
            first = ready(one.as_mut().poll(context));
        }
        if second.is_none() {
            second = ready(other.as_mut().poll(context));
        }
        match (first.take(), second.take()) {
            (Some(one), Some(other)) => Poll::Ready((one, other)),
            unfinished => {
                (first, second) = unfinished;
                Poll::Pending
            }
        }
    })
    .await
}

fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
