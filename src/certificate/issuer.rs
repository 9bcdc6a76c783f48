//! The issuers on a path.

use super::{CertificateError, Usage};
use crate::key::IssuerPublicKey;
use der::Encode;
use x509_cert::Certificate;
use x509_cert::ext::pkix::KeyUsage;

/// An issuer on a path: an anchor, or an authority whose certificate may be used for that.
pub(super) struct PathIssuer {
    pub(super) key: IssuerPublicKey,
    pub(super) signs_lists: bool,
}

impl PathIssuer {
    /// Checks what webpki leaves open of an issuer's certificate: its key, and that it may sign certificates.
    pub(super) fn of(certificate: &Certificate) -> Result<Self, CertificateError> {
        let tbs = certificate.tbs_certificate();
        let usage = tbs.get_extension::<KeyUsage>().map_err(|_| CertificateError::Malformed)?;
        let usage = usage.map(|(_, usage)| usage).filter(KeyUsage::key_cert_sign);
        let usage = usage.ok_or(CertificateError::WrongUsage(Usage::CertificateSigning))?;
        let spki = tbs.subject_public_key_info().to_der().map_err(|_| CertificateError::Malformed)?;
        let key = IssuerPublicKey::from_spki_der(&spki).map_err(CertificateError::IssuerKey)?;
        Ok(Self { key, signs_lists: usage.crl_sign() })
    }
}
