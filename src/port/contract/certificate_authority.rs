//! Contract of every [`CertificateAuthority`], as a test that implementations run.

use crate::certificate::{
    CertificateError, CertificateRequest, Chain, Revocation, RevocationDepth, SerialNumber, TrustAnchors,
    Validity, VerifiedServer, verify,
};
use crate::port::certificate_authority::{AuthorityError, CertificateAuthority};
use crate::random::RandomSource;
use crate::time::UnixTime;
use thiserror::Error;

/// The clause of the contract that an authority violates.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AuthorityViolation {
    /// A call failed that should have succeeded.
    #[error("the authority fails where it should not: {0}")]
    Failed(AuthorityError),
    /// A chain it issued does not verify under its own trust anchor.
    #[error("a chain does not verify under the authority's trust anchor: {0}")]
    NotVerified(CertificateError),
    /// A certificate says something else than the request.
    #[error("the certificate does not say what was requested")]
    OtherContents,
    /// A certificate is valid outside the validity asked for.
    #[error("the certificate is valid outside the validity asked for")]
    Validity,
    /// Two certificates have one serial number.
    #[error("two certificates have the same serial number")]
    SameSerial,
    /// The trust anchor is another than before.
    #[error("the trust anchor changed")]
    OtherAnchor,
    /// A certificate is refused as revoked that is not.
    #[error("a certificate that was not revoked is refused as revoked")]
    RevokesOthers,
    /// A revoked certificate is not on a list.
    #[error("a revoked certificate is not on the revocation list")]
    NotRevoked,
    /// Revoking twice is an error.
    #[error("revoking a certificate twice fails")]
    RevokeTwice,
    /// Revoking what was never issued is no error, or another one.
    #[error("revoking an unknown serial number does not fail with UnknownSerial")]
    UnknownSerial,
}

impl From<AuthorityError> for AuthorityViolation {
    fn from(error: AuthorityError) -> Self {
        Self::Failed(error)
    }
}

/// Runs the whole contract: issues three certificates for `request`, valid for an hour from `now`,
/// and revokes two of them.
///
/// ```
/// use halfkey::port::contract;
/// use halfkey::{SystemRandom, UnixTime};
/// # use halfkey::{certificate::CertificateRequest, key::OfferKey, policy::SuiteList};
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
///
/// # fn main() -> setting::Outcome {
/// # let (mut authority, name) = (setting::authority()?, "gate.example".parse()?);
/// # let (kem_key, offer_key) = (setting::kem_key()?, OfferKey::generate(&mut SystemRandom));
/// # let request = CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key)?;
/// contract::certificate_authority(&mut authority, &request, UnixTime::now(), &mut SystemRandom)?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// The first clause found violated.
pub fn certificate_authority(
    authority: &mut dyn CertificateAuthority,
    request: &CertificateRequest,
    now: UnixTime,
    random: &mut dyn RandomSource,
) -> Result<(), AuthorityViolation> {
    let anchor = authority.trust_anchor()?;
    let case = Case { anchors: anchor.clone().into(), request, now };
    let validity = Validity::new(now, now.after(HOUR)).map_err(AuthorityError::from)?;
    let chains = [
        authority.issue(request, validity, random)?,
        authority.issue(request, validity, random)?,
        authority.issue(request, validity, random)?,
    ];
    let [kept, revoked, later] = &chains;
    for chain in &chains {
        case.says_what_was_requested(chain)?;
        case.is_valid_only_then(chain, validity)?;
    }
    let serial = |chain: &Chain| chain.leaf().serial().clone();
    if serial(kept) == serial(revoked) || serial(revoked) == serial(later) || serial(later) == serial(kept) {
        return Err(AuthorityViolation::SameSerial);
    }

    case.is_listed(authority, &[(kept, false), (revoked, false), (later, false)], now, random)?;
    authority.revoke(&serial(revoked), now)?;
    case.is_listed(authority, &[(kept, false), (revoked, true), (later, false)], now, random)?;
    authority.revoke(&serial(revoked), now.after(1)).map_err(|_| AuthorityViolation::RevokeTwice)?;
    authority.revoke(&serial(later), now.after(1))?;
    let end = validity.not_after();
    case.is_listed(authority, &[(kept, false), (revoked, true), (later, true)], end, random)?;

    let unknown = SerialNumber::new(&[0x7E; SerialNumber::MAX]).map_err(AuthorityViolation::NotVerified)?;
    if authority.revoke(&unknown, now) != Err(AuthorityError::UnknownSerial) {
        return Err(AuthorityViolation::UnknownSerial);
    }
    if authority.trust_anchor()? == anchor { Ok(()) } else { Err(AuthorityViolation::OtherAnchor) }
}

const HOUR: u64 = 3600;

struct Case<'c> {
    anchors: TrustAnchors,
    request: &'c CertificateRequest,
    now: UnixTime,
}

impl Case<'_> {
    fn verify(
        &self,
        chain: &Chain,
        now: UnixTime,
        revocation: &Revocation,
    ) -> Result<VerifiedServer, CertificateError> {
        verify(&chain.as_der(), &self.anchors, self.request.name(), now, revocation)
    }

    fn says_what_was_requested(&self, chain: &Chain) -> Result<(), AuthorityViolation> {
        let server = self.verify(chain, self.now, &Revocation::Ignore);
        let server = server.map_err(AuthorityViolation::NotVerified)?;
        let same = server.kem_key() == self.request.kem_key()
            && server.offer_key() == self.request.offer_key()
            && server.suites() == self.request.suites();
        if same { Ok(()) } else { Err(AuthorityViolation::OtherContents) }
    }

    fn is_valid_only_then(&self, chain: &Chain, validity: Validity) -> Result<(), AuthorityViolation> {
        let before = UnixTime::from_secs(validity.not_before().as_secs().saturating_sub(1));
        let early = self.verify(chain, before, &Revocation::Ignore);
        let late = self.verify(chain, validity.not_after().after(1), &Revocation::Ignore);
        match (early, late) {
            (Err(CertificateError::NotYetValid { .. }), Err(CertificateError::Expired { .. })) => Ok(()),
            _ => Err(AuthorityViolation::Validity),
        }
    }

    /// Gets a fresh list and checks that it has those revoked that should be, and no others.
    fn is_listed(
        &self,
        authority: &mut dyn CertificateAuthority,
        expected: &[(&Chain, bool)],
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<(), AuthorityViolation> {
        let list = authority.revocation_list(now, random)?;
        let revocation = Revocation::lists([list.as_der()], RevocationDepth::Leaf);
        for (chain, revoked) in expected {
            match (self.verify(chain, now, &revocation), revoked) {
                (Ok(_), false) | (Err(CertificateError::Revoked), true) => {}
                (Err(CertificateError::Revoked), false) => return Err(AuthorityViolation::RevokesOthers),
                (Ok(_), true) => return Err(AuthorityViolation::NotRevoked),
                (Err(error), _) => return Err(AuthorityViolation::NotVerified(error)),
            }
        }
        Ok(())
    }
}
