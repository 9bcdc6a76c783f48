//! The record channel: what both sides say to each other once a session stands.
//!
//! ```text
//! record    = AES-256-GCM(key of the direction, nonce, no aad, plaintext)     at most 65 536 bytes
//! nonce     = 0(4) ‖ count of records under this key(8)
//! plaintext = type(1) ‖ length(4) ‖ data ‖ zeros           type 0 close, 1 data, 2 status,
//!                                                          3 configuration, 4 rekey
//! ```
//! There is no additional data: each key belongs to one session and one direction already. The
//! count is implicit, so records travel over something that keeps their order and framing, and a
//! record lost, repeated, reordered or changed ends the channel. An attacker can still cut the
//! connection; [`Channel::finish`] tells that from a close. Lengths show, in steps of 256 bytes for
//! everything but application data, which is padded as the caller asks.

use super::direction::{Direction, Kind, STEP};
use super::keys::SessionKeys;
pub use super::limit::{ChannelError, MAX_DATA, MAX_EXPORT, MAX_RECORD};
use crate::secret::Secret;
use crate::suite::Suite;
use crate::transcript::label;
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroizing;

/// Content of a record to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Application data.
    Data,
    /// A message of the configuration flow (C0 to C2).
    Configuration,
}

/// Content of a record of the peer's.
#[non_exhaustive]
pub enum OpenedRecord {
    /// Application data.
    Data(Zeroizing<Vec<u8>>),
    /// A message of the configuration flow (C0 to C2).
    Configuration(Zeroizing<Vec<u8>>),
    /// The peer goes on under its next key; nothing to do.
    Rekeyed,
    /// The peer sends nothing more.
    Closed,
}

/// Shows lengths alone.
impl fmt::Debug for OpenedRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(data) => write!(f, "Data({} bytes)", data.len()),
            Self::Configuration(message) => write!(f, "Configuration({} bytes)", message.len()),
            Self::Rekeyed => f.write_str("Rekeyed"),
            Self::Closed => f.write_str("Closed"),
        }
    }
}

/// Exports key material of one session.
#[derive(Clone)]
pub(crate) struct Exporter {
    suite: &'static dyn Suite,
    secret: Secret,
}

impl Exporter {
    /// [`Channel::export`].
    pub(crate) fn export(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), ChannelError> {
        let length = u32::try_from(label.len()).map_err(|_| ChannelError::ExportTooLong)?;
        if out.len() > MAX_EXPORT {
            return Err(ChannelError::ExportTooLong);
        }
        let info = [label::EXPORT, &[0], &length.to_be_bytes(), label, context];
        self.suite.expand(&self.secret, &info, out);
        Ok(())
    }
}

/// One end of an open session.
#[must_use]
pub struct Channel {
    suite: &'static dyn Suite,
    outgoing: Direction,
    incoming: Direction,
    exporter: Secret,
    session_id: [u8; 32],
    broken: bool,
}

impl Channel {
    /// The token's end.
    pub(super) fn of_token(suite: &'static dyn Suite, keys: SessionKeys) -> Self {
        Self::new(suite, keys.t2s, keys.s2t, keys.exporter, keys.session_id)
    }

    /// The server's end.
    pub(super) fn of_server(suite: &'static dyn Suite, keys: SessionKeys) -> Self {
        Self::new(suite, keys.s2t, keys.t2s, keys.exporter, keys.session_id)
    }

    fn new(
        suite: &'static dyn Suite,
        outgoing: Secret,
        incoming: Secret,
        exporter: Secret,
        session_id: [u8; 32],
    ) -> Self {
        let (outgoing, incoming) = (Direction::new(outgoing), Direction::new(incoming));
        Self { suite, outgoing, incoming, exporter, session_id, broken: false }
    }

    /// The session's name: public, the same on both sides, never the same twice.
    #[must_use]
    pub const fn session_id(&self) -> &[u8; 32] {
        &self.session_id
    }

    /// Seals one record. Application data is not padded; see [`Channel::seal_padded`].
    ///
    /// # Errors
    /// [`ChannelError::TooLong`], [`ChannelError::RekeyNeeded`], [`ChannelError::Closed`] or
    /// [`ChannelError::Broken`].
    pub fn seal(&mut self, content: Content, data: &[u8]) -> Result<Vec<u8>, ChannelError> {
        match content {
            Content::Data => self.send(Kind::Data, data, 1),
            Content::Configuration => self.send(Kind::Configuration, data, STEP),
        }
    }

    /// Seals application data, padded so that its length shows in steps of `step` bytes alone.
    ///
    /// # Errors
    /// Those of [`Channel::seal`].
    pub fn seal_padded(&mut self, data: &[u8], step: u16) -> Result<Vec<u8>, ChannelError> {
        self.send(Kind::Data, data, step.into())
    }

    /// Seals a message of any length: one record for each [`MAX_DATA`] bytes of application data, with a
    /// change of keys before a record where it is due.
    ///
    /// # Errors
    /// [`ChannelError::TooLong`] for a message of the configuration flow that does not fit into one record;
    /// otherwise as [`Channel::seal`].
    pub fn seal_records(&mut self, content: Content, data: &[u8]) -> Result<Vec<Vec<u8>>, ChannelError> {
        if content == Content::Configuration && data.len() > MAX_DATA {
            return Err(ChannelError::TooLong);
        }
        let mut records = Vec::with_capacity(1);
        let mut rest = data;
        loop {
            let (part, after) = rest.split_at_checked(MAX_DATA).unwrap_or((rest, &[]));
            match self.seal(content, part) {
                Err(ChannelError::RekeyNeeded) => {
                    records.push(self.rekey()?);
                    records.push(self.seal(content, part)?);
                }
                sealed => records.push(sealed?),
            }
            rest = after;
            if rest.is_empty() {
                return Ok(records);
            }
        }
    }

    /// Appends the records of [`Channel::seal_records`] to `out`, each after its length in four bytes.
    ///
    /// # Errors
    /// As [`Channel::seal_records`].
    pub fn seal_into(
        &mut self,
        content: Content,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), ChannelError> {
        for record in self.seal_records(content, data)? {
            let length = u32::try_from(record.len()).map_err(|_| ChannelError::TooLong)?;
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(&record);
        }
        Ok(())
    }

    /// The record that tells the peer that this side goes on under its next key, and the step to
    /// it. What was sent before stays secret even if the keys from now on leak.
    ///
    /// # Errors
    /// [`ChannelError::Exhausted`], [`ChannelError::Closed`] or [`ChannelError::Broken`].
    pub fn rekey(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.send(Kind::Rekey, &[], STEP)
    }

    /// The record that tells the peer that this side sends nothing more. The other direction
    /// stays open.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] or [`ChannelError::Broken`].
    pub fn close(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.send(Kind::Close, &[], STEP)
    }

    /// Opens the next record of the peer's.
    ///
    /// # Errors
    /// [`ChannelError::Broken`] for a record that is not exactly the next one, and from then on for
    /// everything. [`ChannelError::Closed`] for anything after the peer's close.
    pub fn open(&mut self, record: &[u8]) -> Result<OpenedRecord, ChannelError> {
        match self.receive(record)? {
            (Kind::Data, text) => Ok(OpenedRecord::Data(text)),
            (Kind::Configuration, text) => Ok(OpenedRecord::Configuration(text)),
            (Kind::Rekey, _) => Ok(OpenedRecord::Rekeyed),
            (Kind::Close, _) => Ok(OpenedRecord::Closed),
            (Kind::Status, _) => self.broken(),
        }
    }

    /// Tells whether this side has closed its direction.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.outgoing.is_closed()
    }

    /// Tells whether the peer has closed its direction.
    #[must_use]
    pub const fn is_closed_by_peer(&self) -> bool {
        self.incoming.is_closed()
    }

    /// Tells whether any record of the peer's has opened.
    #[must_use]
    pub const fn has_heard(&self) -> bool {
        self.incoming.is_used()
    }

    /// The connection has ended: was that the peer's wish?
    ///
    /// # Errors
    /// [`ChannelError::Truncated`] when the peer had not closed, [`ChannelError::Broken`].
    pub const fn finish(&self) -> Result<(), ChannelError> {
        match (self.broken, self.incoming.is_closed()) {
            (true, _) => Err(ChannelError::Broken),
            (false, true) => Ok(()),
            (false, false) => Err(ChannelError::Truncated),
        }
    }

    /// Key material for another protocol, the same on both sides (like RFC 5705):
    /// `Expand(exporter, "export" ‖ length of label(4) ‖ label ‖ context)`.
    ///
    /// # Errors
    /// [`ChannelError::ExportTooLong`] or [`ChannelError::Broken`].
    pub fn export(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), ChannelError> {
        if self.broken {
            return Err(ChannelError::Broken);
        }
        self.exporter().export(label, context, out)
    }

    /// The exporter alone, for a driver whose machine is busy with a turn.
    pub(crate) fn exporter(&self) -> Exporter {
        Exporter { suite: self.suite, secret: self.exporter.clone() }
    }

    /// The server's first record, inside S3.
    pub(super) fn seal_status(&mut self, status: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.send(Kind::Status, status, STEP)
    }

    /// Opens the record that [`Channel::seal_status`] sealed.
    pub(super) fn open_status(&mut self, record: &[u8]) -> Result<Zeroizing<Vec<u8>>, ChannelError> {
        match self.receive(record)? {
            (Kind::Status, text) => Ok(text),
            _ => self.broken(),
        }
    }

    fn send(&mut self, kind: Kind, data: &[u8], step: usize) -> Result<Vec<u8>, ChannelError> {
        if self.broken {
            return Err(ChannelError::Broken);
        }
        self.outgoing.seal(self.suite, kind, data, step)
    }

    fn receive(&mut self, record: &[u8]) -> Result<(Kind, Zeroizing<Vec<u8>>), ChannelError> {
        if self.broken {
            return Err(ChannelError::Broken);
        }
        let opened = self.incoming.open(self.suite, record);
        if opened.is_err() && !self.incoming.is_closed() {
            return self.broken();
        }
        opened
    }

    fn broken<T>(&mut self) -> Result<T, ChannelError> {
        self.broken = true;
        Err(ChannelError::Broken)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Channel(..)")
    }
}

#[cfg(test)]
mod tests;
