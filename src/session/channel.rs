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

use super::direction::{Direction, HEAD, Kind, STEP};
use super::keys::{Later, SessionKeys};
pub use super::limit::{ChannelError, MAX_DATA, MAX_EXPORT, MAX_RECORD, RECORDS_PER_KEY};
use super::opened::OpenedRecord;
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

impl Content {
    const fn kind(self) -> Kind {
        match self {
            Self::Data => Kind::Data,
            Self::Configuration => Kind::Configuration,
        }
    }
}

/// Steps in which the length of a record shows.
const fn step_of(kind: Kind) -> usize {
    if matches!(kind, Kind::Data) { 1 } else { STEP }
}

/// Returns where in its record data of that length lies once it has been opened in place.
pub(crate) const fn place_of(length: usize) -> core::ops::Range<usize> {
    HEAD..HEAD.saturating_add(length)
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
    later: Later,
    /// True at the token's end: the server alone says how a registration stands.
    hears_status: bool,
    broken: bool,
}

impl Channel {
    /// The token's end.
    pub(super) fn of_token(suite: &'static dyn Suite, keys: SessionKeys) -> Self {
        let channel = Self::new(suite, keys.t2s, keys.s2t, keys.later);
        Self { hears_status: true, ..channel }
    }

    /// The server's end.
    pub(super) fn of_server(suite: &'static dyn Suite, keys: SessionKeys) -> Self {
        Self::new(suite, keys.s2t, keys.t2s, keys.later)
    }

    fn new(suite: &'static dyn Suite, outgoing: Secret, incoming: Secret, later: Later) -> Self {
        let (outgoing, incoming) = (Direction::new(suite, outgoing), Direction::new(suite, incoming));
        Self { suite, outgoing, incoming, later, hears_status: false, broken: false }
    }

    /// The session's name: public, the same on both sides, never the same twice. Derived anew at each call
    /// until the first change of keys.
    #[must_use]
    pub fn session_id(&self) -> [u8; 32] {
        self.later.made().0
    }

    /// Renews this side's key after so many records, the default being the most that a key may seal:
    /// [`RECORDS_PER_KEY`]. [`Channel::seal_records`] and [`Channel::seal_into`] do it where it is due.
    pub const fn rekey_after(&mut self, records: u32) {
        self.outgoing.limit(records);
    }

    /// Seals one record. Application data is not padded; see [`Channel::seal_padded`].
    ///
    /// # Errors
    /// [`ChannelError::TooLong`], [`ChannelError::RekeyNeeded`], [`ChannelError::Closed`] or
    /// [`ChannelError::Broken`].
    pub fn seal(&mut self, content: Content, data: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.one(content.kind(), data, step_of(content.kind()))
    }

    /// Seals application data, padded so that its length shows in steps of `step` bytes alone.
    ///
    /// # Errors
    /// Those of [`Channel::seal`].
    pub fn seal_padded(&mut self, data: &[u8], step: u16) -> Result<Vec<u8>, ChannelError> {
        self.one(Kind::Data, data, step.into())
    }

    /// Seals a message of any length: one record for each [`MAX_DATA`] bytes of application data, with a
    /// change of keys before a record where it is due.
    ///
    /// # Errors
    /// [`ChannelError::TooLong`] for a message of the configuration flow that does not fit into one record;
    /// otherwise as [`Channel::seal`].
    pub fn seal_records(&mut self, content: Content, data: &[u8]) -> Result<Vec<Vec<u8>>, ChannelError> {
        let mut records = Vec::with_capacity(1);
        self.each_part(content, data, |channel, kind, part| {
            let mut record = Vec::new();
            channel.send(kind, part, step_of(kind), &mut record)?;
            records.push(record);
            Ok(())
        })?;
        Ok(records)
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
        let before = out.len();
        let sealed = self.each_part(content, data, |channel, kind, part| {
            let at = out.len();
            out.extend_from_slice(&[0; 4]);
            channel.send(kind, part, step_of(kind), out)?;
            let (_, framed) = out.split_at_mut_checked(at).ok_or(ChannelError::TooLong)?;
            let (length, record) = framed.split_first_chunk_mut().ok_or(ChannelError::TooLong)?;
            *length = u32::try_from(record.len()).map_err(|_| ChannelError::TooLong)?.to_be_bytes();
            Ok(())
        });
        if sealed.is_err() {
            out.truncate(before);
        }
        sealed
    }

    /// Calls `send` for every record of [`Channel::seal_records`].
    fn each_part(
        &mut self,
        content: Content,
        data: &[u8],
        mut send: impl FnMut(&mut Self, Kind, &[u8]) -> Result<(), ChannelError>,
    ) -> Result<(), ChannelError> {
        if content == Content::Configuration && data.len() > MAX_DATA {
            return Err(ChannelError::TooLong);
        }
        let mut rest = data;
        loop {
            let (part, after) = rest.split_at_checked(MAX_DATA).unwrap_or((rest, &[]));
            if self.outgoing.wants_rekey() {
                send(self, Kind::Rekey, &[])?;
            }
            send(self, content.kind(), part)?;
            rest = after;
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// The record that tells the peer that this side goes on under its next key, and the step to
    /// it. What was sent before stays secret even if the keys from now on leak.
    ///
    /// # Errors
    /// [`ChannelError::Exhausted`], [`ChannelError::Closed`] or [`ChannelError::Broken`].
    pub fn rekey(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.one(Kind::Rekey, &[], STEP)
    }

    /// The record that tells the peer that this side sends nothing more. The other direction
    /// stays open.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] or [`ChannelError::Broken`].
    pub fn close(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.one(Kind::Close, &[], STEP)
    }

    /// Opens the next record of the peer's.
    ///
    /// # Errors
    /// [`ChannelError::Broken`] for a record that is not exactly the next one, and from then on for
    /// everything. [`ChannelError::Closed`] for anything after the peer's close.
    pub fn open(&mut self, record: &[u8]) -> Result<OpenedRecord, ChannelError> {
        let (kind, text) = self.receive_copy(record)?;
        self.opened(kind, text)
    }

    /// Opens the next record of the peer's in the caller's buffer: the data lies in it, and so does padding.
    /// After an error the buffer is of no use.
    ///
    /// # Errors
    /// Those of [`Channel::open`].
    pub fn open_in_place<'r>(
        &mut self,
        record: &'r mut [u8],
    ) -> Result<OpenedRecord<&'r mut [u8]>, ChannelError> {
        let (kind, length) = self.receive(record)?;
        let data = record.get_mut(HEAD..).and_then(|data| data.get_mut(..length));
        self.opened(kind, data.ok_or(ChannelError::Broken)?)
    }

    fn opened<T>(&mut self, kind: Kind, data: T) -> Result<OpenedRecord<T>, ChannelError> {
        match kind {
            Kind::Data => Ok(OpenedRecord::Data(data)),
            Kind::Configuration => Ok(OpenedRecord::Configuration(data)),
            Kind::Rekey => Ok(OpenedRecord::Rekeyed),
            Kind::Close => Ok(OpenedRecord::Closed),
            Kind::Status if self.hears_status => Ok(OpenedRecord::Status(data)),
            Kind::Status => self.broken(),
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
        self.id_and_exporter().1.export(label, context, out)
    }

    /// The session's id and its exporter by one derivation, for a driver whose machine is busy with a turn.
    pub(crate) fn id_and_exporter(&self) -> ([u8; 32], Exporter) {
        let (session_id, secret) = self.later.made();
        (session_id, Exporter { suite: self.suite, secret })
    }

    /// The server's first record, inside S3, and its last where it ends the session.
    pub(super) fn seal_status(&mut self, status: &[u8]) -> Result<Vec<u8>, ChannelError> {
        self.one(Kind::Status, status, STEP)
    }

    /// Opens the first record that [`Channel::seal_status`] sealed.
    pub(super) fn open_status(&mut self, record: &[u8]) -> Result<Zeroizing<Vec<u8>>, ChannelError> {
        match self.receive_copy(record)? {
            (Kind::Status, text) => Ok(text),
            _ => self.broken(),
        }
    }

    /// One record, in a buffer of its own.
    fn one(&mut self, kind: Kind, data: &[u8], step: usize) -> Result<Vec<u8>, ChannelError> {
        let mut record = Vec::new();
        self.send(kind, data, step, &mut record)?;
        Ok(record)
    }

    /// Appends one record to `out`.
    fn send(&mut self, kind: Kind, data: &[u8], step: usize, out: &mut Vec<u8>) -> Result<(), ChannelError> {
        if self.broken {
            return Err(ChannelError::Broken);
        }
        if kind == Kind::Rekey {
            self.later.settle();
        }
        self.outgoing.seal_into(self.suite, kind, data, step, out)
    }

    /// Opens one record in place: its kind, and its data at [`HEAD`].
    fn receive(&mut self, record: &mut [u8]) -> Result<(Kind, usize), ChannelError> {
        if self.broken {
            return Err(ChannelError::Broken);
        }
        let opened = self.incoming.open_in_place(self.suite, record);
        match &opened {
            Ok((Kind::Rekey, _)) => self.later.settle(),
            Ok(_) => {}
            Err(_) if self.incoming.is_closed() => {}
            Err(_) => return self.broken(),
        }
        opened
    }

    /// Opens one record into a buffer of its own.
    fn receive_copy(&mut self, record: &[u8]) -> Result<(Kind, Zeroizing<Vec<u8>>), ChannelError> {
        // What is too long is not copied.
        let mut text = Zeroizing::new(record.get(..=MAX_RECORD).unwrap_or(record).to_vec());
        let (kind, length) = self.receive(&mut text)?;
        text.drain(..HEAD);
        text.truncate(length);
        Ok((kind, text))
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
