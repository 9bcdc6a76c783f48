use super::super::direction::WITH_LAST;
use super::*;
use crate::suite::XWING;
use alloc::{format, vec};
use proptest::prelude::*;

fn keys() -> SessionKeys {
    SessionKeys::derive(&XWING, &Secret::new([2; 32]), Some(&Secret::new([3; 32])))
}

fn pair() -> (Channel, Channel) {
    (Channel::of_token(&XWING, keys()), Channel::of_server(&XWING, keys()))
}

/// A record that the token's end would never make.
fn forged(plaintext: &[u8]) -> Vec<u8> {
    let mut record = plaintext.to_vec();
    crate::aead::seal(&*XWING.aead(&keys().t2s), &[0; 12], &[], &mut record);
    record
}

fn data(received: Result<OpenedRecord, ChannelError>) -> Vec<u8> {
    match received {
        Ok(OpenedRecord::Data(data)) => data.to_vec(),
        other => panic!("{other:?}"),
    }
}

fn assert_dead(channel: &mut Channel) {
    assert_eq!(channel.seal(Content::Data, b"x"), Err(ChannelError::Broken));
    assert_eq!(channel.open(&[0; 40]).unwrap_err(), ChannelError::Broken);
    assert_eq!(channel.rekey(), Err(ChannelError::Broken));
    assert_eq!(channel.close(), Err(ChannelError::Broken));
    assert_eq!(channel.export(b"l", b"c", &mut [0; 8]), Err(ChannelError::Broken));
    assert_eq!(channel.finish(), Err(ChannelError::Broken));
}

#[test]
fn both_ways_and_both_contents() {
    let (mut token, mut server) = pair();
    assert!(!server.has_heard());
    let up = token.seal(Content::Configuration, b"C0").unwrap();
    assert!(matches!(server.open(&up).unwrap(), OpenedRecord::Configuration(text) if *text == b"C0"));
    assert!(server.has_heard() && !token.has_heard());
    let down = server.seal(Content::Data, b"").unwrap();
    assert_eq!(data(token.open(&down)), b"");
}

#[test]
fn lengths() {
    let (mut token, mut server) = pair();
    assert_eq!(token.seal(Content::Data, &[7; 10]).unwrap().len(), 10 + 5 + 16);
    for size in [0, 251] {
        assert_eq!(token.seal(Content::Configuration, &vec![7; size]).unwrap().len(), 256 + 16);
    }
    assert_eq!(token.seal(Content::Configuration, &[7; 252]).unwrap().len(), 512 + 16);
    assert_eq!(token.seal_padded(&[7; 10], 1000).unwrap().len(), 1000 + 16);
    assert_eq!(token.seal_padded(&[7; 10], 0).unwrap().len(), 10 + 5 + 16);
    assert_eq!(token.close().unwrap().len(), 256 + 16);

    assert_eq!(server.seal(Content::Data, &vec![7; MAX_DATA + 1]), Err(ChannelError::TooLong));
    assert_eq!(server.seal_padded(&[7; MAX_DATA], u16::MAX), Err(ChannelError::TooLong));
    let longest = server.seal_padded(&[7; MAX_DATA], 65_520).unwrap();
    assert_eq!(longest.len(), MAX_RECORD);
    assert_eq!(data(token.open(&longest)), [7; MAX_DATA]);

    let whole = server.seal_records(Content::Configuration, &[7; MAX_DATA]).unwrap();
    assert_eq!(whole.len(), 1);
    let more = server.seal_records(Content::Configuration, &vec![7; MAX_DATA + 1]);
    assert_eq!(more, Err(ChannelError::TooLong));
}

#[test]
fn a_record_lost_repeated_or_reordered_breaks_the_channel() {
    let three = |token: &mut Channel| [b"1", b"2", b"3"].map(|text| token.seal(Content::Data, text).unwrap());
    for order in [&[1][..], &[0, 0], &[2], &[0, 2], &[0, 1, 0]] {
        let (mut token, mut server) = pair();
        let records = three(&mut token);
        let (last, before) = order.split_last().unwrap();
        before.iter().for_each(|at| drop(server.open(&records[*at]).unwrap()));
        assert_eq!(server.open(&records[*last]).unwrap_err(), ChannelError::Broken, "{order:?}");
        assert_dead(&mut server);
    }
}

#[test]
fn a_record_changed_cut_extended_or_reflected_breaks_the_channel() {
    let record = pair().0.seal(Content::Data, b"text").unwrap();
    let flipped = (0..record.len() * 8).map(|bit| {
        let mut copy = record.clone();
        copy[bit / 8] ^= 1 << (bit % 8);
        copy
    });
    let cut = (0..record.len()).map(|end| record[..end].to_vec());
    let extended = [[&record[..], &[0]].concat(), vec![0; MAX_RECORD], vec![0; MAX_RECORD + 1]];
    for bad in flipped.chain(cut).chain(extended) {
        let mut server = pair().1;
        assert_eq!(server.open(&bad).unwrap_err(), ChannelError::Broken);
        assert_dead(&mut server);
    }
    assert_eq!(pair().0.open(&record).unwrap_err(), ChannelError::Broken);
    assert_eq!(data(pair().1.open(&record)), b"text");
}

#[test]
fn a_malformed_plaintext_breaks_the_channel() {
    assert_eq!(data(pair().1.open(&forged(&[1, 0, 0, 0, 1, 9, 0]))), [9]);
    let bad: [&[u8]; 10] = [
        &[],
        &[1, 0, 0, 0],
        &[1, 0, 0, 0, 1],
        &[1, 0, 0, 0, 1, 9, 1],
        &[1, 0xFF, 0xFF, 0xFF, 0xFF, 9],
        &[5, 0, 0, 0, 0],
        &[0, 0, 0, 0, 1, 9],
        &[4, 0, 0, 0, 1, 9],
        // A status belongs into S3 alone.
        &[2, 0, 0, 0, 0],
        &[0xFF, 0, 0, 0, 0],
    ];
    for plaintext in bad {
        let mut server = pair().1;
        assert_eq!(server.open(&forged(plaintext)).unwrap_err(), ChannelError::Broken, "{plaintext:?}");
        assert_dead(&mut server);
    }
    let long = [&[1, 0, 0, 0xEA, 0x61][..], &[0; MAX_DATA + 1]].concat();
    assert_eq!(pair().1.open(&forged(&long)).unwrap_err(), ChannelError::Broken);
    assert_eq!(pair().0.open_status(&forged(&[1, 0, 0, 0, 0])).unwrap_err(), ChannelError::Broken);
}

#[test]
fn rekey_steps_one_direction_at_a_time() {
    let (mut token, mut server) = pair();
    let before = token.seal(Content::Data, b"same").unwrap();
    assert_eq!(data(server.open(&before)), b"same");
    let rekey = token.rekey().unwrap();
    assert!(matches!(server.open(&rekey), Ok(OpenedRecord::Rekeyed)));
    // The count begins anew; only another key makes it another record.
    assert_eq!(token.outgoing.counter, 0);
    let after = token.seal(Content::Data, b"same").unwrap();
    assert_ne!(before, after);
    assert_eq!(data(server.open(&after)), b"same");
    let down = server.seal(Content::Data, b"down").unwrap();
    assert_eq!(data(token.open(&down)), b"down");
    let rekey = server.rekey().unwrap();
    assert!(matches!(token.open(&rekey), Ok(OpenedRecord::Rekeyed)));
    let down = server.seal(Content::Data, b"down").unwrap();
    assert_eq!(data(token.open(&down)), b"down");

    assert_eq!(server.open(&before).unwrap_err(), ChannelError::Broken);
}

#[test]
fn a_key_seals_so_many_records_and_no_more() {
    let (mut token, mut server) = pair();
    token.outgoing.counter = WITH_LAST - 2;
    server.incoming.counter = WITH_LAST - 2;
    let last = token.seal(Content::Data, b"last").unwrap();
    assert_eq!(data(server.open(&last)), b"last");
    assert_eq!(token.seal(Content::Data, b"one too many"), Err(ChannelError::RekeyNeeded));
    assert_eq!(token.seal(Content::Configuration, b"C0"), Err(ChannelError::RekeyNeeded));
    let rekey = token.rekey().unwrap();
    assert!(matches!(server.open(&rekey), Ok(OpenedRecord::Rekeyed)));
    let next = token.seal(Content::Data, b"next").unwrap();
    assert_eq!(data(server.open(&next)), b"next");

    token.outgoing.counter = WITH_LAST - 1;
    server.incoming.counter = WITH_LAST - 1;
    let close = token.close().unwrap();
    assert!(matches!(server.open(&close), Ok(OpenedRecord::Closed)));

    // A peer that does not care is cut off, though its record is right in all else.
    for (count, opens) in [(WITH_LAST - 1, true), (WITH_LAST, false)] {
        let (_, mut server) = pair();
        server.incoming.counter = count;
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&count.to_be_bytes());
        let mut record = vec![1, 0, 0, 0, 0];
        crate::aead::seal(&*XWING.aead(&keys().t2s), &nonce, &[], &mut record);
        assert_eq!(server.open(&record).is_ok(), opens);
    }
}

#[test]
fn keys_are_not_without_end() {
    let (mut token, mut server) = pair();
    token.outgoing.rekeys = u32::MAX - 1;
    server.incoming.rekeys = u32::MAX - 1;
    let rekey = token.rekey().unwrap();
    assert!(matches!(server.open(&rekey), Ok(OpenedRecord::Rekeyed)));
    assert_eq!(token.rekey(), Err(ChannelError::Exhausted));
    let still = token.seal(Content::Data, b"still").unwrap();
    assert_eq!(data(server.open(&still)), b"still");
    // A peer that does not care is cut off.
    token.outgoing.rekeys = 0;
    let rekey = token.rekey().unwrap();
    assert_eq!(server.open(&rekey).unwrap_err(), ChannelError::Broken);
    assert_dead(&mut server);
}

#[test]
fn a_close_is_told_from_a_cut() {
    let (mut token, mut server) = pair();
    assert_eq!(
        (token.finish(), server.finish()),
        (Err(ChannelError::Truncated), Err(ChannelError::Truncated))
    );
    let close = token.close().unwrap();
    assert_eq!(token.seal(Content::Data, b"more"), Err(ChannelError::Closed));
    assert_eq!(token.close(), Err(ChannelError::Closed));
    assert_eq!(token.rekey(), Err(ChannelError::Closed));
    assert!(matches!(server.open(&close), Ok(OpenedRecord::Closed)));
    assert!(token.is_closed() && server.is_closed_by_peer() && !server.is_closed());
    assert_eq!(server.finish(), Ok(()));
    assert_eq!(server.open(&close).unwrap_err(), ChannelError::Closed);
    // The other direction goes on.
    let down = server.seal(Content::Data, b"down").unwrap();
    assert_eq!(data(token.open(&down)), b"down");
    assert_eq!(token.finish(), Err(ChannelError::Truncated));
    let close = server.close().unwrap();
    assert!(matches!(token.open(&close), Ok(OpenedRecord::Closed)));
    assert_eq!(token.finish(), Ok(()));
}

#[test]
fn exports_agree_and_separate() {
    let (token, server) = pair();
    let export = |channel: &Channel, label: &[u8], context: &[u8]| {
        let mut out = [0; 48];
        channel.export(label, context, &mut out).unwrap();
        out
    };
    assert_eq!(token.session_id(), server.session_id());
    assert_eq!(export(&token, b"ssh", b"1"), export(&server, b"ssh", b"1"));
    assert_ne!(export(&token, b"ssh", b"1"), export(&token, b"ssh", b"2"));
    assert_ne!(export(&token, b"ssh", b"1"), export(&token, b"ssh1", b""));
    assert_eq!(token.export(b"", b"", &mut vec![0; MAX_EXPORT]), Ok(()));
    assert_eq!(token.export(b"", b"", &mut vec![0; MAX_EXPORT + 1]), Err(ChannelError::ExportTooLong));
}

#[test]
fn session_keys_depend_on_everything_and_differ() {
    let base = keys();
    let derive = |d, ss_e: Option<u8>| {
        let ss_e = ss_e.map(|ss_e| Secret::new([ss_e; 32]));
        SessionKeys::derive(&XWING, &Secret::new([d; 32]), ss_e.as_ref())
    };
    for other in [derive(9, Some(3)), derive(2, Some(9)), derive(2, None)] {
        assert_ne!(base.tag_s, other.tag_s);
        assert_ne!(base.t2s.expose(), other.t2s.expose());
        assert_ne!(base.later.made().0, other.later.made().0);
    }
    let (session_id, exporter) = base.later.made();
    let parts = [&base.tag_s, base.t2s.expose(), base.s2t.expose(), exporter.expose(), &session_id];
    for (at, part) in parts.iter().enumerate() {
        assert!(!parts[..at].contains(part) && *part != &[0; 32]);
    }
}

/// With prk, whoever reads the memory later would open what was sealed before the change of keys.
#[test]
fn a_change_of_keys_forgets_what_the_first_were_made_of() {
    let unmade = |channel: &Channel| matches!(channel.later, Later::Unmade(..));
    for sender in [0, 1] {
        let (token, server) = pair();
        let mut ends = if sender == 0 { [token, server] } else { [server, token] };
        let before = ends.each_ref().map(Channel::session_id);
        assert!(ends.iter().all(unmade));
        let record = ends[0].rekey().unwrap();
        assert!(!unmade(&ends[0]) && unmade(&ends[1]));
        assert!(matches!(ends[1].open(&record), Ok(OpenedRecord::Rekeyed)));
        assert!(!unmade(&ends[1]));
        assert_eq!(ends.each_ref().map(Channel::session_id), before);
    }
}

#[test]
fn in_place_is_the_same_as_in_a_buffer_of_its_own() {
    let (mut token, mut server) = pair();
    let long = vec![7; MAX_DATA + 10];
    let mut out = vec![9; 3];
    token.seal_into(Content::Data, &long, &mut out).unwrap();
    assert_eq!(out[..3], [9; 3]);
    let mut again = pair().0.seal_records(Content::Data, &long).unwrap();
    let (mut rest, mut got) = (&mut out[3..], Vec::new());
    for record in &mut again {
        let (length, after) = rest.split_first_chunk_mut::<4>().unwrap();
        assert_eq!(u32::from_be_bytes(*length) as usize, record.len());
        let (in_place, after) = after.split_at_mut(record.len());
        assert_eq!(in_place, &record[..]);
        match server.open_in_place(in_place) {
            Ok(OpenedRecord::Data(data)) => got.extend_from_slice(data),
            other => panic!("{other:?}"),
        }
        rest = after;
    }
    assert!(rest.is_empty() && got == long);

    let mut out = vec![9; 3];
    let refused = token.seal_into(Content::Configuration, &long, &mut out);
    assert_eq!((refused, out), (Err(ChannelError::TooLong), vec![9; 3]));
    assert_eq!(server.open_in_place(&mut [0; 40]).unwrap_err(), ChannelError::Broken);
    assert_dead(&mut server);
}

#[test]
fn debug_shows_nothing() {
    let (mut token, mut server) = pair();
    let record = token.seal(Content::Data, b"secret").unwrap();
    assert_eq!(format!("{:?}{:?}", token, server.open(&record).unwrap()), "Channel(..)Data(6 bytes)");
}

proptest! {
    #[test]
    fn what_is_sealed_opens(script in proptest::collection::vec(
        (any::<bool>(), 0..4u8, proptest::collection::vec(any::<u8>(), 0..600), 0..600u16), 0..20)) {
        let (mut token, mut server) = pair();
        for (up, what, text, step) in script {
            let (from, to) = if up { (&mut token, &mut server) } else { (&mut server, &mut token) };
            match what {
                0 => {
                    let record = from.seal(Content::Data, &text).unwrap();
                    prop_assert_eq!(data(to.open(&record)), text);
                }
                1 => {
                    let record = from.seal_padded(&text, step).unwrap();
                    prop_assert_eq!(data(to.open(&record)), text);
                }
                2 => {
                    let record = from.seal(Content::Configuration, &text).unwrap();
                    let opened = to.open(&record);
                    prop_assert!(matches!(opened, Ok(OpenedRecord::Configuration(got)) if *got == text));
                }
                _ => {
                    let record = from.rekey().unwrap();
                    prop_assert!(matches!(to.open(&record), Ok(OpenedRecord::Rekeyed)));
                }
            }
        }
    }
}
