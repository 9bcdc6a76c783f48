//! The issuer's name: a DER X.501 Name.

use crate::name::NameError;
use alloc::vec::Vec;
use core::fmt;
use der::asn1::{SetOfVec, Utf8StringRef};
use der::oid::ObjectIdentifier;
use der::{Decode, Encode, Sequence, ValueOrd};
use x509_cert::name::{Name, RelativeDistinguishedName};

/// id-at-commonName (RFC 5280, appendix A.1).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// AttributeTypeAndValue with a text. Made without a string syntax in between, in which some texts would be
/// taken for syntax and others could not be said.
#[derive(Sequence, ValueOrd)]
struct Attribute<'a> {
    kind: ObjectIdentifier,
    value: Utf8StringRef<'a>,
}

fn malformed(_: der::Error) -> NameError {
    NameError::Encoding
}

/// The name of a certificate authority, as its certificates carry it in `issuer`.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuerName(Vec<u8>);

impl IssuerName {
    /// Longest DER encoding in bytes.
    pub const MAX: usize = 1024;
    /// Longest common name in bytes of UTF-8 (RFC 5280, ub-common-name).
    pub const MAX_COMMON_NAME: usize = 64;

    /// A name of one attribute, commonName.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, too long or has control characters.
    pub fn common_name(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > Self::MAX_COMMON_NAME {
            return Err(NameError::TooLong(Self::MAX_COMMON_NAME));
        }
        if let Some(error) = NameError::first(text, |character| !character.is_control()) {
            return Err(error);
        }
        let attribute = Attribute { kind: COMMON_NAME, value: Utf8StringRef::new(text).map_err(malformed)? };
        let mut part = SetOfVec::new();
        part.insert(attribute).map_err(malformed)?;
        Ok(Self(alloc::vec![part].to_der().map_err(malformed)?))
    }

    /// Reads a DER Name.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, longer than [`Self::MAX`] bytes, no Name, or has a part without
    /// attributes (RFC 5280, section 4.1.2.4).
    pub fn from_der(der: &[u8]) -> Result<Self, NameError> {
        if der.len() > Self::MAX {
            return Err(NameError::TooLong(Self::MAX));
        }
        let name = Name::from_der(der).map_err(malformed)?;
        if name.is_empty() {
            Err(NameError::Empty)
        } else if name.iter_rdn().any(RelativeDistinguishedName::is_empty) {
            Err(NameError::Encoding)
        } else {
            Ok(Self(der.into()))
        }
    }

    /// The DER Name.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for IssuerName {
    /// As in RFC 4514.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Name::from_der(&self.0).map_err(|_| fmt::Error)?.fmt(f)
    }
}

impl fmt::Debug for IssuerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuerName({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use der::asn1::Utf8StringRef;

    #[test]
    fn text_is_never_syntax() {
        for text in [
            "Plant issuer 1",
            "a, O=b",
            "a+b=c",
            "#05",
            " lead",
            "Bücher \"x\" \\ <y>; z",
            "acme-DC01-CA",
            "ca.example",
            "Acme Root CA (2026)",
            "O'Brien",
            "R & D",
            "a/b_c:d@e!f?g*h~i`j$k%l^m|n{o}p[q]",
            "発行者 🏛",
        ] {
            let name = IssuerName::common_name(text).unwrap();
            let parsed = Name::from_der(name.as_der()).unwrap();
            assert_eq!(parsed.len(), 1);
            let common_name = parsed.iter().next().unwrap();
            let read: Utf8StringRef<'_> = common_name.value.decode_as().unwrap();
            assert_eq!(read.as_str(), text);
            assert_eq!(IssuerName::from_der(name.as_der()).unwrap(), name);
        }
        for (bad, why) in [
            ("", NameError::Empty),
            ("a\nb", NameError::CharacterAt { character: '\n', place: 2 }),
            ("\0", NameError::CharacterAt { character: '\0', place: 1 }),
            ("ü\u{85}", NameError::CharacterAt { character: '\u{85}', place: 2 }),
            (&"a".repeat(65), NameError::TooLong(64)),
        ] {
            assert_eq!(IssuerName::common_name(bad), Err(why));
        }
    }

    #[test]
    fn every_part_of_a_name_has_an_attribute() {
        let common_name = [0x30, 8, 6, 3, 0x55, 4, 3, 12, 1, b'a'];
        let good = [&[0x30, 12, 0x31, 10][..], &common_name].concat();
        assert_eq!(IssuerName::from_der(&good), IssuerName::common_name("a"));
        let hollow = [&[0x30, 14, 0x31, 0, 0x31, 10][..], &common_name].concat();
        assert_eq!(IssuerName::from_der(&hollow), Err(NameError::Encoding));
        assert_eq!(IssuerName::from_der(&[0x30, 2, 0x31, 0]), Err(NameError::Encoding));
        assert_eq!(IssuerName::from_der(&[0x30, 0]), Err(NameError::Empty));
        assert_eq!(IssuerName::from_der(&[0x31, 0]), Err(NameError::Encoding));
    }
}
