//! Rights that end while a session is open: idle, writing alone, or ended by the operator.

use crate::world::{World, fill, grant, parts, token};
use halfkey::driver::RegistrationOutcome;
use halfkey::port::Token;
use halfkey::port::entitlement_store::Status;
use halfkey::port::question::AsyncEntitlementStore;
use halfkey::session::SessionEnded;
use halfkey::store::operation::{Revoke, Suspend};
use halfkey::tokio::{Acceptor, ClientSession, ConnectError, Connector, Limits, ServerSession};
use halfkey::{KeyId, ServerSettings, UnixTime};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, timeout};

/// A server whose clock is the runtime's.
fn world(change: impl FnOnce(&mut ServerSettings)) -> World {
    let (start, began) = (UnixTime::now(), Instant::now());
    World::set(change, Limits::default(), |builder| {
        builder.approval(grant).clock(move || start.after(began.elapsed().as_secs()))
    })
}

/// The end of a session, as a reader or a writer is told of it.
pub(crate) fn ended(error: &io::Error) -> Option<Status> {
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted, "{error}");
    let SessionEnded(status) = error.get_ref()?.downcast_ref()?;
    Some(*status)
}

/// Reads at both ends until both are told of the end.
async fn both_end(
    client: &mut ClientSession<DuplexStream>,
    server: &mut ServerSession<DuplexStream>,
) -> [io::Error; 2] {
    let (mut near, mut far) = ([0], [0]);
    let ends = tokio::join!(client.read(&mut near), server.read(&mut far));
    [ends.0.unwrap_err(), ends.1.unwrap_err()]
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_ends_within_the_time_of_a_recheck() {
    let world = world(|_| ());
    let connector = world.connector();
    let registration = world.register(&connector).await;
    let (mut client, mut server) = world.open(&connector, &registration).await;
    let began = Instant::now();
    // An hour of good standing; then a right that ends.
    assert!(timeout(Duration::from_secs(3600), server.read(&mut [0])).await.is_err());
    world.store.run(&Suspend(registration.key_id), UnixTime::now()).unwrap();
    for end in both_end(&mut client, &mut server).await {
        assert_eq!(ended(&end), Some(Status::Suspended));
    }
    assert!((3600..=3630).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    // And so it stays.
    assert_eq!(ended(&client.read(&mut [0]).await.unwrap_err()), Some(Status::Suspended));
    assert_eq!(ended(&server.write(b"x").await.unwrap_err()), Some(Status::Suspended));
    assert_eq!(connector.token().registrations().unwrap()[0].not_active, Some(Status::Suspended));
    assert!(world.log.has("Ended"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_only_writes_stops_too() {
    let world = world(|_| ());
    let connector = world.connector();
    let registration = world.register(&connector).await;
    let (mut client, mut server) = world.open(&connector, &registration).await;
    world.store.run(&Revoke(registration.key_id), UnixTime::now()).unwrap();
    let began = Instant::now();
    let writing = tokio::spawn(async move {
        loop {
            if let Err(error) = server.write_all(b"news").await {
                return error;
            }
            tokio::time::sleep(Duration::from_secs(7)).await;
        }
    });
    let mut came = Vec::new();
    let error = client.read_to_end(&mut came).await.unwrap_err();
    assert_eq!(ended(&error), Some(Status::Revoked));
    assert_eq!(ended(&writing.await.unwrap()), Some(Status::Revoked));
    assert!(began.elapsed().as_secs() <= 36 && came.len() <= 24, "{} bytes", came.len());
    assert!(connector.token().registrations().unwrap()[0].is_dead());
}

#[tokio::test(start_paused = true)]
async fn a_session_has_a_greatest_age() {
    let world = world(|settings| settings.session_age = 600);
    let connector = world.connector();
    let registration = world.register(&connector).await;
    let (mut client, mut server) = world.open(&connector, &registration).await;
    let began = Instant::now();
    for end in both_end(&mut client, &mut server).await {
        assert_eq!(ended(&end), Some(Status::Active));
    }
    assert!((599..=601).contains(&began.elapsed().as_secs()));
    drop(world.open(&connector, &registration).await);
}

#[tokio::test]
async fn the_operator_ends_the_sessions_of_a_key() {
    let world = World::new();
    let (alice, bob) = (world.connector(), world.connector());
    let (of_alice, of_bob) = (world.register(&alice).await, world.register_as(&bob, "bob").await);
    let mut first = world.open(&alice, &of_alice).await;
    assert!(!world.log.has("Concurrent"));
    let second = world.open(&alice, &of_alice).await;
    // Two sessions of one key at a time are an event.
    assert!(world.log.has("Concurrent"));
    let mut other = world.open(&bob, &of_bob).await;
    assert_eq!(world.acceptor.end_sessions(&KeyId::new([9; 16])), 0);
    assert_eq!(world.acceptor.end_sessions(&of_alice.key_id), 2);
    // Nobody reads at the server, and the tokens are told all the same.
    assert_eq!(ended(&first.0.read(&mut [0]).await.unwrap_err()), Some(Status::Active));
    let (mut client, mut server) = second;
    assert_eq!(ended(&client.read(&mut [0]).await.unwrap_err()), Some(Status::Active));
    assert_eq!(ended(&server.read(&mut [0]).await.unwrap_err()), Some(Status::Active));
    other.0.write_all(b"x").await.unwrap();
    assert_eq!(other.1.read(&mut [0; 2]).await.unwrap(), 1);
    drop((first, client, server));
    drop(world.open(&alice, &of_alice).await);
}

#[tokio::test]
async fn whoever_waits_for_a_configuration_is_told() {
    let world =
        World::set(|settings| settings.recheck = 0, Limits::default(), |builder| builder.approval(grant));
    let connector = world.connector();
    let registration = world.register(&connector).await;
    let (client, mut server) = world.open(&connector, &registration).await;
    world.store.run(&Suspend(registration.key_id), UnixTime::now()).unwrap();
    let serving = tokio::spawn(async move { server.read(&mut [0]).await });
    let application = halfkey::ApplicationName::new("mail").unwrap();
    let error = client.handle().configure(&application, Default::default()).await.unwrap_err();
    match error {
        ConnectError::Exchange(halfkey::exchange::TokenExchangeError::Ended(SessionEnded(status))) => {
            assert_eq!(status, Status::Suspended);
        }
        ConnectError::Stream(error) => assert_eq!(ended(&error), Some(Status::Suspended)),
        error => panic!("{error:?}"),
    }
    assert_eq!(ended(&serving.await.unwrap().unwrap_err()), Some(Status::Suspended));
}

/// A life on a store, whose operator works with another handle of it.
pub(crate) async fn rights_end<S, O, F>(store: S, suspend: O)
where
    S: AsyncEntitlementStore + 'static,
    O: FnOnce(KeyId) -> F,
    F: Future<Output = ()>,
{
    let (mut settings, keys, anchors) = parts();
    settings.recheck = 1;
    let name = settings.name.clone();
    let acceptor = Acceptor::builder(settings, keys, store).approval(grant).build();
    let connect = || {
        let ((near, far), acceptor) = (duplex(4096), acceptor.clone());
        (near, tokio::spawn(async move { acceptor.accept(far, "peer").await.unwrap() }))
    };
    let connector = Connector::builder(token(anchors)).build();
    let outcome = connector.register(connect().0, &name, fill).await.unwrap();
    let RegistrationOutcome::Active(alice) = outcome else { panic!("{outcome:?}") };
    let (near, served) = connect();
    let mut client = connector.open(near, &alice.key_id).await.unwrap();
    let mut server = served.await.unwrap().unwrap();
    client.write_all(b"hello").await.unwrap();
    let mut said = [0; 5];
    server.read_exact(&mut said).await.unwrap();
    suspend(alice.key_id).await;
    for end in timeout(Duration::from_secs(20), both_end(&mut client, &mut server)).await.unwrap() {
        assert_eq!(ended(&end), Some(Status::Suspended));
    }
    let refused = connector.open(connect().0, &alice.key_id).await.err().unwrap();
    assert!(matches!(refused, ConnectError::NotActive(Status::Suspended)), "{refused:?}");
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn over_sqlite_with_the_operator_at_another_handle() {
    use halfkey::Secret;
    use halfkey::sqlite::Store;
    use halfkey::store::{StorageKeys, UniqueNames};
    use halfkey::tokio::OffExecutor;
    let directory = std::env::temp_dir().join(format!("halfkey-rights-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (path, keys) = (directory.join("store"), || StorageKeys::new(Secret::new([0xA7; 32])));
    let store = Store::create(&path, keys(), UniqueNames::Always).unwrap();
    let operator = Store::open(&path, keys()).unwrap();
    rights_end(OffExecutor::new(store), |key_id| {
        operator.run(&Suspend(key_id), UnixTime::now()).unwrap();
        core::future::ready(())
    })
    .await;
    std::fs::remove_dir_all(&directory).unwrap();
}
