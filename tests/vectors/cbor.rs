//! A reader of the deterministic CBOR that messages are made of, written from PROTOCOL.md, section 3.

/// An item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Uint(u64),
    Negative(u64),
    Bytes(Vec<u8>),
    Text(String),
    Array(Vec<Item>),
    Map(Vec<(u64, Item)>),
    Bool(bool),
}

impl Item {
    /// The one item that `bytes` are.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut rest = bytes;
        let item = take(&mut rest);
        assert!(rest.is_empty(), "bytes after the end");
        assert_eq!(item.encoded(), bytes, "another encoding");
        item
    }

    /// The value under a key, if it is there.
    pub(crate) fn find(&self, key: u64) -> Option<&Self> {
        let Self::Map(fields) = self else { panic!("no map: {self:?}") };
        fields.iter().find(|(found, _)| *found == key).map(|(_, value)| value)
    }

    pub(crate) fn at(&self, key: u64) -> &Self {
        self.find(key).unwrap_or_else(|| panic!("no key {key} in {self:?}"))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        let Self::Bytes(bytes) = self else { panic!("no bytes: {self:?}") };
        bytes
    }

    pub(crate) fn text(&self) -> &str {
        let Self::Text(text) = self else { panic!("no text: {self:?}") };
        text
    }

    pub(crate) fn uint(&self) -> u64 {
        let Self::Uint(number) = self else { panic!("no number: {self:?}") };
        *number
    }

    pub(crate) fn array(&self) -> &[Self] {
        let Self::Array(items) = self else { panic!("no array: {self:?}") };
        items
    }

    pub(crate) fn encoded(&self) -> Vec<u8> {
        match self {
            Self::Uint(number) => head(0, *number),
            Self::Negative(number) => head(1, *number),
            Self::Bytes(bytes) => [head(2, bytes.len() as u64), bytes.clone()].concat(),
            Self::Text(text) => [head(3, text.len() as u64), text.as_bytes().to_vec()].concat(),
            Self::Array(items) => {
                items.iter().fold(head(4, items.len() as u64), |out, item| [out, item.encoded()].concat())
            }
            Self::Map(fields) => {
                assert!(fields.is_sorted_by(|a, b| a.0 < b.0), "keys out of order");
                fields.iter().fold(head(5, fields.len() as u64), |out, (key, value)| {
                    [out, head(0, *key), value.encoded()].concat()
                })
            }
            Self::Bool(value) => vec![0xF4 + u8::from(*value)],
        }
    }
}

pub(crate) fn head(major: u8, number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    match number {
        0..24 => vec![major << 5 | bytes[7]],
        24..0x100 => vec![major << 5 | 24, bytes[7]],
        0x100..0x1_0000 => [&[major << 5 | 25], &bytes[6..]].concat(),
        0x1_0000..0x1_0000_0000 => [&[major << 5 | 26], &bytes[4..]].concat(),
        _ => [&[major << 5 | 27], &bytes[..]].concat(),
    }
}

fn split<'b>(from: &mut &'b [u8], length: usize) -> &'b [u8] {
    let (taken, rest) = from.split_at(length);
    *from = rest;
    taken
}

fn take(from: &mut &[u8]) -> Item {
    let first = split(from, 1)[0];
    let number = match first & 31 {
        small @ 0..24 => u64::from(small),
        wide @ 24..28 => {
            let bytes = split(from, 1 << (wide - 24));
            bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
        }
        other => panic!("additional information {other}"),
    };
    match first >> 5 {
        0 => Item::Uint(number),
        1 => Item::Negative(number),
        2 => Item::Bytes(split(from, number as usize).to_vec()),
        3 => Item::Text(String::from_utf8(split(from, number as usize).to_vec()).unwrap()),
        4 => Item::Array((0..number).map(|_| take(from)).collect()),
        5 => Item::Map((0..number).map(|_| (take(from).uint(), take(from))).collect()),
        7 if matches!(number, 20 | 21) => Item::Bool(number == 21),
        other => panic!("major type {other}"),
    }
}
