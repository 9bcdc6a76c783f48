//! Trust anchors: the issuers that a blank token is distributed with (patent step 60).

use super::{Certificate, IssuerName, item};
use crate::id::ServerName;
use crate::key::{IssuerPublicKey, KeyError, PemError, pem};
use crate::name::NameError;
use crate::wire::{Bytes, Problem, Put, Value, WireError, list, records};
use alloc::string::String;
use alloc::vec::Vec;
use der::asn1::{AnyRef, Ia5String, Ia5StringRef};
use der::{Decode, Encode, Sequence};
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};
use thiserror::Error;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, NameConstraints};

const LABEL: &str = "HALFKEY TRUST ANCHOR";

/// An error that says why data is not a trust anchor, or anchors not a list of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnchorError {
    /// Not the PEM of a trust anchor.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// Not the DER of a trust anchor or a certificate.
    #[error("the trust anchor's encoding is malformed")]
    Malformed,
    /// The issuer's name is of no use.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The issuer's key is of no use.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The certificate is not one of an authority that may sign certificates.
    #[error("the certificate is not one of an authority")]
    NotAnAuthority,
    /// The certificate restricts names in another way than by permitting dNSNames.
    #[error("the certificate's nameConstraints are not a list of permitted dNSNames and nothing else")]
    NameConstraints,
    /// No permitted name where there should be some, more than [`TrustAnchor::MAX_PERMITTED`], or one twice.
    #[error(
        "the permitted names of a trust anchor are none, more than {}, or one twice",
        TrustAnchor::MAX_PERMITTED
    )]
    Permitted,
    /// No anchor at all.
    #[error("no trust anchor")]
    None,
    /// More than [`TrustAnchors::MAX`].
    #[error("too many trust anchors")]
    TooMany,
    /// No anchor has that name and key.
    #[error("there is no such trust anchor")]
    NotThere,
    /// Two anchors with the same name and key.
    #[error("the same trust anchor twice")]
    Twice,
}

/// An issuer that a token believes: its name, its public key P_i, the weakest suite that may be
/// used with a server it certified, and the servers that it may certify, if not all.
///
/// ```asn1
/// TrustAnchor ::= SEQUENCE {
///     name          Name,
///     key           SubjectPublicKeyInfo,
///     minimumSuite  INTEGER (0..65535),
///     permitted     [0] IMPLICIT SEQUENCE SIZE (1..8) OF IA5String OPTIONAL }
/// ```
///
/// Suites are numbered in order of strength: `minimumSuite` is the smallest number to be accepted.
///
/// ```
/// use halfkey::ServerName;
/// use halfkey::certificate::TrustAnchor;
/// use halfkey::policy::SuiteId;
/// # use halfkey::port::CertificateAuthority;
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
///
/// # fn main() -> setting::Outcome {
/// # let authority = setting::authority()?;
/// let anchor = authority.trust_anchor()?
///     .with_permitted(vec![ServerName::new("bank.example")?])? // and servers below it
///     .with_minimum_suite(SuiteId::XWing.code());
/// let text = anchor.to_pem()?; // goes into blank tokens, or is printed
/// assert_eq!(TrustAnchor::from_pem(&text)?, anchor);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustAnchor {
    name: IssuerName,
    key: IssuerPublicKey,
    minimum_suite: u16,
    /// Empty for all.
    permitted: Vec<ServerName>,
}

#[derive(Sequence)]
struct Encoded<'a> {
    name: AnyRef<'a>,
    key: AnyRef<'a>,
    minimum_suite: u16,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    permitted: Option<Vec<Ia5StringRef<'a>>>,
}

impl TrustAnchor {
    /// Longest DER encoding in bytes.
    pub const MAX: usize = 4608;
    /// Most permitted names.
    pub const MAX_PERMITTED: usize = 8;

    /// An anchor that accepts every suite and every server's name; see [`Self::with_minimum_suite`] and
    /// [`Self::with_permitted`].
    #[must_use]
    pub const fn new(name: IssuerName, key: IssuerPublicKey) -> Self {
        Self { name, key, minimum_suite: 0, permitted: Vec::new() }
    }

    /// The name and key of a root certificate, whose validity, path length and own signature do not
    /// matter: the person who embeds it has decided to trust it. If its nameConstraints permit some
    /// dNSNames, the anchor permits these.
    ///
    /// # Errors
    /// [`AnchorError`] when it is not one of an authority, or restricts names in another way.
    pub fn from_certificate(certificate: &Certificate) -> Result<Self, AnchorError> {
        let parsed = item::parse(certificate.as_der()).map_err(|_| AnchorError::Malformed)?;
        let tbs = parsed.tbs_certificate();
        let authority = tbs.get_extension::<BasicConstraints>().map_err(|_| AnchorError::Malformed)?;
        let usage = tbs.get_extension::<KeyUsage>().map_err(|_| AnchorError::Malformed)?;
        if !authority.is_some_and(|(_, it)| it.ca) || usage.is_some_and(|(_, it)| !it.key_cert_sign()) {
            return Err(AnchorError::NotAnAuthority);
        }
        let constraints = tbs.get_extension::<NameConstraints>().map_err(|_| AnchorError::NameConstraints)?;
        let name = tbs.subject().to_der().map_err(|_| AnchorError::Malformed)?;
        let key = tbs.subject_public_key_info().to_der().map_err(|_| AnchorError::Malformed)?;
        let anchor = Self::new(IssuerName::from_der(&name)?, IssuerPublicKey::from_spki_der(&key)?);
        match constraints {
            Some((_, constraints)) => anchor.with_permitted(permitted_by(constraints)?),
            None => Ok(anchor),
        }
    }

    /// The same anchor, which may certify only servers with one of these names and servers below them: with
    /// `example`, `example` itself and `gate.example`, and not `gatexample` (RFC 5280, section 4.2.1.10).
    ///
    /// Where several issuers are trusted, this keeps each of them from standing for the servers of another.
    ///
    /// # Errors
    /// [`AnchorError::Permitted`] for no name, more than [`Self::MAX_PERMITTED`], or one twice.
    pub fn with_permitted(mut self, names: Vec<ServerName>) -> Result<Self, AnchorError> {
        let mut sorted: Vec<&ServerName> = names.iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        if names.is_empty() || names.len() > Self::MAX_PERMITTED || sorted.len() < names.len() {
            return Err(AnchorError::Permitted);
        }
        self.permitted = names;
        Ok(self)
    }

    /// The same anchor, accepting only suites from the code point `minimum` up
    /// ([`SuiteId::code`](crate::policy::SuiteId::code)).
    #[must_use]
    pub const fn with_minimum_suite(mut self, minimum: u16) -> Self {
        self.minimum_suite = minimum;
        self
    }

    /// Reads the DER form.
    ///
    /// # Errors
    /// [`AnchorError`] for another structure or an unusable name or key.
    pub fn from_der(der: &[u8]) -> Result<Self, AnchorError> {
        if der.len() > Self::MAX {
            return Err(AnchorError::Malformed);
        }
        let encoded = Encoded::from_der(der).map_err(|_| AnchorError::Malformed)?;
        let bytes = |any: AnyRef<'_>| any.to_der().map_err(|_| AnchorError::Malformed);
        let name = IssuerName::from_der(&bytes(encoded.name)?)?;
        let key = IssuerPublicKey::from_spki_der(&bytes(encoded.key)?)?;
        let anchor = Self::new(name, key).with_minimum_suite(encoded.minimum_suite);
        let Some(permitted) = encoded.permitted else { return Ok(anchor) };
        let names = permitted.iter().map(|name| ServerName::new(name.as_str()));
        anchor.with_permitted(names.collect::<Result<_, _>>()?)
    }

    /// Reads a PEM `HALFKEY TRUST ANCHOR`.
    ///
    /// # Errors
    /// As [`Self::from_der`].
    pub fn from_pem(text: &str) -> Result<Self, AnchorError> {
        Self::from_der(&pem::decode(text, LABEL)?)
    }

    /// The DER form.
    ///
    /// # Errors
    /// Only when memory cannot hold it.
    pub fn to_der(&self) -> Result<Vec<u8>, AnchorError> {
        let part = |der| AnyRef::from_der(der).map_err(|_| AnchorError::Malformed);
        let permitted = self.permitted.iter().map(|name| Ia5StringRef::new(name.as_str()));
        let permitted = permitted.collect::<Result<_, _>>().map_err(|_| AnchorError::Malformed)?;
        let encoded = Encoded {
            name: part(self.name.as_der())?,
            key: part(self.key.as_spki_der())?,
            minimum_suite: self.minimum_suite,
            permitted: (!self.permitted.is_empty()).then_some(permitted),
        };
        encoded.to_der().map_err(|_| AnchorError::Malformed)
    }

    /// The PEM `HALFKEY TRUST ANCHOR`.
    ///
    /// # Errors
    /// Only when memory cannot hold it.
    pub fn to_pem(&self) -> Result<String, AnchorError> {
        Ok(pem::encode(&self.to_der()?, LABEL)?)
    }

    /// The issuer's name.
    #[must_use]
    pub const fn name(&self) -> &IssuerName {
        &self.name
    }

    /// The issuer's public key, P_i.
    #[must_use]
    pub const fn key(&self) -> &IssuerPublicKey {
        &self.key
    }

    /// The smallest suite number that is accepted.
    #[must_use]
    pub const fn minimum_suite(&self) -> u16 {
        self.minimum_suite
    }

    /// The names of servers that it may certify, each with all names below it; none for every name.
    #[must_use]
    pub fn permitted(&self) -> &[ServerName] {
        &self.permitted
    }

    /// The anchor as webpki wants it: contents without their outer headers.
    pub(super) fn to_webpki(&self) -> Result<rustls_pki_types::TrustAnchor<'_>, der::Error> {
        let subtree = |name: &ServerName| {
            let base = GeneralName::DnsName(Ia5String::new(name.as_str())?);
            Ok(GeneralSubtree { base, minimum: 0, maximum: None })
        };
        let subtrees = self.permitted.iter().map(subtree).collect::<der::Result<Vec<_>>>()?;
        let constraints = NameConstraints { permitted_subtrees: Some(subtrees), excluded_subtrees: None };
        let constraints = AnyRef::from_der(&constraints.to_der()?)?.value().to_vec();
        Ok(rustls_pki_types::TrustAnchor {
            subject: AnyRef::from_der(self.name.as_der())?.value().into(),
            subject_public_key_info: AnyRef::from_der(self.key.as_spki_der())?.value().into(),
            name_constraints: (!self.permitted.is_empty()).then(|| constraints.into()),
        })
    }
}

/// The names that a certificate's constraints permit, if they are of that kind.
fn permitted_by(constraints: NameConstraints) -> Result<Vec<ServerName>, AnchorError> {
    let NameConstraints { permitted_subtrees: Some(subtrees), excluded_subtrees: None } = constraints else {
        return Err(AnchorError::NameConstraints);
    };
    let name = |subtree: GeneralSubtree| match subtree {
        GeneralSubtree { base: GeneralName::DnsName(name), minimum: 0, maximum: None } => {
            Ok(ServerName::new(&name.as_str().to_ascii_lowercase())?)
        }
        _ => Err(AnchorError::NameConstraints),
    };
    subtrees.into_iter().map(name).collect()
}

/// The anchors of a token, one to [`TrustAnchors::MAX`]: several, so that an issuer's key can be
/// replaced while certificates under the old one are still about.
///
/// ```
/// use halfkey::certificate::TrustAnchors;
/// # use halfkey::port::CertificateAuthority;
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
///
/// # fn main() -> setting::Outcome {
/// # let (old, new) = (setting::authority()?.trust_anchor()?, setting::authority()?.trust_anchor()?);
/// let anchors = TrustAnchors::from_pem(&old.to_pem()?)?.with(new)?; // while the issuer changes its key
/// assert_eq!(anchors.as_slice().len(), 2);
/// let anchors = anchors.without(&old)?; // once the last old certificate has ended
/// # assert_eq!(anchors.as_slice().len(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustAnchors(Vec<TrustAnchor>);

impl TrustAnchors {
    /// Most anchors.
    pub const MAX: usize = 16;

    /// Takes a list of anchors.
    ///
    /// # Errors
    /// [`AnchorError::None`], [`AnchorError::TooMany`] or [`AnchorError::Twice`].
    pub fn new(anchors: Vec<TrustAnchor>) -> Result<Self, AnchorError> {
        if anchors.is_empty() {
            return Err(AnchorError::None);
        }
        if anchors.len() > Self::MAX {
            return Err(AnchorError::TooMany);
        }
        let mut rest = anchors.as_slice();
        while let [first, others @ ..] = rest {
            // One name and key with two minima would leave open which of them holds.
            if others.iter().any(|other| other.name == first.name && other.key == first.key) {
                return Err(AnchorError::Twice);
            }
            rest = others;
        }
        Ok(Self(anchors))
    }

    /// Reads one or more PEM `HALFKEY TRUST ANCHOR` blocks.
    ///
    /// # Errors
    /// As [`Self::new`] and [`TrustAnchor::from_der`].
    pub fn from_pem(text: &str) -> Result<Self, AnchorError> {
        let blocks = match pem::decode_all(text, LABEL, Self::MAX) {
            Err(PemError::TooMany { .. }) => return Err(AnchorError::TooMany),
            blocks => blocks?,
        };
        Self::new(blocks.iter().map(|der| TrustAnchor::from_der(der)).collect::<Result<_, _>>()?)
    }

    /// The PEM blocks.
    ///
    /// # Errors
    /// Only when memory cannot hold the text.
    pub fn to_pem(&self) -> Result<String, AnchorError> {
        self.0.iter().map(TrustAnchor::to_pem).collect()
    }

    /// These anchors and `anchor`, which takes the place of one with the same name and key.
    ///
    /// # Errors
    /// [`AnchorError::TooMany`].
    pub fn with(mut self, anchor: TrustAnchor) -> Result<Self, AnchorError> {
        match self.0.iter_mut().find(|held| held.name == anchor.name && held.key == anchor.key) {
            Some(held) => *held = anchor,
            None => self.0.push(anchor),
        }
        Self::new(self.0)
    }

    /// These anchors without the one that has the name and the key of `anchor`.
    ///
    /// # Errors
    /// [`AnchorError::None`] when it is the last one, [`AnchorError::NotThere`] when there is none such.
    pub fn without(mut self, anchor: &TrustAnchor) -> Result<Self, AnchorError> {
        let before = self.0.len();
        self.0.retain(|held| held.name != anchor.name || held.key != anchor.key);
        if self.0.len() == before { Err(AnchorError::NotThere) } else { Self::new(self.0) }
    }

    /// The anchors.
    #[must_use]
    pub fn as_slice(&self) -> &[TrustAnchor] {
        &self.0
    }
}

impl From<TrustAnchor> for TrustAnchors {
    fn from(anchor: TrustAnchor) -> Self {
        Self(alloc::vec![anchor])
    }
}

records! { TrustAnchors, "stored anchors", 131_072; }

/// An array of anchors in DER.
impl<'b> Value<'b> for TrustAnchors {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        to.array(self.0.len() as u64)?;
        self.0.iter().try_for_each(|anchor| {
            // A value of this type has been read from DER, or was made of parts that were.
            let der = anchor.to_der().map_err(|_| minicbor::encode::Error::message("trust anchor"))?;
            to.bytes(&der)?;
            Ok(())
        })
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        let der = list::<Bytes<'_, 1, { TrustAnchor::MAX }>>(from, 1, Self::MAX)?;
        let read = der.iter().map(|der| TrustAnchor::from_der(der)).collect::<Result<_, _>>();
        read.and_then(Self::new).map_err(|_| Problem::OutOfRange.into())
    }
}
