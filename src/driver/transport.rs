//! Frames over a byte stream: `length(4) ‖ bytes`.

use crate::wire::MAX_MESSAGE;
use std::io::{self, Read, Write};

/// Something that carries frames in order, both ways.
///
/// A transport that keeps the boundaries of messages, such as a WebSocket or a queue, needs no lengths:
/// ```
/// use halfkey::driver::Transport;
/// use std::io;
/// use std::sync::mpsc::{Receiver, Sender};
///
/// struct Queue(Sender<Vec<u8>>, Receiver<Vec<u8>>);
///
/// impl Transport for Queue {
///     fn send(&mut self, frame: &[u8]) -> io::Result<()> {
///         self.0.send(frame.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe.into())
///     }
///     fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
///         Ok(self.1.recv().ok())
///     }
/// }
/// ```
pub trait Transport {
    /// Sends one frame.
    ///
    /// # Errors
    /// The transport's.
    fn send(&mut self, frame: &[u8]) -> io::Result<()>;

    /// Receives one frame; `None` when the peer has ended the connection between two frames.
    ///
    /// # Errors
    /// The transport's; [`io::ErrorKind::InvalidData`] for a frame of no or more than 65 536 bytes.
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>>;
}

/// Frames over a stream, such as a `TcpStream`. Set the stream's timeouts yourself.
#[derive(Debug)]
pub struct Framed<S>(pub S);

impl<S: Read + Write> Transport for Framed<S> {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let length = u32::try_from(frame.len()).map_err(|_| io::ErrorKind::InvalidData)?;
        let mut bytes = Vec::with_capacity(frame.len().saturating_add(4));
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(frame);
        self.0.write_all(&bytes)?;
        self.0.flush()
    }

    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut length = [0; 4];
        let mut filled = 0;
        while let Some(rest) = length.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.read(rest) {
                Ok(0) if filled == 0 => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled = filled.saturating_add(read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let length = u64::from(u32::from_be_bytes(length));
        if length == 0 || length > MAX_MESSAGE as u64 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // `take` and `read_to_end` allocate for what arrives, not for what was claimed.
        let mut frame = Vec::new();
        Read::by_ref(&mut self.0).take(length).read_to_end(&mut frame)?;
        if frame.len() as u64 == length { Ok(Some(frame)) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        (**self).send(frame)
    }

    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        (**self).receive()
    }
}

impl<T: Transport + ?Sized> Transport for &mut T {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        (**self).send(frame)
    }

    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        (**self).receive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn frames_come_back_as_they_went() {
        let mut framed = Framed(Cursor::new(Vec::new()));
        framed.send(b"one").unwrap();
        framed.send(&[7; MAX_MESSAGE]).unwrap();
        framed.0.set_position(0);
        assert_eq!(framed.receive().unwrap().unwrap(), b"one");
        assert_eq!(framed.receive().unwrap().unwrap(), [7; MAX_MESSAGE]);
        assert_eq!(framed.receive().unwrap(), None);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let kind = |bytes: &[u8]| Framed(Cursor::new(bytes.to_vec())).receive().unwrap_err().kind();
        assert_eq!(kind(&[0, 0]), io::ErrorKind::UnexpectedEof);
        assert_eq!(kind(&[0, 0, 0, 0]), io::ErrorKind::InvalidData);
        assert_eq!(kind(&[0, 1, 0, 1, 7]), io::ErrorKind::InvalidData);
        assert_eq!(kind(&[0xFF; 64]), io::ErrorKind::InvalidData);
        assert_eq!(kind(&[0, 0, 0, 5, 1, 2]), io::ErrorKind::UnexpectedEof);
    }
}
