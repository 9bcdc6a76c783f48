//! What goes wrong around a gate, and who may reach what through it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod world;

use halfkey::UnixTime;
use halfkey::record::RequestAnswer;
use halfkey::registration::RejectionCode;
use halfkey::store::operation::{DecideRequest, ListRequests, Resume, Revoke, Suspend};
use halfkey::tokio::{ConnectError, RegistrationOutcome};
use halfkey_gate::Upstream;
use halfkey_service::{Answer, Opening};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use world::{SOON, World, echo, list, mirror, tcp};

#[tokio::test(flavor = "multi_thread")]
async fn an_application_server_may_be_down_and_come_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let world = World::with(&[("wiki", tcp(address))]).await;
    world.entitle(&["wiki"], None);
    let agent = world.agent("alice").await;
    assert_eq!(agent.reach("wiki").await.unwrap_err(), Answer::Unreachable);
    let listener = TcpListener::bind(address).await.unwrap();
    let serves = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Its end is passed on while the other way is open still.
        stream.write_all(b"good morning").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await.unwrap();
        rest
    });
    let mut session = agent.reach("wiki").await.unwrap();
    let mut greeting = String::new();
    session.read_to_string(&mut greeting).await.unwrap();
    assert_eq!(greeting, "good morning");
    session.write_all(b"good night").await.unwrap();
    session.shutdown().await.unwrap();
    assert_eq!(serves.await.unwrap(), "good night");
    world.gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_what_the_store_does_not_say() {
    let (wiki, payroll) = (echo("wiki:").await, echo("payroll:").await);
    let world = World::with(&[("wiki", tcp(wiki)), ("payroll", tcp(payroll))]).await;
    let agent = world.agent("alice").await;
    // Nothing is known of her.
    assert_eq!(agent.reach("wiki").await.unwrap_err(), Answer::Refused);
    world.entitle(&["wiki", "gone"], None);
    let control = agent.control().await;
    agent.told(&["wiki", "gone"]).await;
    assert_eq!(agent.exchange("wiki", "hello").await, "wiki:hello");
    // Not entitled, entitled and not there, not there at all: they look alike.
    for service in ["payroll", "gone", "nothing"] {
        assert_eq!(agent.reach(service).await.unwrap_err(), Answer::Refused, "{service}");
    }
    // What is no opening ends the session, and nothing else.
    for bytes in
        [&b"\0\0"[..], b"\xff\xff", b"\0\x02{}}", b"\0\x0e{\"user\":\"bob\"}", b"GET / HTTP/1.1\r\n\r\n"]
    {
        let mut session = agent.connect().await.unwrap();
        session.write_all(bytes).await.unwrap();
        session.flush().await.unwrap();
        let mut rest = Vec::new();
        if bytes == b"\0\x02{}}" {
            // That is a control session's, and one byte of the next opening.
            assert_eq!(session.read_u8().await.unwrap(), Answer::Open.byte());
            continue;
        }
        assert!(timeout(SOON, session.read_to_end(&mut rest)).await.unwrap().is_err());
    }
    // A stranger's bytes do nothing either.
    let mut stranger = TcpStream::connect(world.address).await.unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\nHost: gate\r\n\r\n").await.unwrap();
    let _ = timeout(SOON, stranger.read_to_end(&mut Vec::new())).await.unwrap();
    assert_eq!(agent.exchange("wiki", "still").await, "wiki:still");
    drop(control);
    world.gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_code_is_told_so() {
    let world = World::with(&[]).await;
    assert_eq!(world.strangers("mallory").await, RejectionCode::ProofNeeded);
    // Who has one is registered all the same.
    world.agent("alice").await;
    world.gate.stop().await;
}

/// The operator's answers are in the store, from another process as far as the gate knows.
#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_code_may_wait_for_the_operator() {
    let world = World::configured(&[], |config| {
        config.registration.grant = halfkey_gate::Granted::Approved;
        config.limits.registrations_per_second = 1000;
    })
    .await;
    let (alice, mallory) = (world.stranger(), world.stranger());
    let waits = |outcome: RegistrationOutcome| {
        let RegistrationOutcome::Waiting(waiting) = outcome else { panic!("{outcome:?}") };
        assert!(waiting.retry.left(UnixTime::now()) <= 60, "an agent is to go on by itself");
    };
    waits(alice.apply("alice").await);
    waits(mallory.apply("mallory").await);
    waits(alice.apply("alice").await);
    let listed = world.run(&ListRequests::default()).entries;
    assert_eq!(listed.len(), 2);
    for entry in listed {
        let refused = RequestAnswer::Refused(RejectionCode::ProofNeeded);
        let answer = if entry.name.as_str() == "alice" { RequestAnswer::Approved } else { refused };
        world.run(&DecideRequest { ticket_id: entry.ticket_id, answer });
    }
    let RegistrationOutcome::Active(one) = alice.apply("alice").await else { panic!("not registered") };
    assert_eq!(one.access_path.as_str(), "/staff");
    let RegistrationOutcome::Refused(refused) = mallory.apply("mallory").await else { panic!("not refused") };
    assert_eq!(refused.code, RejectionCode::ProofNeeded);
    assert!(world.run(&ListRequests::default()).entries.is_empty());
    // The approval was for one; and whoever has a code does not wait.
    let RegistrationOutcome::Refused(taken) = world.stranger().apply("alice").await else { panic!() };
    assert_eq!(taken.code, RejectionCode::NameTaken);
    waits(world.stranger().apply("bob").await);
    world.agent("carol").await;
    world.gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_away_is_cut_and_what_is_given_appears() {
    let (wiki, payroll) = (echo("").await, echo("").await);
    let world = World::with(&[("wiki", tcp(wiki)), ("payroll", tcp(payroll))]).await;
    world.entitle(&["wiki", "payroll"], None);
    let (alice, bob) = (world.agent("alice").await, world.agent("bob").await);
    let mut control = alice.control().await;
    alice.told(&["wiki", "payroll"]).await;
    let (mut wiki, mut payroll) = (alice.reach("wiki").await.unwrap(), alice.reach("payroll").await.unwrap());
    let mut bobs = bob.reach("wiki").await.unwrap();
    world.entitle(&["wiki"], None);
    assert!(timeout(SOON, payroll.read_u8()).await.unwrap().is_err());
    alice.told(&["wiki"]).await;
    world.entitle(&["payroll"], None);
    alice.told(&["payroll"]).await;
    assert!(timeout(SOON, wiki.read_u8()).await.unwrap().is_err());
    assert!(timeout(SOON, bobs.read_u8()).await.unwrap().is_err());
    // Put on hold, she is out, and in again later; bob's session goes on.
    let mut bobs = bob.reach("payroll").await.unwrap();
    world.run(&Suspend(alice.key_id));
    assert!(timeout(SOON, &mut control.reads).await.unwrap().unwrap().is_err());
    assert!(matches!(alice.connect().await, Err(ConnectError::NotActive(_))));
    world.run(&Resume(alice.key_id));
    assert_eq!(alice.exchange("payroll", "again").await, "again");
    world.run(&Revoke(alice.key_id));
    assert!(matches!(alice.connect().await, Err(ConnectError::NotActive(_))));
    bobs.write_all(b"x").await.unwrap();
    bobs.flush().await.unwrap();
    assert_eq!(bobs.read_u8().await.unwrap(), b'x');
    world.gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_user_is_decides_as_soon_as_it_changes() {
    let world = World::with(&[("wiki", tcp(echo("").await)), ("press", tcp(echo("").await))]).await;
    world.entitle(&["wiki"], None);
    world.entitle(&["wiki", "press"], Some("office"));
    let mut agent = world.agent("alice").await;
    let mut control = agent.control().await;
    agent.told(&["wiki"]).await;
    assert_eq!(agent.reach("press").await.unwrap_err(), Answer::Refused);
    // She comes to the office, and leaves it.
    let opening = Opening { location: Some("office".into()), ..Opening::default() };
    opening.write(&mut control.write).await.unwrap();
    control.write.flush().await.unwrap();
    agent.told(&["wiki", "press"]).await;
    agent.location = Some("office".into());
    let mut press = agent.reach("press").await.unwrap();
    press.write_all(b"x").await.unwrap();
    press.flush().await.unwrap();
    assert_eq!(press.read_u8().await.unwrap(), b'x');
    Opening::default().write(&mut control.write).await.unwrap();
    control.write.flush().await.unwrap();
    agent.told(&["wiki"]).await;
    // What she may not reach from there is cut.
    assert!(timeout(SOON, press.read_u8()).await.unwrap().is_err());
    world.gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_is_the_gates_to_tell() {
    let http = Upstream::Http { address: mirror().await.to_string() };
    let world = World::with(&[("wiki", http)]).await;
    world.entitle(&["wiki"], None);
    let agent = world.agent("alice").await;
    let lies = "GET / HTTP/1.1\r\nHost: w\r\nHalfkey-Name: root\r\nhalfkey_user: root\r\nHALFKEY-PATH: /root\r\n\
                X-Halfkey: fine\r\nConnection: close\r\n\r\n";
    let answer = agent.exchange("wiki", lies).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(!head.to_ascii_lowercase().contains("halfkey-"), "an echo of the identity: {head}");
    assert!(!body.contains("root"), "{body}");
    for told in ["halfkey-name: alice", "halfkey-path: /staff", "x-halfkey: fine"] {
        assert!(body.lines().any(|line| line == told), "{body}");
    }
    assert!(body.contains(&format!("halfkey-key: {}", agent.key_id)), "{body}");
    // Two requests on one connection, and what is no HTTP.
    let twice = "GET /1 HTTP/1.1\r\nHost: w\r\n\r\nGET /2 HTTP/1.1\r\nHost: w\r\nConnection: close\r\n\r\n";
    assert_eq!(agent.exchange("wiki", twice).await.matches("halfkey-name: alice").count(), 2);
    assert!(agent.exchange("wiki", "nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    world.gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_header_says_who_is_there() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream =
        Upstream::Tcp { address: listener.local_addr().unwrap().to_string(), proxy_protocol: true };
    let world = World::with(&[("wiki", upstream)]).await;
    world.entitle(&["wiki"], None);
    let agent = world.agent("alice").await;
    let took = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut came = Vec::new();
        stream.read_to_end(&mut came).await.unwrap();
        came
    });
    assert_eq!(agent.exchange("wiki", "data").await, "");
    let came = took.await.unwrap();
    let header = ppp::v2::Header::try_from(came.as_slice()).unwrap();
    let tlvs: Vec<_> =
        header.tlvs().map(|tlv| tlv.unwrap()).map(|tlv| (tlv.kind, tlv.value.to_vec())).collect();
    assert!(tlvs.contains(&(0xE1, b"alice".to_vec())), "{tlvs:?}");
    assert!(tlvs.contains(&(0xE2, agent.key_id.to_string().into_bytes())), "{tlvs:?}");
    assert!(tlvs.contains(&(0xE3, b"/staff".to_vec())), "{tlvs:?}");
    assert_eq!(header.header.len(), came.len() - 4);
    world.gate.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_is_reloaded_and_stopped() {
    let (one, two) = (echo("one:").await, echo("two:").await);
    let world = World::with(&[("wiki", tcp(one))]).await;
    world.entitle(&["wiki"], None);
    let agent = world.agent("alice").await;
    let mut open = agent.reach("wiki").await.unwrap();
    world.config.lock().unwrap().services = list(&[("wiki", tcp(two))]);
    world.gate.reload();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(agent.exchange("wiki", "x").await, "two:x");
    // What was open goes on to where it was.
    let mut greeting = [0; 4];
    open.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"one:");
    let page = |path: &'static str, address| async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let operator = world.gate.operator().unwrap();
    assert!(page("/healthz", operator).await.ends_with("well\n"));
    assert!(page("/readyz", operator).await.starts_with("HTTP/1.1 200"));
    // A session is closed, may go on for a second, and is cut off.
    let stopped = timeout(Duration::from_secs(4), world.gate.stop()).await;
    assert!(stopped.is_ok());
    assert!(timeout(SOON, open.read_to_end(&mut Vec::new())).await.is_ok());
    assert!(agent.connect().await.is_err());
}
