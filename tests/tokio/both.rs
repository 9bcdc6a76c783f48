//! The drivers on tokio against the blocking ones.

use crate::world::{World, fill, grant, parts};
use halfkey::driver::{self, RegistrationOutcome};
use halfkey::memory::Store;
use halfkey::registration::token::Credential;
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::{SystemRandom, tokio::Connector};
use std::io::{Read, Write};
use std::thread;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_blocking_client_and_a_server_on_tokio() {
    let world = World::new();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = world.acceptor.clone();
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            if let Some(mut session) = acceptor.accept(stream, peer.ip().to_string()).await.unwrap() {
                let mut said = String::new();
                session.read_to_string(&mut said).await.unwrap();
                session.write_all(said.to_uppercase().as_bytes()).await.unwrap();
                session.shutdown().await.unwrap();
            }
        }
    });
    let (anchors, name) = (world.anchors.clone(), world.name.clone());
    let life = tokio::task::spawn_blocking(move || {
        let connect = || std::net::TcpStream::connect(address).unwrap();
        let pin = "2468".into();
        let made = SoftwareToken::new(anchors, &pin, PinSettings::for_tests(), Box::new(SystemRandom));
        let (mut token, _) = made.unwrap();
        token.unlock(&pin).unwrap();
        let connector = driver::Connector::builder(token).build();
        let outcome = connector.register(connect(), &name, |_, template| {
            Ok((template.fill([("name", "alice".into())])?, Credential::None))
        });
        let RegistrationOutcome::Active(alice) = outcome.unwrap() else { panic!("not registered") };
        let mut session = connector.open(connect(), &alice.key_id).unwrap();
        session.write_all(b"hello").unwrap();
        session.shutdown().unwrap();
        let mut said = String::new();
        session.read_to_string(&mut said).unwrap();
        said
    });
    assert_eq!(life.await.unwrap(), "HELLO");
}

#[tokio::test]
async fn a_client_on_tokio_and_a_blocking_server() {
    let (settings, keys, anchors) = parts();
    let name = settings.name.clone();
    let acceptor = driver::Acceptor::builder(settings, keys, Store::new()).approval(grant).build();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            if let Some(mut session) = acceptor.accept(stream.unwrap(), b"peer").unwrap() {
                let mut said = String::new();
                session.read_to_string(&mut said).unwrap();
                session.write_all(said.to_uppercase().as_bytes()).unwrap();
                session.shutdown().unwrap();
            }
        }
    });
    let connect = || tokio::net::TcpStream::connect(address);
    let pin = "2468".into();
    let made = SoftwareToken::new(anchors, &pin, PinSettings::for_tests(), Box::new(SystemRandom));
    let (mut token, _) = made.unwrap();
    token.unlock(&pin).unwrap();
    let connector = Connector::builder(token).build();
    let outcome = connector.register(connect().await.unwrap(), &name, fill).await.unwrap();
    let RegistrationOutcome::Active(alice) = outcome else { panic!("not registered") };
    let mut session = connector.open(connect().await.unwrap(), &alice.key_id).await.unwrap();
    session.write_all(&[b'x'; 200_000]).await.unwrap();
    session.shutdown().await.unwrap();
    let mut said = String::new();
    session.read_to_string(&mut said).await.unwrap();
    assert!(said.len() == 200_000 && said.starts_with('X'));
}
