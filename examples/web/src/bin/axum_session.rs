//! Registration by POST, the session as a WebSocket, then a cookie bound to the session.
//!
//! `cargo run -p halfkey-web --bin axum_session` runs server and client in one process on the loopback: the token
//! registers with three POSTs and opens a session in a WebSocket. Both ends export the same key from it, which is
//! the value of an ordinary cookie from then on: no other connection could have learnt it.

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message as Up, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::{any, get, post};
use halfkey::exchange::ServerExchange;
use halfkey::registration::token::Credential;
use halfkey::tokio::{Acceptor, RegistrationOutcome, peer_name};
use halfkey_web::{Outcome, bridge, setting};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

/// The server's state: who holds which cookie.
#[derive(Clone)]
struct App {
    acceptor: Acceptor,
    cookies: Arc<Mutex<HashMap<String, String>>>,
}

/// R0, R2 or R4: the answer is R1, R3 or R5. Nothing is kept between two requests.
async fn register(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    body: Bytes,
) -> Vec<u8> {
    let peer = peer_name(peer.ip());
    let exchange = ServerExchange::stateless(Arc::clone(app.acceptor.settings()));
    app.acceptor.answer(exchange, peer.as_bytes(), &body).await.send.concat()
}

/// The session: it gives the browser a cookie, and ends.
async fn session(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    up: WebSocketUpgrade,
) -> Response {
    up.on_upgrade(async move |socket: WebSocket| {
        let (near, far) = duplex(65_536);
        tokio::spawn(bridge(
            far,
            socket,
            |bytes| Up::Binary(bytes.into()),
            |message| message.into_data().to_vec(),
        ));
        let Ok(Some(mut session)) = app.acceptor.accept(near, peer_name(peer.ip())).await else { return };
        let mut key = [0; 16];
        if session.export(b"cookie", b"gate.example", &mut key).is_ok() {
            let user = session.principal().access_path.to_string();
            app.cookies.lock().unwrap_or_else(PoisonError::into_inner).insert(hex(&key), user);
        }
        let _ = session.shutdown().await;
        let _ = session.read(&mut [0]).await;
    })
}

/// An ordinary page behind the cookie.
async fn page(State(app): State<App>, headers: HeaderMap) -> Result<String, StatusCode> {
    let cookie = headers.get(header::COOKIE).and_then(|cookie| cookie.to_str().ok()?.strip_prefix("sid="));
    let cookies = app.cookies.lock().unwrap_or_else(PoisonError::into_inner);
    let user = cookie.and_then(|cookie| cookies.get(cookie)).ok_or(StatusCode::UNAUTHORIZED)?;
    Ok(format!("hello, {user}"))
}

fn hex(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One request, one answer.
async fn ask(server: SocketAddr, request: Request<Full<Bytes>>) -> Outcome<Bytes> {
    let stream = TokioIo::new(TcpStream::connect(server).await?);
    let (mut http, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    Ok(http.send_request(request).await?.into_body().collect().await?.to_bytes())
}

/// Each frame of the token's as a POST.
async fn posts(mut stream: DuplexStream, server: SocketAddr) -> Outcome {
    while let Ok(length) = stream.read_u32().await {
        let mut frame = vec![0; length.try_into()?];
        stream.read_exact(&mut frame).await?;
        let answer = ask(server, Request::post("/register").body(Full::from(frame))?).await?;
        stream.write_u32(answer.len().try_into()?).await?;
        stream.write_all(&answer).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome {
    let (acceptor, name, connector) = setting()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = listener.local_addr()?;
    let routes = Router::new()
        .route("/register", post(register))
        .route("/session", any(session))
        .route("/", get(page));
    let app = routes.with_state(App { acceptor, cookies: Arc::default() });
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let (near, far) = duplex(65_536);
    tokio::spawn(posts(far, server));
    let registered = connector.register(near, &name, |_, form| async move {
        Ok((form.fill([("name", "alice".into())])?, Credential::None))
    });
    let RegistrationOutcome::Active(alice) = registered.await? else { return Err("not registered".into()) };
    let (near, far) = duplex(65_536);
    let url = format!("ws://{server}/session");
    let (socket, _) = tokio_tungstenite::client_async(url, TcpStream::connect(server).await?).await?;
    tokio::spawn(bridge(
        far,
        socket,
        |bytes| Message::Binary(bytes.into()),
        |message| message.into_data().to_vec(),
    ));
    let mut session = connector.open(near, &alice.key_id).await?;
    let mut key = [0; 16];
    session.export(b"cookie", b"gate.example", &mut key)?;
    session.read_to_end(&mut Vec::new()).await?;
    session.shutdown().await?;

    let request = Request::get("/").header("Cookie", format!("sid={}", hex(&key))).body(Full::default())?;
    let page = ask(server, request).await?;
    if page == "hello, /staff" { Ok(()) } else { Err(format!("{page:?}").into()) }
}
