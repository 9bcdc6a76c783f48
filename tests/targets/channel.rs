//! The record channel: records open as they were sealed, in order, and none opens after a break.

use super::play::Play;
use super::session::channels;
use halfkey::session::{Channel, ChannelError, Content, OpenedRecord};
use std::collections::VecDeque;

pub fn run(bytes: &[u8]) {
    let mut play = Play(bytes);
    let (token, server) = channels();
    let mut ends = [End::of(token), End::of(server)];
    let mut seen: Vec<Vec<u8>> = Vec::new();
    for _ in 0..256 {
        if play.is_over() {
            break;
        }
        let from = usize::from(play.byte() & 1);
        if play.byte() % 2 == 0 {
            ends[from].speak(&mut play, &mut seen);
        } else {
            let [first, second] = &mut ends;
            let (speaker, listener) = if from == 0 { (first, second) } else { (second, first) };
            listener.listen(speaker, &mut play, &seen);
        }
    }
    let [one, other] = &ends;
    let export = |end: &End| {
        let mut key = [0; 32];
        end.channel.export(b"fuzz", &[1], &mut key).map(|()| key)
    };
    if let (Ok(one), Ok(other)) = (export(one), export(other)) {
        assert_eq!(one, other);
    }
}

#[derive(Clone, PartialEq, Debug)]
enum Said {
    Data(Vec<u8>),
    Configuration(Vec<u8>),
    Rekeyed,
    Closed,
}

struct End {
    channel: Channel,
    /// Sealed and not yet opened at the other end.
    under_way: VecDeque<(Vec<u8>, Said)>,
    closed: bool,
    broken: bool,
}

impl End {
    fn of(channel: Channel) -> Self {
        Self { channel, under_way: VecDeque::new(), closed: false, broken: false }
    }

    fn speak(&mut self, play: &mut Play<'_>, seen: &mut Vec<Vec<u8>>) {
        let (kind, length) = (play.byte() % 8, play.number());
        let data = vec![play.byte(); length];
        let (sealed, said) = match kind {
            0 => (self.channel.rekey(), Said::Rekeyed),
            1 => (self.channel.close(), Said::Closed),
            2 | 3 => (self.channel.seal(Content::Configuration, &data), Said::Configuration(data)),
            4 => (self.channel.seal_padded(&data, play.number() as u16), Said::Data(data)),
            _ => (self.channel.seal(Content::Data, &data), Said::Data(data)),
        };
        match sealed {
            Ok(record) => {
                assert!(!self.closed && !self.broken && record.len() <= halfkey::session::MAX_RECORD);
                self.closed = said == Said::Closed;
                seen.push(record.clone());
                self.under_way.push_back((record, said));
            }
            Err(ChannelError::TooLong) => assert!(matches!(said, Said::Data(_) | Said::Configuration(_))),
            Err(ChannelError::Closed) => assert!(self.closed),
            Err(ChannelError::Broken) => assert!(self.broken),
            Err(error) => panic!("{error}"),
        }
    }

    fn listen(&mut self, speaker: &mut End, play: &mut Play<'_>, seen: &[Vec<u8>]) {
        let next = speaker.under_way.front().cloned();
        let record = next.as_ref().map_or(&[][..], |(record, _)| record);
        let heard = play.meddle(record, seen);
        let was_closed = self.channel.is_closed_by_peer();
        match self.channel.open(&heard) {
            Ok(received) => {
                let (record, said) = next.unwrap();
                assert!(!self.broken && !was_closed && heard == record, "a record that was not the next");
                speaker.under_way.pop_front();
                let received = match received {
                    OpenedRecord::Data(data) => Said::Data(data.to_vec()),
                    OpenedRecord::Configuration(data) => Said::Configuration(data.to_vec()),
                    OpenedRecord::Rekeyed => Said::Rekeyed,
                    OpenedRecord::Closed => Said::Closed,
                    other => panic!("{other:?}"),
                };
                assert_eq!(received, said);
            }
            Err(ChannelError::Closed) => assert!(was_closed),
            Err(ChannelError::Broken) => {
                assert!(
                    self.broken || next.is_none_or(|(record, _)| heard != record),
                    "an honest record refused"
                );
                self.broken = true;
            }
            Err(error) => panic!("{error}"),
        }
    }
}
