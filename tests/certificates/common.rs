//! A fixed random source, keys made once, an authority and a forge for certificates of any kind.

use der::asn1::{AnyRef, BitString};
use der::{Decode, Encode, Sequence};
use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signer, SigningKey};
use halfkey::ServerName;
use halfkey::certificate::{CertificateError, Revocation, TrustAnchors, verify};
use halfkey::certificate::{CertificateRequest, Chain, IssuerName, Validity, VerifiedServer};
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::Authority;
use halfkey::policy::SuiteList;
use halfkey::port::CertificateAuthority;
use std::sync::OnceLock;
use x509_cert::certificate::Version;
use x509_cert::crl::TbsCertList;
use x509_cert::ext::Extension;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

#[path = "../support/mod.rs"]
mod support;

pub(crate) use support::{Counting, NOW};

pub(crate) const YEAR: u64 = 365 * 24 * 3600;
pub(crate) const SUITES: &[u16] = &[0x0102, 0x0101];

/// Returns a random source of its own for every text.
pub(crate) fn fixed(seed: &str) -> Counting {
    Counting::of(seed)
}

/// P_r of every test server; made once, since it takes a while.
pub(crate) fn kem_key() -> &'static KemPrivateKey {
    static KEY: OnceLock<KemPrivateKey> = OnceLock::new();
    KEY.get_or_init(|| KemPrivateKey::generate(2048, &mut fixed("kem")).unwrap())
}

pub(crate) fn rsa_issuer_key() -> &'static IssuerKey {
    static KEY: OnceLock<IssuerKey> = OnceLock::new();
    KEY.get_or_init(|| IssuerKey::generate_rsa(2048, &mut fixed("issuer")).unwrap())
}

/// One issuer's key of every kind.
pub(crate) fn issuer_keys(seed: &str) -> Vec<IssuerKey> {
    let random = &mut fixed(seed);
    vec![
        rsa_issuer_key().clone(),
        IssuerKey::generate_p256(random).unwrap(),
        IssuerKey::generate_p384(random).unwrap(),
        IssuerKey::generate_ed25519(random).unwrap(),
    ]
}

pub(crate) fn ed25519_issuer_key(seed: &str) -> IssuerKey {
    IssuerKey::generate_ed25519(&mut fixed(seed)).unwrap()
}

pub(crate) fn offer_key() -> OfferKey {
    OfferKey::generate(&mut fixed("offer"))
}

pub(crate) fn name() -> ServerName {
    ServerName::new("gate.example").unwrap()
}

pub(crate) fn issuer_name(text: &str) -> IssuerName {
    IssuerName::common_name(text).unwrap()
}

pub(crate) fn suites(codes: &[u16]) -> SuiteList {
    SuiteList::from_codes(codes.iter().copied()).unwrap()
}

pub(crate) fn request() -> CertificateRequest {
    CertificateRequest::sign(&name(), kem_key().public(), &suites(SUITES), &offer_key()).unwrap()
}

pub(crate) fn validity() -> Validity {
    Validity::new(NOW, NOW.after(YEAR)).unwrap()
}

pub(crate) fn root(seed: &str) -> Authority {
    Authority::root(issuer_name("Test issuer"), ed25519_issuer_key(seed)).unwrap()
}

pub(crate) fn anchors(authority: &Authority) -> TrustAnchors {
    authority.trust_anchor().unwrap().into()
}

pub(crate) fn issue(authority: &mut Authority, seed: &str) -> Chain {
    authority.issue(&request(), validity(), &mut fixed(seed)).unwrap()
}

/// Verifies at [`NOW`] without revocation lists.
pub(crate) fn check(chain: &[&[u8]], anchors: &TrustAnchors) -> Result<VerifiedServer, CertificateError> {
    verify(chain, anchors, &name(), NOW, &Revocation::Ignore)
}

/// A TBSCertificate open to every change.
#[derive(Sequence)]
pub(crate) struct Tbs {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(crate) version: Version,
    pub(crate) serial: SerialNumber,
    pub(crate) signature: AlgorithmIdentifierOwned,
    pub(crate) issuer: Name,
    pub(crate) validity: x509_cert::time::Validity,
    pub(crate) subject: Name,
    pub(crate) key: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    pub(crate) extensions: Vec<Extension>,
}

impl Tbs {
    /// The extension with this identifier.
    pub(crate) fn extension(&mut self, oid: &str) -> &mut Extension {
        self.extensions.iter_mut().find(|extension| extension.extn_id.to_string() == oid).unwrap()
    }

    pub(crate) fn set(&mut self, oid: &str, value: &[u8]) {
        self.extension(oid).extn_value = der::asn1::OctetString::new(value).unwrap();
    }

    pub(crate) fn remove(&mut self, oid: &str) {
        self.extensions.retain(|extension| extension.extn_id.to_string() != oid);
    }
}

#[derive(Sequence)]
struct Signed<'a> {
    tbs: AnyRef<'a>,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// Takes a certificate apart, applies `change`, and signs it again with an Ed25519 or RSA key.
pub(crate) fn forge(certificate: &[u8], key: &IssuerKey, change: impl FnOnce(&mut Tbs)) -> Vec<u8> {
    let tbs = Signed::from_der(certificate).unwrap().tbs;
    let mut tbs = Tbs::from_der(&tbs.to_der().unwrap()).unwrap();
    change(&mut tbs);
    sign(&tbs, tbs.signature.clone(), key)
}

/// The same with a revocation list.
pub(crate) fn forge_list(list: &[u8], key: &IssuerKey, change: impl FnOnce(&mut TbsCertList)) -> Vec<u8> {
    let tbs = Signed::from_der(list).unwrap().tbs;
    let mut tbs = TbsCertList::from_der(&tbs.to_der().unwrap()).unwrap();
    change(&mut tbs);
    sign(&tbs, tbs.signature.clone(), key)
}

fn sign(tbs: &impl Encode, algorithm: AlgorithmIdentifierOwned, key: &IssuerKey) -> Vec<u8> {
    let tbs = tbs.to_der().unwrap();
    let key = key.to_pkcs8_der().unwrap();
    let signature = match SigningKey::from_pkcs8_der(&key) {
        Ok(key) => key.sign(&tbs).to_bytes().to_vec(),
        Err(_) => {
            let key = rsa::PrivateKey::from_pkcs8_der(&key).unwrap();
            key.pkcs1v15_sign::<sha2::Sha256>(&tbs).unwrap()
        }
    };
    let signature = BitString::from_bytes(&signature).unwrap();
    Signed { tbs: AnyRef::from_der(&tbs).unwrap(), algorithm, signature }.to_der().unwrap()
}

/// An extension as it stands in certificates and lists.
pub(crate) fn extension(oid: &str, critical: bool, value: &[u8]) -> Extension {
    let extn_id = oid.parse().unwrap();
    Extension { extn_id, critical, extn_value: der::asn1::OctetString::new(value).unwrap() }
}
