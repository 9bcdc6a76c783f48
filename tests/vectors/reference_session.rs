//! PROTOCOL.md, sections 9 and 10, as read by an observer that has every key.

use crate::cbor::Item;
use crate::recorder::Call;
use crate::reference::{ABSENT, Reference, lv, plain_hash};
use crate::reference_registration::Messages;

/// A record and its direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Up,
    Down,
}

/// Input of an observer.
pub(crate) struct Observer<'a> {
    pub(crate) k_auth: &'a [u8],
    pub(crate) k_derive: &'a [u8],
    /// The private key of pk_e, as it was drawn, in psk-kem.
    pub(crate) sk_e: Option<&'a [u8]>,
    pub(crate) export: (&'a str, &'a str, usize),
}

/// Recomputes a session; gives back the plaintext of each record too.
pub(crate) fn session(
    observer: &Observer<'_>,
    messages: &Messages,
    records: &[(Way, Vec<u8>)],
) -> (Reference, Vec<(u8, Vec<u8>)>) {
    let s0 = Item::read(&messages["S0"]);
    let mut re = Reference::new(s0.at(2).uint() as u16);
    let s1 = Item::read(&messages["S1"]);
    let core = s1.at(1).bytes();
    let mode = Item::read(core).at(2).uint();
    let s2 = Item::read(&messages["S2"]);
    let s3 = Item::read(&messages["S3"]);

    let th_c = re.transcript("thC", "challenge", &[(1, &messages["S0"]), (1, core)]);
    let pk_e = s2.find(2).map_or(&[][..], Item::bytes);
    assert_eq!((mode == 2, mode == 2), (!pk_e.is_empty(), observer.sk_e.is_some()));
    let public = if pk_e.is_empty() { ABSENT.to_vec() } else { re.hash(pk_e) };
    let over = [&th_c, s2.at(1).bytes(), &public].concat();
    let tag_c = re.mac("tag_c", observer.k_auth, "response", &over);
    assert_eq!(s2.at(3).bytes(), tag_c);

    let x = s3.at(1).bytes();
    let contribution = if pk_e.is_empty() { x.to_vec() } else { re.hash(x) };
    let d = re.prf("d", observer.k_derive, "session", &[tag_c, contribution].concat());
    let prk = match observer.sk_e {
        None => {
            re.name("prk", &d);
            d
        }
        Some(private) => {
            let ss_e = re.decapsulate(private, x);
            re.name("ss_e", &ss_e);
            re.extract("prk", &d, &[&ss_e])
        }
    };
    let ses = re.key("SES", &prk, "session key", 160);
    // A side may stop after the keys, and make the rest when it is asked.
    let (key, info) = (prk.clone(), b"halfkey/1 session key\0".to_vec());
    re.calls.insert(Call::Expand { key, info, out: ses[..96].to_vec() });
    let parts: Vec<Vec<u8>> = ses.chunks(32).map(<[u8]>::to_vec).collect();
    for (name, part) in ["tag_s", "k_s2t", "k_t2s", "session_id", "exporter"].iter().zip(&parts) {
        re.name(name, part);
    }
    assert_eq!(s3.at(2).bytes(), parts[0]);
    let (label, context, length) = observer.export;
    let info = [b"halfkey/1 export", &[0][..], &lv(label.as_bytes()), context.as_bytes()].concat();
    re.expand("export", &parts[4], &info, length);

    let (mut up, mut down) = ((parts[2].clone(), 0_u64), (parts[1].clone(), 0_u64));
    let first = [(Way::Down, s3.at(3).bytes().to_vec())];
    let mut texts = Vec::new();
    for (way, record) in first.iter().chain(records) {
        let (key, n) = if *way == Way::Up { &mut up } else { &mut down };
        let nonce = [&[0; 4][..], &n.to_be_bytes()].concat();
        let text = re.open(key, &nonce, &[], record);
        let (kind, length) = (text[0], u32::from_be_bytes(text[1..5].try_into().unwrap()) as usize);
        let (data, zeros) = text[5..].split_at(length);
        assert!(zeros.iter().all(|byte| *byte == 0) && (kind == 1 || text.len().is_multiple_of(256)));
        *n += 1;
        if kind == 4 {
            *key = re.key("key after rekey", key, "rekey", 32);
            *n = 0;
        }
        texts.push((kind, data.to_vec()));
    }
    (re, texts)
}

/// The digest that C1 of a document carries.
pub(crate) fn configuration_digest(c1: &Item) -> Vec<u8> {
    let media_type = c1.find(8).map_or("", Item::text);
    let body = c1.find(9).map_or(&[][..], Item::bytes);
    let kind = c1.at(7).uint() as u8;
    plain_hash(&[b"halfkey/1 configuration", &[0, kind][..], &lv(media_type.as_bytes()), &lv(body)].concat())
}
