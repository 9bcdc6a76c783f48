//! Honest clients while strangers flood the server: each of them gets what it came for.
//!
//! The long run prints how long they take, beside a server that nobody floods; it asserts nothing about time:
//!
//! ```console
//! $ HALFKEY_FLOOD=30 cargo test --release --all-features --test tokio flood -- --ignored --nocapture
//! ```

use crate::world::{grant, parts, token};
use halfkey::certificate::{TrustAnchors, VerifiedServer};
use halfkey::driver::RegistrationOutcome;
use halfkey::exchange::{RegisterOptions, TokenExchange, TokenReply, TokenTurn};
use halfkey::memory::Store;
use halfkey::port::question::AsyncEntitlementStore;
use halfkey::registration::token::Credential;
use halfkey::session::token::Options;
use halfkey::software::SoftwareToken;
use halfkey::template::{Form, Template};
use halfkey::tokio::{Acceptor, Connector, FillError, Limits, OffExecutor};
use halfkey::{Moment, ServerName};
use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::sleep;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flood {
    /// Nobody.
    None,
    /// Requests for one offer that do not open, each different.
    Garbage,
    /// Connections that say nothing.
    Silence,
    /// A byte at a time.
    Drip,
    /// S0 under keys that the server does not know.
    Unknown,
}

impl Flood {
    const ALL: [Self; 5] = [Self::None, Self::Garbage, Self::Silence, Self::Drip, Self::Unknown];
}

/// What strangers send, made before.
#[derive(Clone)]
struct Ammunition {
    name: ServerName,
    /// S0 under a key of another server with the same name.
    open: Vec<u8>,
    anchors: TrustAnchors,
}

struct Target {
    acceptor: Acceptor,
    ammunition: Ammunition,
}

/// Few places, so that strangers can take them all.
fn limits() -> Limits {
    let mut limits = Limits::default();
    (limits.connections, limits.connections_per_peer) = (48, 32);
    limits
}

async fn target(store: impl AsyncEntitlementStore + 'static) -> Target {
    let (settings, keys, anchors) = parts();
    let name = settings.name.clone();
    // A registration at another server of that name gives a key that this one does not know.
    let keys = Arc::new(keys);
    let elsewhere = Acceptor::builder(settings.clone(), Arc::clone(&keys), OffExecutor::new(Store::new()))
        .approval(grant)
        .build();
    let (near, far) = duplex(4096);
    let serving = tokio::spawn(async move { elsewhere.accept(far, "peer").await.map(drop) });
    let connector = Connector::builder(token(anchors.clone())).build();
    let registered = connector.register(near, &name, fill("mallory".into())).await.unwrap();
    let RegistrationOutcome::Active(registration) = registered else { panic!("{registered:?}") };
    serving.await.unwrap().unwrap();
    let key_id = registration.key_id;
    let open = connector
        .with_token(move |token| play(token, TokenExchange::open(key_id, Options::default(), Moment::now())));
    let open = open.await.unwrap().send.remove(0);
    let acceptor = Acceptor::builder(settings, keys, store).approval(grant).limits(limits()).build();
    Target { acceptor, ammunition: Ammunition { name, open, anchors } }
}

type Filled = Result<(Form, Credential), FillError>;

fn fill(user: String) -> impl FnOnce(VerifiedServer, Template) -> Ready<Filled> + Send + 'static {
    move |_, template| {
        ready(
            template
                .fill([("name", user.as_str().into())])
                .map(|form| (form, Credential::None))
                .map_err(Into::into),
        )
    }
}

/// The turns of a token that asks nobody.
fn play(token: &mut SoftwareToken, mut turn: TokenTurn) -> TokenReply {
    loop {
        turn = match turn {
            TokenTurn::Done(reply) => return reply,
            TokenTurn::Device(need) => need.ask(token),
            TokenTurn::User(need) => {
                let form = need.wanted().1.fill([("name", "mallory".into())]).unwrap();
                need.supply(form, Credential::None).unwrap()
            }
            TokenTurn::Client(need) => need.supply(halfkey::configuration::token::Applying::Applied),
        }
    }
}

async fn write(stream: &mut DuplexStream, frame: &[u8]) -> std::io::Result<()> {
    stream.write_u32(frame.len() as u32).await?;
    stream.write_all(frame).await
}

async fn read(stream: &mut DuplexStream) -> std::io::Result<Vec<u8>> {
    let mut frame = vec![0; stream.read_u32().await? as usize];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}

fn connect(acceptor: &Acceptor, peer: &'static str) -> DuplexStream {
    let (near, far) = duplex(4096);
    let acceptor = acceptor.clone();
    tokio::spawn(async move { drop(acceptor.accept(far, peer).await) });
    near
}

/// One stranger, for as long as it is let.
async fn flood(kind: Flood, acceptor: Acceptor, with: Ammunition) {
    loop {
        let mut stream = connect(&acceptor, "stranger");
        // The server may hang up at any time.
        let _ = match kind {
            Flood::None => return,
            Flood::Garbage => garbage(&mut stream, &with).await,
            Flood::Silence => stream.read(&mut [0]).await.map(drop),
            Flood::Drip => drip(&mut stream, &with.open).await,
            Flood::Unknown => unknown(&mut stream, &with.open).await,
        };
        tokio::task::yield_now().await;
    }
}

async fn garbage(stream: &mut DuplexStream, with: &Ammunition) -> std::io::Result<()> {
    let mut token = token(with.anchors.clone());
    let turn = TokenExchange::register(with.name.clone(), RegisterOptions::default(), Moment::now());
    let reply = play(&mut token, turn);
    write(stream, &reply.send[0]).await?;
    let offer = read(stream).await?;
    let Some(next) = reply.next else { return Ok(()) };
    let Some(mut request) = play(&mut token, next.receive(&offer, Moment::now())).send.pop() else {
        return Ok(());
    };
    for n in 0_u32..200 {
        let end = request.len();
        request[end - 4..].copy_from_slice(&n.to_be_bytes());
        write(stream, &request).await?;
        read(stream).await?;
    }
    Ok(())
}

async fn drip(stream: &mut DuplexStream, frame: &[u8]) -> std::io::Result<()> {
    for byte in [&(frame.len() as u32).to_be_bytes(), frame].concat() {
        stream.write_all(&[byte]).await?;
        sleep(Duration::from_millis(20)).await;
    }
    read(stream).await.map(drop)
}

async fn unknown(stream: &mut DuplexStream, open: &[u8]) -> std::io::Result<()> {
    for _ in 0..200 {
        write(stream, open).await?;
        read(stream).await?;
    }
    Ok(())
}

/// What honest clients do: they register, and open sessions in which something is said. Gives the time of each.
async fn honest(acceptor: Acceptor, with: Ammunition, user: String, sessions: usize) -> [Vec<Duration>; 2] {
    let connector = Connector::builder(token(with.anchors)).build();
    let began = Instant::now();
    let stream = connect(&acceptor, "honest");
    let registered = connector.register(stream, &with.name, fill(user)).await.unwrap();
    let RegistrationOutcome::Active(registration) = registered else { panic!("{registered:?}") };
    let mut times = [vec![began.elapsed()], Vec::new()];
    for _ in 0..sessions {
        let began = Instant::now();
        let (near, far) = duplex(4096);
        let serving = acceptor.clone();
        let echo = tokio::spawn(async move {
            let mut session = serving.accept(far, "honest").await.unwrap().unwrap();
            let mut word = [0; 5];
            session.read_exact(&mut word).await.unwrap();
            session.write_all(&word).await.unwrap();
            session.shutdown().await.unwrap();
            session.read_to_end(&mut Vec::new()).await.unwrap();
        });
        let mut session = connector.open(near, &registration.key_id).await.unwrap();
        session.write_all(b"hello").await.unwrap();
        let mut word = [0; 5];
        session.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"hello");
        times[1].push(began.elapsed());
        session.shutdown().await.unwrap();
        session.read_to_end(&mut Vec::new()).await.unwrap();
        echo.await.unwrap();
    }
    times
}

/// The time that 99 of 100 do not exceed.
fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[(times.len() * 99).div_ceil(100).saturating_sub(1)]
}

/// Runs each flood for so long, on a store of its own, and prints.
async fn run<S: AsyncEntitlementStore + 'static>(
    store: &str,
    mut make: impl AsyncFnMut() -> S,
    lasts: Duration,
) {
    for kind in Flood::ALL {
        let target = target(make().await).await;
        let flooding: Vec<_> = (0..40)
            .map(|_| tokio::spawn(flood(kind, target.acceptor.clone(), target.ammunition.clone())))
            .collect();
        sleep(Duration::from_millis(100)).await;
        let (began, mut times, mut n) = (Instant::now(), [Vec::new(), Vec::new()], 0);
        while n == 0 || began.elapsed() < lasts {
            let clients: Vec<_> = (0..2)
                .map(|_| {
                    n += 1;
                    let (acceptor, with) = (target.acceptor.clone(), target.ammunition.clone());
                    tokio::spawn(honest(acceptor, with, format!("user{n}"), 8))
                })
                .collect();
            for client in clients {
                let [registered, opened] = client.await.unwrap();
                times[0].extend(registered);
                times[1].extend(opened);
            }
        }
        flooding.iter().for_each(|one| one.abort());
        let [registered, opened] = times;
        println!(
            "{store}, {kind:?}: {} registrations, p99 {:?}; {} sessions, p99 {:?}",
            registered.len(),
            p99(registered.clone()),
            opened.len(),
            p99(opened.clone()),
        );
    }
}

async fn every_store(lasts: Duration) {
    run("memory", async || OffExecutor::new(Store::new()), lasts).await;
    #[cfg(feature = "sqlite")]
    {
        use halfkey::Secret;
        use halfkey::store::{StorageKeys, UniqueNames};
        let directory = std::env::temp_dir().join(format!("halfkey-flood-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let number = std::sync::atomic::AtomicU32::new(0);
        let make = async || {
            let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let keys = StorageKeys::new(Secret::new([9; 32]));
            let file = directory.join(format!("{number}.db"));
            OffExecutor::new(halfkey::sqlite::Store::create(file, keys, UniqueNames::default()).unwrap())
        };
        run("sqlite", make, lasts).await;
        std::fs::remove_dir_all(&directory).unwrap();
    }
}

/// The same over PostgreSQL, where there is one.
#[cfg(all(unix, feature = "postgres"))]
fn on_postgresql(lasts: Duration) {
    use crate::server::database;
    use halfkey::Secret;
    use halfkey::postgres::deadpool_postgres::{Manager, Pool, Runtime};
    use halfkey::postgres::{Store, tokio_postgres::NoTls};
    use halfkey::store::{StorageKeys, UniqueNames};
    // Each makes a database with a runtime of its own.
    let databases: Option<Vec<_>> = Flood::ALL.iter().map(|_| database()).collect();
    let Some(mut databases) = databases else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let make = async || {
        let manager = Manager::new(databases.pop().unwrap().parse().unwrap(), NoTls);
        let pool = Pool::builder(manager).max_size(8).runtime(Runtime::Tokio1).build().unwrap();
        Store::create(pool, StorageKeys::new(Secret::new([9; 32])), UniqueNames::default()).await.unwrap()
    };
    runtime.block_on(run("postgresql", make, lasts));
}

fn seconds() -> Duration {
    let seconds = std::env::var("HALFKEY_FLOOD").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(10))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn honest_clients_get_through_every_flood() {
    every_store(Duration::ZERO).await;
}

#[cfg(all(unix, feature = "postgres"))]
#[test]
fn honest_clients_get_through_every_flood_on_postgresql() {
    on_postgresql(Duration::ZERO);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: HALFKEY_FLOOD is the number of seconds for each flood"]
async fn a_long_flood() {
    every_store(seconds()).await;
}

#[cfg(all(unix, feature = "postgres"))]
#[test]
#[ignore = "long: HALFKEY_FLOOD is the number of seconds for each flood"]
fn a_long_flood_on_postgresql() {
    on_postgresql(seconds());
}
