//! The private extension: what a certificate says of a server besides its key and name.

use super::MAX_SUITES;
use alloc::vec::Vec;
use der::Sequence;
use der::asn1::OctetStringRef;

/// The extension's value; see the module's ASN.1.
#[derive(Sequence)]
pub(super) struct ServerExtension<'a> {
    pub(super) suites: Vec<u16>,
    pub(super) offer_key: &'a OctetStringRef,
}

/// Whether `suites` may stand in a certificate: one to eight, all different.
pub(super) fn suites_fit(suites: &[u16]) -> bool {
    if !(1..=MAX_SUITES).contains(&suites.len()) {
        return false;
    }
    let mut rest = suites;
    while let [first, others @ ..] = rest {
        if others.contains(first) {
            return false;
        }
        rest = others;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::suites_fit;

    #[test]
    fn suite_lists() {
        assert!(suites_fit(&[1]));
        assert!(suites_fit(&[8, 7, 6, 5, 4, 3, 2, 1]));
        assert!(!suites_fit(&[]));
        assert!(!suites_fit(&[1, 2, 1]));
        assert!(!suites_fit(&[1, 2, 3, 4, 5, 6, 7, 8, 9]));
    }
}
