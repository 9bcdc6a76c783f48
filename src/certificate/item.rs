//! Certificates, chains and revocation lists as bytes that parse, in DER and PEM.

use super::revocation::List;
use super::{CertificateError, MAX_CERTIFICATE, MAX_CHAIN};
use crate::key::{PemError, pem};
use crate::time::UnixTime;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use der::Decode;

const CERTIFICATE: &str = "CERTIFICATE";
const REVOCATION_LIST: &str = "X509 CRL";

/// The serial number of a certificate, unique under its issuer: positive, of at most 20 bytes. Certificates of
/// authorities, which are known by their keys, may have any other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber(Vec<u8>); // The contents of its INTEGER.

impl SerialNumber {
    /// Longest serial number in bytes (RFC 5280, section 4.1.2.2).
    pub const MAX: usize = 20;

    /// Takes a big-endian number; leading zero bytes do not count.
    ///
    /// # Errors
    /// [`CertificateError::SerialNumber`] when it is zero or longer than 20 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, CertificateError> {
        let start = bytes.iter().position(|byte| *byte != 0).ok_or(CertificateError::SerialNumber)?;
        let bytes = bytes.get(start..).unwrap_or_default();
        if bytes.len() > Self::MAX {
            return Err(CertificateError::SerialNumber);
        }
        let sign: &[u8] = if bytes.first().is_some_and(|first| *first >= 0x80) { &[0] } else { &[] };
        Ok(Self([sign, bytes].concat()))
    }

    /// The serial number of a parsed certificate, whatever it is.
    fn of(certificate: &x509_cert::Certificate) -> Self {
        Self(certificate.tbs_certificate().serial_number().as_bytes().into())
    }

    /// The serial number of a parsed certificate of a server.
    pub(super) fn of_server(certificate: &x509_cert::Certificate) -> Result<Self, CertificateError> {
        let serial = Self::of(certificate);
        // A set first bit is a minus sign.
        if serial.0.first().is_some_and(|first| *first >= 0x80) {
            return Err(CertificateError::SerialNumber);
        }
        Self::new(serial.as_bytes())
    }

    /// The number, big-endian without leading zero bytes; a negative one in two's complement.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self.0.as_slice() {
            [0, rest @ ..] if !rest.is_empty() => rest,
            bytes => bytes,
        }
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads hexadecimal digits in either case, with or without colons between bytes, as `Display` and openssl write them.
impl FromStr for SerialNumber {
    type Err = CertificateError;
    fn from_str(text: &str) -> Result<Self, CertificateError> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        // A serial number of 20 bytes and a zero byte before it has 42.
        if digits.is_empty() || digits.len() > 42 {
            return Err(CertificateError::SerialNumber);
        }
        let mut bytes = [0_u8; 21];
        for digit in digits {
            let digit = char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let mut carried = digit.ok_or(CertificateError::SerialNumber)?;
            for byte in bytes.iter_mut().rev() {
                (*byte, carried) = ((*byte << 4) | carried, *byte >> 4);
            }
        }
        Self::new(&bytes)
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

/// A certificate that parses; whether it is to be trusted, only [`super::verify()`] tells.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    serial: SerialNumber,
    not_before: UnixTime,
    not_after: UnixTime,
}

impl Certificate {
    /// Reads a DER certificate.
    ///
    /// # Errors
    /// [`CertificateError::CertificateTooLong`] or [`CertificateError::Malformed`].
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let parsed = parse(der)?;
        Ok(Self {
            der: der.into(),
            serial: SerialNumber::of(&parsed),
            not_before: not_before(&parsed),
            not_after: not_after(&parsed),
        })
    }

    /// Reads a PEM `CERTIFICATE`.
    ///
    /// # Errors
    /// As [`Self::from_der`].
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        Self::from_der(&pem::decode(text, CERTIFICATE)?)
    }

    /// The DER certificate.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// The PEM `CERTIFICATE`.
    ///
    /// # Errors
    /// Only when memory cannot hold the text.
    pub fn to_pem(&self) -> Result<String, CertificateError> {
        Ok(pem::encode(&self.der, CERTIFICATE)?)
    }

    /// The serial number.
    #[must_use]
    pub const fn serial(&self) -> &SerialNumber {
        &self.serial
    }

    /// The first second in which it is valid.
    #[must_use]
    pub const fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// The last second in which it is valid.
    #[must_use]
    pub const fn not_after(&self) -> UnixTime {
        self.not_after
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.serial)
    }
}

/// Parses a certificate of bounded length.
pub(super) fn parse(der: &[u8]) -> Result<x509_cert::Certificate, CertificateError> {
    if der.len() > MAX_CERTIFICATE {
        return Err(CertificateError::CertificateTooLong);
    }
    x509_cert::Certificate::from_der(der).map_err(|_| CertificateError::Malformed)
}

/// The first second of a parsed certificate's validity.
pub(super) fn not_before(certificate: &x509_cert::Certificate) -> UnixTime {
    let not_before = certificate.tbs_certificate().validity().not_before;
    UnixTime::from_secs(not_before.to_unix_duration().as_secs())
}

/// The last second of a parsed certificate's validity.
pub(super) fn not_after(certificate: &x509_cert::Certificate) -> UnixTime {
    let not_after = certificate.tbs_certificate().validity().not_after;
    UnixTime::from_secs(not_after.to_unix_duration().as_secs())
}

/// A server's certificate followed by those of the authorities between it and a trust anchor, each
/// signed by the next; the anchor itself is left out. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    leaf: Certificate,
    issuers: Vec<Certificate>,
}

impl Chain {
    /// A chain of `leaf` and its `issuers`, nearest first.
    ///
    /// # Errors
    /// [`CertificateError::ChainTooLong`] above [`MAX_CHAIN`] certificates in all.
    pub fn new(leaf: Certificate, issuers: Vec<Certificate>) -> Result<Self, CertificateError> {
        if issuers.len() < MAX_CHAIN {
            Ok(Self { leaf, issuers })
        } else {
            Err(CertificateError::ChainTooLong)
        }
    }

    /// Reads one or more PEM `CERTIFICATE` blocks.
    ///
    /// # Errors
    /// [`CertificateError::Pem`], [`CertificateError::ChainTooLong`], or as [`Certificate::from_der`].
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        let blocks = match pem::decode_all(text, CERTIFICATE, MAX_CHAIN) {
            Err(PemError::TooMany { .. }) => return Err(CertificateError::ChainTooLong),
            blocks => blocks?,
        };
        let mut certificates = blocks.iter().map(|der| Certificate::from_der(der));
        let leaf = certificates.next().ok_or(CertificateError::EmptyChain)??;
        Self::new(leaf, certificates.collect::<Result<_, _>>()?)
    }

    /// The PEM blocks, the server's own certificate first.
    ///
    /// # Errors
    /// Only when memory cannot hold the text.
    pub fn to_pem(&self) -> Result<String, CertificateError> {
        self.iter().map(Certificate::to_pem).collect()
    }

    /// The server's own certificate.
    #[must_use]
    pub const fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The certificates of the authorities above it, nearest first.
    #[must_use]
    pub fn issuers(&self) -> &[Certificate] {
        &self.issuers
    }

    /// All certificates, the server's own first.
    pub fn iter(&self) -> impl Iterator<Item = &Certificate> {
        core::iter::once(&self.leaf).chain(&self.issuers)
    }

    /// The DER certificates as R1 carries them and [`super::verify()`] takes them.
    #[must_use]
    pub fn as_der(&self) -> Vec<&[u8]> {
        self.iter().map(Certificate::as_der).collect()
    }
}

/// A certificate revocation list (X.509 v2 CRL, RFC 5280 section 5) that parses.
#[derive(Clone, PartialEq, Eq)]
pub struct RevocationList(Vec<u8>);

impl RevocationList {
    /// Reads a DER CRL.
    ///
    /// # Errors
    /// [`CertificateError::CrlTooLong`], [`CertificateError::MalformedCrl`], or
    /// [`CertificateError::UnsupportedCrl`] for a list that no token takes.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        List::read(der)?;
        Ok(Self(der.into()))
    }

    /// Reads a PEM `X509 CRL`.
    ///
    /// # Errors
    /// As [`Self::from_der`].
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        Self::from_der(&pem::decode(text, REVOCATION_LIST)?)
    }

    /// The DER CRL.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.0
    }

    /// The PEM `X509 CRL`.
    ///
    /// # Errors
    /// Only when memory cannot hold the text.
    pub fn to_pem(&self) -> Result<String, CertificateError> {
        Ok(pem::encode(&self.0, REVOCATION_LIST)?)
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RevocationList({} bytes)", self.0.len())
    }
}
