//! HTTP/1.1 through a session, with hyper at both ends.
//!
//! `cargo run -p halfkey-web --bin hyper_session` registers a token, opens a session over TCP on the loopback,
//! asks for a page through it, and ends.

use bytes::Bytes;
use halfkey::registration::token::Credential;
use halfkey::tokio::{Acceptor, RegistrationOutcome, peer_name};
use halfkey_web::{Outcome, setting};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use tokio::net::{TcpListener, TcpStream};

/// The server: each session carries HTTP, and the page greets the user whose key opened the session.
async fn serve(listener: TcpListener, acceptor: Acceptor) -> Outcome {
    loop {
        let ((stream, peer), acceptor) = (listener.accept().await?, acceptor.clone());
        tokio::spawn(async move {
            if let Some(session) = acceptor.accept(stream, peer_name(peer.ip())).await? {
                let user = session.principal().clone();
                let page = service_fn(move |request: Request<Incoming>| {
                    let page = format!("{} for {}", request.uri().path(), user.access_path);
                    async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(page)))) }
                });
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(session), page)
                    .await?;
            }
            Outcome::Ok(())
        });
    }
}

#[tokio::main]
async fn main() -> Outcome {
    let (acceptor, name, connector) = setting()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(serve(listener, acceptor));

    let registered = connector.register(TcpStream::connect(address).await?, &name, |_, form| async move {
        Ok((form.fill([("name", "alice".into())])?, Credential::None))
    });
    let RegistrationOutcome::Active(alice) = registered.await? else { return Err("not registered".into()) };
    let session = connector.open(TcpStream::connect(address).await?, &alice.key_id).await?;
    let (mut http, connection) = hyper::client::conn::http1::handshake(TokioIo::new(session)).await?;
    let connection = tokio::spawn(connection);
    let response = http.send_request(Request::get("/door").body(Empty::<Bytes>::new())?).await?;
    let page = response.into_body().collect().await?.to_bytes();
    drop(http);
    connection.await??;
    if page == "/door for /staff" { Ok(()) } else { Err(format!("{page:?}").into()) }
}
