//! Blocking drivers over any byte stream: [`Connector`] for a token, [`Acceptor`] for a server.
//!
//! ```text
//!   Connector ── register, resume, confirm, recover ──▶ RegistrationOutcome
//!             ── open ──▶ ClientSession ┐
//!                                       ├ Read + Write: what is written is sealed, split() for two threads
//!   Acceptor  ── accept ─▶ ServerSession┘
//!             ── answer ─▶ one frame, for transports of one request and one answer
//! ```
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
mod server_end;
mod split;
mod stream;
mod transport;

pub use crate::exchange::Configured;
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
