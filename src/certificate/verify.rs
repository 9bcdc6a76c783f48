//! The token's verification of a server (patent step 90: "unverifiable → terminate").

use super::leaf::{Leaf, check_issuer};
use super::{
    CertificateError, MAX_CERTIFICATE, MAX_CHAIN, MAX_REVOCATION_LIST, MAX_REVOCATION_LISTS, PURPOSE,
    SerialNumber, TrustAnchor, TrustAnchors, algorithm, item,
};
use crate::hash;
use crate::id::{Digest, ServerName};
use crate::key::{KemPublicKey, OfferPublicKey};
use crate::policy::SuiteList;
use crate::time::UnixTime;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rustls_pki_types::{CertificateDer, DnsName};
use webpki::{CertRevocationList, EndEntityCert, ExpirationPolicy, RevocationOptionsBuilder};

/// Part of the chain for which revocation lists are demanded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RevocationDepth {
    /// For the server's own certificate only.
    Leaf,
    /// For the certificates of issuers in the chain too.
    #[default]
    Chain,
}

/// The token's policy on revocation. It owns its lists, so that it can wait in a state for the server's
/// answer; cloning it shares them.
#[derive(Clone, Debug, Default)]
pub enum Revocation {
    /// Certificates are trusted until they expire; right only where they are short-lived.
    #[default]
    Ignore,
    /// Each checked certificate must be covered by a list of its issuer that is not stale.
    Lists {
        /// DER CRLs, at most [`MAX_REVOCATION_LISTS`], each at most [`MAX_REVOCATION_LIST`] bytes.
        /// The first list of an issuer counts.
        lists: Arc<[Vec<u8>]>,
        /// Certificates that are checked.
        depth: RevocationDepth,
    },
}

impl Revocation {
    /// Demands that each checked certificate is covered by one of these lists, in DER, or by one that the
    /// server staples to its offer.
    ///
    /// # Example
    /// ```
    /// use halfkey::certificate::{Revocation, RevocationDepth};
    /// # let der: &[u8] = &[];
    ///
    /// let only_stapled = Revocation::lists::<Vec<u8>>([], RevocationDepth::Leaf);
    /// let kept = Revocation::lists([der], RevocationDepth::Chain);
    /// # drop((only_stapled, kept));
    /// ```
    #[must_use]
    pub fn lists<L: Into<Vec<u8>>>(lists: impl IntoIterator<Item = L>, depth: RevocationDepth) -> Self {
        Self::Lists { lists: lists.into_iter().map(Into::into).collect(), depth }
    }
}

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
/// in any order. The path to one of `anchors` is built and checked as in RFC 5280, section 6, by
/// webpki with its budget of steps; then the server's certificate is held against the profile of
/// this module. An error about an issuer's certificate may come before its signature was checked.
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
    issuers.iter().try_for_each(|issuer| check_issuer(issuer))?;
    let anchor = find_path(leaf, issuers, anchors, name, now, (revocation, stapled))?;
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

/// Builds and checks the path from `leaf` to an anchor; gives the anchor's place in the list.
fn find_path(
    leaf: &[u8],
    issuers: &[&[u8]],
    anchors: &TrustAnchors,
    name: &ServerName,
    now: UnixTime,
    (revocation, stapled): (&Revocation, Option<&[u8]>),
) -> Result<usize, CertificateError> {
    let leaf = CertificateDer::from(leaf);
    let leaf = EndEntityCert::try_from(&leaf).map_err(CertificateError::of)?;
    let issuers: Vec<_> = issuers.iter().map(|issuer| CertificateDer::from(*issuer)).collect();
    let anchors = anchors.as_slice().iter().map(TrustAnchor::to_webpki);
    let anchors = anchors.collect::<Result<Vec<_>, _>>().map_err(|_| CertificateError::Malformed)?;

    let lists = read_lists(revocation, stapled)?;
    let lists: Vec<_> = lists.iter().collect();
    let revocation = match revocation {
        Revocation::Ignore => None,
        Revocation::Lists { depth, .. } => {
            let options = RevocationOptionsBuilder::new(&lists);
            let options = options.map_err(|_| CertificateError::RevocationUnknown)?;
            let depth = match depth {
                RevocationDepth::Leaf => webpki::RevocationCheckDepth::EndEntity,
                RevocationDepth::Chain => webpki::RevocationCheckDepth::Chain,
            };
            Some(options.with_depth(depth).with_expiration_policy(ExpirationPolicy::Enforce).build())
        }
    };

    // "If present", since webpki asks the same of issuers, which often have none. That the server's
    // own certificate has it is checked with the rest of the profile.
    let purpose = webpki::KeyUsage::required_if_present(PURPOSE.as_bytes());
    let now = rustls_pki_types::UnixTime::since_unix_epoch(now.since_epoch());
    let path = leaf
        .verify_for_usage(algorithm::ACCEPTED, &anchors, &issuers, now, purpose, revocation, None)
        .map_err(CertificateError::of)?;
    let name = DnsName::try_from(name.as_str()).map_err(|_| CertificateError::WrongName)?;
    let name = rustls_pki_types::ServerName::DnsName(name);
    leaf.verify_is_valid_for_subject_name(&name).map_err(CertificateError::of)?;
    let found = anchors.iter().position(|anchor| core::ptr::eq(anchor, path.anchor()));
    found.ok_or(CertificateError::UnknownIssuer)
}

fn read_lists<'a>(
    revocation: &'a Revocation,
    stapled: Option<&'a [u8]>,
) -> Result<Vec<CertRevocationList<'a>>, CertificateError> {
    let Revocation::Lists { lists, .. } = revocation else {
        return Ok(Vec::new());
    };
    if lists.len().saturating_add(stapled.iter().len()) > MAX_REVOCATION_LISTS {
        return Err(CertificateError::TooManyCrls);
    }
    let read = |list: &'a [u8]| {
        if list.len() > MAX_REVOCATION_LIST {
            return Err(CertificateError::CrlTooLong);
        }
        let list = webpki::BorrowedCertRevocationList::from_der(list);
        list.map(CertRevocationList::Borrowed).map_err(CertificateError::of_list)
    };
    lists.iter().map(Vec::as_slice).chain(stapled).map(read).collect()
}
