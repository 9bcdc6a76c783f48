//! Peers that are gone, or stand still, within an open session.

use crate::stream::pattern;
use crate::world::World;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::time::{Instant, sleep};

/// A peer that is gone after each use of its stream: what came before is whole and in order, and the other end
/// hears of a cut, unless the peer had closed.
#[tokio::test]
async fn a_peer_that_is_gone_at_any_await() {
    for server_goes in [false, true] {
        for uses in 0.. {
            let world = World::new();
            let connector = world.connector();
            let registration = world.register(&connector).await;
            let (near, far) = duplex(1000);
            let ((near, near_left), (far, far_left)) = (Gone::new(near), Gone::new(far));
            let served = world.serve(far);
            let client = connector.open(near, &registration.key_id).await.unwrap();
            let server = served.await.unwrap().unwrap().unwrap();
            let left = if server_goes { far_left } else { near_left };
            left.store(uses, Ordering::Relaxed);
            let (client, server) = tokio::join!(talk(client), talk(server));
            let (stays, goes) = if server_goes { (client, server) } else { (server, client) };
            let data = pattern(5000);
            for came in [&stays.0, &goes.0] {
                assert!(data.starts_with(came), "after {uses} uses");
            }
            if goes.1.is_ok() && stays.1.is_ok() {
                assert!(uses > 10, "{uses} uses");
                break;
            }
            if let Err(kind) = stays.1 {
                let cut = [io::ErrorKind::UnexpectedEof, io::ErrorKind::BrokenPipe];
                assert!(cut.contains(&kind), "after {uses} uses: {kind:?}");
            }
        }
    }
}

/// Writes and reads at once, until both sides have closed or something fails; then the session is dropped.
async fn talk<S, E>(session: halfkey::tokio::Session<S, E>) -> (Vec<u8>, Result<(), io::ErrorKind>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    E: halfkey::tokio::End,
{
    let (mut read, mut write) = session.into_split();
    let mut came = Vec::new();
    let writing = async {
        for part in pattern(5000).chunks(700) {
            write.write_all(part).await?;
            write.flush().await?;
        }
        write.shutdown().await
    };
    let done = tokio::join!(read.read_to_end(&mut came), writing);
    (came, done.0.and(done.1).map_err(|error| error.kind()))
}

/// A stream that is gone after so many uses: nothing is read or written any more.
struct Gone {
    stream: DuplexStream,
    left: Arc<AtomicUsize>,
}

impl Gone {
    fn new(stream: DuplexStream) -> (Self, Arc<AtomicUsize>) {
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        (Self { stream, left: Arc::clone(&left) }, left)
    }

    fn is_gone(&self) -> bool {
        let less = |left: usize| if left == usize::MAX { Some(left) } else { left.checked_sub(1) };
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err()
    }
}

impl AsyncRead for Gone {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_gone() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, out)
    }
}

impl AsyncWrite for Gone {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_gone() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let part = data.len().min(100);
        Pin::new(&mut self.stream).poll_write(context, &data[..part])
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_cut_off_after_a_minute() {
    let world = World::new();
    let (mut client, mut server) = world.session().await;
    client.write_all(b"last words").await.unwrap();
    let began = Instant::now();
    let error = server.write_all(&pattern(1_000_000)).await.unwrap_err();
    assert_eq!((error.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 60));
    // The session is over for the reader, too, after what has come before.
    let mut came = Vec::new();
    let error = server.read_to_end(&mut came).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_a_little_now_and_then_stays() {
    let world = World::new();
    let (mut client, mut server) = world.session().await;
    let began = Instant::now();
    let writing = tokio::spawn(async move {
        server.write_all(&pattern(300_000)).await?;
        server.flush().await
    });
    let mut part = vec![0; 60_000];
    for _ in 0..5 {
        sleep(Duration::from_secs(50)).await;
        client.read_exact(&mut part).await.unwrap();
    }
    writing.await.unwrap().unwrap();
    assert!(began.elapsed().as_secs() >= 250);
}
