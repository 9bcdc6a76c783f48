//! Forwarding between a session and a stream.

use crate::stream::pattern;
use crate::world::World;
use halfkey::tokio::forward;
use std::io::ErrorKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

#[tokio::test]
async fn big_data_goes_both_ways_and_each_ends_by_itself() {
    let world = World::new();
    let (client, mut server) = world.session().await;
    // A pipe of 1000 bytes takes less than a session gives at once.
    let (mut application, mut upstream) = duplex(1000);
    let forwarded = tokio::spawn(async move { forward(&mut server, &mut upstream).await.unwrap() });
    let (mut read, mut write) = client.into_split();
    let (sent, answer) = (pattern(500_000), pattern(300_001));
    let wanted = sent.clone();
    let sends = tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let mut came = Vec::new();
    application.read_to_end(&mut came).await.unwrap();
    assert!(came == wanted);
    sends.await.unwrap();
    // The other way is open still.
    let wanted = answer.clone();
    let answers = tokio::spawn(async move {
        application.write_all(&answer).await.unwrap();
        application.shutdown().await.unwrap();
    });
    let mut came = Vec::new();
    read.read_to_end(&mut came).await.unwrap();
    assert!(came == wanted);
    answers.await.unwrap();
    assert_eq!(forwarded.await.unwrap(), (500_000, 300_001));
}

#[tokio::test]
async fn little_data_does_not_wait_for_more() {
    let world = World::new();
    let (mut client, mut server) = world.session().await;
    let (application, mut upstream) = duplex(64);
    let mut application = tokio::io::BufWriter::new(application);
    let forwarded = tokio::spawn(async move {
        let mut upstream = tokio::io::BufWriter::new(&mut upstream);
        forward(&mut server, &mut upstream).await
    });
    for round in 0..3_u8 {
        client.write_all(&[round]).await.unwrap();
        client.flush().await.unwrap();
        assert_eq!(application.read_u8().await.unwrap(), round);
        application.write_all(&[round]).await.unwrap();
        application.flush().await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), round);
    }
    // A stream that is cut is no end: the application must not take it for one.
    drop(client);
    assert_eq!(forwarded.await.unwrap().unwrap_err().kind(), ErrorKind::UnexpectedEof);
}
