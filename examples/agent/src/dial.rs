//! Connections to a gate: at once, or through a proxy.

use base64ct::{Base64, Encoding};
use socket2::{SockRef, TcpKeepalive};
use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_socks::tcp::Socks5Stream;
use zeroize::Zeroizing;

/// Time for a connection to be there, with the proxy's part of it.
const PATIENCE: Duration = Duration::from_secs(15);
/// Longest answer of a proxy to CONNECT, in bytes.
const ANSWER_MAX: usize = 8192;

/// A way to gates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialer {
    /// The proxy, where connections go through one.
    pub(crate) proxy: Option<Proxy>,
}

/// A proxy, as its URL names it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    kind: Kind,
    address: String,
    login: Option<(String, Zeroizing<String>)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Http,
    Socks5,
}

/// Error of a text that names no proxy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a proxy is http://HOST:PORT or socks5://HOST:PORT, with USER:PASSWORD@ before the host where it wants that"
)]
pub(crate) struct ProxyError;

impl FromStr for Proxy {
    type Err = ProxyError;

    fn from_str(text: &str) -> Result<Self, ProxyError> {
        let (scheme, rest) = text.split_once("://").ok_or(ProxyError)?;
        let kind = match scheme {
            "http" => Kind::Http,
            // The name goes to the proxy either way.
            "socks5" | "socks5h" => Kind::Socks5,
            _ => return Err(ProxyError),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (login, address) = match rest.rsplit_once('@') {
            None => (None, rest),
            Some((login, address)) => {
                let (user, password) = login.split_once(':').ok_or(ProxyError)?;
                let fits = |text: &str| (1..=255).contains(&text.len()) && !text.contains(char::is_control);
                if !fits(user) || !fits(password) {
                    return Err(ProxyError);
                }
                (Some((user.into(), Zeroizing::new(password.into()))), address)
            }
        };
        if !is_address(address) {
            return Err(ProxyError);
        }
        Ok(Self { kind, address: address.into(), login })
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({:?}, {})", self.kind, self.address)
    }
}

/// Tells whether a text is a host and a port.
fn is_address(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]%".contains(&byte);
    let port = text.rsplit_once(':').filter(|(host, _)| {
        !host.is_empty() && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']')))
    });
    text.len() <= 300 && text.bytes().all(fits) && port.is_some_and(|(_, port)| port.parse::<u16>().is_ok())
}

impl Dialer {
    /// Connects to an address: a host and a port.
    ///
    /// # Errors
    /// The operating system's; [`io::ErrorKind::TimedOut`] when it takes too long.
    pub(crate) async fn dial(&self, address: &str) -> io::Result<TcpStream> {
        tokio::time::timeout(PATIENCE, self.connect(address)).await?
    }

    async fn connect(&self, address: &str) -> io::Result<TcpStream> {
        let Some(proxy) = &self.proxy else { return reach(address).await };
        let named = |error: io::Error| io::Error::new(error.kind(), format!("the proxy: {error}"));
        let stream = reach(&proxy.address).await.map_err(named)?;
        match proxy.kind {
            Kind::Http => connect_through(stream, address, proxy.login.as_ref()).await.map_err(named),
            Kind::Socks5 => {
                let socks = match &proxy.login {
                    None => Socks5Stream::connect_with_socket(stream, address).await,
                    Some((user, password)) => {
                        Socks5Stream::connect_with_password_and_socket(stream, address, user, password).await
                    }
                };
                let refused = |error: tokio_socks::Error| named(io::Error::other(error));
                Ok(socks.map_err(refused)?.into_inner())
            }
        }
    }
}

/// Connects without delay of small writes, and notices within two minutes that the other side is gone.
async fn reach(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (idle, interval) = (Duration::from_secs(60), Duration::from_secs(15));
    SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(idle).with_interval(interval))?;
    Ok(stream)
}

/// CONNECT (RFC 9110, section 9.3.6).
async fn connect_through(
    mut stream: TcpStream,
    address: &str,
    login: Option<&(String, Zeroizing<String>)>,
) -> io::Result<TcpStream> {
    let mut request = Zeroizing::new(format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n"));
    if let Some((user, password)) = login {
        let text = Zeroizing::new(format!("{user}:{}", password.as_str()));
        let encoded = Zeroizing::new(Base64::encode_string(text.as_bytes()));
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&encoded);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;
    let (mut answer, mut piece) = (Vec::new(), [0; 512]);
    while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = stream.read(&mut piece).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(piece.get(..count).unwrap_or_default());
        if answer.len() > ANSWER_MAX {
            return Err(io::Error::other("its answer is too long"));
        }
    }
    opened(&answer)?;
    Ok(stream)
}

/// Reads a proxy's answer. Nothing comes after it: a gate speaks when it is spoken to.
fn opened(answer: &[u8]) -> io::Result<()> {
    let bad = || io::Error::other("its answer is not HTTP");
    let text = std::str::from_utf8(answer).map_err(|_| bad())?;
    let head = text.strip_suffix("\r\n\r\n").filter(|head| !head.contains("\r\n\r\n")).ok_or_else(bad)?;
    let line = head.lines().next().unwrap_or_default();
    let status = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 ")).ok_or_else(bad)?;
    let code = status.split(' ').next().filter(|code| code.len() == 3).ok_or_else(bad)?;
    match code.parse::<u16>().map_err(|_| bad())? {
        200..=299 => Ok(()),
        407 => Err(io::Error::new(io::ErrorKind::PermissionDenied, "it wants a name and a password")),
        code => Err(io::Error::new(io::ErrorKind::ConnectionRefused, format!("it answers {code}"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_as_it_is_written() {
        let proxy: Proxy = "http://proxy.example:3128".parse().unwrap();
        assert_eq!((proxy.kind, proxy.address.as_str()), (Kind::Http, "proxy.example:3128"));
        let proxy: Proxy = "socks5://alice:p:@ss@[::1]:1080/".parse().unwrap();
        let login = proxy.login.as_ref().map(|(user, password)| (user.as_str(), password.as_str()));
        assert_eq!(login, Some(("alice", "p:@ss")));
        assert_eq!(format!("{proxy:?}"), "Proxy(Socks5, [::1]:1080)");
        for bad in [
            "proxy.example:3128",
            "https://proxy.example:443",
            "http://proxy.example",
            "http://:80",
            "http://a@b:80",
            "http://a:\n@b:80",
            "http://a b:80",
            "http://a:80/path",
            "http://::1:80",
        ] {
            assert_eq!(bad.parse::<Proxy>(), Err(ProxyError), "{bad}");
        }
    }

    #[test]
    fn a_proxys_answer_is_read_strictly() {
        assert!(opened(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n").is_ok());
        assert!(opened(b"HTTP/1.0 200\r\n\r\n").is_ok());
        let kind = |answer: &[u8]| opened(answer).unwrap_err().kind();
        assert_eq!(kind(b"HTTP/1.1 407 No\r\n\r\n"), io::ErrorKind::PermissionDenied);
        assert_eq!(kind(b"HTTP/1.1 403 No\r\n\r\n"), io::ErrorKind::ConnectionRefused);
        for bad in [
            &b"HTTP/1.1 200 OK\r\n\r\nmore"[..],
            b"HTTP/1.1 2000\r\n\r\n",
            b"SSH-2.0\r\n\r\n",
            b"\xff\r\n\r\n",
        ] {
            assert_eq!(kind(bad), io::ErrorKind::Other);
        }
    }
}
