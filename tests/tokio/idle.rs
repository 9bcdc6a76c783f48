//! Memory of connections that wait.

use crate::world::{World, fill, grant};
use halfkey::driver::RegistrationOutcome;
use halfkey::tokio::Limits;
use std::io::Write;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

/// The memory that this process has, in bytes; none where /proc does not tell.
fn resident() -> Option<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split_whitespace().nth(1)?.parse::<usize>().ok()? * 4096)
}

/// Prints the figure: `cargo test --features tokio --test tokio -- --ignored idle`. Each of the connections has
/// a session open at both ends, in two tasks that read.
#[tokio::test]
#[ignore = "a measurement"]
async fn idle_sessions_cost_little() {
    let count: usize =
        std::env::var("HALFKEY_IDLE").ok().and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let mut limits = Limits::default();
    (limits.connections, limits.connections_per_peer) = (count + 1, count + 1);
    let world = World::with(limits, |builder| builder.approval(grant));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = world.acceptor.clone();
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let accepted = acceptor.accept(stream, peer.ip().to_string()).await;
                if let Some(mut session) = accepted.unwrap() {
                    let _ = session.read(&mut [0; 1]).await;
                }
            });
        }
    });
    let connector = world.connector();
    let stream = TcpStream::connect(address).await.unwrap();
    let outcome = connector.register(stream, &world.name, fill).await.unwrap();
    let RegistrationOutcome::Active(registration) = outcome else { panic!("{outcome:?}") };
    let before = resident();
    let mut tasks = Vec::with_capacity(count);
    for _ in 0..count {
        let Ok(stream) = TcpStream::connect(address).await else { break };
        let mut session = connector.open(stream, &registration.key_id).await.unwrap();
        tasks.push(tokio::spawn(async move {
            let _ = session.read(&mut [0; 1]).await;
        }));
    }
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    if let (Some(before), Some(after)) = (before, resident()) {
        let each = after.saturating_sub(before) / tasks.len().max(1);
        let _ = writeln!(
            std::io::stderr(),
            "{} idle sessions over TCP: {each} bytes for each, both ends together",
            tasks.len()
        );
        assert!(each < 2 * 10_240, "{each} bytes");
    }
}
