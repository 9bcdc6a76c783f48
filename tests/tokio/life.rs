//! Whole lives: registration, sessions, configurations, recovery.

use crate::world::{World, fill, grant, token};
use halfkey::certificate::TrustAnchors;
use halfkey::configuration::token::{Applying, Instruction};
use halfkey::driver::RegistrationOutcome;
use halfkey::exchange::{Configured, RequestKind, TokenExchangeError};
use halfkey::message::UserInformation;
use halfkey::port::Token;
use halfkey::port::entitlement_store::{ConfigurationSerial, Document, Entitlement};
use halfkey::registration::ActivationCode;
use halfkey::registration::server::EnrolmentRequest;
use halfkey::registration::token::Credential;
use halfkey::store::Subject;
use halfkey::store::operation::{DeleteRegistration, Entitle, InspectRegistration, Readmit, Revoke};
use halfkey::template::Template;
use halfkey::tokio::{ConnectError, Connector, Limits, RegisterOptions};
use halfkey::{AccessPath, ApplicationName, SystemRandom, UnixTime};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

fn is_send<T: Send + 'static>(value: T) -> T {
    value
}

#[tokio::test]
async fn a_life_over_tcp() {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = world.acceptor.clone();
    tokio::spawn(is_send(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let peer = peer.ip().to_string();
                if let Some(session) = acceptor.accept(stream, peer).await.unwrap() {
                    assert_eq!(session.principal().access_path.as_str(), "/staff");
                    let (mut read, mut write) = session.into_split();
                    tokio::io::copy(&mut read, &mut write).await.unwrap();
                    write.shutdown().await.unwrap();
                }
            });
        }
    }));
    let (connector, name) = (world.connector(), world.name.clone());
    let life = tokio::spawn(is_send(async move {
        let stream = TcpStream::connect(address).await.unwrap();
        let outcome = connector.register(stream, &name, fill).await.unwrap();
        let RegistrationOutcome::Active(registration) = outcome else { panic!("{outcome:?}") };
        for _ in 0..2 {
            let stream = TcpStream::connect(address).await.unwrap();
            let mut session = connector.open(stream, &registration.key_id).await.unwrap();
            session.write_all(b"hello").await.unwrap();
            session.shutdown().await.unwrap();
            let mut echo = Vec::new();
            session.read_to_end(&mut echo).await.unwrap();
            assert_eq!(echo, b"hello");
        }
    }));
    life.await.unwrap();
    for event in ["Offered", "Granted", "Confirmed", "Opened"] {
        assert!(world.log.has(event), "{event}");
    }
}

#[tokio::test]
async fn both_ends_know_each_other() {
    let world = World::new();
    let (client, server) = world.session().await;
    assert_eq!(client.session_id(), server.session_id());
    let (mut a, mut b) = ([0; 32], [0; 32]);
    client.export(b"cookie", b"context", &mut a).unwrap();
    server.handle().export(b"cookie", b"context", &mut b).unwrap();
    assert_eq!(a, b);
    assert_eq!(client.registration().key_id, server.principal().key_id);
    assert_eq!(client.registration().user_id, server.principal().user_id);
}

#[tokio::test]
async fn a_clean_close_gives_the_stream_back() {
    let world = World::new();
    let (client, mut server) = world.session().await;
    let served = tokio::spawn(async move {
        assert_eq!(server.read(&mut [0; 8]).await.unwrap(), 0);
        server.shutdown().await.unwrap();
        server
    });
    let stream: Option<DuplexStream> = client.close().await.unwrap();
    assert!(stream.is_some());
    drop(served.await.unwrap());
}

fn document(body: &str) -> Document {
    Document { media_type: "text/plain".into(), body: body.into() }
}

#[tokio::test]
async fn configurations_beside_the_stream() {
    let world = World::new();
    let application = ApplicationName::new("mail").unwrap();
    let entitle = Entitle::new(
        Subject::AccessPath(AccessPath::new("/staff").unwrap()),
        application.clone(),
        document("one"),
    );
    world.store.run(&entitle, UnixTime::now()).unwrap();
    let (applied, unasked) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let (apply, told) = (Arc::clone(&applied), Arc::clone(&unasked));
    let connector = world
        .builder()
        .on_configuration(move |_, instruction| {
            if let Instruction::Install(document) = instruction {
                apply.lock().unwrap().push(document.body.clone());
            }
            Applying::Applied
        })
        .on_configured(move |_, configured| told.lock().unwrap().push(*configured))
        .build();
    let registration = world.register(&connector).await;
    let (mut client, mut server) = world.open(&connector, &registration).await;
    let (from_client, from_server) = (client.handle(), server.handle());
    // The server writes before it answers: the data waits for the reader.
    server.write_all(b"data").await.unwrap();
    let reading = tokio::spawn(async move {
        let mut byte = [0; 1];
        server.read_exact(&mut byte).await.map(|_| server)
    });
    let information = UserInformation::default();
    let configured = from_client.configure(&application, information.clone()).await.unwrap();
    assert_eq!(configured, Configured::Installed);
    assert_eq!(from_client.configure(&application, information).await.unwrap(), Configured::Unchanged);
    let unknown = ApplicationName::new("other").unwrap();
    let configured = from_client.configure(&unknown, UserInformation::default()).await.unwrap();
    assert_eq!(configured, Configured::Unknown);
    let mut data = [0; 4];
    client.read_exact(&mut data).await.unwrap();
    assert_eq!(&data, b"data");

    let serial = ConfigurationSerial { epoch: u32::MAX, number: 1 };
    let entitlement =
        Entitlement { serial, valid_for: None, document: Some(document("two")), last_applied: None };
    from_server.push(&application, &entitlement).await.unwrap();
    client.write_all(b"x").await.unwrap();
    let reader = tokio::spawn(async move {
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest).await;
    });
    let server = reading.await.unwrap().unwrap();
    let mut server = server;
    let serving = tokio::spawn(async move {
        let mut rest = Vec::new();
        let _ = server.read_to_end(&mut rest).await;
    });
    tokio::time::timeout(Duration::from_secs(20), async {
        while unasked.lock().unwrap().is_empty() || !world.log.has("Configured") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(*applied.lock().unwrap(), [b"one".to_vec(), b"two".to_vec()]);
    assert_eq!(*unasked.lock().unwrap(), [Configured::Installed]);
    reader.abort();
    serving.abort();
}

#[tokio::test]
async fn a_handle_does_not_keep_its_session() {
    let world = World::new();
    let (client, server) = world.session().await;
    let handle = client.handle();
    let application = ApplicationName::new("mail").unwrap();
    let asking = tokio::spawn({
        let (handle, application) = (handle.clone(), application.clone());
        async move { handle.configure(&application, UserInformation::default()).await }
    });
    tokio::task::yield_now().await;
    drop((client, server));
    assert!(asking.await.unwrap().is_err());
    assert!(handle.configure(&application, UserInformation::default()).await.is_err());
    assert!(handle.close().await.is_err());
}

#[tokio::test]
async fn an_operator_in_its_own_time() {
    let asked = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&asked);
    let world = World::with(Limits::default(), |builder| {
        builder.approval_async(move |request: EnrolmentRequest| {
            counted.fetch_add(1, Ordering::Relaxed);
            async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                grant(&request)
            }
        })
    });
    drop(world.register(&world.connector()).await);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn an_operator_who_does_not_decide_costs_nothing() {
    let slow = Arc::new(Mutex::new(true));
    let decides = Arc::clone(&slow);
    let world = World::with(Limits::default(), |builder| {
        builder.approval_async(move |request: EnrolmentRequest| {
            let slow = core::mem::replace(&mut *decides.lock().unwrap(), false);
            async move {
                if slow {
                    core::future::pending::<()>().await;
                }
                grant(&request)
            }
        })
    });
    let connector = world.connector();
    let (stream, _served) = world.connect();
    let error = connector.register(stream, &world.name, fill).await.unwrap_err();
    assert!(matches!(error, ConnectError::Exchange(TokenExchangeError::Registration(_))), "busy: {error:?}");
    let recovered = connector.recover(|_| async { Ok(world.connect().0) }).await.unwrap();
    let [recovered] = &recovered[..] else { panic!("{recovered:?}") };
    assert!(matches!(recovered.result, Ok(RegistrationOutcome::Active(_))), "{recovered:?}");
}

#[tokio::test]
async fn without_approval_requests_wait_and_a_limiter_says_busy() {
    let world = World::with(Limits::default(), |builder| builder);
    let (stream, _served) = world.connect();
    let outcome = world.connector().register(stream, &world.name, fill).await.unwrap();
    assert!(matches!(outcome, RegistrationOutcome::Waiting(_)), "{outcome:?}");
    for kind in [RequestKind::Offer, RequestKind::Request] {
        *world.log.refuses.lock().unwrap() = Some(kind);
        let (stream, _served) = world.connect();
        assert!(world.connector().register(stream, &world.name, fill).await.is_err());
    }
}

/// Two servers, of which one is down: an attempt and a registration at each, whose answers were lost.
#[tokio::test]
async fn recovery_goes_on_past_a_server_that_is_down() {
    let (up, down) = (World::new(), World::named("down.example"));
    let anchors = up.anchors.as_slice().iter().chain(down.anchors.as_slice()).cloned();
    let connector = Connector::builder(token(TrustAnchors::new(anchors.collect()).unwrap())).build();
    for world in [&down, &up] {
        // R5 is lost, then R3.
        for (name, writes) in [("alice", 3), ("bob", 2)] {
            let (stream, _served) = world.connect();
            let lost = Loses { stream, writes };
            let fill = move |_, template: Template| async move {
                Ok((template.fill([("name", name.into())])?, Credential::None))
            };
            drop(connector.register(lost, &world.name, fill).await.unwrap_err());
        }
    }
    let recovered = connector.recover(|name| {
        let stream = (name == up.name).then(|| up.connect().0);
        async move { stream.ok_or_else(|| io::ErrorKind::ConnectionRefused.into()) }
    });
    let recovered = recovered.await.unwrap();
    let (of_down, of_up): (Vec<_>, Vec<_>) = recovered.iter().partition(|one| one.server_name == down.name);
    assert_eq!((of_down.len(), of_up.len()), (2, 2), "{recovered:?}");
    for one in of_down {
        let Err(ConnectError::Stream(error)) = &one.result else { panic!("{one:?}") };
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
    assert!(of_up.iter().all(|one| matches!(one.result, Ok(RegistrationOutcome::Active(_)))), "{of_up:?}");
    // The others are held still, and recovered once their server is there again.
    let recovered = connector.recover(|_| {
        let stream = down.connect().0;
        async move { Ok(stream) }
    });
    let recovered = recovered.await.unwrap();
    assert_eq!(recovered.len(), 2);
    assert!(recovered.iter().all(|one| matches!(one.result, Ok(RegistrationOutcome::Active(_)))));
    assert_eq!(connector.token().registrations().unwrap().len(), 4);
}

/// A stream that loses the answer to this write, and ends.
struct Loses {
    stream: DuplexStream,
    writes: usize,
}

impl AsyncRead for Loses {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.writes == 0 {
            // It comes, and is lost.
            let mut lost = [0; 1];
            return Pin::new(&mut self.stream).poll_read(context, &mut ReadBuf::new(&mut lost));
        }
        Pin::new(&mut self.stream).poll_read(context, out)
    }
}

impl AsyncWrite for Loses {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, data);
        self.writes = self.writes.saturating_sub(usize::from(written.is_ready()));
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[tokio::test]
async fn a_key_that_is_refused_is_replaced_once_the_new_one_is_active() {
    let world = World::new();
    let connector = world.connector();
    let (old, now) = (world.register(&connector).await.key_id, UnixTime::now());
    let name = world.store.run(&InspectRegistration(old), now).unwrap().unwrap().name;
    world.store.run(&Revoke(old), now).unwrap();
    world.store.run(&DeleteRegistration(old), now).unwrap();
    let code = ActivationCode::generate(&mut SystemRandom);
    let readmit = Readmit { secret: code.secret(&world.name, &name), name: name.clone(), expires: None };
    world.store.run(&readmit, now).unwrap();
    let (stream, _served) = world.connect();
    let fill = move |_, template: Template| async move {
        Ok((template.fill([("name", name.as_str().into())])?, Credential::Activation(code)))
    };
    let options = RegisterOptions { replaces: Some(old), ..connector.options().clone() };
    let outcome = connector.register_with(stream, &world.name, options, fill).await.unwrap();
    let RegistrationOutcome::Active(new) = outcome else { panic!("{outcome:?}") };
    let held = connector.token().registrations().unwrap();
    assert_eq!(held.iter().map(|one| one.key_id).collect::<Vec<_>>(), [new.key_id]);
}

#[tokio::test]
async fn a_form_that_is_not_filled_in() {
    let world = World::new();
    let (stream, _served) = world.connect();
    let connector = world.connector();
    let filling = connector.register(stream, &world.name, |_, _| async { Err("not today".into()) });
    assert!(matches!(filling.await, Err(ConnectError::Form(_))));
    assert!(world.registrations().is_empty());
}
