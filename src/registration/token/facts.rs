//! Values from a verified offer that later steps use.

use crate::certificate::VerifiedServer;
use crate::id::{Digest, KeyId, OfferId, Txn};
use crate::policy::SuiteList;
use crate::suite::Suite;
use crate::time::UnixTime;
use alloc::vec::Vec;

/// Values from a verified R1 that later steps use.
#[derive(Debug)]
pub(super) struct OfferFacts {
    pub(super) suite: &'static dyn Suite,
    /// The suites of R0 that the certificate lists and the anchor accepts: a policy may allow no others.
    pub(super) offered: SuiteList,
    pub(super) txn: Txn,
    pub(super) offer_id: OfferId,
    pub(super) cookie: Vec<u8>,
    pub(super) pk_e: Vec<u8>,
    pub(super) outcome_size: u16,
    pub(super) expires: UnixTime,
    pub(super) th_o: Digest,
    pub(super) anchor: Digest,
    pub(super) server: VerifiedServer,
    /// The key that is erased once the new one is active.
    pub(super) replaces: Option<KeyId>,
}
