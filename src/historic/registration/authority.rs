//! The token issuer or certification authority (35): hands out blank tokens and servers' keys.

use super::super::Error;
use super::token::BlankToken;
use crate::certificate::{CertificateRequest, Chain, Issuer, IssuerName, TrustAnchor, Validity, key_id};
use crate::key::{IssuerKey, KemPrivateKey, OfferKey};
use crate::{RandomSource, ServerName};
use core::fmt;

/// The suite in certificates for this module: none of the real protocol's, so that a real token
/// never takes such a certificate for one of its own, nor this module's tokens a real one.
pub(super) const SUITE: u16 = 0;

/// A token issuer, which is also the certification authority.
pub struct Authority {
    name: IssuerName,
    key: IssuerKey,
}

impl Authority {
    /// An authority by its name and the key pair of P_i.
    #[must_use]
    pub const fn new(name: IssuerName, key: IssuerKey) -> Self {
        Self { name, key }
    }

    /// Distributes a token in which P_i is embedded, and no other key (step 60; claims 7, 8a, 13,
    /// 14a, 20, 21a, 26).
    #[must_use]
    pub fn embed(&self) -> BlankToken {
        BlankToken::new(TrustAnchor::new(self.name.clone(), self.key.public().clone()).into())
    }

    /// Makes a server's key pair of `bits` bits and signs a certificate with its P_u (step 70;
    /// claims 6, 7, 12, 13, 19, 20, 25, 26).
    ///
    /// As the patent has it the authority *assigns* P_r, and so could read every registration.
    ///
    /// # Errors
    /// [`Error::Rsa`], [`Error::Request`] or [`Error::Issue`].
    pub fn assign(
        &self,
        server: &ServerName,
        bits: usize,
        validity: Validity,
        random: &mut dyn RandomSource,
    ) -> Result<AssignedKeys, Error> {
        let private = KemPrivateKey::generate(bits, random)?;
        // The profile wants an offer key, the letter has none: this one is thrown away.
        let request =
            CertificateRequest::sign(server, private.public(), &[SUITE], &OfferKey::generate(random))?;
        let key_id = key_id(self.key.public())?;
        let issuer = Issuer { name: &self.name, key: &self.key, key_id: &key_id };
        let certificate = issuer.server(&request, validity, random)?;
        let chain = Chain::new(certificate, alloc::vec::Vec::new())?;
        Ok(AssignedKeys { name: server.clone(), private, chain })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority(..)")
    }
}

/// What the authority transfers to a server: P_r and the signed certificate (step 70).
///
/// P_r is of this module alone. It never opens anything of the real protocol.
pub struct AssignedKeys {
    pub(super) name: ServerName,
    pub(super) private: KemPrivateKey,
    pub(super) chain: Chain,
}

impl fmt::Debug for AssignedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AssignedKeys({})", self.name)
    }
}
