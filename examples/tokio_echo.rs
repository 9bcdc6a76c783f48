//! A server and a client on tokio: registration, then a session that echoes.
//!
//! `cargo run --features tokio --example tokio_echo` runs both over TCP on the loopback, and ends.

mod setting;

use halfkey::certificate::TrustAnchors;
use halfkey::memory::{Server, Store};
use halfkey::policy::Policy;
use halfkey::registration::server::{Decision, EnrolmentRequest, Grant};
use halfkey::registration::token::Credential;
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::template::Template;
use halfkey::tokio::{Acceptor, Connector, OffExecutor, RegistrationOutcome, peer_name};
use halfkey::{AccessPath, ServerName, ServerSettings, SystemRandom};
use setting::Setting;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The server: whoever registers is granted access, and every session is an echo.
async fn serve(listener: TcpListener, settings: Arc<ServerSettings>, keys: Arc<Server>) -> Outcome {
    let access_path = AccessPath::new("/staff")?;
    let grant = Grant { user_id: None, access_path, policy: Policy::default() };
    let acceptor = Acceptor::builder(settings, keys, OffExecutor::new(Store::new()))
        .approval(move |_: &EnrolmentRequest| Decision::Grant(grant.clone()))
        .build();
    loop {
        let ((stream, peer), acceptor) = (listener.accept().await?, acceptor.clone());
        tokio::spawn(async move {
            if let Some(session) = acceptor.accept(stream, peer_name(peer.ip())).await? {
                let (mut read, mut write) = session.into_split();
                tokio::io::copy(&mut read, &mut write).await?;
                write.shutdown().await?;
            }
            Outcome::Ok(())
        });
    }
}

/// The client: registers a blank token, opens a session with the key, and says hello.
async fn call(server: std::net::SocketAddr, name: ServerName, anchors: TrustAnchors) -> Outcome<String> {
    let (pin, random) = ("2468".into(), Box::new(SystemRandom));
    let (mut token, _) = SoftwareToken::new(anchors, &pin, PinSettings::for_tests(), random)?;
    token.unlock(&pin)?;
    let connector = Connector::builder(token).build();
    let stream = TcpStream::connect(server).await?;
    let fill =
        |_, blank: Template| async move { Ok((blank.fill([("name", "alice".into())])?, Credential::None)) };
    let RegistrationOutcome::Active(alice) = connector.register(stream, &name, fill).await? else {
        return Err("not registered".into());
    };
    let mut session = connector.open(TcpStream::connect(server).await?, &alice.key_id).await?;
    session.write_all(b"hello").await?;
    session.shutdown().await?;
    let mut echo = String::new();
    session.read_to_string(&mut echo).await?;
    Ok(echo)
}

#[tokio::main]
async fn main() -> Outcome {
    let Setting { settings, server: keys, anchors } = Setting::new().map_err(|error| error.to_string())?;
    let (listener, name) = (TcpListener::bind("127.0.0.1:0").await?, settings.name.clone());
    let address = listener.local_addr()?;
    tokio::spawn(serve(listener, settings, keys));
    let echo = call(address, name, anchors).await?;
    if echo == "hello" { Ok(()) } else { Err(format!("echoed {echo:?}").into()) }
}
