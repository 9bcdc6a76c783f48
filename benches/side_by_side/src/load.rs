//! Load: one stream, connections one after the other or at once, and connections that idle.

use crate::Outcome;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

const CHUNK: usize = 65_536;
/// The first byte of a connection says what the application server is to do.
const SINK: u8 = b'S';
const ECHO: u8 = b'E';

/// Starts the application server: it takes a stream and tells when it has all of it, or returns what it gets.
pub(crate) async fn server() -> Outcome<SocketAddr> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let listener = socket.listen(16_384)?;
    let address = listener.local_addr()?;
    tokio::spawn(accept(listener));
    Ok(address)
}

async fn accept(listener: TcpListener) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move { drop(answer(stream).await) });
        }
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    if stream.read_u8().await? == ECHO {
        let mut byte = [0];
        while stream.read(&mut byte).await? > 0 {
            stream.write_all(&byte).await?;
        }
        return Ok(());
    }
    let (mut left, mut buffer) = (stream.read_u64().await?, vec![0; CHUNK]);
    while left > 0 {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        left = left.saturating_sub(read as u64);
    }
    stream.write_u8(SINK).await
}

/// Sends so many bytes over one connection, and waits until the application server has all of them.
pub(crate) async fn stream(address: SocketAddr, bytes: u64) -> Outcome<Duration> {
    let mut stream = TcpStream::connect(address).await?;
    let began = Instant::now();
    stream.write_u8(SINK).await?;
    stream.write_u64(bytes).await?;
    let (mut left, buffer) = (bytes, vec![0x5A; CHUNK]);
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        stream.write_all(buffer.get(..part).unwrap_or(&buffer)).await?;
        left -= part as u64;
    }
    stream.read_u8().await?;
    Ok(began.elapsed())
}

/// Makes so many connections, some at once; each has one byte returned and ends. Returns the time of each.
pub(crate) async fn connections(address: SocketAddr, count: usize, at_once: usize) -> Outcome<Vec<Duration>> {
    let left = Arc::new(AtomicUsize::new(count));
    let mut workers = JoinSet::new();
    for _ in 0..at_once {
        let left = Arc::clone(&left);
        workers.spawn(async move {
            let mut times = Vec::new();
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            {
                let began = Instant::now();
                drop(connect(address).await?);
                times.push(began.elapsed());
            }
            std::io::Result::Ok(times)
        });
    }
    let mut times = Vec::with_capacity(count);
    while let Some(worker) = workers.join_next().await {
        times.extend(worker??);
    }
    Ok(times)
}

/// Opens so many connections and leaves them open, and idle.
pub(crate) async fn idle(addresses: &[SocketAddr], count: usize) -> Outcome<Vec<TcpStream>> {
    let mut open = Vec::with_capacity(count);
    for address in addresses.iter().cycle().take(count) {
        open.push(connect(*address).await?);
    }
    Ok(open)
}

async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&[ECHO, 0]).await?;
    stream.read_u8().await?;
    Ok(stream)
}
