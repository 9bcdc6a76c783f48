//! R1's cookie: what a server that remembers nothing has to know when R2 comes.
//!
//! `cbor ‖ HMAC(cookie key, length(4) of peer ‖ peer ‖ cbor)`. It holds no secret and changes no
//! state; it is checked before any private-key operation.

use crate::hash;
use crate::id::{Digest, OfferId, Txn};
use crate::policy::SuiteList;
use crate::registration::OfferFault;
use crate::secret::Secret;
use crate::time::{Period, UnixTime};
use crate::transcript::length;
use crate::wire::{self, map};
use alloc::vec::Vec;
use subtle::ConstantTimeEq;

map! {
    /// Contents of the cookie. `suite` is the one that the offer chose; `also` are the others of R0 that the
    /// certificate lists.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(super) struct Cookie, "R1 cookie" {
        1 => txn: Txn,
        2 => offer_id: OfferId,
        3 => transcript: Digest,
        4 => expires: u64,
        5 => suite: u16,
        6 => certificate: Digest,
        7 => ephemeral: [u8; 16],
        8 => template: Digest,
        9 => outcome_size: u16,
        10 => also: Option<SuiteList>,
    }
}

impl Cookie {
    /// The suites that a policy may allow: those that R0 offers and the certificate lists.
    pub(super) fn suites(&self) -> Option<SuiteList> {
        SuiteList::from_codes([self.suite].into_iter().chain(self.also.iter().flat_map(SuiteList::codes)))
    }

    pub(super) fn seal(&self, key: &Secret, peer: &[u8]) -> Vec<u8> {
        let mut cookie = wire::encode(self);
        let tag = tag(key, peer, &cookie);
        cookie.extend_from_slice(&tag);
        cookie
    }

    /// The cookie, if this server made it for this peer, and its `ttl` seconds are not over.
    pub(super) fn open(
        key: &Secret,
        peer: &[u8],
        ttl: u64,
        cookie: &[u8],
        now: UnixTime,
    ) -> Result<Self, OfferFault> {
        let (body, claimed) = cookie.split_last_chunk::<32>().ok_or(OfferFault::Cookie)?;
        if !bool::from(tag(key, peer, body).ct_eq(claimed)) {
            return Err(OfferFault::Cookie);
        }
        let cookie: Self = wire::decode(body, "R1 cookie", 256).map_err(|_| OfferFault::Cookie)?;
        let lasts = Period::until(UnixTime::from_secs(cookie.expires), ttl);
        if lasts.is_over(now) { Err(OfferFault::Lapsed) } else { Ok(cookie) }
    }
}

fn tag(key: &Secret, peer: &[u8], body: &[u8]) -> [u8; 32] {
    hash::hmac(key, &[&length(peer), peer, body])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::SuiteId;

    #[test]
    fn only_what_was_sealed_opens() {
        let key = Secret::new([3; 32]);
        let cookie = Cookie {
            txn: Txn([1; 16]),
            offer_id: OfferId([2; 16]),
            transcript: Digest([3; 32]),
            expires: 100,
            suite: 2,
            certificate: Digest([4; 32]),
            ephemeral: [5; 16],
            template: Digest([6; 32]),
            outcome_size: 4096,
            also: SuiteList::of((0xFFF8..=0xFFFF).map(SuiteId::Private)),
        };
        let sealed = cookie.seal(&key, b"peer");
        assert!(sealed.len() <= 256, "{}", sealed.len());
        let open = |key: &Secret, peer: &[u8], ttl, cookie: &[u8], now| {
            Cookie::open(key, peer, ttl, cookie, UnixTime::from_secs(now))
        };
        assert_eq!(open(&key, b"peer", 600, &sealed, 100), Ok(cookie));
        assert_eq!(open(&key, b"peer", 600, &sealed, 101), Err(OfferFault::Lapsed));
        // An end farther away than any offer's: the clock was set back since.
        assert_eq!(open(&key, b"peer", 30, &sealed, 10), Ok(cookie));
        assert_eq!(open(&key, b"peer", 30, &sealed, 9), Err(OfferFault::Lapsed));
        assert_eq!(open(&key, b"rpee", 600, &sealed, 1), Err(OfferFault::Cookie));
        assert_eq!(open(&Secret::new([4; 32]), b"peer", 600, &sealed, 1), Err(OfferFault::Cookie));
        for place in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[place] ^= 1;
            assert_eq!(open(&key, b"peer", 600, &flipped, 1), Err(OfferFault::Cookie));
            assert_eq!(open(&key, b"peer", 600, &sealed[..place], 1), Err(OfferFault::Cookie));
        }
    }
}
