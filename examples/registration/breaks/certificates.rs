//! Step 90: a certificate that does not hold ends the call, before the user sees anything.

use super::{Issuer, PIN, PinSettings, Result, ServerRegistration, Setting, ensure, failed, reason};
use halfkey::SystemRandom;
use halfkey::certificate::{CertificateError, Chain};
use halfkey::key::IssuerKey;
use halfkey::port::{CertificateAuthority, Token};
use halfkey::registration::TokenRegistrationError;
use halfkey::store::operation::ListRegistrations;

pub fn wrong_issuer(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    // It even has the right name: only its key differs.
    let stranger = Issuer::new(IssuerKey::generate_rsa(2048, &mut SystemRandom)?)?;
    *setting.alice.token() = stranger.blank_token(PinSettings::for_tests())?.0;
    setting.alice.token().unlock(&PIN.into())?;
    call_ends(setting, |error| *error == CertificateError::BadSignature)
}

pub fn expired(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    setting.alice.clock.put(2 * 365 * 86_400);
    call_ends(setting, |error| matches!(error, CertificateError::Expired { .. }))?;
    setting.alice.clock.put(-2 * 365 * 86_400);
    setting.recovers()
}

pub fn early(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    setting.alice.clock.put(-30 * 86_400);
    call_ends(setting, |error| matches!(error, CertificateError::NotYetValid { .. }))?;
    setting.alice.clock.put(30 * 86_400);
    setting.recovers()
}

pub fn wrong_name(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    let kem_key = halfkey::key::KemPrivateKey::from_pkcs8_pem(&setting.files.kem_key)?;
    let mut impostor = setting.issuer.certify("clinic.example", &kem_key)?;
    impostor.name = "bank.example".into();
    let honest = setting.files.clone();
    setting.restart_from(impostor)?;
    call_ends(setting, |error| *error == CertificateError::WrongName)?;
    setting.restart_from(honest)?;
    setting.recovers()
}

pub fn revoked(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    let chain = Chain::from_pem(&setting.files.chain)?;
    let now = setting.alice.clock.now();
    setting.issuer.0.revoke(chain.leaf().serial(), now)?;
    setting.alice.revoked = Some(setting.issuer.0.revocation_list(now, &mut SystemRandom)?);
    call_ends(setting, |error| *error == CertificateError::Revoked)
}

/// The call ends with such an error, and nothing is left of it on either side.
fn call_ends(setting: &mut Setting, expected: fn(&CertificateError) -> bool) -> Result<()> {
    let line = setting.line()?;
    let ended: ServerRegistration = setting.register(line)?;
    let refused = match failed(&ended) {
        Some(TokenRegistrationError::Certificate(error)) => expected(error),
        _ => false,
    };
    ensure(refused, &format!("the call ended as {ended:?}"))?;
    if let Err(error) = ended {
        setting.narrator.remark(&format!("the token ends the call: {}", reason(&error)));
    }
    ensure(setting.alice.token().attempts()?.is_empty(), "something of the run is left on the token")?;
    let rows = setting.gate()?.run(&ListRegistrations::default())?.entries;
    ensure(rows.is_empty(), "the server has registered somebody")?;
    setting.narrator.remark("no form was shown, no key made, nothing stored on either side");
    Ok(())
}
