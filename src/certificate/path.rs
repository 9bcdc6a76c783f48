//! The path from a server's certificate to an anchor.

use super::issuer::PathIssuer;
use super::revocation::Lists;
use super::{CertificateError, PURPOSE, TrustAnchor, TrustAnchors, algorithm, item};
use crate::time::UnixTime;
use alloc::vec::Vec;
use core::cell::Cell;
use rustls_pki_types::CertificateDer;
use webpki::{EndEntityCert, VerifiedPath};
use x509_cert::Certificate;

/// What a path must satisfy besides its signatures.
pub(super) struct Terms<'t> {
    pub(super) anchors: &'t TrustAnchors,
    pub(super) now: UnixTime,
    pub(super) lists: Option<Lists<'t>>,
}

impl Terms<'_> {
    /// Builds and checks a path from `leaf` to an anchor; gives the anchor's place in the list. Certificates
    /// among `issuers` that are on no path are not judged.
    pub(super) fn find_path(&self, leaf: &[u8], issuers: &[&[u8]]) -> Result<usize, CertificateError> {
        let end = CertificateDer::from(leaf);
        let end = EndEntityCert::try_from(&end).map_err(CertificateError::of)?;
        let others: Vec<_> = issuers.iter().map(|issuer| CertificateDer::from(*issuer)).collect();
        let anchors = self.anchors.as_slice().iter().map(TrustAnchor::to_webpki);
        let anchors = anchors.collect::<Result<Vec<_>, _>>().map_err(|_| CertificateError::Malformed)?;
        let place = |path: &VerifiedPath<'_>| {
            let found = anchors.iter().position(|anchor| core::ptr::eq(anchor, path.anchor()));
            found.ok_or(CertificateError::UnknownIssuer)
        };
        // Why the last path was refused that led to an anchor: that tells more than why others did not.
        let why = Cell::new(None);
        let judge = |path: &VerifiedPath<'_>| {
            place(path).and_then(|place| self.judge(path, place)).map_err(|error| {
                why.set(Some(error));
                webpki::Error::UnknownIssuer
            })
        };
        // "If present", since webpki asks the same of issuers, which often have none. That the server's
        // own certificate has it is checked with the rest of the profile.
        let purpose = webpki::KeyUsage::required_if_present(PURPOSE.as_bytes());
        let now = rustls_pki_types::UnixTime::since_unix_epoch(self.now.since_epoch());
        let path =
            end.verify_for_usage(algorithm::ACCEPTED, &anchors, &others, now, purpose, None, Some(&judge));
        match path {
            Ok(path) => place(&path),
            Err(error) => {
                Err(why.take().unwrap_or_else(|| explain(CertificateError::of(error), leaf, issuers)))
            }
        }
    }

    /// Judges a path whose signatures, dates and names are in order.
    fn judge(&self, path: &VerifiedPath<'_>, anchor: usize) -> Result<(), CertificateError> {
        let anchor = self.anchors.as_slice().get(anchor).ok_or(CertificateError::UnknownIssuer)?;
        let mut issuers = Vec::new();
        for issuer in path.intermediate_certificates() {
            issuers.push(PathIssuer::of(&item::parse(&issuer.der())?)?);
        }
        issuers.push(PathIssuer { key: anchor.key().clone(), signs_lists: true });
        let Some(lists) = &self.lists else { return Ok(()) };
        let leaf: &webpki::Cert<'_> = path.end_entity();
        let certificates = core::iter::once(leaf).chain(path.intermediate_certificates());
        lists.check(certificates.zip(issuers), self.now)
    }
}

/// Names the fault of an issuer's key under which no signature can verify, rather than that one did not.
fn explain(error: CertificateError, leaf: &[u8], issuers: &[&[u8]]) -> CertificateError {
    if !matches!(error, CertificateError::BadSignature | CertificateError::Algorithm) {
        return error;
    }
    let parsed: Vec<_> = issuers.iter().filter_map(|issuer| item::parse(issuer).ok()).collect();
    let leaf = item::parse(leaf).ok();
    let issued = |issuer: &&Certificate| {
        let subject = issuer.tbs_certificate().subject();
        let mut certificates = leaf.iter().chain(&parsed);
        certificates.any(|certificate| certificate.tbs_certificate().issuer() == subject)
    };
    let fault = |issuer: &Certificate| match PathIssuer::of(issuer) {
        Err(fault @ CertificateError::IssuerKey(_)) => Some(fault),
        _ => None,
    };
    parsed.iter().filter(issued).find_map(fault).unwrap_or(error)
}
