//! A certificate authority in memory, with its key, its register and its revocations.

use crate::certificate::{
    AnchorError, Certificate, CertificateError, CertificateRequest, Chain, CrlFields, IssueError, Issuer,
    IssuerName, MAX_CHAIN, RevocationList, SerialNumber, TrustAnchor, Validity, key_id, stated_key_id,
};
use crate::key::{IssuerKey, IssuerPublicKey};
use crate::port::CertificateAuthority;
use crate::port::certificate_authority::AuthorityError;
use crate::random::RandomSource;
use crate::time::UnixTime;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use der::asn1::{OctetString, Uint};
use der::{Decode, Encode, Sequence};
use thiserror::Error;

/// A reason for refusing saved state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StateError {
    /// Not what [`Authority::state`] gives.
    #[error("the saved state of the authority is malformed")]
    Malformed,
    /// Saved by an authority of another name.
    #[error("the saved state is another authority's")]
    OtherAuthority,
}

/// A certificate in the register of an [`Authority`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IssuedCertificate {
    /// Serial number.
    pub serial: SerialNumber,
    /// Name of the server, or of the authority, that was certified.
    pub name: String,
    /// Last second in which it is valid.
    pub not_after: UnixTime,
    /// Time of its revocation, if it was revoked.
    pub revoked: Option<UnixTime>,
}

#[derive(Clone)]
struct Issued {
    name: String,
    not_after: UnixTime,
    revoked: Option<UnixTime>,
}

/// Certificates issued and revoked, and the number of the last revocation list.
#[derive(Clone, Default)]
pub(crate) struct Register {
    issued: BTreeMap<SerialNumber, Issued>,
    list_number: u64,
}

/// A [`CertificateAuthority`] in memory: a root, or one certified by another.
///
/// Nothing is durable by itself: after each [`CertificateAuthority::issue`],
/// [`CertificateAuthority::revoke`] and [`CertificateAuthority::revocation_list`], save
/// [`Self::state`]; the key, in PKCS#8, apart from it.
///
/// ```
/// use halfkey::certificate::IssuerName;
/// use halfkey::key::IssuerKey;
/// use halfkey::memory::Authority;
/// use halfkey::SystemRandom;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let name = IssuerName::common_name("Example Issuer")?;
/// let key = IssuerKey::generate_ed25519(&mut SystemRandom)?;
/// let (kept_key, authority) = (key.to_pkcs8_pem()?, Authority::root(name.clone(), key)?);
/// let kept = authority.state()?; // after each certificate and each list
///
/// let again = Authority::root(name, IssuerKey::from_pkcs8_pem(&kept_key)?)?.with_state(&kept)?;
/// assert_eq!(again.public_key(), authority.public_key());
/// # Ok(()) }
/// ```
pub struct Authority {
    key: IssuerKey,
    name: IssuerName,
    key_id: Vec<u8>,
    /// Its own certificate and those above it; none for a root.
    above: Vec<Certificate>,
    anchor: TrustAnchor,
    register: Register,
    list_lifetime: u64,
}

impl Authority {
    /// Default lifetime of a revocation list, in seconds: a week.
    pub const LIST_LIFETIME: u64 = 7 * 24 * 3600;

    /// An authority that tokens trust directly.
    ///
    /// # Errors
    /// Only when memory cannot hold the key's encoding.
    pub fn root(name: IssuerName, key: IssuerKey) -> Result<Self, IssueError> {
        let key_id = key_id(key.public())?;
        let anchor = TrustAnchor::new(name.clone(), key.public().clone());
        Ok(Self::new(key, name, key_id, Vec::new(), anchor))
    }

    /// An authority certified by others: `above` starts with its own certificate (see
    /// [`Self::certify_authority`]) and ends below `anchor`.
    ///
    /// # Errors
    /// [`AnchorError`] when `above` is empty or too long, or its first certificate is not one of an
    /// authority with `key`.
    pub fn subordinate(
        key: IssuerKey,
        above: Vec<Certificate>,
        anchor: TrustAnchor,
    ) -> Result<Self, AnchorError> {
        let own = above.first().ok_or(AnchorError::NotAnAuthority)?;
        let certified = TrustAnchor::from_certificate(own)?;
        if certified.key() != key.public() || above.len() >= MAX_CHAIN {
            return Err(AnchorError::NotAnAuthority);
        }
        let stated = stated_key_id(own);
        let key_id = stated.map_or_else(|| key_id(key.public()), Ok).map_err(|_| AnchorError::Malformed)?;
        Ok(Self::new(key, certified.name().clone(), key_id, above, anchor))
    }

    fn new(
        key: IssuerKey,
        name: IssuerName,
        key_id: Vec<u8>,
        above: Vec<Certificate>,
        anchor: TrustAnchor,
    ) -> Self {
        let (register, list_lifetime) = (Register::default(), Self::LIST_LIFETIME);
        Self { key, name, key_id, above, anchor, register, list_lifetime }
    }

    /// The same authority, whose revocation lists go stale after `seconds`.
    #[must_use]
    pub const fn with_list_lifetime(mut self, seconds: u64) -> Self {
        self.list_lifetime = seconds;
        self
    }

    /// Its name, as certificates carry it.
    #[must_use]
    pub const fn name(&self) -> &IssuerName {
        &self.name
    }

    /// Its public key.
    #[must_use]
    pub const fn public_key(&self) -> &IssuerPublicKey {
        self.key.public()
    }

    /// A self-signed certificate of this authority, for software that wants its anchors so. Tokens
    /// need none.
    ///
    /// # Errors
    /// [`IssueError`].
    pub fn root_certificate(
        &self,
        validity: Validity,
        random: &mut dyn RandomSource,
    ) -> Result<Certificate, IssueError> {
        self.issuer().authority(&self.name, self.key.public(), None, validity, random)
    }

    /// Certifies another authority, which may in turn certify `path_length` levels of authorities
    /// below itself: 0 means servers only. It can be revoked like a server.
    ///
    /// # Errors
    /// [`IssueError`].
    pub fn certify_authority(
        &mut self,
        name: &IssuerName,
        key: &IssuerPublicKey,
        path_length: u8,
        validity: Validity,
        random: &mut dyn RandomSource,
    ) -> Result<Certificate, IssueError> {
        let certificate = self.issuer().authority(name, key, Some(path_length), validity, random)?;
        self.remember(&certificate, name.to_string())?;
        Ok(certificate)
    }

    const fn issuer(&self) -> Issuer<'_> {
        Issuer { name: &self.name, key: &self.key, key_id: self.key_id.as_slice() }
    }

    fn remember(&mut self, certificate: &Certificate, name: String) -> Result<(), IssueError> {
        match self.register.issued.entry(certificate.serial().clone()) {
            Entry::Occupied(_) => Err(IssueError::RandomSource),
            Entry::Vacant(row) => {
                row.insert(Issued { name, not_after: certificate.not_after(), revoked: None });
                Ok(())
            }
        }
    }

    /// Returns the certificates that were issued, in the order of their serial numbers.
    pub fn issued(&self) -> impl Iterator<Item = IssuedCertificate> {
        self.register.issued.iter().map(|(serial, Issued { name, not_after, revoked })| IssuedCertificate {
            serial: serial.clone(),
            name: name.clone(),
            not_after: *not_after,
            revoked: *revoked,
        })
    }

    /// Returns the register, to be put back should it not be saved.
    #[cfg(feature = "std")]
    pub(crate) const fn register(&mut self) -> &mut Register {
        &mut self.register
    }

    /// The register: what was issued and revoked, and the number of the last revocation list. No key.
    ///
    /// # Errors
    /// [`StateError::Malformed`] when memory cannot hold it.
    pub fn state(&self) -> Result<Vec<u8>, StateError> {
        let row = |(serial, issued): (&SerialNumber, &Issued)| {
            Ok(Row {
                serial: Uint::new(serial.as_bytes())?,
                name: issued.name.clone(),
                not_after: issued.not_after.as_secs(),
                revoked: issued.revoked.map(UnixTime::as_secs),
            })
        };
        let state = || {
            let rows = self.register.issued.iter().map(row).collect::<der::Result<_>>()?;
            let name = OctetString::new(self.name.as_der())?;
            State { version: VERSION, name, list_number: self.register.list_number, rows }.to_der()
        };
        state().map_err(|_| StateError::Malformed)
    }

    /// The same authority with the register that [`Self::state`] gave.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn with_state(mut self, saved: &[u8]) -> Result<Self, StateError> {
        let state = State::from_der(saved).map_err(|_| StateError::Malformed)?;
        if state.version != VERSION {
            return Err(StateError::Malformed);
        }
        if state.name.as_bytes() != self.name.as_der() {
            return Err(StateError::OtherAuthority);
        }
        let row = |row: Row| {
            let serial = SerialNumber::new(row.serial.as_bytes()).map_err(|_| StateError::Malformed)?;
            let revoked = row.revoked.map(UnixTime::from_secs);
            let not_after = UnixTime::from_secs(row.not_after);
            Ok((serial, Issued { name: row.name, not_after, revoked }))
        };
        let issued = state.rows.into_iter().map(row).collect::<Result<_, _>>()?;
        self.register = Register { issued, list_number: state.list_number };
        Ok(self)
    }
}

const VERSION: u8 = 2;

#[derive(Sequence)]
struct State {
    version: u8,
    name: OctetString,
    list_number: u64,
    rows: Vec<Row>,
}

#[derive(Sequence)]
struct Row {
    serial: Uint,
    name: String,
    not_after: u64,
    revoked: Option<u64>,
}

impl CertificateAuthority for Authority {
    fn trust_anchor(&self) -> Result<TrustAnchor, AuthorityError> {
        Ok(self.anchor.clone())
    }

    fn issue(
        &mut self,
        request: &CertificateRequest,
        validity: Validity,
        random: &mut dyn RandomSource,
    ) -> Result<Chain, AuthorityError> {
        let certificate = self.issuer().server(request, validity, random)?;
        self.remember(&certificate, request.name().to_string())?;
        let too_long = |_: CertificateError| IssueError::TooLong;
        Ok(Chain::new(certificate, self.above.clone()).map_err(too_long)?)
    }

    fn revoke(&mut self, serial: &SerialNumber, now: UnixTime) -> Result<(), AuthorityError> {
        let issued = self.register.issued.get_mut(serial).ok_or(AuthorityError::UnknownSerial)?;
        issued.revoked.get_or_insert(now);
        Ok(())
    }

    fn revocation_list(
        &mut self,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<RevocationList, AuthorityError> {
        // An entry stays for one list beyond its certificate's expiry (RFC 5280, section 3.3). It is
        // left out, not forgotten: a clock that runs ahead once must not undo a revocation.
        let lifetime = self.list_lifetime;
        let number = self.register.list_number.saturating_add(1);
        let current =
            self.register.issued.iter().filter(|(_, issued)| issued.not_after.after(lifetime) >= now);
        let mut revoked = current.filter_map(|(serial, issued)| Some((serial, issued.revoked?)));
        let fields =
            CrlFields { number, this_update: now, next_update: now.after(lifetime), revoked: &mut revoked };
        let list = self.issuer().revocation_list(fields, random)?;
        self.register.list_number = number;
        Ok(list)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({}, {} issued)", self.name, self.register.issued.len())
    }
}
