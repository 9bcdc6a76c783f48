//! The network as the token's side sees it, and a man in the middle.

use super::figures;
use super::narrator::{Narrator, Way};
use halfkey::driver::{Framed, Transport};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// No test of patience: a peer that says nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// The token's end of a TCP connection, which tells the narrator about every frame.
pub struct Tap {
    stream: TcpStream,
    up: Frames,
    down: Frames,
    narrator: Narrator,
    server: String,
    in_session: bool,
}

impl Tap {
    /// Calls the server that is known under `server`.
    pub fn connect(address: SocketAddr, server: &str, narrator: &Narrator) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            up: Frames::default(),
            down: Frames::default(),
            narrator: narrator.clone(),
            server: server.into(),
            in_session: false,
        })
    }
}

impl Write for Tap {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for frame in self.up.pass(bytes) {
            self.narrator.frame(Way::Up, &self.server, &frame, self.in_session);
        }
        self.stream.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Read for Tap {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.stream.read(into)?;
        for frame in self.down.pass(into.get(..length).unwrap_or_default()) {
            self.narrator.frame(Way::Down, &self.server, &frame, self.in_session);
            // Everything after S3 is encrypted.
            self.in_session |= figures::message_name(&frame) == Some("S3 Accept");
        }
        Ok(length)
    }
}

/// Bytes that pass, until a frame is whole: `length(4) ‖ bytes`.
#[derive(Default)]
struct Frames(Vec<u8>);

impl Frames {
    fn pass(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.0.extend_from_slice(bytes);
        let mut whole = Vec::new();
        while let Some((length, rest)) = self.0.split_first_chunk::<4>() {
            let Some((frame, rest)) = rest.split_at_checked(u32::from_be_bytes(*length) as usize) else {
                break;
            };
            whole.push(frame.to_vec());
            self.0 = rest.to_vec();
        }
        whole
    }
}

/// Manipulation by a man in the middle: the frames that go on instead. No frame at all: the frame is
/// lost, and the connection with it.
pub type Meddler = Arc<Mutex<dyn FnMut(Way, &[u8]) -> Vec<Vec<u8>> + Send>>;

/// A man in the middle.
pub fn meddler(meddle: impl FnMut(Way, &[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Meddler {
    Arc::new(Mutex::new(meddle))
}

/// Listens in the place of the server at `target`, for one connection, and lets `meddler` have its way.
pub fn relay(target: SocketAddr, meddler: &Meddler) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let meddler = meddler.clone();
    thread::spawn(move || -> io::Result<()> {
        let (token, _) = listener.accept()?;
        let server = TcpStream::connect(target)?;
        token.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (token_too, server_too, meddler_too) = (token.try_clone()?, server.try_clone()?, meddler.clone());
        thread::spawn(move || carry(Way::Down, &server_too, &token_too, &meddler_too));
        carry(Way::Up, &token, &server, &meddler);
        Ok(())
    });
    Ok(address)
}

fn carry(way: Way, from: &TcpStream, to: &TcpStream, meddler: &Meddler) {
    let (mut incoming, mut outgoing) = (Framed(from), Framed(to));
    while let Ok(Some(frame)) = incoming.receive() {
        let frames = meddler.lock().unwrap_or_else(PoisonError::into_inner)(way, &frame);
        if frames.is_empty() || frames.iter().any(|frame| outgoing.send(frame).is_err()) {
            break;
        }
    }
    // Either end may be gone already.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
