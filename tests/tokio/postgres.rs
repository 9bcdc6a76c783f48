//! A server on PostgreSQL, on the same executor.

use crate::rights::rights_end;
use crate::server::database;
use crate::world::{fill, grant, parts};
use halfkey::driver::RegistrationOutcome;
use halfkey::postgres::deadpool_postgres::{Manager, Pool};
use halfkey::postgres::{Store, tokio_postgres::NoTls};
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::store::operation::Suspend;
use halfkey::store::{StorageKeys, UniqueNames};
use halfkey::tokio::{Acceptor, Connector};
use halfkey::{Secret, SystemRandom, UnixTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

#[test]
fn a_life_on_postgresql() {
    // Makes a database with a runtime of its own.
    let Some(database) = database() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = Pool::builder(Manager::new(database.parse().unwrap(), NoTls)).max_size(4).build().unwrap();
        let keys = StorageKeys::new(Secret::new([0x5E; 32]));
        let store = Store::create(pool, keys, UniqueNames::Always).await.unwrap();
        let (settings, keys, anchors) = parts();
        let name = settings.name.clone();
        let acceptor = Acceptor::builder(settings, keys, store).approval(grant).build();
        let connect = || {
            let ((near, far), acceptor) = (duplex(4096), acceptor.clone());
            (near, tokio::spawn(async move { acceptor.accept(far, "peer").await.unwrap() }))
        };
        let pin = "2468".into();
        let made = SoftwareToken::new(anchors, &pin, PinSettings::for_tests(), Box::new(SystemRandom));
        let (mut token, _) = made.unwrap();
        token.unlock(&pin).unwrap();
        let connector = Connector::builder(token).build();
        let outcome = connector.register(connect().0, &name, fill).await.unwrap();
        let RegistrationOutcome::Active(alice) = outcome else { panic!("{outcome:?}") };
        for _ in 0..3 {
            let (near, served) = connect();
            let mut client = connector.open(near, &alice.key_id).await.unwrap();
            let mut server = served.await.unwrap().unwrap();
            client.write_all(b"hello").await.unwrap();
            client.shutdown().await.unwrap();
            let mut said = String::new();
            server.read_to_string(&mut said).await.unwrap();
            assert_eq!(said, "hello");
        }
    });
}

#[test]
fn rights_end_on_postgresql_with_the_operator_at_another_handle() {
    let Some(database) = database() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pool =
            || Pool::builder(Manager::new(database.parse().unwrap(), NoTls)).max_size(4).build().unwrap();
        let keys = || StorageKeys::new(Secret::new([0x5E; 32]));
        let store = Store::create(pool(), keys(), UniqueNames::Always).await.unwrap();
        let operator = Store::open(pool(), keys()).await.unwrap();
        rights_end(store, |key_id| async move {
            operator.run(&Suspend(key_id), UnixTime::now()).await.unwrap();
        })
        .await;
    });
}
