//! How a server asks for its certificate (patent step 70), signed by its offer key.

use crate::id::ServerName;
use crate::key::{KemPublicKey, KeyError, OfferKey, OfferPublicKey, PemError, pem};
use crate::name::NameError;
use crate::policy::SuiteList;
use alloc::string::String;
use alloc::vec::Vec;
use der::asn1::{AnyRef, Ia5StringRef, OctetStringRef};
use der::{Decode, Encode, Sequence};
use thiserror::Error;

const VERSION: u8 = 1;

/// A reason for refusing a certificate request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Longer than [`CertificateRequest::MAX`] bytes.
    #[error("the certificate request is too long")]
    TooLong,
    /// Not the PEM of a certificate request.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Not the DER of a certificate request.
    #[error("the certificate request's encoding is malformed")]
    Malformed,
    /// Of a version that is not known here.
    #[error("the certificate request's version is not supported")]
    Version,
    /// The server's name is of no use.
    #[error(transparent)]
    Name(#[from] NameError),
    /// No suite, more than [`SuiteList::MAX`], or one twice.
    #[error("the list of suites is empty, too long or repeats one")]
    Suites,
    /// P_u is of no use.
    #[error("the server's key: {0}")]
    KemKey(KeyError),
    /// The offer key is of no use.
    #[error("the server's offer key: {0}")]
    OfferKey(KeyError),
    /// The offer key in it did not sign it.
    #[error("the certificate request's signature does not verify")]
    BadSignature,
}

/// A server's request for a certificate, signed by the offer key it names. Every value of this type
/// was checked.
///
/// ```asn1
/// CertificateRequest ::= SEQUENCE { info Info, signature OCTET STRING (SIZE (64)) }
/// Info ::= SEQUENCE {
///     version   INTEGER (1),
///     name      IA5String,              -- the server's name
///     kemKey    SubjectPublicKeyInfo,   -- P_u
///     suites    SEQUENCE SIZE (1..8) OF INTEGER (0..65535),
///     offerKey  OCTET STRING (SIZE (32)) }
/// ```
///
/// Not PKCS#10, where the certified key itself signs: P_u never does. So a request proves that its
/// sender holds the offer key, and *not* that it holds P_r or may use the name; the authority must
/// know from elsewhere whom it is dealing with. Who has somebody else's P_u certified gains nothing
/// by it: it cannot open what comes.
///
/// ```
/// use halfkey::ServerName;
/// use halfkey::certificate::CertificateRequest;
/// use halfkey::policy::SuiteList;
/// # use halfkey::{SystemRandom, key::OfferKey};
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
///
/// # fn main() -> setting::Outcome {
/// # let (kem_key, offer_key) = (setting::kem_key()?, OfferKey::generate(&mut SystemRandom));
/// let name = ServerName::new("gate.example")?;
/// let request = CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key)?;
/// let text = request.to_pem()?; // to the issuer
/// assert_eq!(CertificateRequest::from_pem(&text)?.name(), &name);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRequest {
    name: ServerName,
    kem_key: KemPublicKey,
    suites: SuiteList,
    offer_key: OfferPublicKey,
    der: Vec<u8>,
}

#[derive(Sequence)]
struct Encoded<'a> {
    info: AnyRef<'a>,
    signature: &'a OctetStringRef,
}

#[derive(Sequence)]
struct Info<'a> {
    version: u8,
    name: Ia5StringRef<'a>,
    kem_key: AnyRef<'a>,
    suites: Vec<u16>,
    offer_key: &'a OctetStringRef,
}

impl CertificateRequest {
    /// Longest DER encoding in bytes.
    pub const MAX: usize = 2048;

    /// The label of the PEM form.
    pub(crate) const LABEL: &str = "HALFKEY CERTIFICATE REQUEST";

    /// Makes a request for a certificate which says that the server `name` holds `kem_key`, speaks `suites`
    /// and signs its offers with `offer_key`.
    ///
    /// # Errors
    /// Only when memory cannot hold it.
    pub fn sign(
        name: &ServerName,
        kem_key: &KemPublicKey,
        suites: &SuiteList,
        offer_key: &OfferKey,
    ) -> Result<Self, RequestError> {
        let public = offer_key.public();
        let info = Info {
            version: VERSION,
            name: Ia5StringRef::new(name.as_str()).map_err(malformed)?,
            kem_key: AnyRef::from_der(kem_key.as_spki_der()).map_err(malformed)?,
            suites: suites.codes().collect(),
            offer_key: OctetStringRef::new(public.as_bytes()).map_err(malformed)?,
        }
        .to_der()
        .map_err(malformed)?;
        let signature = offer_key.sign_request(&info);
        let signed = Encoded {
            info: AnyRef::from_der(&info).map_err(malformed)?,
            signature: OctetStringRef::new(&signature).map_err(malformed)?,
        };
        let der = signed.to_der().map_err(malformed)?;
        Ok(Self { name: name.clone(), kem_key: kem_key.clone(), suites: *suites, offer_key: public, der })
    }

    /// Reads and checks a DER request.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn from_der(der: &[u8]) -> Result<Self, RequestError> {
        if der.len() > Self::MAX {
            return Err(RequestError::TooLong);
        }
        let encoded = Encoded::from_der(der).map_err(malformed)?;
        let info_der = encoded.info.to_der().map_err(malformed)?;
        let info = Info::from_der(&info_der).map_err(malformed)?;
        if info.version != VERSION {
            return Err(RequestError::Version);
        }
        let key = info.offer_key.as_bytes().try_into().map_err(|_| RequestError::Malformed)?;
        let offer_key = OfferPublicKey::new(key).map_err(RequestError::OfferKey)?;
        let signature = encoded.signature.as_bytes().try_into().map_err(|_| RequestError::Malformed)?;
        offer_key.verify_request(&info_der, signature).map_err(|_| RequestError::BadSignature)?;

        let name = ServerName::new(info.name.as_str())?;
        let kem_key = info.kem_key.to_der().map_err(malformed)?;
        let kem_key = KemPublicKey::from_spki_der(&kem_key).map_err(RequestError::KemKey)?;
        let suites = SuiteList::from_codes(info.suites).ok_or(RequestError::Suites)?;
        Ok(Self { name, kem_key, suites, offer_key, der: der.into() })
    }

    /// Reads and checks a PEM `HALFKEY CERTIFICATE REQUEST`.
    ///
    /// # Errors
    /// As [`Self::from_der`].
    pub fn from_pem(text: &str) -> Result<Self, RequestError> {
        Self::from_der(&pem::decode(text, Self::LABEL)?)
    }

    /// Returns the DER form.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Returns the PEM form.
    ///
    /// # Errors
    /// Only when memory cannot hold the text.
    pub fn to_pem(&self) -> Result<String, RequestError> {
        Ok(pem::encode(&self.der, Self::LABEL)?)
    }

    /// Returns the server's name.
    #[must_use]
    pub const fn name(&self) -> &ServerName {
        &self.name
    }

    /// Returns P_u, the server's RSA key.
    #[must_use]
    pub const fn kem_key(&self) -> &KemPublicKey {
        &self.kem_key
    }

    /// Returns the suites that the server speaks.
    #[must_use]
    pub const fn suites(&self) -> &SuiteList {
        &self.suites
    }

    /// Returns the key that signs the server's offers.
    #[must_use]
    pub const fn offer_key(&self) -> &OfferPublicKey {
        &self.offer_key
    }
}

fn malformed(_: der::Error) -> RequestError {
    RequestError::Malformed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KemPrivateKey;

    /// A request that is well signed, with any list of suites.
    fn signed(suites: &[u16]) -> Vec<u8> {
        let kem_key = include_str!("../../tests/data/test-key-rsa-2048-a.pem");
        let kem_key = KemPrivateKey::from_pkcs8_pem(kem_key).unwrap();
        let offer_key = OfferKey::generate(&mut |out: &mut [u8]| out.fill(7));
        let public = offer_key.public();
        let info = Info {
            version: VERSION,
            name: Ia5StringRef::new("gate.example").unwrap(),
            kem_key: AnyRef::from_der(kem_key.public().as_spki_der()).unwrap(),
            suites: suites.into(),
            offer_key: OctetStringRef::new(public.as_bytes()).unwrap(),
        };
        let info = info.to_der().unwrap();
        let signature = offer_key.sign_request(&info);
        let info = AnyRef::from_der(&info).unwrap();
        Encoded { info, signature: OctetStringRef::new(&signature).unwrap() }.to_der().unwrap()
    }

    #[test]
    fn lists_of_suites_that_do_not_fit() {
        assert!(CertificateRequest::from_der(&signed(&[8, 7, 6, 5, 4, 3, 2, 1])).is_ok());
        for suites in [&[][..], &[1, 2, 1], &[1, 2, 3, 4, 5, 6, 7, 8, 9]] {
            assert_eq!(
                CertificateRequest::from_der(&signed(suites)),
                Err(RequestError::Suites),
                "{suites:?}"
            );
        }
    }
}
