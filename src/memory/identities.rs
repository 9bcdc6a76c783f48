//! The certificates of a server and their keys, and which of them is offered.

use crate::certificate::SerialNumber;
use crate::id::Digest;
use crate::key::{KemPrivateKey, OfferKey};
use crate::policy::SuiteList;
use crate::time::UnixTime;
use std::sync::Arc;
use std::vec::Vec;

/// Longest time before the end of the last certificate in which the operator is told of it, in seconds; for
/// certificates of less than six weeks, a third of their life.
const SOON: u64 = 14 * 24 * 3600;

/// A certificate that a server holds the keys of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldCertificate {
    /// SHA-256 of its DER: its name in [`Server`](super::Server)'s methods.
    pub certificate: Digest,
    /// Its serial number, by which its issuer revokes it.
    pub serial: SerialNumber,
    /// The first second in which it is valid.
    pub not_before: UnixTime,
    /// The last second in which it is valid.
    pub not_after: UnixTime,
}

impl HeldCertificate {
    pub(super) fn valid(&self, now: UnixTime) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

/// The keys of one certificate.
pub(super) struct Identity {
    pub(super) held: HeldCertificate,
    pub(super) chain: Vec<Vec<u8>>,
    pub(super) suites: SuiteList,
    pub(super) kem_key: KemPrivateKey,
    pub(super) offer_key: OfferKey,
}

/// The identities of a server, the one that is wanted most last.
#[derive(Default)]
pub(super) struct Identities(Vec<Arc<Identity>>);

impl Identities {
    /// Adds an identity, which is wanted most; one with the same certificate is replaced.
    pub(super) fn add(&mut self, identity: Identity) {
        self.0.retain(|one| one.held.certificate != identity.held.certificate);
        self.0.push(identity.into());
    }

    pub(super) fn find(&self, certificate: &Digest) -> Option<&Arc<Identity>> {
        self.0.iter().find(|one| one.held.certificate == *certificate)
    }

    /// Makes an identity the one that is wanted most. False if there is none.
    pub(super) fn prefer(&mut self, certificate: &Digest) -> bool {
        self.take(certificate).map(|one| self.0.push(one)).is_some()
    }

    /// Takes an identity out.
    pub(super) fn take(&mut self, certificate: &Digest) -> Option<Arc<Identity>> {
        let place = self.0.iter().position(|one| one.held.certificate == *certificate)?;
        Some(self.0.remove(place))
    }

    pub(super) fn list(&self) -> Vec<HeldCertificate> {
        self.0.iter().map(|one| one.held.clone()).collect()
    }

    /// The identity to offer: of those that are valid, the one that is wanted most.
    pub(super) fn offered(&self, now: UnixTime) -> Option<&Arc<Identity>> {
        self.0.iter().rfind(|one| one.held.valid(now))
    }

    /// The last second from `now` on in which there is a certificate to offer without a gap.
    pub(super) fn offered_until(&self, now: UnixTime) -> Option<UnixTime> {
        let mut until = None;
        let mut at = now;
        while let Some(end) =
            self.0.iter().filter(|one| one.held.valid(at)).map(|one| one.held.not_after).max()
        {
            until = Some(end);
            at = end.after(1);
            if at <= end {
                break; // The end of time.
            }
        }
        until
    }

    /// [`Self::offered_until`], if it is near.
    pub(super) fn ends_soon(&self, now: UnixTime) -> Option<UnixTime> {
        let end = self.offered_until(now)?;
        let last =
            self.0.iter().filter(|one| one.held.not_after == end).map(|one| one.held.not_before).min()?;
        let soon = SOON.min(end.since(last) / 3);
        (end.since(now) <= soon).then_some(end)
    }
}
