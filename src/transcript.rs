//! One hash over everything that both sides have seen; and every label of the protocol.
//!
//! `T(name; items) = H("halfkey/1 " ‖ name ‖ 0x00 ‖ suite(2) ‖ for each item: type(1) ‖ length(4) ‖ bytes)`,
//! numbers big-endian. An absent item has length 0.

use crate::id::Digest;
use crate::suite::Suite;
use alloc::vec::Vec;

/// One item of a transcript.
#[derive(Clone, Copy)]
pub(crate) enum Item<'a> {
    /// Type 1: a whole message, or its core, exactly as sent.
    Message(&'a [u8]),
    /// Type 2: an earlier transcript.
    Transcript(&'a Digest),
    /// Type 3: fresh bytes: a number or a salt.
    Fresh(&'a [u8]),
}

impl<'a> Item<'a> {
    fn parts(self) -> (u8, &'a [u8]) {
        match self {
            Self::Message(bytes) => (1, bytes),
            Self::Transcript(digest) => (2, digest.as_bytes()),
            Self::Fresh(bytes) => (3, bytes),
        }
    }
}

/// Hashes at most three items under `name`.
pub(crate) fn transcript<const N: usize>(suite: &dyn Suite, name: &[u8], items: [Item<'_>; N]) -> Digest {
    const { assert!(N <= 3) };
    let code = suite.id().code().to_be_bytes();
    let mut heads = [[0; 5]; 3];
    let mut parts: [&[u8]; 10] = [b"halfkey/1 ", name, &[0], &code, &[], &[], &[], &[], &[], &[]];
    for (head, item) in heads.iter_mut().zip(items) {
        let (kind, bytes) = item.parts();
        let [a, b, c, d] = length(bytes);
        *head = [kind, a, b, c, d];
    }
    let mut slots = parts.iter_mut().skip(4);
    for (head, item) in heads.iter().zip(items) {
        if let (Some(first), Some(second)) = (slots.next(), slots.next()) {
            *first = head;
            *second = item.parts().1;
        }
    }
    suite.hash(&parts)
}

/// The length of `bytes`, in front of them wherever they could run into what follows. Nothing that is
/// hashed here comes near 4 GiB.
pub(crate) fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// `lv` of each item, one after the other (PROTOCOL.md, section 2).
pub(crate) fn lengthed<const N: usize>(items: [&[u8]; N]) -> Vec<u8> {
    let mut joined = Vec::new();
    for item in items {
        joined.extend_from_slice(&length(item));
        joined.extend_from_slice(item);
    }
    joined
}

/// Every label. In use each is followed by a zero byte.
pub(crate) mod label {
    pub(crate) const HALF_B: &[u8] = b"halfkey/1 half B";
    pub(crate) const HALF_G: &[u8] = b"halfkey/1 half G";
    pub(crate) const JOIN: &[u8] = b"halfkey/1 join";
    pub(crate) const MIX: &[u8] = b"halfkey/1 mix";
    pub(crate) const REQUEST_KEY: &[u8] = b"halfkey/1 request key";
    pub(crate) const REQUEST_NONCE: &[u8] = b"halfkey/1 request nonce";
    pub(crate) const OUTCOME_KEY: &[u8] = b"halfkey/1 outcome key";
    pub(crate) const OUTCOME_NONCE: &[u8] = b"halfkey/1 outcome nonce";
    pub(crate) const TICKET: &[u8] = b"halfkey/1 ticket";
    pub(crate) const TICKET_ID: &[u8] = b"halfkey/1 ticket id";
    pub(crate) const TICKET_PROOF: &[u8] = b"halfkey/1 ticket proof";
    pub(crate) const ACTIVATION: &[u8] = b"halfkey/1 activation";
    pub(crate) const ACTIVATION_PROOF: &[u8] = b"halfkey/1 activation proof";
    pub(crate) const RENEW: &[u8] = b"halfkey/1 renew";
    pub(crate) const KEY_AUTH: &[u8] = b"halfkey/1 key auth";
    pub(crate) const KEY_DERIVE: &[u8] = b"halfkey/1 key derive";
    pub(crate) const KEY_CONFIRM: &[u8] = b"halfkey/1 key confirm";
    pub(crate) const KEY_RENEW: &[u8] = b"halfkey/1 key renew";
    pub(crate) const GRANT: &[u8] = b"halfkey/1 grant";
    pub(crate) const CONFIRM: &[u8] = b"halfkey/1 confirm";
    pub(crate) const DONE: &[u8] = b"halfkey/1 done";
    pub(crate) const LOST: &[u8] = b"halfkey/1 lost";
    pub(crate) const RESPONSE: &[u8] = b"halfkey/1 response";
    pub(crate) const SESSION: &[u8] = b"halfkey/1 session";
    pub(crate) const SESSION_KEY: &[u8] = b"halfkey/1 session key";
    pub(crate) const REKEY: &[u8] = b"halfkey/1 rekey";
    pub(crate) const EXPORT: &[u8] = b"halfkey/1 export";
    pub(crate) const CONFIGURATION: &[u8] = b"halfkey/1 configuration";
    pub(crate) const COOKIE: &[u8] = b"halfkey/1 server cookie";
    pub(crate) const PARK: &[u8] = b"halfkey/1 server park";
    pub(crate) const REJECT: &[u8] = b"halfkey/1 server reject";
    pub(crate) const DECOY: &[u8] = b"halfkey/1 server decoy";
}
