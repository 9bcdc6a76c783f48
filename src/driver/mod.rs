//! Blocking drivers over any byte stream: [`Connector`] for a token, [`Acceptor`] for a server.
//!
//! ```text
//!   Connector ── register, resume, confirm, recover ──▶ RegistrationOutcome
//!             ── open ──▶ ClientSession ┐
//!                                       ├ Read + Write: what is written is sealed, split() for two threads
//!   Acceptor  ── accept ─▶ ServerSession┘
//!             ── answer ─▶ one frame, for transports of one request and one answer
//! ```
//! A server whose sessions are echoes, and a client that registers a blank token and says hello:
//! ```
//! use halfkey::certificate::VerifiedServer;
//! use halfkey::driver::{Acceptor, Connector, RegistrationOutcome, peer_name};
//! use halfkey::registration::token::Credential;
//! use halfkey::{ServerName, port::Token, template::Template};
//! use std::io::{self, Read, Write};
//! use std::net::{SocketAddr, TcpListener, TcpStream};
//!
//! fn serve(acceptor: &Acceptor, listener: &TcpListener) -> io::Result<()> {
//!     for stream in listener.incoming() {
//!         let (acceptor, stream) = (acceptor.clone(), stream?);
//!         std::thread::spawn(move || {
//!             let (peer, reader) = (peer_name(stream.peer_addr()?.ip()), stream.try_clone()?);
//!             let Some(session) = acceptor.accept(stream, peer.as_bytes())? else { return Ok(()) };
//!             let (mut read, mut write) = session.split(reader);
//!             io::copy(&mut read, &mut write)?; // an echo
//!             write.shutdown()
//!         });
//!     }
//!     Ok(())
//! }
//!
//! type Failure = Box<dyn std::error::Error + Send + Sync>;
//!
//! fn call(token: impl Token + 'static, server: &ServerName, address: SocketAddr) -> Result<String, Failure> {
//!     let connector = Connector::builder(token).build();
//!     let fill = |server: &VerifiedServer, form: &Template| {
//!         println!("{} asks for:", server.name());
//!         form.fields.iter().for_each(|field| println!("{}", field.label));
//!         Ok((form.fill([("name", "alice".into())])?, Credential::None)) // what the user types
//!     };
//!     let outcome = connector.register(TcpStream::connect(address)?, server, fill)?;
//!     let RegistrationOutcome::Active(alice) = outcome else { return Err("not decided yet".into()) };
//!     let mut session = connector.open(TcpStream::connect(address)?, &alice.key_id)?;
//!     session.write_all(b"hello")?;
//!     session.shutdown()?;
//!     let mut echo = String::new();
//!     session.read_to_string(&mut echo)?;
//!     Ok(echo)
//! }
//! # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
//! # fn main() -> Result<(), Failure> {
//! # let setting = setting::Setting::new()?;
//! # let (acceptor, listener) = (setting.acceptor(), TcpListener::bind("127.0.0.1:0")?);
//! # let address = listener.local_addr()?;
//! # std::thread::spawn(move || serve(&acceptor, &listener));
//! # assert_eq!(call(setting.token()?, &setting.name, address)?, "hello");
//! # Ok(()) }
//! ```
//!
//! Nothing here knows the protocol: a driver carries frames over a stream and has the turns of an
//! [`exchange`](crate::exchange) performed by the ports that it was given. A program of another kind does the
//! same with the exchange itself.

mod acceptor;
mod client_end;
mod connect_error;
mod connector;
mod enrol;
mod frames;
mod hooks;
mod offers;
mod outcome;
mod peer;
mod recover;
mod server_end;
mod split;
mod stream;
mod transport;

pub use crate::exchange::{Configured, RegisterOptions};
pub use acceptor::{Acceptor, AcceptorBuilder};
pub use client_end::{ClientSession, TokenEnd};
pub use connect_error::{ConnectError, FillError};
pub use connector::{Connector, ConnectorBuilder};
pub use hooks::{Approval, Observer};
#[cfg(feature = "tokio")]
pub(crate) use offers::Offers;
pub use outcome::{Recovered, RegistrationOutcome};
#[cfg(feature = "tokio")]
pub(crate) use outcome::{is_answer, outcome, unexpected};
pub use peer::peer_name;
pub use server_end::{ServerEnd, ServerSession};
pub use split::{ReadHalf, WriteHalf};
pub use stream::{End, Session};
pub use transport::{Framed, Transport};
