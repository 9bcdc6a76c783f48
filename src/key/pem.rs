//! PEM (RFC 7468) around DER, with the label checked.

use alloc::string::String;
use alloc::vec::Vec;
use der::pem::LineEnding;
use zeroize::Zeroizing;

pub(crate) const PRIVATE_KEY: &str = "PRIVATE KEY";
pub(crate) const PUBLIC_KEY: &str = "PUBLIC KEY";

/// The text is not one PEM block with the wanted label.
pub(crate) struct NotPem;

/// Longest PEM text that is looked at, in bytes: base-64 of the longest thing stored so, with room
/// for the explanatory text that some tools put before it.
const MAX_TEXT: usize = 64 * 1024;

pub(crate) fn decode(pem: &str, label: &str) -> Result<Zeroizing<Vec<u8>>, NotPem> {
    if pem.len() > MAX_TEXT {
        return Err(NotPem);
    }
    let (found, der) = der::pem::decode_vec(pem.as_bytes()).map_err(|_| NotPem)?;
    let der = Zeroizing::new(der);
    if found == label { Ok(der) } else { Err(NotPem) }
}

/// The PEM block, or nothing when it would not fit in memory at all.
pub(crate) fn encode(der: &[u8], label: &str) -> Result<String, NotPem> {
    der::pem::encode_string(label, LineEnding::LF, der).map_err(|_| NotPem)
}

impl From<NotPem> for super::KeyError {
    fn from(_: NotPem) -> Self {
        Self::Malformed
    }
}
