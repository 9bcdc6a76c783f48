//! Tasks that are cancelled, at each await point: no registration is lost.

use crate::world::{World, fill};
use halfkey::driver::RegistrationOutcome;
use halfkey::record::{Lifecycle, Progress};
use halfkey::software::SoftwareToken;
use halfkey::tokio::Connector;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::Notify;

/// Polls `future`, `polls` times at most; then it is dropped.
async fn at_most<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let (mut future, mut left) = (pin!(future), polls);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// A stream on which something may be done so many times; then it stands still, and says so.
struct Stops<S> {
    stream: S,
    left: usize,
    stopped: Arc<Notify>,
}

impl<S> Stops<S> {
    fn after(stream: S, left: usize) -> (Self, Arc<Notify>) {
        let stopped = Arc::<Notify>::default();
        (Self { stream, left, stopped: Arc::clone(&stopped) }, stopped)
    }

    fn goes_on(&mut self) -> bool {
        if self.left == 0 {
            self.stopped.notify_one();
            return false;
        }
        self.left -= 1;
        true
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stops<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.goes_on() {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(context, out)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stops<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.goes_on() {
            return Poll::Pending;
        }
        // A byte of each kind of place: within the header, within the frame.
        let part = data.len().min(if self.left.is_multiple_of(2) { 3 } else { 400 });
        Pin::new(&mut self.stream).poll_write(context, &data[..part])
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.goes_on() {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Whatever was cut off: in the end token and server have one active registration, the same.
async fn is_recovered(world: &World, connector: &Connector<SoftwareToken>, case: &str) {
    // Work that had begun goes on for a moment.
    let held = |token: &SoftwareToken| {
        use halfkey::port::Token;
        (token.attempts().unwrap().len(), token.registrations().unwrap())
    };
    let mut served = Vec::new();
    for _ in 0..100 {
        let ends = connector.recover(|_| {
            let (stream, task) = world.connect();
            served.push(task);
            async move { Ok::<DuplexStream, io::Error>(stream) }
        });
        let ends = ends.await.unwrap();
        if ends.iter().all(|end| end.result.is_ok()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (attempts, registrations) = held(&connector.token());
    assert_eq!(attempts, 0, "{case}");
    if registrations.is_empty() {
        assert!(world.registrations().is_empty(), "{case}: the token has lost it");
        drop(world.register(connector).await);
    }
    let (_, registrations) = held(&connector.token());
    let [registration] = &registrations[..] else { panic!("{case}: {registrations:?}") };
    assert!(matches!(registration.progress, Progress::Active), "{case}");
    let known = world.registrations();
    let [known] = &known[..] else { panic!("{case}: {known:?}") };
    assert_eq!((known.key_id, known.lifecycle), (registration.key_id, Lifecycle::Active), "{case}");
    drop(world.open(connector, registration).await);
}

#[tokio::test]
async fn a_client_cancelled_at_each_poll() {
    for polls in 1.. {
        let (world, ended) = (World::new(), AtomicUsize::new(0));
        let connector = world.connector();
        let (stream, _served) = world.connect();
        let registering = connector.register(stream, &world.name, fill);
        if let Some(outcome) = at_most(registering, polls).await {
            assert!(matches!(outcome.unwrap(), RegistrationOutcome::Active(_)));
            ended.fetch_add(1, Ordering::Relaxed);
        }
        is_recovered(&world, &connector, &format!("after {polls} polls")).await;
        if ended.into_inner() == 1 {
            assert!(polls > 2, "{polls} polls");
            return;
        }
    }
}

#[tokio::test]
async fn a_client_cancelled_at_each_use_of_its_stream() {
    for uses in 0.. {
        let world = World::new();
        let connector = world.connector();
        let (stream, _served) = world.connect();
        let (stream, stopped) = Stops::after(stream, uses);
        let outcome = tokio::select! {
            outcome = connector.register(stream, &world.name, fill) => Some(outcome.unwrap()),
            () = stopped.notified() => None,
        };
        is_recovered(&world, &connector, &format!("after {uses} uses")).await;
        if outcome.is_some() {
            assert!(uses > 10, "{uses} uses");
            return;
        }
    }
}

#[tokio::test]
async fn a_server_cancelled_at_each_poll() {
    for polls in 1.. {
        let world = World::new();
        let connector = world.connector();
        let (near, far) = tokio::io::duplex(4096);
        let acceptor = world.acceptor.clone();
        let serving =
            tokio::spawn(async move { at_most(acceptor.accept(far, "peer"), polls).await.is_some() });
        let registered = connector.register(near, &world.name, fill).await;
        let whole = serving.await.unwrap();
        assert!(registered.is_ok() || !whole, "{registered:?}");
        is_recovered(&world, &connector, &format!("after {polls} polls")).await;
        if whole {
            assert!(polls > 2, "{polls} polls");
            return;
        }
    }
}

#[tokio::test]
async fn a_server_cancelled_at_each_use_of_its_stream() {
    for uses in 0.. {
        let world = World::new();
        let connector = world.connector();
        let (near, far) = tokio::io::duplex(4096);
        let (far, stopped) = Stops::after(far, uses);
        let acceptor = world.acceptor.clone();
        let serving = tokio::spawn(async move {
            tokio::select! {
                served = acceptor.accept(far, "peer") => served.is_ok(),
                () = stopped.notified() => false,
            }
        });
        let registered = connector.register(near, &world.name, fill).await;
        let whole = serving.await.unwrap();
        assert!(registered.is_ok() || !whole, "{registered:?}");
        is_recovered(&world, &connector, &format!("after {uses} uses")).await;
        if whole {
            assert!(uses > 10, "{uses} uses");
            return;
        }
    }
}

#[tokio::test]
async fn a_session_cancelled_while_it_opens() {
    for polls in 1.. {
        let world = World::new();
        let connector = world.connector();
        let registration = world.register(&connector).await;
        let (stream, _served) = world.connect();
        let opened = at_most(connector.open(stream, &registration.key_id), polls).await;
        // The token opens the next one all the same, by alias or key id.
        drop(world.open(&connector, &registration).await);
        if opened.is_some() {
            assert!(polls > 1, "{polls} polls");
            return;
        }
    }
}
