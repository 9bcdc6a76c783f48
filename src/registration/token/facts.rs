//! What a verified offer leaves behind for the rest of the run.

use crate::certificate::VerifiedServer;
use crate::id::{Digest, OfferId, Txn};
use crate::suite::Suite;
use crate::time::UnixTime;
use alloc::vec::Vec;

/// What of R1 the rest of the run needs.
#[derive(Debug)]
pub(super) struct OfferFacts {
    pub(super) suite: &'static dyn Suite,
    pub(super) txn: Txn,
    pub(super) offer_id: OfferId,
    pub(super) cookie: Vec<u8>,
    pub(super) pk_e: Vec<u8>,
    pub(super) outcome_size: u16,
    pub(super) expires: UnixTime,
    pub(super) th_o: Digest,
    pub(super) anchor: Digest,
    pub(super) server: VerifiedServer,
}
