//! Peers that take too long or too much, and a server that shuts down.

use crate::world::{World, fill, grant, parts, token};
use halfkey::driver::{Observer, RegistrationOutcome};
use halfkey::exchange::{RequestKind, TokenExchangeError};
use halfkey::memory::{Server, Store};
use halfkey::policy::SuiteList;
use halfkey::port::auth_server::{Decapsulated, Encapsulated, OfferMaterial};
use halfkey::port::{AuthServer, AuthServerError};
use halfkey::registration::TokenRegistrationError;
use halfkey::registration::token::Credential;
use halfkey::template::Template;
use halfkey::tokio::{AcceptError, Acceptor, ConnectError, Connector, Limits, OffExecutor};
use halfkey::{Digest, ErrorReason, UnixTime};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep, timeout};

fn world(change: impl FnOnce(&mut Limits)) -> World {
    let mut limits = Limits::default();
    change(&mut limits);
    World::with(limits, |builder| builder.approval(grant))
}

fn timed_out<T>(result: Result<T, AcceptError>) -> bool {
    matches!(result, Err(AcceptError::Stream(error)) if error.kind() == io::ErrorKind::TimedOut)
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_has_ten_seconds() {
    let world = World::new();
    let (_stream, served) = world.connect();
    let began = Instant::now();
    assert!(timed_out(served.await.unwrap()));
    assert_eq!(began.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_byte_a_minute_holds_no_place() {
    let world = world(|limits| limits.first_frame = Duration::from_secs(3600));
    let (mut stream, served) = world.connect();
    let began = Instant::now();
    let dripping = tokio::spawn(async move {
        for byte in [0, 0, 1, 0].into_iter().chain([7; 256]) {
            if stream.write_all(&[byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_secs(60)).await;
        }
    });
    assert!(timed_out(served.await.unwrap()));
    assert_eq!(began.elapsed().as_secs(), 30);
    dripping.abort();
}

#[tokio::test(start_paused = true)]
async fn within_a_session_too() {
    let world = World::new();
    let connector = world.connector();
    let registration = world.register(&connector).await;
    let (near, mut middle) = tokio::io::duplex(4096);
    let (mut stream, served) = world.connect();
    let client = {
        let relay = tokio::io::copy_bidirectional(&mut middle, &mut stream);
        tokio::select! {
            client = connector.open(near, &registration.key_id) => client.unwrap(),
            _ = relay => panic!("the relay ends"),
        }
    };
    let mut server = served.await.unwrap().unwrap().unwrap();
    let began = Instant::now();
    // An hour of silence is no matter; half a frame is.
    assert!(timeout(Duration::from_secs(3600), server.read(&mut [0; 8])).await.is_err());
    stream.write_all(&[0, 0, 1]).await.unwrap();
    assert_eq!(server.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(began.elapsed().as_secs(), 3630);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_session_may_have_to_say_something() {
    let world = world(|limits| limits.silence = Some(Duration::from_secs(60)));
    let (mut client, mut server) = world.session().await;
    let began = Instant::now();
    let talking = tokio::spawn(async move {
        for _ in 0..5 {
            sleep(Duration::from_secs(50)).await;
            client.write_all(b".").await.unwrap();
        }
        sleep(Duration::from_secs(500)).await;
    });
    let mut came = Vec::new();
    let error = server.read_to_end(&mut came).await.unwrap_err();
    assert_eq!((error.kind(), came.len()), (io::ErrorKind::TimedOut, 5));
    assert_eq!(began.elapsed().as_secs(), 310);
    talking.abort();
}

#[tokio::test(start_paused = true)]
async fn a_registration_has_its_time() {
    let world = world(|limits| limits.registration = Duration::from_secs(100));
    let (stream, served) = world.connect();
    let connector = world.connector();
    let slow = connector.register(stream, &world.name, |server, template| async move {
        sleep(Duration::from_secs(101)).await;
        fill(server, template).await
    });
    let (outcome, served) = tokio::join!(slow, served);
    assert!(outcome.is_err());
    assert!(timed_out(served.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer() {
    let world = World::new();
    let (stream, mut far) = tokio::io::duplex(4096);
    let silent = tokio::spawn(async move {
        let mut came = Vec::new();
        far.read_to_end(&mut came).await.map(|_| came.len())
    });
    let error = world.connector().register(stream, &world.name, fill).await.unwrap_err();
    assert!(matches!(error, ConnectError::Stream(error) if error.kind() == io::ErrorKind::TimedOut));
    assert!(silent.await.unwrap().unwrap() > 0);
}

#[tokio::test]
async fn frames_that_are_none() {
    let world = World::new();
    for (bytes, kind) in [
        (&[0_u8, 0, 0, 0][..], io::ErrorKind::InvalidData),
        (&[0xFF; 64], io::ErrorKind::InvalidData),
        (&[0, 0, 0, 5, 1, 2], io::ErrorKind::UnexpectedEof),
        (&[0, 0], io::ErrorKind::UnexpectedEof),
    ] {
        let (mut stream, served) = world.connect();
        stream.write_all(bytes).await.unwrap();
        drop(stream);
        let Err(AcceptError::Stream(error)) = served.await.unwrap() else { panic!("{bytes:?}") };
        assert_eq!(error.kind(), kind, "{bytes:?}");
    }
    let (stream, served) = world.connect();
    drop(stream);
    assert!(served.await.unwrap().unwrap().is_none());
}

async fn is_told_busy(mut stream: DuplexStream) {
    let mut told = Vec::new();
    stream.read_to_end(&mut told).await.unwrap();
    assert_eq!(ErrorReason::read(&told[4..]), Some(ErrorReason::Busy));
}

#[tokio::test]
async fn the_silent_make_room_and_sessions_do_not() {
    let world = world(|limits| (limits.connections, limits.connections_per_peer) = (2, 2));
    let (mut client, server) = world.session().await;
    let (silent, served) = world.connect();
    tokio::task::yield_now().await;
    let registration = client.registration().clone();
    let other = world.connector();
    let newcomer = world.register_as(&other, "bob").await;
    assert_ne!(newcomer.key_id, registration.key_id);
    assert!(matches!(served.await.unwrap(), Err(AcceptError::SentAway)));
    is_told_busy(silent).await;
    // The session has lost nothing.
    client.write_all(b"x").await.unwrap();
    let mut server = server;
    assert_eq!(server.read(&mut [0; 2]).await.unwrap(), 1);
    let second = world.open(&other, &newcomer).await;
    let (stream, served) = world.connect();
    assert!(matches!(served.await.unwrap(), Err(AcceptError::Full)));
    is_told_busy(stream).await;
    drop((second, server));
    drop(world.register_as(&world.connector(), "carol").await);
}

#[tokio::test]
async fn a_shutdown_waits_for_what_is_open() {
    let world = World::new();
    let (mut client, mut server) = world.session().await;
    let (silent, served) = world.connect();
    tokio::task::yield_now().await;
    let acceptor = world.acceptor.clone();
    let shutdown = tokio::spawn(async move { acceptor.shutdown(Duration::from_secs(60)).await });
    assert!(matches!(served.await.unwrap(), Err(AcceptError::ShuttingDown)));
    is_told_busy(silent).await;
    let (late, served) = world.connect();
    assert!(matches!(served.await.unwrap(), Err(AcceptError::ShuttingDown)));
    is_told_busy(late).await;
    // The client reads the end, finishes and closes; the server hears it out.
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    client.write_all(b"last").await.unwrap();
    client.shutdown().await.unwrap();
    let mut came = Vec::new();
    server.read_to_end(&mut came).await.unwrap();
    assert_eq!(came, b"last");
    assert!(!shutdown.is_finished());
    drop(server);
    assert_eq!(shutdown.await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_cuts_off_what_does_not_end() {
    let world = World::new();
    let (mut client, mut server) = world.session().await;
    let reading = tokio::spawn(async move { server.read(&mut [0]).await });
    assert_eq!(world.acceptor.shutdown(Duration::from_secs(5)).await, 1);
    assert_eq!(reading.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
}

/// A holder of keys that answers when it is told to, and counts.
struct Slow {
    keys: Server,
    gate: Arc<(Mutex<bool>, Condvar)>,
    at_work: Arc<AtomicUsize>,
}

impl Slow {
    fn works<T>(&self, answer: impl FnOnce() -> T) -> T {
        self.at_work.fetch_add(1, Ordering::SeqCst);
        let (open, opened) = &*self.gate;
        drop(opened.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
        answer()
    }
}

/// Counts the offers that are asked for.
struct Offers(Arc<AtomicUsize>);

impl Observer for Offers {
    fn admits(&self, _: &[u8], kind: RequestKind) -> bool {
        self.0.fetch_add(usize::from(kind == RequestKind::Offer), Ordering::SeqCst);
        true
    }
}

impl AuthServer for Slow {
    fn offer_material(&self, suites: &SuiteList, now: UnixTime) -> Result<OfferMaterial, AuthServerError> {
        self.keys.offer_material(suites, now)
    }
    fn sign_offer(&self, certificate: &Digest, transcript: &Digest) -> Result<[u8; 64], AuthServerError> {
        self.keys.sign_offer(certificate, transcript)
    }
    fn decapsulate(&self, sealed: &Encapsulated, now: UnixTime) -> Result<Decapsulated, AuthServerError> {
        self.works(|| self.keys.decapsulate(sealed, now))
    }
}

#[tokio::test]
async fn so_many_questions_wait_for_the_keys_and_no_more() {
    let mut limits = Limits::default();
    (limits.keys_at_once, limits.keys_waiting) = (1, 2);
    let (settings, keys, anchors) = parts();
    let (gate, at_work) = (Arc::<(Mutex<bool>, Condvar)>::default(), Arc::<AtomicUsize>::default());
    let keys = Slow { keys, gate: Arc::clone(&gate), at_work: Arc::clone(&at_work) };
    let name = settings.name.clone();
    let offers = Arc::<AtomicUsize>::default();
    let builder = Acceptor::builder(settings, keys, OffExecutor::new(Store::new()));
    let acceptor = builder.approval(grant).limits(limits).observer(Offers(Arc::clone(&offers))).build();
    let register = |user: &'static str| {
        let (near, far) = tokio::io::duplex(4096);
        let (acceptor, name, anchors) = (acceptor.clone(), name.clone(), anchors.clone());
        tokio::spawn(async move { acceptor.accept(far, "peer").await.map(drop) });
        tokio::spawn(async move {
            let connector = Connector::builder(token(anchors)).build();
            let fill = move |_, template: Template| async move {
                Ok((template.fill([("name", user.into())])?, Credential::None))
            };
            connector.register(near, &name, fill).await
        })
    };
    let until = async |count: &AtomicUsize, wanted| {
        let come = async {
            while count.load(Ordering::SeqCst) < wanted {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(60), come).await.unwrap();
    };
    // One is at work, and two wait for it.
    let first = register("a");
    until(&at_work, 1).await;
    let waiting = [register("b"), register("c")];
    until(&offers, 3).await;
    let told = timeout(Duration::from_secs(20), register("d")).await.unwrap().unwrap().unwrap_err();
    let ConnectError::Exchange(TokenExchangeError::Registration(told)) = told else { panic!("{told:?}") };
    assert_eq!(told, TokenRegistrationError::ErrorMessage(ErrorReason::Busy));
    assert_eq!(at_work.load(Ordering::SeqCst), 1);
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    for one in [first].into_iter().chain(waiting) {
        let outcome = one.await.unwrap().unwrap();
        assert!(matches!(outcome, RegistrationOutcome::Active(_)), "{outcome:?}");
    }
    assert_eq!(at_work.load(Ordering::SeqCst), 3);
}

/// Answers that are none, one every ten seconds: the client does not wait for ever, and says what came.
#[tokio::test(start_paused = true)]
async fn forged_answers_do_not_lengthen_the_wait() {
    let world = World::new();
    let connector = world.connector();
    let (near, mut middle) = tokio::io::duplex(4096);
    let (mut stream, _served) = world.connect();
    let forging = tokio::spawn(async move {
        // R0 and R1 pass; R2 is answered with nonsense, again and again.
        carry(&mut middle, &mut stream).await;
        carry(&mut stream, &mut middle).await;
        let mut answered = 0;
        while middle.write_all(&[0, 0, 0, 3, 1, 2, 3]).await.is_ok() {
            answered += 1;
            sleep(Duration::from_secs(10)).await;
        }
        answered
    });
    let began = Instant::now();
    let error = connector.register(near, &world.name, fill).await.unwrap_err();
    let ConnectError::Exchange(TokenExchangeError::Registration(error)) = error else { panic!("{error:?}") };
    assert!(matches!(error, TokenRegistrationError::Wire(_)), "{error:?}");
    assert_eq!(began.elapsed().as_secs(), 60);
    assert!(forging.await.unwrap() > 5);
}

/// Carries one frame.
async fn carry(from: &mut DuplexStream, to: &mut DuplexStream) {
    let mut frame = vec![0; 4];
    from.read_exact(&mut frame).await.unwrap();
    frame.resize(4 + u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize, 0);
    from.read_exact(&mut frame[4..]).await.unwrap();
    to.write_all(&frame).await.unwrap();
}

/// Nobody calls for an hour: the ephemeral key is erased all the same, when it is due.
#[tokio::test(start_paused = true)]
async fn ephemeral_keys_are_erased_when_they_are_due() {
    let (settings, keys, anchors) = parts();
    let (keys, name) = (Arc::new(keys), settings.name.clone());
    let (start, began) = (UnixTime::now(), Instant::now());
    let store = OffExecutor::new(Store::new());
    let acceptor = Acceptor::builder(settings, Arc::clone(&keys), store)
        .approval(grant)
        .clock(move || start.after(began.elapsed().as_secs()))
        .build();
    let (near, far) = tokio::io::duplex(4096);
    let serving = acceptor.clone();
    tokio::spawn(async move { serving.accept(far, "peer").await.map(drop) });
    let connector = Connector::builder(token(anchors)).build();
    drop(connector.register(near, &name, fill).await.unwrap());
    // Asked as of then, the holder erases nothing, and tells what it holds.
    let due = keys.forget(start).unwrap();
    assert_eq!(due, start.after(661));
    sleep(Duration::from_secs(600)).await;
    assert!(keys.forget(start).is_some());
    sleep(Duration::from_secs(180)).await;
    assert_eq!(keys.forget(start), None);
    drop(acceptor);
}
