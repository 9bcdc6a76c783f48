//! Messages that must be refused: changes of the published runs, each judged by the real decoders and steps.

use crate::cases::Case;
use crate::cbor::{Item, head};
use crate::recorder::hex;
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use serde_json::{Value, json};

pub(crate) const FILE: &str = "negative.json";
/// Its first run is the registration, its second the session that messages are changed of.
const PSK: &str = "x25519-activation-psk.json";
/// Its second run has C0 to C2.
const CONFIGURED: &str = "xwing-open-psk-kem.json";

/// Its second run has S2 with a cookie.
const COOKIE: &str = "x25519-key-id-cookie.json";

/// A published run, looked up by name.
#[derive(Clone, Copy)]
pub(crate) struct Run<'v>(&'v Value);

impl Run<'_> {
    fn bytes(self, kind: &str, name: &str) -> Vec<u8> {
        unhex(self.0[kind][name].as_str().unwrap_or_else(|| panic!("no {name}")))
    }

    pub(crate) fn message(self, name: &str) -> Vec<u8> {
        self.bytes("messages", name)
    }

    pub(crate) fn value(self, name: &str) -> Vec<u8> {
        self.bytes("values", name)
    }

    /// The Status in S3.
    fn status(self) -> Vec<u8> {
        unhex(self.0["records"][0]["data"].as_str().unwrap())
    }
}

pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// A message that must be refused: its label, what is wrong with it, its bytes, and what follows.
pub(crate) struct Refused {
    pub(crate) message: &'static str,
    pub(crate) why: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) then: &'static str,
}

pub(crate) fn refused(message: &'static str, why: &str, bytes: Vec<u8>, then: &'static str) -> Refused {
    Refused { message, why: why.into(), bytes, then }
}

pub(crate) const E0_REFUSED: &str = "E0 refused";
pub(crate) const E0_RESTART: &str = "E0 restart";
pub(crate) const ENDS: &str = "the receiver ends the attempt";
pub(crate) const IGNORED: &str = "the token ignores it and keeps its state";
pub(crate) const BROKEN: &str = "the session is over";
pub(crate) const REFUSED_0: &str = "R3 with Refused 0";
pub(crate) const OPENS_NOT: &str = "R3 that does not open";

pub(crate) fn case(cases: &[Case]) -> Case {
    let run = |file: &str, which: usize| {
        Run(&cases.iter().find(|(name, _)| *name == file).unwrap().1["runs"][which])
    };
    let (registered, session, configured) = (run(PSK, 0), run(PSK, 1), run(CONFIGURED, 1));
    let list = |of: &str, which: usize, all: Vec<Refused>| {
        let entry = |refused: &Refused| json!({ "message": refused.message, "why": refused.why, "bytes": hex(&refused.bytes), "then": refused.then });
        json!({ "of": of, "run": which, "messages": all.iter().map(entry).collect::<Value>() })
    };
    let encoding = encoding(registered, session, configured);
    crate::judge::encodings(&encoding);
    let registration = crate::judge::registration(registered);
    let opened = crate::judge_session::session(session);
    let configuration = crate::judge_session::configuration(configured);
    let about = "Messages that must be refused; each stands in place of the one in the run";
    let (mut first, mut second, mut third) = (registration, opened, configuration);
    for (refused, name) in encoding {
        match name {
            "S0" | "S1" | "S2" | "S3" | "Status" => second.push(refused),
            "C0" | "C1" | "C2" => third.push(refused),
            _ => first.push(refused),
        }
    }
    let parked = crate::judge_session::cookies(run(COOKIE, 1));
    let groups =
        [list(PSK, 0, first), list(PSK, 1, second), list(CONFIGURED, 1, third), list(COOKIE, 1, parked)];
    (FILE, json!({ "about": about, "groups": groups }))
}

fn fields(message: &[u8]) -> Vec<(u64, Item)> {
    let Item::Map(fields) = Item::read(message) else { panic!("no map") };
    fields
}

/// A map of these fields as they are, in whatever order.
fn map(fields: &[(u64, Item)]) -> Vec<u8> {
    let entries = fields.iter().map(|(key, value)| [head(0, *key), value.encoded()].concat());
    entries.fold(head(5, fields.len() as u64), |out, entry| [out, entry].concat())
}

/// The message with another value under a key, or with one where there was none.
pub(crate) fn with(message: &[u8], key: u64, value: Item) -> Vec<u8> {
    let mut fields = fields(message);
    fields.retain(|(found, _)| *found != key);
    fields.push((key, value));
    fields.sort_by_key(|(key, _)| *key);
    map(&fields)
}

pub(crate) fn without(message: &[u8], key: u64) -> Vec<u8> {
    let mut fields = fields(message);
    fields.retain(|(found, _)| *found != key);
    map(&fields)
}

/// The last bit of a byte string under a key flipped.
pub(crate) fn flipped(message: &[u8], key: u64) -> Vec<u8> {
    let mut bytes = Item::read(message).at(key).bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    with(message, key, Item::Bytes(bytes))
}

pub(crate) fn text(text: &str) -> Item {
    Item::Text(text.into())
}

pub(crate) fn list(codes: &[u64]) -> Item {
    Item::Array(codes.iter().map(|code| Item::Uint(*code)).collect())
}

/// What no decoder takes, with the label of its decoder.
fn encoding(registered: Run<'_>, session: Run<'_>, configured: Run<'_>) -> Vec<(Refused, &'static str)> {
    let mut messages: Vec<(&'static str, Vec<u8>)> = Vec::new();
    messages.extend(["R0", "R1", "R2", "R3", "R4", "R5"].map(|name| (name, registered.message(name))));
    messages.push(("E0", vec![0xA2, 0, 6, 1, 0]));
    messages.extend(["S0", "S1", "S2", "S3"].map(|name| (name, session.message(name))));
    messages.extend(["C0", "C1", "C2"].map(|name| (name, configured.message(name))));
    messages.push(("Status", session.status()));
    let mut all = Vec::new();
    for (name, bytes) in &messages {
        let then = match *name {
            "R0" | "R2" | "R4" | "S0" | "S2" => E0_REFUSED,
            "R3" | "R5" => IGNORED,
            "C0" | "C2" => "E0 refused in a record",
            "C1" => BROKEN,
            _ => ENDS,
        };
        let fields = fields(bytes);
        let (first, rest) = bytes.split_first().unwrap();
        let last = fields.len() - 1;
        let swapped: Vec<_> =
            fields[..last - 1].iter().chain([&fields[last], &fields[last - 1]]).cloned().collect();
        let twice: Vec<_> = fields.iter().chain([&fields[last]]).cloned().collect();
        for (why, changed) in [
            ("a byte after the end", [bytes, &[0][..]].concat()),
            ("the last byte is missing", bytes[..bytes.len() - 1].to_vec()),
            ("the head of the map is not the shortest", [&[0xB8, first & 31], rest].concat()),
            ("a map of indefinite length", [&[0xBF], rest, &[0xFF]].concat()),
            ("keys out of order", map(&swapped)),
            ("a repeated key", map(&twice)),
            ("an unknown key", with(bytes, 23, Item::Uint(0))),
            ("key 1 is missing", without(bytes, 1)),
            ("key 1 is of another type", with(bytes, 1, Item::Array(Vec::new()))),
            ("the type of no message", with(bytes, 0, Item::Uint(23))),
        ] {
            all.push((refused(name, why, changed, then), *name));
        }
    }
    let of = |name: &str| messages.iter().find(|(found, _)| *found == name).unwrap().1.clone();
    let bytes = |n: usize| Item::Bytes(vec![7; n]);
    let upper = text("Gate.example");
    for (name, why, changed, then) in [
        ("R0", "no version", with(&of("R0"), 1, list(&[])), E0_REFUSED),
        ("R0", "a suite twice", with(&of("R0"), 2, list(&[1, 1])), E0_REFUSED),
        ("R0", "nine suites", with(&of("R0"), 2, list(&[1, 2, 3, 4, 5, 6, 7, 8, 9])), E0_REFUSED),
        ("R0", "a txn of 15 bytes", with(&of("R0"), 3, bytes(15)), E0_REFUSED),
        ("R0", "a server name that is not in lower case", with(&of("R0"), 4, upper.clone()), E0_REFUSED),
        ("R0", "an empty map of extensions", with(&of("R0"), 6, Item::Map(Vec::new())), E0_REFUSED),
        ("R1", "an empty cookie", with(&of("R1"), 2, bytes(0)), ENDS),
        ("R1", "a cookie of 257 bytes", with(&of("R1"), 2, bytes(257)), ENDS),
        ("R2", "a sealed part of 271 bytes", with(&of("R2"), 2, bytes(271)), E0_REFUSED),
        ("R2", "a core of 2450 bytes", with(&of("R2"), 1, bytes(2450)), E0_REFUSED),
        ("R3", "a core of 4171 bytes", with(&of("R3"), 1, bytes(4171)), IGNORED),
        ("R5", "a number for lost", with(&of("R5"), 2, Item::Uint(0)), IGNORED),
        ("E0", "a reason of two bytes", with(&of("E0"), 1, Item::Uint(256)), ENDS),
        (
            "S0",
            "an address of an unknown kind",
            with(&of("S0"), 4, Item::Array(vec![Item::Uint(2), bytes(16)])),
            E0_REFUSED,
        ),
        ("S0", "a suite above 65535", with(&of("S0"), 2, Item::Uint(65_536)), E0_REFUSED),
        ("S0", "a server name that is not in lower case", with(&of("S0"), 5, upper), E0_REFUSED),
        ("S2", "a pk_e of 31 bytes", with(&of("S2"), 2, bytes(31)), E0_REFUSED),
        ("S3", "a record of 271 bytes", with(&of("S3"), 3, bytes(271)), ENDS),
        ("C0", "an application with a space", with(&of("C0"), 2, text("m ail")), "E0 refused in a record"),
        ("C1", "a media type of two bytes", with(&of("C1"), 8, text("a/")), BROKEN),
        ("C2", "a byte string for the serial", with(&of("C2"), 3, bytes(16)), "E0 refused in a record"),
        ("Status", "an alias of 15 bytes", with(&of("Status"), 2, bytes(15)), ENDS),
    ] {
        all.push((refused(name, why, changed, then), name));
    }
    all
}

pub(crate) fn seal(key: &[u8], nonce: &[u8], aad: &[u8], msg: &[u8]) -> Vec<u8> {
    let cipher = Aes256Gcm::new_from_slice(key).unwrap();
    cipher.encrypt(&Nonce::try_from(nonce).unwrap(), Payload { msg, aad }).unwrap()
}
