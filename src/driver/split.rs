//! The halves of a session, for two threads.

use super::frames::{Incoming, drain};
use super::stream::{Core, End, Session};
use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Sealed bytes that may wait for a busy writer before the reading half waits, too.
const MAX_OUT: usize = 1 << 20;

/// Both halves' common part. Nothing is read or written under the lock: a peer that does not read cannot stop
/// the reading half. Records leave in the order in which they were sealed.
#[derive(Debug)]
struct Shared<S, E> {
    state: Mutex<State<S, E>>,
    /// The writer is back.
    idle: Condvar,
}

#[derive(Debug)]
struct State<S, E> {
    core: Core<E>,
    /// None while a thread writes with it.
    writer: Option<S>,
    /// The writing half has sealed something, and is about to write it: that is not the reading half's work,
    /// which goes on reading while a peer that does not read stops the writer.
    busy: bool,
}

impl<S: Write, E> Shared<S, E> {
    fn lock(&self) -> MutexGuard<'_, State<S, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what has been sealed. Where another thread is writing, that one sends it; `wait` for it or not.
    fn leave(&self, wait: bool) -> io::Result<()> {
        let mut state = self.lock();
        while !state.core.out.is_empty() {
            let others = state.writer.is_none() || (state.busy && !wait);
            if others && !wait && state.core.out.len() <= MAX_OUT {
                return Ok(());
            }
            let writer = if others { None } else { state.writer.take() };
            match writer {
                None => state = self.idle.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(mut writer) => {
                    let mut out = core::mem::take(&mut state.core.out);
                    drop(state);
                    let written = drain(&mut out, &mut writer).and_then(|()| writer.flush());
                    state = self.lock();
                    // What the stream did not take goes before what was sealed meanwhile.
                    out.append(&mut state.core.out);
                    (state.core.out, state.writer) = (out, Some(writer));
                    state.busy &= !wait || (written.is_ok() && !state.core.out.is_empty());
                    self.idle.notify_all();
                    written?;
                }
            }
        }
        state.busy &= !wait;
        Ok(())
    }
}

impl<S: Read + Write, E: End> Session<S, E> {
    /// Splits the session into halves that two threads may use. `reader` is a second handle of the same
    /// stream, such as [`TcpStream::try_clone`](std::net::TcpStream::try_clone) gives.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::net::TcpStream;
    /// use std::thread;
    /// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
    ///
    /// # fn main() -> setting::Outcome {
    /// # let setting = setting::Setting::new()?;
    /// # let (connector, address) = (halfkey::driver::Connector::builder(setting.token()?).build(), setting.serve()?);
    /// # let registration = setting::register(&connector, &setting.name, address)?;
    /// let stream = TcpStream::connect(address)?;
    /// let reader = stream.try_clone()?;
    /// let (mut read, mut write) = connector.open(stream, &registration.key_id)?.split(reader);
    /// let writing = thread::spawn(move || {
    ///     write.write_all(b"hello")?;
    ///     write.shutdown()
    /// });
    /// let mut echo = Vec::new();
    /// read.read_to_end(&mut echo)?; // on this thread, meanwhile
    /// assert_eq!(echo, b"hello");
    /// # writing.join().map_err(|_| "the writer has panicked")??;
    /// # Ok(()) }
    /// ```
    pub fn split(self, reader: S) -> (ReadHalf<S, E>, WriteHalf<S, E>) {
        let Self { core, stream, incoming } = self;
        let state = Mutex::new(State { core, writer: Some(stream), busy: false });
        let shared = Arc::new(Shared { state, idle: Condvar::new() });
        (ReadHalf { reader, shared: Arc::clone(&shared), incoming }, WriteHalf { shared })
    }
}

/// The reading half of a session.
#[derive(Debug)]
pub struct ReadHalf<S, E> {
    reader: S,
    shared: Arc<Shared<S, E>>,
    incoming: Incoming,
}

/// The writing half of a session.
#[derive(Debug)]
pub struct WriteHalf<S, E> {
    shared: Arc<Shared<S, E>>,
}

impl<S: Read + Write, E: End> Read for ReadHalf<S, E> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(length) = self.incoming.read(out) {
                return Ok(length);
            }
            self.shared.lock().core.goes_on()?;
            let record = self.incoming.receive(&mut self.reader);
            let taken = self.shared.lock().core.take(record, &mut self.incoming);
            let left = self.shared.leave(false);
            taken.and(left)?;
        }
    }
}

impl<S: Read + Write, E: End> WriteHalf<S, E> {
    /// Has the end make frames, and sends them.
    pub(super) fn with<X: From<io::Error>>(
        &mut self,
        make: impl FnOnce(&mut E) -> Result<Vec<Vec<u8>>, X>,
    ) -> Result<(), X> {
        let mut state = self.shared.lock();
        let made = state.core.make(make);
        state.busy = true;
        drop(state);
        let left = self.shared.leave(true);
        made?;
        Ok(left?)
    }

    /// Closes this side, as [`Session::shutdown`] does.
    ///
    /// # Errors
    /// The stream's.
    pub fn shutdown(&mut self) -> io::Result<()> {
        let mut state = self.shared.lock();
        state.core.close()?;
        state.busy = true;
        drop(state);
        self.shared.leave(true)
    }
}

impl<S: Read + Write, E: End> Write for WriteHalf<S, E> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.shared.leave(true)?;
        let mut state = self.shared.lock();
        let written = state.core.write(data);
        state.busy = true;
        drop(state);
        let length = match written {
            Ok(length) => length,
            Err(error) => {
                self.shared.leave(true)?;
                return Err(error);
            }
        };
        match self.shared.leave(true) {
            Err(error) if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                Err(error)
            }
            _ => Ok(length),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.shared.leave(true)
    }
}
