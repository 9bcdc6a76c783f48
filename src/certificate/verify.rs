//! The token's verification of a server (patent step 90: "unverifiable → terminate").

use super::leaf::Leaf;
use super::path::Terms;
use super::revocation::{Lists, Revocation};
use super::{CertificateError, MAX_CERTIFICATE, MAX_CHAIN, SerialNumber, TrustAnchor, TrustAnchors, item};
use crate::hash;
use crate::id::{Digest, ServerName};
use crate::key::{KemPublicKey, OfferPublicKey};
use crate::policy::SuiteList;
use crate::time::UnixTime;

/// A server whose certificate chain was verified for the name that was asked for. Only [`verify`]
/// makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedServer {
    name: ServerName,
    kem_key: KemPublicKey,
    offer_key: OfferPublicKey,
    suites: SuiteList,
    minimum_suite: u16,
    leaf: Digest,
    serial: SerialNumber,
    not_after: UnixTime,
    anchor: usize,
}

impl VerifiedServer {
    /// Returns the name that was asked for and certified.
    #[must_use]
    pub const fn name(&self) -> &ServerName {
        &self.name
    }

    /// Returns P_u, the RSA key that SSK1 is encapsulated to.
    #[must_use]
    pub const fn kem_key(&self) -> &KemPublicKey {
        &self.kem_key
    }

    /// Returns the key that signs this server's offers.
    #[must_use]
    pub const fn offer_key(&self) -> &OfferPublicKey {
        &self.offer_key
    }

    /// Returns the suites that the certificate lists, in its order.
    #[must_use]
    pub const fn suites(&self) -> &SuiteList {
        &self.suites
    }

    /// Returns whether the certificate lists `suite` and the trust anchor accepts its strength.
    #[must_use]
    pub fn accepts(&self, suite: u16) -> bool {
        suite >= self.minimum_suite && self.suites.codes().any(|listed| listed == suite)
    }

    /// Returns SHA-256 of the server certificate's DER.
    #[must_use]
    pub const fn leaf_hash(&self) -> Digest {
        self.leaf
    }

    /// Returns the serial number of the server's certificate.
    #[must_use]
    pub const fn serial(&self) -> &SerialNumber {
        &self.serial
    }

    /// Returns the last second in which the server's certificate is valid.
    #[must_use]
    pub const fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// Returns the place, in the list given to [`verify`], of the trust anchor that the chain led to.
    #[must_use]
    pub const fn anchor(&self) -> usize {
        self.anchor
    }
}

/// Verifies that `chain` certifies the server `name` at `now`.
///
/// `chain` is what R1 carries: DER certificates, the server's own first, then those of authorities
/// in any order; those on no path to an anchor are not looked at further. The path to one of `anchors` is
/// built and checked by webpki with its budget of steps (PROTOCOL.md, section 7, says what of RFC 5280,
/// section 6, that is); then the server's certificate is held against the profile of this module.
///
/// # Errors
/// [`CertificateError`] says what is wrong. A chain with several faults gives one of them.
pub fn verify(
    chain: &[&[u8]],
    anchors: &TrustAnchors,
    name: &ServerName,
    now: UnixTime,
    revocation: &Revocation,
) -> Result<VerifiedServer, CertificateError> {
    verify_stapled(chain, anchors, name, now, revocation, None)
}

/// [`verify`] with a list that came with the chain: where lists are demanded, it is one more.
pub(crate) fn verify_stapled(
    chain: &[&[u8]],
    anchors: &TrustAnchors,
    name: &ServerName,
    now: UnixTime,
    revocation: &Revocation,
    stapled: Option<&[u8]>,
) -> Result<VerifiedServer, CertificateError> {
    let (leaf, issuers) = chain.split_first().ok_or(CertificateError::EmptyChain)?;
    if chain.len() > MAX_CHAIN {
        return Err(CertificateError::ChainTooLong);
    }
    if chain.iter().any(|certificate| certificate.len() > MAX_CERTIFICATE) {
        return Err(CertificateError::CertificateTooLong);
    }
    let parsed = item::parse(leaf)?;
    let terms = Terms { anchors, now, lists: Lists::read(revocation, stapled)? };
    let anchor = terms.find_path(leaf, issuers)?;
    let said = Leaf::read(&parsed, name)?;
    let minimum_suite = anchors.as_slice().get(anchor).map_or(u16::MAX, TrustAnchor::minimum_suite);
    if said.suites.codes().all(|suite| suite < minimum_suite) {
        return Err(CertificateError::SuitesTooWeak);
    }
    Ok(VerifiedServer {
        name: name.clone(),
        kem_key: said.kem_key,
        offer_key: said.offer_key,
        suites: said.suites,
        minimum_suite,
        leaf: hash::sha256(&[leaf]),
        serial: said.serial,
        not_after: said.not_after,
        anchor,
    })
}
