//! Making and signing certificates and revocation lists.

use super::server::ServerExtension;
use super::signed::Signed;
use super::{Certificate, CertificateRequest, EXTENSION, IssuerName, PURPOSE, RevocationList, SerialNumber};
use crate::key::{IssuerKey, IssuerPublicKey, KeyError};
use crate::random::{RandomSource, draw};
use crate::time::UnixTime;
use alloc::vec::Vec;
use der::asn1::{AnyRef, BitString, Ia5String, OctetString, OctetStringRef, Uint};
use der::oid::AssociatedOid;
use der::{DateTime, Decode, Encode, Sequence};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use x509_cert::certificate::Version;
use x509_cert::crl::{RevokedCert, TbsCertList};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, CrlNumber, ExtendedKeyUsage, KeyUsage, KeyUsages,
    SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, Extensions};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber as DerSerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity as Times};

/// A failure to make a certificate or a revocation list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum IssueError {
    /// It would end before it begins, or after the year 9999.
    #[error("the validity ends before it begins or after the year 9999")]
    Validity,
    /// Longer than a token accepts: [`super::MAX_CERTIFICATE`] or [`super::MAX_REVOCATION_LIST`].
    #[error("the certificate or revocation list would be longer than tokens accept")]
    TooLong,
    /// The random source gave a serial number that was given before: it repeats itself.
    #[error("the random source repeats itself")]
    RandomSource,
    /// A part of it has no DER encoding.
    #[error("the certificate or revocation list cannot be encoded")]
    Encoding,
    /// The issuer's key failed.
    #[error(transparent)]
    Signing(#[from] KeyError),
}

/// From when until when a certificate is valid, both ends included.
///
/// ```
/// use halfkey::UnixTime;
/// use halfkey::certificate::Validity;
///
/// let now = UnixTime::now();
/// let year = Validity::lasting(now, 365 * 86_400)?;
/// let next = Validity::new(year.not_after(), year.not_after().after(365 * 86_400))?;
/// assert!(next.not_before() > now);
/// # Ok::<(), halfkey::certificate::IssueError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    not_before: UnixTime,
    not_after: UnixTime,
}

impl Validity {
    /// Seconds by which [`Self::lasting`] dates back: 5 minutes.
    pub const BACKDATED: u64 = 300;

    /// From `not_before` to `not_after`.
    ///
    /// # Errors
    /// [`IssueError::Validity`] when it ends before it begins or after the year 9999.
    pub fn new(not_before: UnixTime, not_after: UnixTime) -> Result<Self, IssueError> {
        time(not_after)?;
        if not_before <= not_after { Ok(Self { not_before, not_after }) } else { Err(IssueError::Validity) }
    }

    /// For `seconds` from `now` on, and for [`Self::BACKDATED`] before: the clock of a token may be behind.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn lasting(now: UnixTime, seconds: u64) -> Result<Self, IssueError> {
        Self::new(UnixTime::from_secs(now.as_secs().saturating_sub(Self::BACKDATED)), now.after(seconds))
    }

    /// The first second.
    #[must_use]
    pub const fn not_before(&self) -> UnixTime {
        self.not_before
    }

    /// The last second.
    #[must_use]
    pub const fn not_after(&self) -> UnixTime {
        self.not_after
    }
}

/// UTCTime through 2049, GeneralizedTime after (RFC 5280, section 4.1.2.5).
fn time(time: UnixTime) -> Result<Time, IssueError> {
    DateTime::from_unix_duration(time.since_epoch()).map(Time::from).map_err(|_| IssueError::Validity)
}

/// An authority in the act of signing.
pub(crate) struct Issuer<'k> {
    pub(crate) name: &'k IssuerName,
    pub(crate) key: &'k IssuerKey,
    /// Key identifier from the issuer's own certificate.
    pub(crate) key_id: &'k [u8],
}

/// Contents of a revocation list.
pub(crate) struct CrlFields<'r> {
    pub(crate) number: u64,
    pub(crate) this_update: UnixTime,
    pub(crate) next_update: UnixTime,
    pub(crate) revoked: &'r mut dyn Iterator<Item = (&'r SerialNumber, UnixTime)>,
}

/// TBSCertificate (RFC 5280, section 4.1.2), the fields used here.
#[derive(Sequence)]
struct Tbs {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: Version,
    serial: DerSerialNumber,
    signature: AlgorithmIdentifierOwned,
    issuer: Name,
    validity: Times,
    subject: Name,
    subject_public_key_info: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Extensions,
}

fn encoding(_: der::Error) -> IssueError {
    IssueError::Encoding
}

/// Identifies a key: the leftmost 160 bits of SHA-256 of its BIT STRING (RFC 7093, section 2).
pub(crate) fn key_id(key: &IssuerPublicKey) -> Result<Vec<u8>, IssueError> {
    let spki = SubjectPublicKeyInfoOwned::from_der(key.as_spki_der()).map_err(encoding)?;
    let digest = Sha256::digest(spki.subject_public_key.raw_bytes());
    Ok(digest.iter().take(20).copied().collect())
}

/// The key identifier that an authority's certificate states, if it does.
pub(crate) fn stated_key_id(certificate: &Certificate) -> Option<Vec<u8>> {
    let parsed = super::item::parse(certificate.as_der()).ok()?;
    let (_, id) = parsed.tbs_certificate().get_extension::<SubjectKeyIdentifier>().ok()??;
    Some(id.0.as_bytes().into())
}

impl Issuer<'_> {
    /// Issues a server's certificate of this module's profile.
    pub(crate) fn server(
        &self,
        request: &CertificateRequest,
        validity: Validity,
        random: &mut dyn RandomSource,
    ) -> Result<Certificate, IssueError> {
        let name = Ia5String::new(request.name().as_str()).map_err(encoding)?;
        let said = ServerExtension {
            suites: request.suites().codes().collect(),
            offer_key: OctetStringRef::new(request.offer_key().as_bytes()).map_err(encoding)?,
        };
        let extensions = alloc::vec![
            self.authority_key_id()?,
            standard(&KeyUsage(KeyUsages::KeyEncipherment.into()), true)?,
            // Critical: software that does not look at purposes must refuse the certificate.
            standard(&ExtendedKeyUsage(alloc::vec![PURPOSE]), true)?,
            // Critical, since the subject is empty (RFC 5280, section 4.2.1.6).
            standard(&SubjectAltName(alloc::vec![GeneralName::DnsName(name)]), true)?,
            extension(EXTENSION, &said, false)?,
        ];
        self.certificate(Name::default(), request.kem_key().as_spki_der(), extensions, validity, random)
    }

    /// Certifies another authority, or this one itself (a root certificate).
    pub(crate) fn authority(
        &self,
        name: &IssuerName,
        key: &IssuerPublicKey,
        path_len_constraint: Option<u8>,
        validity: Validity,
        random: &mut dyn RandomSource,
    ) -> Result<Certificate, IssueError> {
        let id = OctetString::new(key_id(key)?).map_err(encoding)?;
        let extensions = alloc::vec![
            self.authority_key_id()?,
            standard(&SubjectKeyIdentifier(id), false)?,
            standard(&BasicConstraints { ca: true, path_len_constraint }, true)?,
            standard(&KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign), true)?,
        ];
        let subject = Name::from_der(name.as_der()).map_err(encoding)?;
        self.certificate(subject, key.as_spki_der(), extensions, validity, random)
    }

    /// Signs a revocation list (RFC 5280, section 5).
    pub(crate) fn revocation_list(
        &self,
        fields: CrlFields<'_>,
        random: &mut dyn RandomSource,
    ) -> Result<RevocationList, IssueError> {
        let number = Uint::new(&fields.number.to_be_bytes()).map_err(encoding)?;
        let entry = |(serial, at): (&SerialNumber, UnixTime)| {
            let serial_number = DerSerialNumber::new(serial.as_bytes()).map_err(encoding)?;
            Ok(RevokedCert { serial_number, revocation_date: time(at)?, crl_entry_extensions: None })
        };
        let revoked: Vec<RevokedCert> = fields.revoked.map(entry).collect::<Result<_, IssueError>>()?;
        let tbs: TbsCertList = TbsCertList {
            version: Version::V2,
            signature: self.algorithm(),
            issuer: Name::from_der(self.name.as_der()).map_err(encoding)?,
            this_update: time(fields.this_update)?,
            next_update: Some(time(fields.next_update)?),
            // An empty list must be left out (section 5.1.2.6).
            revoked_certificates: (!revoked.is_empty()).then_some(revoked),
            crl_extensions: Some(alloc::vec![self.authority_key_id()?, standard(&CrlNumber(number), false)?]),
        };
        let der = self.signed(&tbs.to_der().map_err(encoding)?, random)?;
        RevocationList::from_der(&der).map_err(|_| IssueError::TooLong)
    }

    fn certificate(
        &self,
        subject: Name,
        key: &[u8],
        extensions: Extensions,
        validity: Validity,
        random: &mut dyn RandomSource,
    ) -> Result<Certificate, IssueError> {
        // Unpredictable, never zero or negative, always of 16 bytes.
        let mut serial: [u8; 16] = draw(random);
        if let Some(first) = serial.first_mut() {
            *first = (*first & 0x7F) | 0x40;
        }
        let tbs = Tbs {
            version: Version::V3,
            serial: DerSerialNumber::new(&serial).map_err(encoding)?,
            signature: self.algorithm(),
            issuer: Name::from_der(self.name.as_der()).map_err(encoding)?,
            validity: Times::new(time(validity.not_before)?, time(validity.not_after)?),
            subject,
            subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(key).map_err(encoding)?,
            extensions,
        };
        let der = self.signed(&tbs.to_der().map_err(encoding)?, random)?;
        Certificate::from_der(&der).map_err(|_| IssueError::TooLong)
    }

    fn signed(&self, tbs: &[u8], random: &mut dyn RandomSource) -> Result<Vec<u8>, IssueError> {
        let signature = BitString::from_bytes(&self.key.sign(tbs, random)?).map_err(encoding)?;
        let tbs = AnyRef::from_der(tbs).map_err(encoding)?;
        Signed { tbs, algorithm: self.key.signature_algorithm(), signature }.to_der().map_err(encoding)
    }

    fn algorithm(&self) -> AlgorithmIdentifierOwned {
        let algorithm = self.key.signature_algorithm();
        AlgorithmIdentifierOwned { oid: algorithm.oid, parameters: algorithm.parameters.map(Into::into) }
    }

    fn authority_key_id(&self) -> Result<Extension, IssueError> {
        let key_identifier = Some(OctetString::new(self.key_id).map_err(encoding)?);
        standard(&AuthorityKeyIdentifier { key_identifier, ..Default::default() }, false)
    }
}

/// An extension whose type knows its identifier.
fn standard<E: Encode + AssociatedOid>(value: &E, critical: bool) -> Result<Extension, IssueError> {
    extension(E::OID, value, critical)
}

fn extension(
    extn_id: der::oid::ObjectIdentifier,
    value: &impl Encode,
    critical: bool,
) -> Result<Extension, IssueError> {
    let value = OctetString::new(value.to_der().map_err(encoding)?).map_err(encoding)?;
    Ok(Extension { extn_id, critical, extn_value: value })
}
