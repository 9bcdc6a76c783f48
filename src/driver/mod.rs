//! Thin blocking loops over any byte transport: [`Client`] for a token, [`Gateway`] for a server.
//!
//! Nothing here knows the protocol: a loop receives a frame, runs the pure steps with the ports it
//! was given, and sends what they say. What it does in thirty lines, an asynchronous program does in
//! thirty of its own; see the example `async_handler`.

mod acceptor;
mod client;
mod client_end;
mod client_error;
mod client_session;
mod connect_error;
mod connection;
mod connector;
mod frames;
mod gateway;
mod hooks;
mod serve;
mod split;
mod stream;
mod transport;

pub use crate::exchange::Configured;
pub use acceptor::{Acceptor, AcceptorBuilder, ServerEnd, ServerSession};
pub use client::{Client, Fill, RegistrationOutcome};
pub use client_end::{ClientSession, TokenEnd};
pub use client_error::ClientError;
pub use client_session::Incoming;
pub use connect_error::{ConnectError, FillError};
pub use connection::{Connection, Handled};
pub use connector::{Connector, ConnectorBuilder, Recovered};
pub use gateway::Gateway;
pub use hooks::{Approval, Observer};
pub use serve::{Answer, serve};
pub use split::{ReadHalf, WriteHalf};
pub use stream::{End, Session};
pub use transport::{Framed, Transport};
