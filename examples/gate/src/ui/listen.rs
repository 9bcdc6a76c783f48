//! Where a browser gets to the pages.

use super::{Desk, door, pages};
use axum::Router;
use halfkey_common::page::{Door, Hosts};
use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};
use zeroize::Zeroizing;

/// Time after which pages that nobody uses are closed.
const IDLE: Duration = Duration::from_secs(3600);

/// Place to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An address of the loopback interface; any port is taken where it says 0.
    Loopback(SocketAddr),
    /// A socket of the file system, which its owner alone may connect to.
    Unix(PathBuf),
}

/// Error of a text that is no place to listen at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pages are served at a loopback address with a port, or at unix:PATH")]
pub struct ListenError;

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(ListenError) } else { Ok(Self::Unix(path.into())) };
        }
        let address: SocketAddr = text.parse().map_err(|_| ListenError)?;
        if address.ip().is_loopback() { Ok(Self::Loopback(address)) } else { Err(ListenError) }
    }
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// Pages that listen.
pub struct Listening {
    socket: Socket,
    router: Router,
    door: Door,
}

impl Listening {
    /// Begins to listen.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn begin(listen: &Listen, desk: Desk) -> io::Result<Self> {
        let (socket, hosts) = match listen {
            Listen::Loopback(address) => {
                let listener = TcpListener::bind(address).await?;
                let hosts = Hosts::of(listener.local_addr()?);
                (Socket::Tcp(listener), hosts)
            }
            Listen::Unix(path) => {
                (Socket::Unix(halfkey_service::listen_unix(path).await?, path.clone()), Hosts::Loopback)
            }
        };
        let door = door(hosts);
        Ok(Self { socket, router: pages(desk, door.clone()), door })
    }

    /// Returns the URL that opens the pages once. Behind a socket of the file system it is that of port 80, which
    /// something else has to lead there.
    ///
    /// # Errors
    /// The operating system's.
    pub fn url(&self) -> io::Result<Zeroizing<String>> {
        let host = match &self.socket {
            Socket::Tcp(listener) => listener.local_addr()?.to_string(),
            Socket::Unix(..) => "localhost".into(),
        };
        Ok(Zeroizing::new(format!("http://{host}{}", self.door.invite().as_str())))
    }

    /// Serves until `end`, or until nobody has used the pages for an hour.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn serve(self, end: impl Future<Output = ()>) -> io::Result<()> {
        let Self { socket, router, door } = self;
        let idle = async {
            while let Some(left) = IDLE.checked_sub(door.idle()).filter(|left| !left.is_zero()) {
                tokio::time::sleep(left).await;
            }
        };
        let ended = async {
            tokio::select! { () = end => {}, () = idle => {} }
        };
        match socket {
            Socket::Tcp(listener) => tokio::select! {
                served = async { axum::serve(listener, router).await } => served,
                () = ended => Ok(()),
            },
            Socket::Unix(listener, path) => {
                let served = tokio::select! {
                    served = async { axum::serve(listener, router).await } => served,
                    () = ended => Ok(()),
                };
                let _ = fs::remove_file(path);
                served
            }
        }
    }
}
