//! The private extension: what a certificate says of a server besides its key and name.

use alloc::vec::Vec;
use der::Sequence;
use der::asn1::OctetStringRef;

/// The extension's value; see the module's ASN.1.
#[derive(Sequence)]
pub(super) struct ServerExtension<'a> {
    pub(super) suites: Vec<u16>,
    pub(super) offer_key: &'a OctetStringRef,
}
