//! Drivers for asynchronous programs on tokio.

mod acceptor;
mod calling;
mod client;
mod connector;
mod converse;
mod end;
mod error;
mod handle;
mod hands;
mod limits;
mod link;
mod places;
mod server;
mod session;
mod state;
mod waiters;

pub use acceptor::{Acceptor, AcceptorBuilder};
pub use client::{ClientHandle, ClientSession, TokenEnd};
pub use connector::{Connector, ConnectorBuilder, FillError, Timeouts};
pub use end::End;
pub use error::{AcceptError, ConnectError};
pub use handle::Handle;
pub use hands::{AsyncApproval, OffExecutor};
pub use limits::Limits;
pub use server::{ServerEnd, ServerHandle, ServerSession};
pub use session::{OwnedReadHalf, OwnedWriteHalf, Session};
