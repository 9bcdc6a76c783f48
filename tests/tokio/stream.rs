//! A session as a byte stream.

use crate::world::{World, grant};
use halfkey::ServerSettings;
use halfkey::session::token::Options;
use halfkey::tokio::Limits;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex};

pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|place| (place * 31 + place / 251) as u8).collect()
}

#[tokio::test]
async fn big_data_both_ways_at_once() {
    let world = World::new();
    let (client, server) = world.session().await;
    let data = pattern(3_000_000);
    let ends = [client.into_split_pair(), server.into_split_pair()];
    let mut tasks = Vec::new();
    for (mut read, mut write) in ends {
        let (sent, wanted) = (data.clone(), data.clone());
        tasks.push(tokio::spawn(async move {
            write.write_all(&sent).await.unwrap();
            write.shutdown().await.unwrap();
        }));
        tasks.push(tokio::spawn(async move {
            let mut came = Vec::new();
            read.read_to_end(&mut came).await.unwrap();
            assert!(came == wanted);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

type Read = Box<dyn tokio::io::AsyncRead + Send + Unpin>;
type Write = Box<dyn tokio::io::AsyncWrite + Send + Unpin>;

/// Owned halves of either end.
trait IntoSplitPair {
    fn into_split_pair(self) -> (Read, Write);
}

impl<E: halfkey::tokio::End> IntoSplitPair for halfkey::tokio::Session<tokio::io::DuplexStream, E> {
    fn into_split_pair(self) -> (Read, Write) {
        let (read, write) = self.into_split();
        (Box::new(read), Box::new(write))
    }
}

#[tokio::test]
async fn tokio_splits_it_too_and_halves_come_together() {
    let world = World::new();
    let (client, server) = world.session().await;
    let (mut read, mut write) = tokio::io::split(client);
    let (from, to) = server.into_split();
    let mut server = from.reunite(to).unwrap();
    write.write_all(b"up").await.unwrap();
    write.flush().await.unwrap();
    let mut came = [0; 2];
    server.read_exact(&mut came).await.unwrap();
    assert_eq!(&came, b"up");
    server.write_all(b"down").await.unwrap();
    server.flush().await.unwrap();
    let mut came = [0; 4];
    read.read_exact(&mut came).await.unwrap();
    assert_eq!(&came, b"down");
}

#[tokio::test]
async fn keys_are_renewed_within_the_stream() {
    let change = |settings: &mut ServerSettings| settings.rekey_after = 3;
    let world = World::set(change, Limits::default(), |builder| builder.approval(grant));
    let connector = world.connector();
    let registration = world.register(&connector).await;
    let (stream, served) = world.connect();
    let options = Options { rekey_after: 2, ..Options::default() };
    let mut client = connector.open_with(stream, &registration.key_id, options).await.unwrap();
    let mut server = served.await.unwrap().unwrap().unwrap();
    let echo = tokio::spawn(async move {
        let mut came = Vec::new();
        server.read_to_end(&mut came).await.unwrap();
        server.write_all(&came).await.unwrap();
        server.shutdown().await.unwrap();
        server
    });
    client.write_all(&pattern(1_000_000)).await.unwrap();
    client.shutdown().await.unwrap();
    let mut came = Vec::new();
    client.read_to_end(&mut came).await.unwrap();
    assert!(came == pattern(1_000_000));
    drop(echo.await.unwrap());
}

#[tokio::test]
async fn a_writer_that_nobody_reads_waits() {
    let world = World::new();
    let (mut client, mut server) = world.session().await;
    let mut sent = 0;
    let block = pattern(10_000);
    let full = tokio::time::timeout(std::time::Duration::from_millis(200), async {
        loop {
            sent += client.write(&block).await.unwrap();
        }
    });
    assert!(full.await.is_err());
    assert!(sent < 300_000, "{sent} bytes were taken");
    // Nothing is lost by giving up.
    let reading = tokio::spawn(async move {
        let mut came = Vec::new();
        server.read_to_end(&mut came).await.unwrap();
        came.len()
    });
    client.shutdown().await.unwrap();
    assert_eq!(reading.await.unwrap(), sent);
}

#[tokio::test]
async fn half_a_close_leaves_the_other_half_open() {
    let world = World::new();
    let (mut client, mut server) = world.session().await;
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(client.write(b"more").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    let mut came = Vec::new();
    server.read_to_end(&mut came).await.unwrap();
    assert_eq!(came, b"question");
    let mut came = Vec::new();
    let (read, ()) = tokio::join!(client.read_to_end(&mut came), async {
        server.write_all(&pattern(100_000)).await.unwrap();
        server.shutdown().await.unwrap();
    });
    assert_eq!(read.unwrap(), 100_000);
    assert!(came == pattern(100_000));
}

#[tokio::test]
async fn a_cut_is_never_a_clean_end() {
    let world = World::new();
    let (mut client, mut server) = world.session().await;
    server.write_all(b"last words").await.unwrap();
    server.flush().await.unwrap();
    drop(server);
    let mut came = Vec::new();
    let error = client.read_to_end(&mut came).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(came, b"last words");
    assert_eq!(client.read(&mut [0]).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert!(client.write(b"x").await.is_err());
}

#[tokio::test]
async fn a_changed_record_ends_the_session() {
    let world = World::new();
    let connector = world.connector();
    let registration = world.register(&connector).await;
    let (near, middle) = duplex(4096);
    let (stream, served) = world.connect();
    let (mut from, mut to) = tokio::io::split(middle);
    let (mut back, mut up) = tokio::io::split(stream);
    tokio::spawn(async move { tokio::io::copy(&mut back, &mut to).await });
    let mut client = {
        // The handshake goes through as it is.
        let opening = connector.open(near, &registration.key_id);
        let mut opening = std::pin::pin!(opening);
        let mut frame = [0; 4096];
        loop {
            tokio::select! {
                client = &mut opening => break client.unwrap(),
                read = from.read(&mut frame) => up.write_all(&frame[..read.unwrap()]).await.unwrap(),
            }
        }
    };
    let mut server = served.await.unwrap().unwrap().unwrap();
    client.write_all(b"data").await.unwrap();
    let mut frame = [0; 4096];
    let read = from.read(&mut frame).await.unwrap();
    frame[read - 1] ^= 1;
    up.write_all(&frame[..read]).await.unwrap();
    assert_eq!(server.read(&mut [0; 9]).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert_eq!(server.read(&mut [0; 9]).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    assert!(world.log.has("ChannelFailed"));
}

#[tokio::test]
async fn a_tunnel_of_two_sessions() {
    let world = World::new();
    let (client, server) = world.session().await;
    let (mut near, mut near_end) = duplex(1000);
    let (mut far, mut far_end) = duplex(1000);
    let (mut client, mut server) = (client, server);
    let up = tokio::spawn(async move { copy_bidirectional(&mut near_end, &mut client).await.unwrap() });
    let down = tokio::spawn(async move { copy_bidirectional(&mut server, &mut far_end).await.unwrap() });
    let data = pattern(200_000);
    let sent = data.clone();
    let far_side = tokio::spawn(async move {
        let mut came = Vec::new();
        far.read_to_end(&mut came).await.unwrap();
        far.write_all(&came[..50_000]).await.unwrap();
        far.shutdown().await.unwrap();
        came
    });
    let (mut from, mut to) = tokio::io::split(&mut near);
    let mut came = Vec::new();
    let writing = async {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
    };
    let ((), read) = tokio::join!(writing, from.read_to_end(&mut came));
    assert_eq!(read.unwrap(), 50_000);
    assert!(far_side.await.unwrap() == data);
    assert_eq!(up.await.unwrap(), (200_000, 50_000));
    assert_eq!(down.await.unwrap(), (200_000, 50_000));
}

/// What a reader has taken in part is in nobody's way: a handle goes on, and nothing is lost or changed.
#[tokio::test]
async fn data_that_is_read_in_pieces_waits_while_a_handle_is_busy() {
    let world = World::new();
    let (mut client, mut server) = world.session().await;
    let data = pattern(200_000);
    let (sent, answered) = (data.clone(), data.clone());
    let application: halfkey::ApplicationName = "mail".parse().unwrap();
    let writer = tokio::spawn(async move {
        server.write_all(&sent).await.unwrap();
        server.flush().await.unwrap();
        let mut came = vec![0; 200_000];
        server.read_exact(&mut came).await.unwrap();
        assert!(came == sent);
        server.shutdown().await.unwrap();
        server
    });
    let handle = client.handle();
    let mut came = Vec::new();
    for piece in [1, 5, 999, 60_000, 3, 70_000] {
        let mut part = vec![0; piece];
        client.read_exact(&mut part).await.unwrap();
        came.extend_from_slice(&part);
        // It takes in whatever comes before its answer.
        let asked = handle.configure(&application, halfkey::message::UserInformation::default());
        let _ = tokio::time::timeout(std::time::Duration::from_millis(200), asked).await;
    }
    client.write_all(&answered).await.unwrap();
    client.shutdown().await.unwrap();
    client.read_to_end(&mut came).await.unwrap();
    assert!(came == data);
    drop(writer.await.unwrap());
}
