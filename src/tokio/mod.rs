//! Drivers for asynchronous programs on tokio: [`Acceptor`] for a server, [`Connector`] for a token, and a
//! [`Session`] that is a byte stream.
//!
//! ```
//! use halfkey::registration::token::Credential;
//! use halfkey::tokio::{Acceptor, Connector, FillError, RegistrationOutcome, peer_name};
//! use halfkey::{ServerName, port::Token};
//! use std::{io, net::SocketAddr};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use tokio::net::{TcpListener, TcpStream};
//!
//! async fn serve(acceptor: Acceptor, listener: TcpListener) -> io::Result<()> {
//!     loop {
//!         let ((stream, peer), acceptor) = (listener.accept().await?, acceptor.clone());
//!         tokio::spawn(async move {
//!             let Ok(Some(session)) = acceptor.accept(stream, peer_name(peer.ip())).await else { return };
//!             let (mut read, mut write) = session.into_split();
//!             let _ = tokio::io::copy(&mut read, &mut write).await; // an echo
//!             let _ = write.shutdown().await;
//!         });
//!     }
//! }
//!
//! async fn call(token: impl Token + 'static, server: ServerName, at: SocketAddr) -> Result<String, FillError> {
//!     let connector = Connector::builder(token).build();
//!     let outcome = connector.register(TcpStream::connect(at).await?, &server, |_server, form| async move {
//!         Ok((form.fill([("name", "alice".into())])?, Credential::None)) // what the user types
//!     });
//!     let RegistrationOutcome::Active(alice) = outcome.await? else { return Err("come back later".into()) };
//!     let mut session = connector.open(TcpStream::connect(at).await?, &alice.key_id).await?;
//!     session.write_all(b"hello").await?;
//!     session.shutdown().await?;
//!     let mut echo = String::new();
//!     session.read_to_string(&mut echo).await?;
//!     Ok(echo)
//! }
//! # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
//! # mod on_tokio { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/on_tokio.rs")); }
//! # #[tokio::main]
//! # async fn main() -> setting::Outcome {
//! # let (setting, listener) = (setting::Setting::new()?, TcpListener::bind("127.0.0.1:0").await?);
//! # let at = listener.local_addr()?;
//! # tokio::spawn(serve(on_tokio::acceptor(&setting), listener));
//! # assert_eq!(call(setting.token()?, setting.name.clone(), at).await?, "hello");
//! # Ok(()) }
//! ```
//!
//! # Over HTTP
//! A registration needs no connection that stays: each frame of the token's is the body of a POST, and the response's
//! body is the answer. [`Acceptor::answer`] gives it at the server. At the token each frame on the stream has its length
//! in front, in four bytes, the most significant first:
//! ```
//! use std::io;
//! use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
//!
//! /// Carries frames one by one; `ask` makes a request with this body, and gives the body of the response.
//! async fn posts(mut stream: DuplexStream, ask: impl AsyncFn(Vec<u8>) -> io::Result<Vec<u8>>) -> io::Result<()> {
//!     while let Ok(length) = stream.read_u32().await {
//!         let mut frame = vec![0; length as usize];
//!         stream.read_exact(&mut frame).await?;
//!         let answer = ask(frame).await?;
//!         stream.write_u32(answer.len() as u32).await?;
//!         stream.write_all(&answer).await?;
//!     }
//!     Ok(())
//! }
//! # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
//! # mod on_tokio { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/on_tokio.rs")); }
//! # use std::sync::Arc;
//! # use halfkey::{exchange::ServerExchange, template::Template, registration::token::Credential};
//!
//! # #[tokio::main]
//! # async fn main() -> setting::Outcome {
//! # let setting = setting::Setting::new()?;
//! # let (acceptor, server) = (on_tokio::acceptor(&setting), setting.name.clone());
//! # let connector = halfkey::tokio::Connector::builder(setting.token()?).build();
//! # let ask = async move |frame: Vec<u8>| {
//! #     let exchange = ServerExchange::stateless(Arc::clone(acceptor.settings()));
//! #     Ok(acceptor.answer(exchange, b"peer", &frame).await.send.concat())
//! # };
//! # let fill = |_, form: Template| async move { Ok((form.fill([("name", "alice".into())])?, Credential::None)) };
//! let (near, far) = duplex(65_536);
//! tokio::spawn(posts(far, ask));
//! let outcome = connector.register(near, &server, fill).await?;
//! # assert!(matches!(outcome, halfkey::tokio::RegistrationOutcome::Active(_)));
//! # Ok(()) }
//! ```
//! A session fits in a WebSocket, where the boundaries of messages do not matter:
//! ```
//! use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
//!
//! /// Carries the bytes of a stream in messages, and those of messages in the stream.
//! async fn bridge(
//!     stream: DuplexStream,
//!     mut send: impl AsyncFnMut(Vec<u8>) -> bool,
//!     mut receive: impl AsyncFnMut() -> Option<Vec<u8>>,
//! ) {
//!     let (mut from, mut to) = tokio::io::split(stream);
//!     let up = async {
//!         let mut bytes = vec![0; 16_384];
//!         while let Ok(read @ 1..) = from.read(&mut bytes).await {
//!             if !send(bytes[..read].to_vec()).await {
//!                 break;
//!             }
//!         }
//!     };
//!     let down = async {
//!         while let Some(bytes) = receive().await {
//!             if to.write_all(&bytes).await.is_err() {
//!                 break;
//!             }
//!         }
//!         let _ = to.shutdown().await;
//!     };
//!     tokio::join!(up, down);
//! }
//! # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
//! # mod on_tokio { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/on_tokio.rs")); }
//!
//! # #[tokio::main]
//! # async fn main() -> setting::Outcome {
//! # let setting = setting::Setting::new()?;
//! # let acceptor = on_tokio::acceptor(&setting);
//! # let connector = halfkey::tokio::Connector::builder(setting.token()?).build();
//! # let key_id = on_tokio::register(&connector, &setting, &acceptor).await?.key_id;
//! # let (sink, mut peer_source) = tokio::sync::mpsc::channel::<Vec<u8>>(8);
//! # let (peer_sink, mut source) = tokio::sync::mpsc::channel::<Vec<u8>>(8);
//! # let peer = on_tokio::connect(&acceptor);
//! # tokio::spawn(bridge(peer, async move |bytes| peer_sink.send(bytes).await.is_ok(), async move || peer_source.recv().await));
//! // With axum: sink.send(Message::Binary(bytes.into())), source.next().await?.ok()?.into_data().to_vec()
//! let (near, far) = duplex(65_536);
//! tokio::spawn(bridge(
//!     far,
//!     async move |bytes| sink.send(bytes).await.is_ok(),
//!     async move || source.recv().await,
//! ));
//! let mut session = connector.open(near, &key_id).await?; // at a server: acceptor.accept(near, peer)
//! # session.write_all(b"hello").await?;
//! # session.flush().await?;
//! # session.read_exact(&mut [0; 5]).await?;
//! # session.close().await?;
//! # Ok(()) }
//! ```
//!
//! # What holds up what
//! Nothing holds up the executor but the callbacks that say so. A store that blocks goes into [`OffExecutor`];
//! the server's keys, a token and [`on_configuration`](ConnectorBuilder::on_configuration) are asked on
//! tokio's threads for blocking work. The runtime needs time enabled; outside a runtime the drivers panic, as
//! tokio's own types do.
//!
//! # What may be cancelled
//! Everything: each future may be dropped at any await point. A turn that a frame has begun at a server runs to
//! its end in a task of its own, and the token that sends its message again gets the same answer. What the token
//! holds of a registration is finished by [`Connector::recover`]. A session whose reading, writing or flushing
//! is given up has lost nothing.
//!
//! # What peers may take
//! [`Limits`]: time for the first frame, for each frame, for a registration, for silence, for taking nothing of
//! what is sent; places, in all and for each peer; work of the server's keys. Where places run out, the peer with the most connections that have
//! no session loses one and is told `busy`.

mod acceptor;
mod calling;
mod client;
mod connector;
mod converse;
mod end;
mod ending;
mod enrol;
mod error;
mod facts;
mod forward;
mod handle;
mod hands;
mod limits;
mod link;
mod off_executor;
mod places;
mod recover;
mod server;
mod serving;
mod session;
mod state;
mod timeouts;
mod turns;
mod unread;
mod waiters;

pub use crate::driver::Recovered;
pub use crate::driver::{ConnectError, FillError, RegistrationOutcome, peer_name};
pub use crate::exchange::RegisterOptions;
pub use acceptor::{Acceptor, AcceptorBuilder};
pub use client::{ClientHandle, ClientSession, TokenEnd};
pub use connector::{Connector, ConnectorBuilder};
pub use end::End;
pub use error::AcceptError;
pub use forward::forward;
pub use handle::Handle;
pub use hands::AsyncApproval;
pub use limits::Limits;
pub use off_executor::OffExecutor;
pub use server::{ServerEnd, ServerHandle, ServerSession};
pub use session::{OwnedReadHalf, OwnedWriteHalf, Session};
pub use timeouts::Timeouts;
