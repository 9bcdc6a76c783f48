//! Streams: one that the server gives only so much time, one that the client dies on.

use halfkey::driver::{Framed, Transport};
use halfkey::wire::message_type;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A stream whose peer may neither be silent for long nor dribble for ever.
pub(crate) struct Patient {
    stream: TcpStream,
    silence: Duration,
    stay: Duration,
    since: Instant,
}

impl Patient {
    /// A stream whose peer may be silent for so long, and stay for so long.
    pub(crate) fn new(stream: TcpStream, silence: Duration, stay: Duration) -> Self {
        Self { stream, silence, stay, since: Instant::now() }
    }

    fn wait(&self) -> io::Result<Duration> {
        let left = self.stay.saturating_sub(self.since.elapsed());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left.min(self.silence)) }
    }
}

impl Read for Patient {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.wait()?))?;
        self.stream.read(into)
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.wait()?))?;
        self.stream.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// A connection that ends the whole program at a message of choice.
pub(crate) struct Mortal {
    inner: Framed<TcpStream>,
    die: Option<String>,
}

impl Mortal {
    pub(crate) const fn new(inner: Framed<TcpStream>, die: Option<String>) -> Self {
        Self { inner, die }
    }

    fn moment(&self, when: &str, frame: &[u8]) {
        const NAMES: [&str; 12] = ["R0", "R1", "R2", "R3", "R4", "R5", "E0", "", "S0", "S1", "S2", "S3"];
        let name = message_type(frame).ok().and_then(|number| NAMES.get(usize::try_from(number).ok()?));
        if self.die.is_some() && self.die == name.map(|name| format!("{when}-{name}")) {
            let _ = writeln!(io::stderr(), "dying {when} {}", name.unwrap_or(&""));
            std::process::abort();
        }
    }
}

impl Transport for Mortal {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.moment("before", frame);
        self.inner.send(frame)?;
        self.moment("after", frame);
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        let frame = self.inner.receive()?;
        self.moment("after", frame.as_deref().unwrap_or_default());
        Ok(frame)
    }
}
