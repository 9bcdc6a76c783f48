//! Revocation lists (RFC 5280, section 5) and the token's policy on them.

use super::algorithm;
use super::issuer::PathIssuer;
use super::signed::Signed;
use super::{CertificateError, MAX_REVOCATION_LIST, MAX_REVOCATION_LISTS, Usage};
use crate::time::UnixTime;
use alloc::sync::Arc;
use alloc::vec::Vec;
use der::asn1::AnyRef;
use der::oid::ObjectIdentifier;
use der::{Decode, Encode, Sequence};
use webpki::{BorrowedCertRevocationList, CertRevocationList};
use x509_cert::ext::Extensions;
use x509_cert::time::Time;

/// id-ce-issuingDistributionPoint (RFC 5280, section 5.2.5).
const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");

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
    /// Each checked certificate must be covered by a list that its issuer signed and that is not stale, and
    /// must be on none of these.
    Lists {
        /// DER CRLs, at most [`MAX_REVOCATION_LISTS`], each at most [`MAX_REVOCATION_LIST`] bytes.
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

/// The lists that one verification goes by, and how far up it asks for them.
pub(super) struct Lists<'l> {
    lists: Vec<List<'l>>,
    depth: RevocationDepth,
}

impl<'l> Lists<'l> {
    /// Reads the lists of a policy and the one that came with the chain; nothing where none are demanded.
    pub(super) fn read(
        revocation: &'l Revocation,
        stapled: Option<&'l [u8]>,
    ) -> Result<Option<Self>, CertificateError> {
        let Revocation::Lists { lists, depth } = revocation else { return Ok(None) };
        // The server's own list is one more, or it could shut out a token that has all it may have.
        if lists.len() > MAX_REVOCATION_LISTS {
            return Err(CertificateError::TooManyCrls);
        }
        let lists = lists.iter().map(Vec::as_slice).chain(stapled).map(List::read);
        Ok(Some(Self { lists: lists.collect::<Result<_, _>>()?, depth: *depth }))
    }

    /// Checks the certificates of a path, the server's own first, each with its issuer.
    pub(super) fn check<'p>(
        &self,
        path: impl Iterator<Item = (&'p webpki::Cert<'p>, PathIssuer)>,
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        let checked = match self.depth {
            RevocationDepth::Leaf => 1,
            RevocationDepth::Chain => usize::MAX,
        };
        path.take(checked).try_for_each(|(certificate, issuer)| self.covers(certificate, &issuer, now))
    }

    /// Checks that the certificate is on none of its issuer's lists, and that there is one.
    fn covers(
        &self,
        certificate: &webpki::Cert<'_>,
        issuer: &PathIssuer,
        now: UnixTime,
    ) -> Result<(), CertificateError> {
        let mut found = Err(CertificateError::RevocationUnknown);
        for list in self.lists.iter().filter(|list| list.parsed.issuer() == certificate.issuer()) {
            match list.counts(issuer, now) {
                Ok(()) => {
                    let entry = list.parsed.find_serial(certificate.serial());
                    if entry.map_err(CertificateError::of_list)?.is_some() {
                        return Err(CertificateError::Revoked);
                    }
                    found = Ok(());
                }
                // Two issuers can have one name, one issuer two keys: the list of another is not the trouble
                // if there is one of this.
                Err(CertificateError::BadCrlSignature)
                    if found != Err(CertificateError::RevocationUnknown) => {}
                Err(why) => found = found.or(Err(why)),
            }
        }
        found
    }
}

/// A revocation list that parses: complete, of version 2, with nothing in it that would have to be understood and
/// is not. Whose it is, its signature tells.
pub(super) struct List<'l> {
    parsed: CertRevocationList<'l>,
    signed: Signed<'l>,
    next_update: UnixTime,
}

/// TBSCertList (RFC 5280, section 5.1.2), the entries apart: webpki reads those.
#[derive(Sequence)]
struct Tbs<'a> {
    version: u8,
    signature: AnyRef<'a>,
    issuer: AnyRef<'a>,
    this_update: Time,
    next_update: Time,
    entries: Option<Vec<AnyRef<'a>>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Extensions>,
}

impl<'l> List<'l> {
    /// Reads a DER CRL.
    pub(super) fn read(der: &'l [u8]) -> Result<Self, CertificateError> {
        let malformed = |_: der::Error| CertificateError::MalformedCrl;
        if der.len() > MAX_REVOCATION_LIST {
            return Err(CertificateError::CrlTooLong);
        }
        let signed = Signed::from_der(der).map_err(malformed)?;
        let tbs = signed.tbs.to_der().map_err(malformed)?;
        let tbs = Tbs::from_der(&tbs);
        // Such a list is about some certificates only, and which these are, it may say in words that are not
        // understood here.
        let mut extensions = tbs.iter().flat_map(|tbs| tbs.extensions.iter().flatten());
        if extensions.any(|extension| extension.extn_id == ISSUING_DISTRIBUTION_POINT) {
            return Err(CertificateError::PARTIAL_CRL);
        }
        let parsed = BorrowedCertRevocationList::from_der(der).map_err(CertificateError::of_list)?;
        // Owned, since only then every entry is looked at.
        let parsed = parsed.to_owned().map_err(CertificateError::of_list)?.into();
        let next_update = tbs.map_err(malformed)?.next_update;
        let next_update = UnixTime::from_secs(next_update.to_unix_duration().as_secs());
        Ok(Self { parsed, signed, next_update })
    }

    /// Checks that the list is this issuer's, which may sign lists, and is not stale.
    fn counts(&self, issuer: &PathIssuer, now: UnixTime) -> Result<(), CertificateError> {
        algorithm::verify(&issuer.key, &self.signed).map_err(|error| match error {
            CertificateError::Algorithm => CertificateError::CRL_ALGORITHM,
            _ => CertificateError::BadCrlSignature,
        })?;
        if now >= self.next_update {
            return Err(CertificateError::StaleCrl { next_update: self.next_update, now });
        }
        if issuer.signs_lists {
            Ok(())
        } else {
            Err(CertificateError::WrongUsage(Usage::RevocationListSigning))
        }
    }
}
