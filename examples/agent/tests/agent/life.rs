//! The agent that runs: connections, entitlements that come and go, gates that go and come.

use crate::agent::{Machine, echo, until, within};
use crate::gate::Gate;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

const ECHO: &str = r#"{"name": "echo", "listen": "127.0.0.1:0"}"#;

async fn running(gate: &Gate) -> (Machine, tokio::process::Child) {
    let machine = Machine::new();
    let enrolled = machine.enrol(&gate.uri("alice")).await;
    assert_eq!(enrolled.code, 0, "{enrolled:?}");
    let child = machine.up(&[]).await;
    machine.connected().await;
    (machine, child)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_there_and_back() {
    let gate = Gate::new().await;
    gate.entitle(&format!(r#"{ECHO}, {{"name": "socket", "listen": "unix:socket"}}"#), None).await;
    let (machine, child) = running(&gate).await;
    let address = machine.listening("echo").await;
    let long: Vec<u8> = (0..3_000_000_u32).map(|place| (place % 251) as u8).collect();
    echo(&address, b"hello").await;
    echo(&address, &long).await;
    let many = (0..20).map(|_| echo(&address, &long[..100_000]));
    let mut many: Vec<_> = many.map(Box::pin).collect();
    for one in &mut many {
        one.as_mut().await;
    }

    let path = machine.listening("socket").await;
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut came = String::new();
    within(10, stream.read_to_string(&mut came)).await.unwrap();
    assert_eq!(came, "hello");

    machine.stop(child).await;
    assert!(!std::path::Path::new(&path).exists() && !machine.dir.join("run/control").exists());
    assert!(TcpStream::connect(&address).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn services_come_and_go_with_the_entitlement() {
    let gate = Gate::new().await;
    let (machine, child) = running(&gate).await;
    assert_eq!(machine.listens("echo").await, None);

    gate.entitle(ECHO, None).await;
    let pushed = Instant::now();
    let address = machine.listening("echo").await;
    assert!(pushed.elapsed() < Duration::from_secs(2), "{:?}", pushed.elapsed());
    let mut open = TcpStream::connect(&address).await.unwrap();
    open.write_all(b"x").await.unwrap();
    within(10, open.read_u8()).await.unwrap();

    // Another service leaves this one alone.
    gate.entitle(&format!(r#"{ECHO}, {{"name": "more", "listen": "[::1]:0"}}"#), None).await;
    machine.listening("more").await;
    assert_eq!(machine.listens("echo").await.as_ref(), Some(&address));

    gate.entitle("", None).await;
    let taken = Instant::now();
    until("closed", 5, || async { TcpStream::connect(&address).await.is_err() }).await;
    assert!(taken.elapsed() < Duration::from_secs(2), "{:?}", taken.elapsed());
    // A connection that is cut off does not look like one that has ended.
    assert!(!matches!(within(10, open.read(&mut [0; 8])).await, Ok(count) if count > 0));
    machine.stop(child).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_may_go_and_come_back() {
    let gate = Gate::new().await;
    gate.entitle(ECHO, None).await;
    let (machine, child) = running(&gate).await;
    let address = machine.listening("echo").await;
    let mut open = TcpStream::connect(&address).await.unwrap();
    open.write_all(b"x").await.unwrap();
    within(10, open.read_u8()).await.unwrap();

    gate.kill().await;
    // What was cut off is reset.
    let cut = within(10, open.read(&mut [0; 8])).await;
    assert_eq!(cut.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    machine.linked("retrying").await;
    let refused = || async { machine.status().await["gates"][0]["reason"].to_string().contains("refused") };
    until("refused", 10, refused).await;

    gate.start().await;
    machine.connected().await;
    // The list without end was kept meanwhile.
    assert_eq!(machine.listens("echo").await.as_ref(), Some(&address));
    echo(&address, b"hello").await;
    machine.stop(child).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_may_be_killed_while_it_forwards() {
    let gate = Gate::new().await;
    gate.entitle(&format!(r#"{ECHO}, {{"name": "socket", "listen": "unix:socket"}}"#), None).await;
    let (machine, mut child) = running(&gate).await;
    let address = machine.listening("echo").await;
    let mut open = TcpStream::connect(&address).await.unwrap();
    for _ in 0..3 {
        open.write_all(&[b'x'; 10_000]).await.unwrap();
        child.kill().await.unwrap();
        child = machine.up(&[]).await;
        machine.connected().await;
        machine.listening("socket").await;
        let address = machine.listening("echo").await;
        echo(&address, b"hello").await;
        open = TcpStream::connect(&address).await.unwrap();
    }
    machine.stop(child).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_list_counts_without_a_gate_for_as_long_as_it_is_valid() {
    let gate = Gate::new().await;
    gate.entitle(ECHO, Some(12)).await;
    let (machine, child) = running(&gate).await;
    machine.listening("echo").await;
    machine.stop(child).await;
    gate.kill().await;

    let child = machine.up(&[]).await;
    machine.linked("retrying").await;
    machine.listening("echo").await;
    until("lapsed", 20, || async { machine.listens("echo").await.is_none() }).await;
    machine.stop(child).await;
    let child = machine.up(&[]).await;
    machine.linked("retrying").await;
    assert_eq!(machine.listens("echo").await, None);
    gate.start().await;
    machine.listening("echo").await;
    machine.stop(child).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gate_is_told_where_the_user_is() {
    let (gate, machine) = (Gate::new().await, Machine::new());
    assert_eq!(machine.enrol(&gate.uri("alice")).await.code, 0);
    let place = machine.dir.join("place");
    std::fs::write(&place, "Hartford\n").unwrap();
    let child = machine.up(&["--location-file", place.to_str().unwrap()]).await;
    machine.connected().await;
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let said = |location: &str| {
        let openings = gate.openings();
        openings.len() == 1
            && openings[0].location.as_deref() == Some(location)
            && openings[0].system.as_ref() == Some(&system)
    };
    assert!(said("Hartford"), "{:?}", gate.openings());
    std::fs::write(&place, "Boston, upstairs\n").unwrap();
    until("moved", 10, || async { said("Boston, upstairs") }).await;
    machine.stop(child).await;
}
