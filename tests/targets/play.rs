//! Bytes read as a play.

/// Remaining bytes. After their end every answer is 0, which is the honest choice.
pub struct Play<'a>(pub &'a [u8]);

impl<'a> Play<'a> {
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { usize::from(self.byte()) % end }
    }

    pub fn number(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    pub fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// Returns what arrives in place of `frame`; `others` are frames from earlier or from elsewhere.
    pub fn meddle(&mut self, frame: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
        let mut frame = frame.to_vec();
        let place = |play: &mut Self, frame: &[u8]| play.number() % frame.len().max(1);
        match self.byte() % 9 {
            1 => {
                let at = place(self, &frame);
                let bit = self.byte() % 8;
                if let Some(byte) = frame.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            2 => frame.truncate(place(self, &frame)),
            3 => {
                let length = self.below(64);
                frame.extend_from_slice(self.bytes(length));
            }
            4 => {
                let (at, length) = (place(self, &frame), self.below(64));
                for (byte, new) in frame.iter_mut().skip(at).zip(self.bytes(length)) {
                    *byte = *new;
                }
            }
            5 if !others.is_empty() => frame = self.pick(others),
            6 if !others.is_empty() => {
                let other = self.pick(others);
                let at = place(self, &frame).min(other.len());
                frame.truncate(at);
                frame.extend_from_slice(&other[at..]);
            }
            7 => {
                let length = self.number();
                frame = self.bytes(length).to_vec();
            }
            8 => {
                let (from, length) = (place(self, &frame), self.below(64));
                frame.drain(from..(from + length).min(frame.len()));
            }
            _ => {}
        }
        frame
    }
}
