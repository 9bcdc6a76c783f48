//! Thin blocking loops over any byte transport: [`Client`] for a token, [`Gateway`] for a server.
//!
//! Nothing here knows the protocol: a loop receives a frame, runs the pure steps with the ports it
//! was given, and sends what they say. What it does in thirty lines, an asynchronous program does in
//! thirty of its own; see the example `async_handler`.

mod acceptor;
mod client;
mod client_error;
mod client_session;
mod connection;
mod gateway;
mod hooks;
mod serve;
mod stream;
mod transport;

pub use acceptor::{Acceptor, AcceptorBuilder, ServerEnd, ServerSession};
pub use client::{Client, Fill, RegistrationOutcome};
pub use client_error::ClientError;
pub use client_session::{ClientSession, Configured, Incoming};
pub use connection::{Connection, Handled};
pub use gateway::Gateway;
pub use hooks::{Approval, Observer};
pub use serve::{Answer, serve};
pub use stream::{ReadHalf, Session, WriteHalf};
pub use transport::{Framed, Transport};
