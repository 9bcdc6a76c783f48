//! The issuer's name: a DER X.501 Name.

use crate::id::NameError;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use der::{Decode, Encode};
use x509_cert::name::Name;

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
        if text.chars().any(char::is_control) {
            return Err(NameError::Character);
        }
        // RFC 4514 escapes, so that no character of the text is read as syntax.
        let mut escaped = alloc::string::String::from("CN=");
        for character in text.chars() {
            if character.is_ascii() && !character.is_ascii_alphanumeric() {
                escaped.push('\\');
            }
            escaped.push(character);
        }
        let name = Name::from_str(&escaped).map_err(|_| NameError::Character)?;
        Ok(Self(name.to_der().map_err(|_| NameError::Character)?))
    }

    /// Reads a DER Name.
    ///
    /// # Errors
    /// [`NameError`] when it is empty, longer than [`Self::MAX`] bytes or no Name.
    pub fn from_der(der: &[u8]) -> Result<Self, NameError> {
        if der.len() > Self::MAX {
            return Err(NameError::TooLong(Self::MAX));
        }
        let name = Name::from_der(der).map_err(|_| NameError::Character)?;
        if name.is_empty() { Err(NameError::Empty) } else { Ok(Self(der.into())) }
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
        for text in ["Plant issuer 1", "a, O=b", "a+b=c", "#05", " lead", "Bücher \"x\" \\ <y>; z"] {
            let name = IssuerName::common_name(text).unwrap();
            let parsed = Name::from_der(name.as_der()).unwrap();
            assert_eq!(parsed.len(), 1);
            let common_name = parsed.iter().next().unwrap();
            let read: Utf8StringRef<'_> = common_name.value.decode_as().unwrap();
            assert_eq!(read.as_str(), text);
            assert_eq!(IssuerName::from_der(name.as_der()).unwrap(), name);
        }
        for bad in ["", "a\nb", "\0", &"a".repeat(65)] {
            assert!(IssuerName::common_name(bad).is_err());
        }
        assert!(IssuerName::from_der(&[0x30, 0]).is_err());
    }
}
