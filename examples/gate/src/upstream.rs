//! Connections to application servers, and how those learn who is there.

use crate::config::{Service, Upstream};
use halfkey::UserName;
use halfkey::configuration::server::Principal;
use ppp::v2::{Builder, Command, Protocol, Version};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Types of the TLVs in a PROXY header, of those that are for everybody's own use.
const USER_ID: u8 = 0xE0;
const USER_NAME: u8 = 0xE1;
const KEY_ID: u8 = 0xE2;
const ACCESS_PATH: u8 = 0xE3;

/// A connection to an application server.
pub(crate) enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

/// A connection of an agent: from where, and to where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    /// The agent's address.
    pub(crate) peer: SocketAddr,
    /// The gate's.
    pub(crate) local: SocketAddr,
}

/// Connects to a service's application server.
///
/// # Errors
/// The operating system's; [`io::ErrorKind::TimedOut`].
pub(crate) async fn connect(service: &Service) -> io::Result<Stream> {
    let connecting = async {
        Ok(match &service.upstream {
            Upstream::Tcp { address, .. } | Upstream::Http { address } => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
            Upstream::Unix { path, .. } => Stream::Unix(UnixStream::connect(path).await?),
        })
    };
    tokio::time::timeout(service.connect, connecting).await?
}

/// Tells the application server who is there, where it wants a PROXY header.
///
/// # Errors
/// The stream's.
pub(crate) async fn introduce(
    service: &Service,
    stream: &mut Stream,
    ends: Ends,
    who: &Principal,
    name: Option<&UserName>,
) -> io::Result<()> {
    match service.upstream {
        Upstream::Tcp { proxy_protocol: true, .. } | Upstream::Unix { proxy_protocol: true, .. } => {
            stream.write_all(&header(ends, who, name)?).await
        }
        _ => Ok(()),
    }
}

/// A PROXY header, version 2.
fn header(ends: Ends, who: &Principal, name: Option<&UserName>) -> io::Result<Vec<u8>> {
    let (peer, local) = (canonical(ends.peer), canonical(ends.local));
    let mut header = Builder::with_addresses(Version::Two | Command::Proxy, Protocol::Stream, (peer, local))
        .write_tlv(USER_ID, who.user_id.as_str().as_bytes())?
        .write_tlv(KEY_ID, who.key_id.to_string().as_bytes())?
        .write_tlv(ACCESS_PATH, who.access_path.as_str().as_bytes())?;
    if let Some(name) = name {
        header = header.write_tlv(USER_NAME, name.as_str().as_bytes())?;
    }
    header.build()
}

/// An IPv4 address as itself, also where it came as an IPv6 one.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, out),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, out),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, data),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
