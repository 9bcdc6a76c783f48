//! One direction of a channel: a key, a count of records, and an end.

use super::limit::{ChannelError, MAX_DATA, MAX_RECORD, RECORDS_PER_KEY};
use crate::aead::{Aead, TAG};
use crate::schedule::expand_key;
use crate::secret::Secret;
use crate::suite::Suite;
use crate::transcript::label;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Type and length in front of the data.
pub(super) const HEAD: usize = 5;
/// Everything but application data is padded to multiples of this.
pub(super) const STEP: usize = 256;
/// Records under one key, with the rekey or the close that is the last of them.
pub(super) const WITH_LAST: u64 = RECORDS_PER_KEY as u64 + 1;

/// Kind of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Close,
    Data,
    Status,
    Configuration,
    Rekey,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Close, Self::Data, Self::Status, Self::Configuration, Self::Rekey];

    const fn code(self) -> u8 {
        match self {
            Self::Close => 0,
            Self::Data => 1,
            Self::Status => 2,
            Self::Configuration => 3,
            Self::Rekey => 4,
        }
    }
}

/// One direction. Both ends hold equal ones, and step them alike.
pub(super) struct Direction {
    /// The key that the next one is made of.
    key: Secret,
    /// The same key, ready to seal and open.
    aead: Box<dyn Aead>,
    /// Records sealed or opened under this key.
    pub(super) counter: u64,
    /// Keys used up.
    pub(super) rekeys: u32,
    /// Records that this end seals under one key.
    limit: u32,
    closed: bool,
}

impl Direction {
    pub(super) fn new(suite: &dyn Suite, key: Secret) -> Self {
        Self { aead: suite.aead(&key), key, counter: 0, rekeys: 0, limit: RECORDS_PER_KEY, closed: false }
    }

    /// Seals no more records under one key than this, at least one.
    pub(super) const fn limit(&mut self, records: u32) {
        self.limit = match records {
            0 => 1,
            1..RECORDS_PER_KEY => records,
            _ => RECORDS_PER_KEY,
        };
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Tells whether any record has gone this way.
    pub(super) const fn is_used(&self) -> bool {
        self.counter > 0 || self.rekeys > 0
    }

    /// Tells whether nothing but a rekey or a close may be sealed under this key.
    pub(super) const fn wants_rekey(&self) -> bool {
        self.counter >= self.limit as u64 && !self.closed
    }

    /// Appends `AES-256-GCM(key, counter, type ‖ length ‖ data ‖ zeros)` to `out`, with zeros up to a multiple
    /// of `step`. The text is encrypted where it lies.
    pub(super) fn seal_into(
        &mut self,
        suite: &dyn Suite,
        kind: Kind,
        data: &[u8],
        step: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), ChannelError> {
        if self.closed {
            return Err(ChannelError::Closed);
        }
        if data.len() > MAX_DATA {
            return Err(ChannelError::TooLong);
        }
        let length = u32::try_from(data.len()).map_err(|_| ChannelError::TooLong)?;
        let padded = data
            .len()
            .saturating_add(HEAD)
            .checked_next_multiple_of(step.max(1))
            .filter(|padded| padded.saturating_add(TAG) <= MAX_RECORD)
            .ok_or(ChannelError::TooLong)?;
        // What ends a key or the direction always finds room.
        let last = matches!(kind, Kind::Rekey | Kind::Close | Kind::Status);
        if self.counter >= if last { WITH_LAST } else { self.limit.into() } {
            return Err(ChannelError::RekeyNeeded);
        }
        if kind == Kind::Rekey && self.rekeys == u32::MAX {
            return Err(ChannelError::Exhausted);
        }
        let at = out.len();
        // Room for all of it, so that no copy of the plaintext is left behind by growing.
        out.reserve(padded.saturating_add(TAG));
        out.push(kind.code());
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(data);
        out.resize(at.saturating_add(padded), 0);
        let text = out.get_mut(at..).unwrap_or_default();
        let tag = self.aead.seal(&self.nonce(), &[], text);
        out.extend_from_slice(&tag);
        self.advance(suite, kind)
    }

    /// Undoes [`Direction::seal_into`] where the record lies: its kind, and the length of the data after
    /// [`HEAD`] bytes.
    pub(super) fn open_in_place(
        &mut self,
        suite: &dyn Suite,
        record: &mut [u8],
    ) -> Result<(Kind, usize), ChannelError> {
        if self.closed {
            return Err(ChannelError::Closed);
        }
        if record.len() > MAX_RECORD || self.counter >= WITH_LAST {
            return Err(ChannelError::Broken);
        }
        let (text, tag) = record.split_last_chunk_mut::<TAG>().ok_or(ChannelError::Broken)?;
        self.aead.open(&self.nonce(), &[], text, tag).map_err(|_| ChannelError::Broken)?;
        let (kind, length) = head(text).ok_or(ChannelError::Broken)?;
        self.advance(suite, kind)?;
        Ok((kind, length))
    }

    /// Counts a record that went; a rekey, a status and a close take effect with it.
    fn advance(&mut self, suite: &dyn Suite, kind: Kind) -> Result<(), ChannelError> {
        let first = !self.is_used();
        self.counter = self.counter.saturating_add(1);
        match kind {
            Kind::Rekey => {
                self.rekeys = self.rekeys.checked_add(1).ok_or(ChannelError::Exhausted)?;
                self.key = expand_key(suite, &self.key, label::REKEY);
                self.aead = suite.aead(&self.key);
                self.counter = 0;
            }
            // The first status opens the session, and another ends it.
            Kind::Status => self.closed = !first,
            Kind::Close => self.closed = true,
            Kind::Data | Kind::Configuration => {}
        }
        Ok(())
    }

    /// `0(4) ‖ counter(8)`: never the same twice under one key.
    fn nonce(&self) -> [u8; 12] {
        let [a, b, c, d, e, f, g, h] = self.counter.to_be_bytes();
        [0, 0, 0, 0, a, b, c, d, e, f, g, h]
    }
}

/// Kind of a record and length of its data; `None` unless type, length and padding are as they
/// should be, and what carries no data carries none.
fn head(text: &[u8]) -> Option<(Kind, usize)> {
    let (head, rest) = text.split_first_chunk::<HEAD>()?;
    let [code, a, b, c, d] = *head;
    let kind = Kind::ALL.into_iter().find(|kind| kind.code() == code)?;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    let padding = rest.get(length..)?;
    let empty = length == 0 || !matches!(kind, Kind::Close | Kind::Rekey);
    let padded =
        kind == Kind::Data || length.checked_add(HEAD)?.checked_next_multiple_of(STEP)? == text.len();
    let fits = length <= MAX_DATA && empty && padded && padding.iter().all(|byte| *byte == 0);
    fits.then_some((kind, length))
}
