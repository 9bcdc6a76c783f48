//! The token issuer or certification authority (35): hands out blank tokens and servers' keys.

use super::super::Error;
use super::message::SUITES;
use super::token::BlankToken;
use crate::certificate::{CertificateRequest, Chain, Validity};
use crate::id::ServerName;
use crate::key::{KemPrivateKey, OfferKey};
use crate::port::CertificateAuthority;
use crate::random::RandomSource;
use core::fmt;

/// Distributes a token in which P_i is embedded, and no other key (step 60; claims 7, 8a, 13, 14a,
/// 20, 21a, 26).
///
/// # Errors
/// [`Error::Authority`].
pub fn embed(authority: &dyn CertificateAuthority) -> Result<BlankToken, Error> {
    Ok(BlankToken::new(authority.trust_anchor()?.into()))
}

/// Makes a server's key pair of `bits` bits and has a certificate with its P_u signed (step 70;
/// claims 6, 7, 12, 13, 19, 20, 25, 26).
///
/// In the patent P_r is *assigned* to the server: the party that assigns it can read every registration.
///
/// # Errors
/// [`Error::Rsa`], [`Error::Request`] or [`Error::Authority`].
pub fn assign(
    authority: &mut dyn CertificateAuthority,
    server: &ServerName,
    bits: usize,
    validity: Validity,
    random: &mut dyn RandomSource,
) -> Result<AssignedKeys, Error> {
    let private = KemPrivateKey::generate(bits, random)?;
    // The certificate profile demands an offer key, which the patent does not have: discard this one.
    let offer_key = OfferKey::generate(random);
    let request = CertificateRequest::sign(server, private.public(), &SUITES, &offer_key)?;
    let chain = authority.issue(&request, validity, random)?;
    Ok(AssignedKeys { name: server.clone(), private, chain })
}

/// P_r and the signed certificate, as transferred to a server (step 70).
///
/// This P_r is used by this module alone, and never decrypts a message of the real protocol.
pub struct AssignedKeys {
    name: ServerName,
    pub(super) private: KemPrivateKey,
    pub(super) chain: Chain,
}

impl fmt::Debug for AssignedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AssignedKeys({})", self.name)
    }
}
