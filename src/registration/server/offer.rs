//! R0 and R1: offer certificate and template (patent step 90).

use super::cookie::Cookie;
use crate::id::{Digest, OfferId, Txn};
use crate::message::{EXT_CRL, Hello, Offer, OfferCore, VERSION};
use crate::port::auth_server::OfferMaterial;
use crate::port::question::{FindOfferMaterial, SignOffer};
use crate::random::{Purpose, RandomSource, draw_for};
use crate::registration::ServerRegistrationError;
use crate::settings::ServerSettings;
use crate::time::UnixTime;
use crate::transcript::{Item, transcript};
use crate::wire::{self, Bytes, Ext, Frame, Message};
use alloc::vec::Vec;

/// Takes R0. Nothing of it is remembered after R1 is made.
///
/// # Errors
/// [`ServerRegistrationError`]; the peer is told [`ServerRegistrationError::refusal`].
pub fn receive_hello(
    bytes: &[u8],
    settings: &ServerSettings,
) -> Result<NeedOfferMaterial, ServerRegistrationError> {
    let hello = Hello::decode(bytes)?;
    if hello.server_name != settings.name {
        return Err(ServerRegistrationError::WrongServer);
    }
    if !hello.versions.contains(VERSION) {
        return Err(ServerRegistrationError::NothingInCommon);
    }
    let question = FindOfferMaterial { suites: hello.suites };
    Ok(NeedOfferMaterial { bytes: bytes.to_vec(), txn: hello.txn, question })
}

/// The server's certificate and ephemeral key are needed.
#[must_use]
#[derive(Debug)]
pub struct NeedOfferMaterial {
    bytes: Vec<u8>,
    txn: Txn,
    question: FindOfferMaterial,
}

impl NeedOfferMaterial {
    /// The suites that the token speaks, best first ([`AuthServer::offer_material`](crate::port::AuthServer::offer_material)).
    #[must_use]
    pub const fn wanted(&self) -> &FindOfferMaterial {
        &self.question
    }

    /// Takes certificate and ephemeral key, and writes the offer. `peer` is whatever names the
    /// sender on this transport, an address without its port say, at most 64 bytes: the offer is good
    /// for it alone.
    ///
    /// # Errors
    /// [`ServerRegistrationError::Setting`] when the settings or the offering do not fit the protocol.
    pub fn supply(
        self,
        offer_material: &OfferMaterial,
        peer: &[u8],
        settings: &ServerSettings,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<NeedSignature, ServerRegistrationError> {
        let suite =
            settings.suite(offer_material.suite.code()).ok_or(ServerRegistrationError::Setting("suites"))?;
        if !self.question.suites.contains(offer_material.suite) {
            return Err(ServerRegistrationError::NothingInCommon);
        }
        check(settings, offer_material)?;
        let core = OfferCore {
            version: VERSION,
            suite: offer_material.suite.code(),
            chain: offer_material.chain.iter().map(|certificate| Bytes(certificate)).collect(),
            template: settings.template.clone(),
            offer_id: OfferId(draw_for(random, Purpose::OfferId)),
            offer_ttl: settings.offer_ttl,
            outcome_size: settings.outcome_size,
            nonce_s: draw_for(random, Purpose::ServerNonce),
            pk_e: Bytes(&offer_material.pk_e),
            ext: offer_material.crl.as_deref().map(|crl| Ext::one(EXT_CRL, crl)),
        };
        let encoded = wire::encode(&core);
        if encoded.len() > OfferCore::MAX {
            return Err(ServerRegistrationError::Setting(
                "template, chain and crl are too long for one offer",
            ));
        }
        let th_o = transcript(suite, b"offer", [Item::Message(&self.bytes), Item::Message(&encoded)]);
        let cookie = Cookie {
            txn: self.txn,
            offer_id: core.offer_id,
            transcript: th_o,
            expires: now.after(settings.offer_ttl.into()).as_secs(),
            suite: offer_material.suite.code(),
            also: self.question.suites.also(&offer_material.suites, offer_material.suite),
            certificate: offer_material.certificate,
            ephemeral: offer_material.ephemeral,
            template: template_digest(settings),
            outcome_size: settings.outcome_size,
        };
        let cookie = cookie.seal(&settings.secrets.cookie, peer);
        let question = SignOffer { certificate: offer_material.certificate, transcript: th_o };
        Ok(NeedSignature { core: encoded, question, cookie })
    }
}

/// Refuses settings and material that do not fit, before a token would refuse the offer.
fn check(settings: &ServerSettings, offer_material: &OfferMaterial) -> Result<(), ServerRegistrationError> {
    settings.template.validate().map_err(|_| ServerRegistrationError::Setting("template"))?;
    if !(1..=900).contains(&settings.offer_ttl) {
        return Err(ServerRegistrationError::Setting("offer_ttl"));
    }
    if !(256..=4096).contains(&settings.outcome_size) || !settings.outcome_size.is_multiple_of(256) {
        return Err(ServerRegistrationError::Setting("outcome_size"));
    }
    let fits = |bytes: &Vec<u8>| (1..=8192).contains(&bytes.len());
    if !(1..=4).contains(&offer_material.chain.len()) || !offer_material.chain.iter().all(fits) {
        return Err(ServerRegistrationError::Setting("chain"));
    }
    if offer_material.crl.as_ref().is_some_and(|crl| crl.len() > Ext::MAX_LEN) {
        return Err(ServerRegistrationError::Setting("crl"));
    }
    Ok(())
}

pub(super) fn template_digest(settings: &ServerSettings) -> Digest {
    crate::hash::sha256(&[&wire::encode(&settings.template)])
}

/// The offer key is to sign.
#[must_use]
#[derive(Debug)]
pub struct NeedSignature {
    core: Vec<u8>,
    question: SignOffer,
    cookie: Vec<u8>,
}

impl NeedSignature {
    /// The question: a signature by the certificate's offer key ([`AuthServer::sign_offer`](crate::port::AuthServer::sign_offer)).
    #[must_use]
    pub const fn wanted(&self) -> &SignOffer {
        &self.question
    }

    /// R1.
    pub fn supply(self, signature: [u8; 64]) -> Frame<Offer<'static>> {
        let offer = Offer { core: Bytes(&self.core), cookie: Bytes(&self.cookie), sig: signature };
        Frame::stored(offer.encode().into_bytes())
    }
}
