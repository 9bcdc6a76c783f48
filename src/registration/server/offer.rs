//! R0 and R1: offer certificate and template (patent step 90).

use crate::id::{Digest, OfferId};
use crate::message::{EXT_CRL, Hello, Offer, OfferCore, VERSION};
use crate::port::auth_server::Offering;
use crate::port::{AuthServer, AuthServerError};
use crate::random::{RandomSource, draw};
use crate::registration::ServerSideError;
use crate::registration::cookie::Cookie;
use crate::settings::ServerSettings;
use crate::time::UnixTime;
use crate::transcript::{Item, transcript};
use crate::wire::{self, Bytes, Codes, Ext, Frame, Message};
use alloc::vec::Vec;

/// R0. `bytes` is kept until R1 is made; nothing is remembered after that.
///
/// # Errors
/// [`ServerSideError`]; the peer is told [`ServerSideError::refusal`].
pub fn receive_hello<'b>(
    bytes: &'b [u8],
    settings: &ServerSettings,
) -> Result<NeedOffering<'b>, ServerSideError> {
    let hello = Hello::decode(bytes)?;
    if hello.server_name != settings.name {
        return Err(ServerSideError::WrongServer);
    }
    if !hello.versions.contains(VERSION) {
        return Err(ServerSideError::NothingInCommon);
    }
    Ok(NeedOffering { bytes, hello })
}

/// The server's certificate and ephemeral key are needed.
#[must_use]
#[derive(Debug)]
pub struct NeedOffering<'b> {
    bytes: &'b [u8],
    hello: Hello<'b>,
}

impl NeedOffering<'_> {
    /// The suites that the token speaks, best first ([`AuthServer::offering`]).
    #[must_use]
    pub const fn wanted(&self) -> &Codes {
        &self.hello.suites
    }

    /// Takes certificate and ephemeral key, and writes the offer. `peer` is whatever names the
    /// sender on this transport, an address without its port say, at most 64 bytes: the offer is good
    /// for it alone.
    ///
    /// # Errors
    /// [`ServerSideError::Setting`] when the settings or the offering do not fit the protocol.
    pub fn supply(
        self,
        offering: &Offering,
        peer: &[u8],
        settings: &ServerSettings,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<NeedSignature, ServerSideError> {
        let suite = settings.suite(offering.suite.code()).ok_or(ServerSideError::Setting("suites"))?;
        if !self.hello.suites.contains(offering.suite.code()) {
            return Err(ServerSideError::NothingInCommon);
        }
        check(settings, offering)?;
        let core = OfferCore {
            version: VERSION,
            suite: offering.suite.code(),
            chain: offering.chain.iter().map(|certificate| Bytes(certificate)).collect(),
            template: settings.template.clone(),
            offer_id: OfferId(draw(random)),
            offer_ttl: settings.offer_ttl,
            outcome_size: settings.outcome_size,
            nonce_s: draw(random),
            pk_e: Bytes(&offering.pk_e),
            ext: offering.crl.as_deref().map(|crl| Ext::one(EXT_CRL, crl)),
        };
        let encoded = wire::encode(&core);
        let th_o = transcript(suite, b"offer", [Item::Message(self.bytes), Item::Message(&encoded)]);
        let cookie = Cookie {
            txn: self.hello.txn,
            offer_id: core.offer_id,
            transcript: th_o,
            expires: now.after(settings.offer_ttl.into()).as_secs(),
            suite: offering.suite.code(),
            certificate: offering.certificate,
            ephemeral: offering.ephemeral,
            template: template_digest(settings),
            outcome_size: settings.outcome_size,
        };
        let cookie = cookie.seal(&settings.secrets.cookie, peer);
        Ok(NeedSignature { core: encoded, th_o, certificate: offering.certificate, cookie })
    }

    /// Asks the authentication server.
    ///
    /// # Errors
    /// [`ServerSideError`], the authentication server's among them.
    pub fn supply_from(
        self,
        server: &dyn AuthServer,
        peer: &[u8],
        settings: &ServerSettings,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<NeedSignature, ServerSideError> {
        let offering = match server.offering(self.wanted(), now) {
            Err(AuthServerError::NoSuite) => return Err(ServerSideError::NothingInCommon),
            other => other?,
        };
        self.supply(&offering, peer, settings, now, random)
    }
}

/// What an operator may have set wrongly, said before a token would refuse it.
fn check(settings: &ServerSettings, offering: &Offering) -> Result<(), ServerSideError> {
    settings.template.validate().map_err(|_| ServerSideError::Setting("template"))?;
    if !(1..=900).contains(&settings.offer_ttl) {
        return Err(ServerSideError::Setting("offer_ttl"));
    }
    if !(256..=4096).contains(&settings.outcome_size) || !settings.outcome_size.is_multiple_of(256) {
        return Err(ServerSideError::Setting("outcome_size"));
    }
    let fits = |bytes: &Vec<u8>| (1..=8192).contains(&bytes.len());
    if !(1..=4).contains(&offering.chain.len()) || !offering.chain.iter().all(fits) {
        return Err(ServerSideError::Setting("chain"));
    }
    if offering.crl.as_ref().is_some_and(|crl| crl.len() > Ext::MAX_LEN) {
        return Err(ServerSideError::Setting("crl"));
    }
    Ok(())
}

pub(super) fn template_digest(settings: &ServerSettings) -> Digest {
    use crate::suite::Suite;
    crate::suite::XWING.hash(&[&wire::encode(&settings.template)])
}

/// The offer key is to sign.
#[must_use]
#[derive(Debug)]
pub struct NeedSignature {
    core: Vec<u8>,
    th_o: Digest,
    certificate: Digest,
    cookie: Vec<u8>,
}

impl NeedSignature {
    /// Which certificate's offer key is to sign which transcript ([`AuthServer::sign_offer`]).
    #[must_use]
    pub const fn wanted(&self) -> (&Digest, &Digest) {
        (&self.certificate, &self.th_o)
    }

    /// R1.
    pub fn supply(self, signature: [u8; 64]) -> Frame<Offer<'static>> {
        let offer = Offer { core: Bytes(&self.core), cookie: Bytes(&self.cookie), sig: signature };
        Frame::stored(offer.encode().into_bytes())
    }

    /// Asks the authentication server.
    ///
    /// # Errors
    /// The authentication server's.
    pub fn supply_from(self, server: &dyn AuthServer) -> Result<Frame<Offer<'static>>, ServerSideError> {
        let (certificate, th_o) = self.wanted();
        let signature = server.sign_offer(certificate, th_o)?;
        Ok(self.supply(signature))
    }
}
