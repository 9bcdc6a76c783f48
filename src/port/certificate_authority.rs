//! The certificate authority (35 in the patent's Figure 1): certifies servers, and takes it back.

use crate::cause::Cause;
use crate::certificate::{
    CertificateRequest, Chain, IssueError, RevocationList, SerialNumber, TrustAnchor, Validity,
};
use crate::random::RandomSource;
use crate::time::UnixTime;
use thiserror::Error;

/// Why an authority did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// It will not certify this: its policy is against the name, the suites or the validity.
    #[error("the authority refuses")]
    Refused,
    /// It never issued a certificate with this serial number.
    #[error("no certificate of this authority has that serial number")]
    UnknownSerial,
    /// It cannot be reached, or its storage or key cannot. Nothing changed; ask again later.
    #[error("the authority is unavailable")]
    Unavailable,
    /// It failed, with the cause that its driver gives. Nothing changed.
    #[error("the authority failed")]
    Failed(#[source] Cause),
    /// The certificate or list could not be made.
    #[error(transparent)]
    Issue(#[from] IssueError),
}

/// An authority that certifies servers (patent step 70).
///
/// It may sit behind a network or have its key in hardware: no key bytes pass here. Whether the
/// applicant may have the name and holds P_r, the authority must know before it is asked to
/// [`Self::issue`]; a [`CertificateRequest`] proves neither. `contract::certificate_authority` tests an
/// implementation.
///
/// A server's certificate is issued and, when its keys are stolen, taken back:
/// ```
/// use halfkey::certificate::{CertificateError, Revocation, RevocationDepth, Validity, verify};
/// use halfkey::port::CertificateAuthority;
/// use halfkey::{SystemRandom, UnixTime};
/// # use halfkey::{certificate::CertificateRequest, key::OfferKey, policy::SuiteList};
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
///
/// # fn main() -> setting::Outcome {
/// # let (mut authority, random, now) = (setting::authority()?, &mut SystemRandom, UnixTime::now());
/// # let (name, kem_key, offer_key) = ("gate.example".parse()?, setting::kem_key()?, OfferKey::generate(random));
/// # let request = CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key)?;
/// let chain = authority.issue(&request, Validity::lasting(now, 365 * 86_400)?, random)?;
/// authority.revoke(chain.leaf().serial(), now)?;
/// let list = authority.revocation_list(now, random)?;
///
/// // The server staples the list to its offers, or tokens are given it:
/// let wanted = Revocation::lists([list.as_der()], RevocationDepth::Leaf);
/// let anchors = authority.trust_anchor()?.into();
/// let verified = verify(&chain.as_der(), &anchors, &name, now, &wanted);
/// assert!(matches!(verified, Err(CertificateError::Revoked)));
/// # Ok(()) }
/// ```
pub trait CertificateAuthority: Send {
    /// The name and key that tokens embed to believe this authority: its own, or those of the
    /// authority at the top of its chains. Always the same. Tokens made from a wrong answer
    /// believe somebody else.
    ///
    /// # Errors
    /// [`AuthorityError::Unavailable`].
    fn trust_anchor(&self) -> Result<TrustAnchor, AuthorityError>;

    /// Certifies what `request` says, for no longer than `validity`, under a fresh serial number, and
    /// remembers it until it expires. Gives the whole chain up to the trust anchor, without it.
    ///
    /// A serial number given twice makes the revocation of one certificate that of two.
    ///
    /// # Errors
    /// [`AuthorityError`]; then nothing was issued.
    fn issue(
        &mut self,
        request: &CertificateRequest,
        validity: Validity,
        random: &mut dyn RandomSource,
    ) -> Result<Chain, AuthorityError>;

    /// Takes back a certificate: from now on until it expires it is on every revocation list.
    /// Doing so again changes nothing, not even the date.
    ///
    /// Must be durable when it returns: a forgotten revocation lets a thief of P_r go on.
    ///
    /// # Errors
    /// [`AuthorityError::UnknownSerial`], or [`AuthorityError::Unavailable`].
    fn revoke(&mut self, serial: &SerialNumber, now: UnixTime) -> Result<(), AuthorityError>;

    /// A complete revocation list of this authority's own certificates as of `now`, signed, that
    /// goes stale some time after `now`.
    ///
    /// # Errors
    /// [`AuthorityError`], among them [`IssueError::TooLong`] when too many are revoked for a list
    /// that tokens accept.
    fn revocation_list(
        &mut self,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<RevocationList, AuthorityError>;
}
