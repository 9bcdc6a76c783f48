//! Tiny proxies: CONNECT and SOCKS5, with a name and a password.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A proxy, and the number of connections that went through it.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) count: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) async fn http() -> Self {
        Self::start(|mut stream| async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.ok()?);
            }
            let head = String::from_utf8(head).unwrap();
            // alice:p@ss
            if !head.contains("\r\nProxy-Authorization: Basic YWxpY2U6cEBzcw==\r\n") {
                stream.write_all(b"HTTP/1.1 407 Who are you?\r\n\r\n").await.ok()?;
                return None;
            }
            let target = head.strip_prefix("CONNECT ")?.split(' ').next()?.to_owned();
            let upstream = TcpStream::connect(target).await.ok()?;
            stream.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").await.ok()?;
            Some((stream, upstream))
        })
        .await
    }

    pub(crate) async fn socks() -> Self {
        Self::start(|mut stream| async move {
            let mut greeting = [0; 2];
            stream.read_exact(&mut greeting).await.ok()?;
            let mut methods = vec![0; greeting[1].into()];
            stream.read_exact(&mut methods).await.ok()?;
            if !methods.contains(&2) {
                stream.write_all(&[5, 0xFF]).await.ok()?;
                return None;
            }
            stream.write_all(&[5, 2]).await.ok()?;
            assert_eq!(stream.read_u8().await.ok()?, 1);
            for wanted in ["alice", "p@ss"] {
                let mut text = vec![0; stream.read_u8().await.ok()?.into()];
                stream.read_exact(&mut text).await.ok()?;
                assert_eq!(text, wanted.as_bytes());
            }
            stream.write_all(&[1, 0]).await.ok()?;
            let mut request = [0; 4];
            stream.read_exact(&mut request).await.ok()?;
            assert_eq!(request, [5, 1, 0, 1]);
            let mut address = [0; 4];
            stream.read_exact(&mut address).await.ok()?;
            let upstream =
                TcpStream::connect((std::net::Ipv4Addr::from(address), stream.read_u16().await.ok()?));
            let upstream = upstream.await.ok()?;
            stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.ok()?;
            Some((stream, upstream))
        })
        .await
    }

    async fn start<F>(meet: impl Fn(TcpStream) -> F + Send + Copy + 'static) -> Self
    where
        F: Future<Output = Option<(TcpStream, TcpStream)>> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, count) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
        let counted = Arc::clone(&count);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    if let Some((mut near, mut far)) = meet(stream).await {
                        counted.fetch_add(1, Ordering::Relaxed);
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Self { address, count }
    }
}
