//! Listeners of gate and agent.

use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixStream};

/// Connections that wait to be accepted, at most: many may come at once, and one that finds no room tries again only
/// after a second.
const BACKLOG: u32 = 4096;

/// Opens a listener.
///
/// # Errors
/// The operating system's.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Opens a socket of the file system that its owner alone may connect to, in the place of one that a process that is
/// gone left behind.
///
/// # Errors
/// [`io::ErrorKind::AddrInUse`] where somebody listens, or where something is that is no socket; the operating system's.
pub async fn listen_unix(path: &Path) -> io::Result<UnixListener> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket()) {
        if UnixStream::connect(path).await.is_ok() {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(listener)
}
