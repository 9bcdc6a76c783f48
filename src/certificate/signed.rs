//! The outer structure that certificates and revocation lists share.

use der::Sequence;
use der::asn1::{AnyRef, BitString};
use pkcs8::AlgorithmIdentifierRef;

/// Certificate and CertificateList alike (RFC 5280, sections 4.1 and 5.1).
#[derive(Sequence)]
pub(super) struct Signed<'a> {
    pub(super) tbs: AnyRef<'a>,
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) signature: BitString,
}
