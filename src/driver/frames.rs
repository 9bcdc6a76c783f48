//! Frames on their way: what has come in part, what has been opened and not read, what has not left yet.

use crate::wire::MAX_MESSAGE;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use zeroize::Zeroizing;

/// Bytes read at a time: room is made for what arrives, not for what a length claims.
const STEP: usize = 16 * 1024;

/// Appends a frame: `length(4) ‖ bytes`. None is longer than [`MAX_MESSAGE`].
pub(super) fn frame(bytes: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Writes what there is; after an error, the rest is still there.
pub(super) fn drain(out: &mut Vec<u8>, stream: &mut impl Write) -> io::Result<()> {
    while !out.is_empty() {
        match stream.write(out) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => drop(out.drain(..written.min(out.len()))),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A frame that has come in part, and data that has been opened and not yet read.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    partial: Vec<u8>,
    data: VecDeque<Zeroizing<Vec<u8>>>,
    /// Bytes of the first data that have been read.
    read: usize,
    closed: bool,
}

impl Incoming {
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn take(&mut self, data: Option<Zeroizing<Vec<u8>>>, closed: bool) {
        self.data.extend(data.filter(|data| !data.is_empty()));
        self.closed |= closed;
    }

    /// Drops what has been opened and not read.
    pub(super) fn forget(&mut self) {
        self.data.clear();
        self.read = 0;
    }

    /// Gives data that is there, or 0 after the peer's close; `None` where a record has to come first.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Option<usize> {
        let Some(data) = self.data.front() else {
            return (self.closed || out.is_empty()).then_some(0);
        };
        let rest = data.get(self.read..).unwrap_or_default();
        let length = rest.len().min(out.len());
        for (to, from) in out.iter_mut().zip(rest) {
            *to = *from;
        }
        self.read = self.read.saturating_add(length);
        if self.read >= data.len() {
            self.data.pop_front();
            self.read = 0;
        }
        Some(length)
    }

    /// Receives one frame; `None` when the stream ends between two. What has come before an error of the
    /// stream's is kept.
    pub(super) fn receive(&mut self, stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
        loop {
            let wanted = match self.partial.first_chunk::<4>() {
                None => 4,
                Some(length) => {
                    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
                    if length == 0 || length > MAX_MESSAGE {
                        return Err(io::ErrorKind::InvalidData.into());
                    }
                    length.saturating_add(4)
                }
            };
            let have = self.partial.len();
            if have >= wanted && wanted > 4 {
                let frame = self.partial.split_off(4);
                self.partial.clear();
                return Ok(Some(frame));
            }
            let room = wanted.saturating_sub(have).min(STEP);
            self.partial.resize(have.saturating_add(room), 0);
            let read = stream.read(self.partial.get_mut(have..).unwrap_or_default());
            self.partial.truncate(have.saturating_add(*read.as_ref().unwrap_or(&0)));
            match read {
                Ok(0) if have == 0 => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that gives and takes one byte at a time, and times out before each.
    struct Slow(Vec<u8>, bool);

    impl Slow {
        fn stalls(&mut self) -> bool {
            self.1 = !self.1;
            self.1
        }
    }

    impl Read for Slow {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.stalls() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let length = usize::from(!self.0.is_empty());
            out[..length].copy_from_slice(&self.0[..length]);
            self.0.drain(..length);
            Ok(length)
        }
    }

    impl Write for Slow {
        fn write(&mut self, data: &[u8]) -> io::Result<usize> {
            if self.stalls() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.0.push(data[0]);
            Ok(1)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn patiently<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            match act() {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
                done => return done,
            }
        }
    }

    #[test]
    fn timeouts_in_the_middle_of_a_frame_lose_nothing() {
        let (mut out, mut slow) = (Vec::new(), Slow(Vec::new(), false));
        frame(b"one", &mut out);
        frame(&[7; 300], &mut out);
        patiently(|| drain(&mut out, &mut slow)).unwrap();
        let mut incoming = Incoming::default();
        assert_eq!(patiently(|| incoming.receive(&mut slow)).unwrap().unwrap(), b"one");
        assert_eq!(patiently(|| incoming.receive(&mut slow)).unwrap().unwrap(), [7; 300]);
        assert_eq!(patiently(|| incoming.receive(&mut slow)).unwrap(), None);
        slow.0.extend([0, 0, 0, 2, 1]);
        let cut = patiently(|| incoming.receive(&mut slow)).unwrap_err();
        assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn data_is_read_in_order_and_before_the_end() {
        let mut incoming = Incoming::default();
        for part in [&b"ab"[..], b"", b"cde"] {
            incoming.take(Some(part.to_vec().into()), false);
        }
        incoming.take(None, true);
        let mut out = [0; 2];
        let mut all = Vec::new();
        loop {
            match incoming.read(&mut out).unwrap() {
                0 => break,
                length => all.extend_from_slice(&out[..length]),
            }
        }
        assert_eq!(all, b"abcde");
        assert_eq!(Incoming::default().read(&mut out), None);
    }
}
