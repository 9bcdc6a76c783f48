//! Every way to spoil a message that has a name.

use minicbor::Decoder;

/// The key and the encoded value of each entry of the map that `bytes` are.
pub(crate) fn entries(bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut decoder = Decoder::new(bytes);
    let count = decoder.map().unwrap().unwrap();
    let mut entries = Vec::new();
    for _ in 0..count {
        let key = decoder.u64().unwrap();
        let from = decoder.position();
        decoder.skip().unwrap();
        entries.push((key, bytes[from..decoder.position()].to_vec()));
    }
    entries
}

/// A map of these entries, as they come.
pub(crate) fn map(entries: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = vec![0xA0 + u8::try_from(entries.len()).unwrap()];
    for (key, value) in entries {
        bytes.push(u8::try_from(*key).unwrap());
        bytes.extend_from_slice(value);
    }
    bytes
}

/// A byte string's encoding.
pub(crate) fn bstr(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = minicbor::Encoder::new(Vec::new());
    encoder.bytes(bytes).unwrap();
    encoder.into_writer()
}

/// The same message with another value under `key`.
pub(crate) fn with(message: &[u8], key: u64, value: Vec<u8>) -> Vec<u8> {
    let mut all = entries(message);
    all.iter_mut().find(|(other, _)| *other == key).unwrap().1 = value;
    map(&all)
}

/// Returns the content of the byte string under `key`.
pub(crate) fn content(message: &[u8], key: u64) -> Vec<u8> {
    let all = entries(message);
    let (_, value) = all.iter().find(|(other, _)| *other == key).unwrap();
    Decoder::new(value).bytes().unwrap().to_vec()
}

/// The map spoilt in its structure: no two sides can read these differently, because none reads them.
pub(crate) fn malformed(message: &[u8]) -> Vec<(String, Vec<u8>)> {
    let all = entries(message);
    let mut spoilt: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add = |what: &str, bytes: Vec<u8>| spoilt.push((what.into(), bytes));
    for place in 0..all.len() {
        let mut doubled = all.clone();
        doubled.insert(place, all[place].clone());
        add(&format!("entry {place} twice"), map(&doubled));
        let mut missing = all.clone();
        missing.remove(place);
        add(&format!("without entry {place}"), map(&missing));
        for (kind, head) in
            [("bytes", 0x5B), ("text", 0x7B), ("array", 0x9B), ("map", 0xBB), ("tag", 0xDB), ("number", 0x1B)]
        {
            for length in [u64::MAX, 1 << 32, 1 << 16] {
                let mut forged = vec![head];
                forged.extend_from_slice(&length.to_be_bytes());
                let mut all = all.clone();
                all[place].1 = forged;
                add(&format!("entry {place}: {kind} of {length}"), map(&all));
            }
        }
        for (what, value) in
            [("null", 0xF6), ("indefinite bytes", 0x5F), ("indefinite array", 0x9F), ("float", 0xFB)]
        {
            let mut all = all.clone();
            all[place].1 = vec![value, 0xFF];
            add(&format!("entry {place}: {what}"), map(&all));
        }
        if place > 0 {
            let mut swapped = all.clone();
            swapped.swap(place - 1, place);
            add(&format!("entries {place} and before it swapped"), map(&swapped));
        }
    }
    let mut unknown = all.clone();
    unknown.push((23, vec![0xF6]));
    add("an unknown key", map(&unknown));
    let plain = map(&all);
    add("indefinite map", [&[0xBF][..], &plain[1..], &[0xFF]].concat());
    add("long head", [&[0xB8, plain[0] & 31][..], &plain[1..]].concat());
    add("long first key", [&[plain[0], 0x18, plain[1]][..], &plain[2..]].concat());
    add("tagged", [&[0xC1][..], &plain].concat());
    add("map of all", [&[0xBB][..], &[0xFF; 8], &plain[1..]].concat());
    add("followed by a byte", [&plain[..], &[0]].concat());
    add("twice", plain.repeat(2));
    for length in 0..plain.len() {
        add(&format!("cut to {length}"), plain[..length].to_vec());
    }
    spoilt
}

/// One bit of every byte flipped, another one in each.
pub(crate) fn flipped(message: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..message.len()).map(|place| {
        let mut bytes = message.to_vec();
        bytes[place] ^= 1 << (place % 8);
        (place, bytes)
    })
}
