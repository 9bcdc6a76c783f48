//! The checks that webpki does not make: usage, the one name, the private extension, key sizes.

use super::server::ServerExtension;
use super::{CertificateError, EXTENSION, PURPOSE, SerialNumber, Usage, item};
use crate::id::ServerName;
use crate::key::{KemPublicKey, OfferPublicKey};
use crate::policy::SuiteList;
use crate::time::UnixTime;
use der::oid::{AssociatedOid, ObjectIdentifier};
use der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage, SubjectAltName};
use x509_cert::{Certificate, TbsCertificate};

/// Contents of a server's certificate.
pub(crate) struct Leaf {
    pub(crate) kem_key: KemPublicKey,
    pub(crate) offer_key: OfferPublicKey,
    pub(crate) suites: SuiteList,
    pub(super) serial: SerialNumber,
    pub(crate) not_after: UnixTime,
}

/// DER of the BIT STRING with keyEncipherment (bit 2) set and no other.
const KEY_ENCIPHERMENT: &[u8] = &[0x03, 0x02, 0x05, 0x20];

impl Leaf {
    /// Reads the server's own certificate in a chain and checks it against the profile, without verifying it.
    #[cfg(feature = "std")]
    pub(crate) fn of_chain(chain: &super::Chain, name: &ServerName) -> Result<Self, CertificateError> {
        Self::read(&item::parse(chain.leaf().as_der())?, name)
    }

    /// Checks a server's certificate against the profile and takes out what it says.
    pub(super) fn read(certificate: &Certificate, name: &ServerName) -> Result<Self, CertificateError> {
        let tbs = certificate.tbs_certificate();
        check_usage(tbs)?;
        check_name(tbs, name)?;
        let value = match value(tbs, EXTENSION) {
            Ok(value) => value.ok_or(CertificateError::ExtensionMissing)?,
            Err(Repeated) => return Err(CertificateError::ExtensionRepeated),
        };
        let said = ServerExtension::from_der(value).map_err(|_| CertificateError::ExtensionMalformed)?;
        let suites = SuiteList::from_codes(said.suites).ok_or(CertificateError::ExtensionMalformed)?;
        let offer_key = said.offer_key.as_bytes().try_into();
        let offer_key = offer_key.map_err(|_| CertificateError::ExtensionMalformed)?;
        let spki = tbs.subject_public_key_info().to_der().map_err(|_| CertificateError::Malformed)?;
        Ok(Self {
            kem_key: KemPublicKey::from_spki_der(&spki).map_err(CertificateError::ServerKey)?,
            offer_key: OfferPublicKey::new(offer_key).map_err(CertificateError::OfferKey)?,
            suites,
            serial: SerialNumber::of_server(certificate)?,
            not_after: item::not_after(certificate),
        })
    }
}

fn check_usage(tbs: &TbsCertificate) -> Result<(), CertificateError> {
    if value(tbs, KeyUsage::OID).ok().flatten() != Some(KEY_ENCIPHERMENT) {
        return Err(CertificateError::WrongUsage(Usage::ServerKey));
    }
    let purposes = value(tbs, ExtendedKeyUsage::OID).ok().flatten().map(ExtendedKeyUsage::from_der);
    match purposes {
        Some(Ok(ExtendedKeyUsage(purposes))) if purposes == [PURPOSE] => Ok(()),
        _ => Err(CertificateError::WrongUsage(Usage::Purpose)),
    }
}

/// Exactly one name, and it is `name` to the letter: no wildcard, no other spelling.
fn check_name(tbs: &TbsCertificate, name: &ServerName) -> Result<(), CertificateError> {
    let extension = extension(tbs, SubjectAltName::OID).ok().flatten().ok_or(CertificateError::NotOneName)?;
    // RFC 5280, section 4.2.1.6: software that does not know the extension must see that there is a name.
    if tbs.subject().is_empty() && !extension.critical {
        return Err(CertificateError::NameNotCritical);
    }
    let names = SubjectAltName::from_der(extension.extn_value.as_bytes());
    let names = names.map_err(|_| CertificateError::Malformed)?.0;
    match names.as_slice() {
        [GeneralName::DnsName(only)] if only.as_str() == name.as_str() => Ok(()),
        [GeneralName::DnsName(only)] if only.as_str().bytes().any(|byte| byte.is_ascii_uppercase()) => {
            Err(CertificateError::CapitalsInName)
        }
        [GeneralName::DnsName(_)] => Err(CertificateError::WrongName),
        _ => Err(CertificateError::NotOneName),
    }
}

/// The extension is there more than once.
struct Repeated;

/// The extension `oid`, if it is there.
fn extension(tbs: &TbsCertificate, oid: ObjectIdentifier) -> Result<Option<&Extension>, Repeated> {
    let mut found = tbs.extensions().into_iter().flatten().filter(|extension| extension.extn_id == oid);
    let first = found.next();
    if found.next().is_some() { Err(Repeated) } else { Ok(first) }
}

/// The value of the extension `oid`, if it is there.
fn value(tbs: &TbsCertificate, oid: ObjectIdentifier) -> Result<Option<&[u8]>, Repeated> {
    Ok(extension(tbs, oid)?.map(|extension| extension.extn_value.as_bytes()))
}
