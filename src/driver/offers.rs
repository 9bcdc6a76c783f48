//! How many requests each offer is good for.

use crate::id::OfferId;
use crate::time::UnixTime;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The most requests for one offer that are decapsulated. One that is sent again is answered from the store.
const MOST: u32 = 8;
/// Seconds after which offers are forgotten: none is good for longer.
const AGE: u64 = 960;
/// The most offers that are remembered in each of two halves.
const REMEMBERED: usize = 65_536;

/// Counts requests by offer, in bounded memory: offers of the last quarter of an hour, and those before.
#[derive(Debug, Default)]
pub(crate) struct Offers(Mutex<Halves>);

#[derive(Debug, Default)]
struct Halves {
    since: UnixTime,
    now: HashMap<OfferId, u32>,
    before: HashMap<OfferId, u32>,
}

impl Offers {
    /// Counts a request, and tells whether its offer is still good for it.
    pub(crate) fn admits(&self, offer: &OfferId, now: UnixTime) -> bool {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let age = now.as_secs().abs_diff(halves.since.as_secs());
        if age >= AGE || halves.now.len() >= REMEMBERED {
            halves.before = core::mem::take(&mut halves.now);
            halves.since = now;
        }
        if age >= AGE.saturating_mul(2) {
            halves.before = HashMap::new();
        }
        let earlier = halves.before.get(offer).copied().unwrap_or_default();
        let count = halves.now.entry(*offer).or_insert(earlier);
        *count = count.saturating_add(1);
        *count <= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_good_for_so_many_requests_as_long_as_it_lives() {
        let (offers, at) = (Offers::default(), UnixTime::from_secs);
        let (one, other) = (OfferId::new([1; 16]), OfferId::new([2; 16]));
        for n in 0..MOST {
            assert!(offers.admits(&one, at(1000 + u64::from(n) * 100)));
        }
        assert!(!offers.admits(&one, at(1899)));
        assert!(offers.admits(&other, at(1899)));
        // Long after its end it is forgotten; a clock that is set back changes nothing for others.
        assert!(offers.admits(&one, at(9000)) && offers.admits(&other, at(10)));
        for n in 0..200_000_u128 {
            assert!(offers.admits(&OfferId::new(n.to_be_bytes()), at(20)));
        }
        let halves = offers.0.lock().unwrap();
        assert!(halves.now.len() <= REMEMBERED && halves.before.len() <= REMEMBERED);
    }
}
