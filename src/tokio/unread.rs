//! Data that has come, on its way to the reader.

use super::end::End;
use super::state::Core;
use std::collections::VecDeque;
use tokio::io::ReadBuf;
use zeroize::Zeroizing;

impl<S, E: End> Core<S, E> {
    /// Bytes that wait to be read.
    pub(super) fn unread(&self) -> usize {
        let lent = self.lent.as_ref().map_or(0, ExactSizeIterator::len);
        let unread = self.unread.iter().map(|data| data.len()).sum::<usize>();
        unread.saturating_sub(self.read).saturating_add(lent)
    }

    /// Lets go of the frame whose data has been read, or is not wanted.
    pub(super) fn give_back(&mut self) {
        if self.lent.take().is_some() {
            let length = self.link.frame().ok().flatten().map_or(0, <[u8]>::len);
            self.link.erase(length);
        }
    }

    /// Keeps data that has not been read, since its frame is to make way for the next.
    pub(super) fn keep_lent(&mut self) {
        let Some(place) = self.lent.clone() else { return };
        let data = self.link.frame().ok().flatten().and_then(|frame| frame.get(place));
        self.unread.extend(data.map(|data| Zeroizing::new(data.to_vec())));
        self.give_back();
    }

    /// Gives data that is there.
    pub(super) fn give(&mut self, out: &mut ReadBuf<'_>) -> bool {
        let Some(data) = self.unread.front() else { return self.give_lent(out) };
        let rest = data.get(self.read..).unwrap_or_default();
        let (part, _) = rest.split_at_checked(out.remaining()).unwrap_or((rest, &[]));
        out.put_slice(part);
        self.read = self.read.saturating_add(part.len());
        if self.read >= data.len() {
            self.read = 0;
            if let Some(mut read) = self.unread.pop_front() {
                // Empty, it is erased as a block, and not byte by byte.
                read.clear();
            }
            if self.unread.is_empty() {
                self.unread = VecDeque::new();
            }
        }
        true
    }

    /// Gives data out of the frame that the link holds.
    fn give_lent(&mut self, out: &mut ReadBuf<'_>) -> bool {
        let Some(place) = &mut self.lent else { return false };
        let frame = self.link.frame().ok().flatten().unwrap_or_default();
        let rest = frame.get(place.clone()).unwrap_or_default();
        let (part, _) = rest.split_at_checked(out.remaining()).unwrap_or((rest, &[]));
        out.put_slice(part);
        place.start = place.start.saturating_add(part.len());
        if place.start >= place.end {
            self.give_back();
        }
        true
    }
}
