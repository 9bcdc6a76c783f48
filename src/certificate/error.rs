//! Why a certificate chain was refused.

use crate::key::{KeyError, PemError};
use crate::time::UnixTime;
use core::fmt;
use thiserror::Error;

/// A use of a certificate that was found missing or wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Usage {
    /// The server's keyUsage is not keyEncipherment alone.
    ServerKey,
    /// The extKeyUsage is not [`super::PURPOSE_OID`] alone, or an issuer's excludes it.
    Purpose,
    /// An issuer's keyUsage lacks keyCertSign, or is missing.
    CertificateSigning,
    /// An issuer's keyUsage lacks cRLSign.
    RevocationListSigning,
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerKey => {
                f.write_str("the certificate's keyUsage is not keyEncipherment and nothing else")
            }
            Self::Purpose => {
                write!(f, "a certificate's extKeyUsage is not {} and nothing else", super::PURPOSE_OID)
            }
            Self::CertificateSigning => {
                f.write_str("an issuer's certificate has no keyUsage with keyCertSign")
            }
            Self::RevocationListSigning => {
                f.write_str("an issuer's certificate has no keyUsage with cRLSign")
            }
        }
    }
}

/// A reason for refusing a certificate, a chain or a revocation list.
///
/// Unless a variant says otherwise, the party that presented the chain is at fault: the server, its
/// issuer, or somebody in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// No certificate was given.
    #[error("the certificate chain is empty")]
    EmptyChain,
    /// More than [`super::MAX_CHAIN`] certificates, or issuers that lead too far up.
    #[error("the certificate chain is too long")]
    ChainTooLong,
    /// A certificate above [`super::MAX_CERTIFICATE`] bytes.
    #[error("a certificate is too long")]
    CertificateTooLong,
    /// Not the PEM of a certificate or a revocation list.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Not the DER of an X.509 certificate.
    #[error("a certificate's encoding is malformed")]
    Malformed,
    /// A serial number that is not positive or above 20 bytes.
    #[error("a certificate's serialNumber is not positive or longer than 20 bytes")]
    SerialNumber,
    /// Not version 3.
    #[error("a certificate's version is not 3")]
    Version,
    /// A critical extension that is not known here, or the private extension marked critical.
    #[error("a certificate has a critical extension that is not known here")]
    CriticalExtension,
    /// A feature of X.509 that this profile leaves out.
    #[error("a certificate uses a feature that is not supported")]
    Unsupported,
    /// Past its notAfter. Or this side's clock is wrong.
    #[error(
        "a certificate expired at {not_after}, and it is {now} here; if that is right, the server or its issuer \
         needs a new certificate, and if not, set the clock"
    )]
    Expired {
        /// The last second of its validity.
        not_after: UnixTime,
        /// The time at which it was judged.
        now: UnixTime,
    },
    /// Before its notBefore. Or this side's clock is wrong.
    #[error(
        "a certificate is not valid before {not_before}, and it is {now} here; if that is right, try again then, \
         and if not, set the clock"
    )]
    NotYetValid {
        /// The first second of its validity.
        not_before: UnixTime,
        /// The time at which it was judged.
        now: UnixTime,
    },
    /// It ends before it begins.
    #[error("a certificate's validity ends before it begins")]
    Validity,
    /// Its name is not the server that was asked for.
    #[error("the certificate's subjectAltName is another server's name")]
    WrongName,
    /// Its name has capital letters, which names here never have.
    #[error("the certificate's subjectAltName has capital letters; the dNSName must be in lower case")]
    CapitalsInName,
    /// Its subject is empty and its subjectAltName not critical.
    #[error("the certificate's subjectAltName must be critical, as its subject is empty")]
    NameNotCritical,
    /// No name, not exactly one, or one that is no dNSName.
    #[error("the certificate's subjectAltName is missing or is not exactly one dNSName")]
    NotOneName,
    /// No trust anchor has the name of the issuer at the chain's end.
    #[error("no trust anchor for the certificate's issuer")]
    UnknownIssuer,
    /// A trust anchor or issuer of that name did not sign it with that key.
    #[error("a certificate's signature does not verify")]
    BadSignature,
    /// Signed with something else than RSA PKCS#1 v1.5 with SHA-256, -384 or -512, or Ed25519; or
    /// the algorithm does not go with the issuer's key.
    #[error("a certificate's signature algorithm is not supported")]
    Algorithm,
    /// May not be used for what it was presented for.
    #[error("{0}")]
    WrongUsage(Usage),
    /// The server's own certificate is one of an authority.
    #[error("the server's certificate is one of an authority (basicConstraints has cA)")]
    CaAsLeaf,
    /// A certificate that is not one of an authority issued another.
    #[error("an issuer's certificate is not one of an authority (basicConstraints has no cA)")]
    LeafAsCa,
    /// More authorities below an issuer than it allows.
    #[error("the pathLenConstraint of an issuer's certificate is exceeded")]
    PathLength,
    /// A name outside what an issuer may certify.
    #[error("the certificate's name is outside the nameConstraints of its issuer or of the trust anchor")]
    NameConstraint,
    /// Verification would take more steps than any honest chain.
    #[error("the certificate chain is too complex")]
    TooComplex,
    /// The certified key P_u is of no use.
    #[error("the certificate's subjectPublicKeyInfo: {0}")]
    ServerKey(KeyError),
    /// The certified offer key is of no use.
    #[error("the certificate's extension {}: the offer key: {}", super::EXTENSION_OID, .0)]
    OfferKey(KeyError),
    /// The key of an issuer in the chain is of no use.
    #[error("the subjectPublicKeyInfo of an issuer's certificate: {0}")]
    IssuerKey(KeyError),
    /// The private extension is missing: a certificate for something else.
    #[error("the certificate lacks the extension {} with suites and offer key", super::EXTENSION_OID)]
    ExtensionMissing,
    /// The private extension is there more than once.
    #[error("the certificate repeats the extension {} with suites and offer key", super::EXTENSION_OID)]
    ExtensionRepeated,
    /// The private extension does not follow its ASN.1.
    #[error("the certificate's extension {} with suites and offer key is malformed", super::EXTENSION_OID)]
    ExtensionMalformed,
    /// No suite of the server reaches the minimum of the trust anchor.
    #[error("the server has no suite as strong as the trust anchor demands")]
    SuitesTooWeak,
    /// A certificate of the chain is on its issuer's revocation list.
    #[error("a certificate was revoked")]
    Revoked,
    /// Revocation lists are demanded and none covers the issuer.
    #[error("no revocation list for the certificate's issuer")]
    RevocationUnknown,
    /// The list should have been replaced. Or this side's clock is wrong.
    #[error(
        "the revocation list went stale at {next_update}, and it is {now} here; if that is right, a newer list is \
         needed, and if not, set the clock"
    )]
    StaleCrl {
        /// Time at which the next list was due.
        next_update: UnixTime,
        /// The time at which it was judged.
        now: UnixTime,
    },
    /// The issuer did not sign the revocation list.
    #[error("the revocation list's signature does not verify under its issuer's key")]
    BadCrlSignature,
    /// Not the DER of a CRL with a nextUpdate.
    #[error("a revocation list's encoding is malformed")]
    MalformedCrl,
    /// A list that is not complete by itself, is not of version 2, has a critical extension that is not known
    /// here, or is signed with an algorithm that is not in use here.
    #[error("a revocation list is of an unsupported kind: {0}")]
    UnsupportedCrl(&'static str),
    /// A list above [`super::MAX_REVOCATION_LIST`] bytes.
    #[error("a revocation list is too long")]
    CrlTooLong,
    /// More than [`super::MAX_REVOCATION_LISTS`] lists.
    #[error("too many revocation lists")]
    TooManyCrls,
}

fn seconds(time: rustls_pki_types::UnixTime) -> UnixTime {
    UnixTime::from_secs(time.as_secs())
}

impl CertificateError {
    pub(super) const PARTIAL_CRL: Self = Self::UnsupportedCrl("partial (issuingDistributionPoint)");
    pub(super) const CRL_ALGORITHM: Self = Self::UnsupportedCrl("the signature's algorithm");

    /// The error of a certificate or a path, as webpki found it.
    pub(super) fn of(error: webpki::Error) -> Self {
        use webpki::Error as E;
        #[allow(deprecated, reason = "every variant has its place, those of old releases too")]
        match error {
            E::BadDer
            | E::BadDerTime
            | E::TrailingData(_)
            | E::ExtensionValueInvalid
            | E::MalformedExtensions
            | E::MalformedDnsIdentifier
            | E::MalformedNameConstraint
            | E::InvalidNetworkMaskConstraint
            | E::SignatureAlgorithmMismatch => Self::Malformed,
            E::InvalidSerialNumber => Self::SerialNumber,
            E::UnsupportedCertVersion => Self::Version,
            E::UnsupportedCriticalExtension => Self::CriticalExtension,
            E::CertExpired { time, not_after } => {
                Self::Expired { not_after: seconds(not_after), now: seconds(time) }
            }
            E::CertNotValidYet { time, not_before } => {
                Self::NotYetValid { not_before: seconds(not_before), now: seconds(time) }
            }
            E::InvalidCertValidity => Self::Validity,
            E::CertNotValidForName(_) => Self::WrongName,
            E::UnknownIssuer => Self::UnknownIssuer,
            E::InvalidSignatureForPublicKey => Self::BadSignature,
            E::UnsupportedSignatureAlgorithm
            | E::UnsupportedSignatureAlgorithmContext(_)
            | E::UnsupportedSignatureAlgorithmForPublicKey
            | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => Self::Algorithm,
            E::EmptyEkuExtension | E::RequiredEkuNotFound | E::RequiredEkuNotFoundContext(_) => {
                Self::WrongUsage(Usage::Purpose)
            }
            E::CaUsedAsEndEntity => Self::CaAsLeaf,
            E::EndEntityUsedAsCa => Self::LeafAsCa,
            E::PathLenConstraintViolated => Self::PathLength,
            E::NameConstraintViolation => Self::NameConstraint,
            E::MaximumPathDepthExceeded => Self::ChainTooLong,
            E::MaximumNameConstraintComparisonsExceeded
            | E::MaximumPathBuildCallsExceeded
            | E::MaximumSignatureChecksExceeded => Self::TooComplex,
            E::CertRevoked => Self::Revoked,
            E::UnknownRevocationStatus => Self::RevocationUnknown,
            E::CrlExpired { time, next_update } => {
                Self::StaleCrl { next_update: seconds(next_update), now: seconds(time) }
            }
            E::InvalidCrlSignatureForPublicKey => Self::BadCrlSignature,
            E::IssuerNotCrlSigner => Self::WrongUsage(Usage::RevocationListSigning),
            E::InvalidCrlNumber => Self::MalformedCrl,
            E::UnsupportedCrlVersion => Self::UnsupportedCrl("not version 2"),
            E::UnsupportedDeltaCrl => Self::UnsupportedCrl("a delta (deltaCRLIndicator)"),
            E::UnsupportedIndirectCrl => Self::UnsupportedCrl("indirect (certificateIssuer)"),
            E::UnsupportedRevocationReason => Self::UnsupportedCrl("a reason of deltas (removeFromCRL)"),
            E::UnsupportedRevocationReasonsPartitioning | E::UnsupportedCrlIssuingDistributionPoint => {
                Self::PARTIAL_CRL
            }
            E::UnsupportedCrlSignatureAlgorithm
            | E::UnsupportedCrlSignatureAlgorithmContext(_)
            | E::UnsupportedCrlSignatureAlgorithmForPublicKey
            | E::UnsupportedCrlSignatureAlgorithmForPublicKeyContext(_) => Self::CRL_ALGORITHM,
            // Names of another type are never asked for and no key is distrusted by default: both,
            // and what a later release may add, mean that the chain needs what is not done here.
            _ => Self::Unsupported,
        }
    }

    /// The error of a revocation list that does not parse: as of a certificate, but said of the list.
    pub(super) fn of_list(error: webpki::Error) -> Self {
        match Self::of(error) {
            said @ (Self::MalformedCrl | Self::UnsupportedCrl(_)) => said,
            Self::CriticalExtension => Self::UnsupportedCrl("an unknown critical extension"),
            _ => Self::MalformedCrl,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use rustls_pki_types::UnixTime as At;
    use webpki::Error as E;

    #[test]
    fn what_is_found_has_its_own_word() {
        let at = |seconds| At::since_unix_epoch(Duration::from_secs(seconds));
        let (next_update, now) = (UnixTime::from_secs(5), UnixTime::from_secs(7));
        for (found, error) in [
            (E::MaximumPathDepthExceeded, CertificateError::ChainTooLong),
            (E::CertRevoked, CertificateError::Revoked),
            (E::UnknownRevocationStatus, CertificateError::RevocationUnknown),
            (
                E::CrlExpired { time: at(7), next_update: at(5) },
                CertificateError::StaleCrl { next_update, now },
            ),
            (E::IssuerNotCrlSigner, CertificateError::WrongUsage(Usage::RevocationListSigning)),
            (E::UnsupportedCrlVersion, CertificateError::UnsupportedCrl("not version 2")),
            (
                E::UnsupportedRevocationReason,
                CertificateError::UnsupportedCrl("a reason of deltas (removeFromCRL)"),
            ),
        ] {
            assert_eq!(CertificateError::of(found), error);
        }
    }
}
