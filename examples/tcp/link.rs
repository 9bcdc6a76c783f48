//! Streams: one that the server gives only so much time, one that the client dies on.

use halfkey::exchange::message_type;
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
    stream: TcpStream,
    up: Frames,
    down: Frames,
    die: Option<String>,
}

impl Mortal {
    pub(crate) fn new(stream: TcpStream, die: Option<String>) -> Self {
        Self { stream, up: Frames::default(), down: Frames::default(), die }
    }

    fn moment(&self, when: &str, frames: &[Vec<u8>]) {
        const NAMES: [&str; 12] = ["R0", "R1", "R2", "R3", "R4", "R5", "E0", "", "S0", "S1", "S2", "S3"];
        for frame in frames {
            let name = message_type(frame).ok().and_then(|number| NAMES.get(usize::try_from(number).ok()?));
            if self.die.is_some() && self.die == name.map(|name| format!("{when}-{name}")) {
                let _ = writeln!(io::stderr(), "dying {when} {}", name.unwrap_or(&""));
                std::process::abort();
            }
        }
    }
}

impl Write for Mortal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let frames = self.up.pass(bytes);
        self.moment("before", &frames);
        self.stream.write_all(bytes)?;
        self.moment("after", &frames);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Read for Mortal {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.stream.read(into)?;
        let frames = self.down.pass(into.get(..length).unwrap_or_default());
        self.moment("after", &frames);
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
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
            let Some((frame, rest)) = rest.split_at_checked(length) else { break };
            whole.push(frame.to_vec());
            self.0 = rest.to_vec();
        }
        whole
    }
}
