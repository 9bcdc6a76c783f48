//! R0 and R1: ask for an offer and verify who makes it (patent steps 80 and 90).

use super::facts::OfferFacts;
use super::request::{NeedWrap, ProofMaker};
use super::{Credential, refusal};
use crate::certificate::{Certificate, Revocation, TrustAnchors, VerifiedServer, verify_stapled};
use crate::id::{KeyId, ServerName, Txn};
use crate::message::{EXT_CRL, Hello, Offer, OfferCore, VERSION};
use crate::policy::SuiteList;
use crate::random::{Purpose, RandomSource, draw_for};
use crate::registration::TokenRegistrationError;
use crate::step::Step;
use crate::suite::Suite;
use crate::template::{Form, Template};
use crate::time::UnixTime;
use crate::transcript::{Item, transcript};
use crate::wire::{Codes, Frame, Message};
use alloc::vec::Vec;

/// R0: asks `server_name` for an offer, in one of `suites`, most wanted first (patent step 80).
///
/// # Errors
/// [`TokenRegistrationError::NotWanted`] for no suite, more than eight, or one named twice.
pub fn hello(
    server_name: ServerName,
    suites: &'static [&'static dyn Suite],
    random: &mut dyn RandomSource,
) -> Result<Step<Hello<'static>, AwaitOffer>, TokenRegistrationError> {
    let spoken =
        SuiteList::of(suites.iter().map(|suite| suite.id())).ok_or(TokenRegistrationError::NotWanted)?;
    let txn = Txn(draw_for(random, Purpose::Txn));
    let hello = Hello {
        versions: Codes::one(VERSION),
        suites: spoken,
        txn,
        server_name: server_name.clone(),
        nonce_t: draw_for(random, Purpose::TokenNonce),
        ext: None,
    };
    let send = hello.encode();
    let clock_floor = UnixTime::RELEASED;
    let next = AwaitOffer { hello: send.clone(), txn, server_name, suites, replaces: None, clock_floor };
    Ok(Step { next, send })
}

/// R0 is out; R1 is awaited.
#[must_use]
#[derive(Debug)]
pub struct AwaitOffer {
    hello: Frame<Hello<'static>>,
    txn: Txn,
    server_name: ServerName,
    suites: &'static [&'static dyn Suite],
    replaces: Option<KeyId>,
    clock_floor: UnixTime,
}

impl AwaitOffer {
    /// Has the token erase a key once the new one is active: a key that the server refuses, and that cannot be
    /// renewed therefore. It stays in use until then.
    pub fn replacing(self, replaces: Option<KeyId>) -> Self {
        Self { replaces, ..self }
    }

    /// Judges certificates and revocation lists by no earlier time than `floor`: the latest that the token knows
    /// authentically ([`TokenRegistration::clock_floor`](crate::record::TokenRegistration::clock_floor) of its
    /// registrations), and [`UnixTime::RELEASED`] at least. Otherwise a clock that was set back brings a stolen
    /// certificate to life again.
    pub fn no_earlier_than(mut self, floor: UnixTime) -> Self {
        self.clock_floor = self.clock_floor.max(floor);
        self
    }

    /// R1: verifies the certificate against the anchors and the offer against the certificate,
    /// before the user sees anything of it (patent step 90).
    ///
    /// A revocation list stapled to R1 is used along with those in `revocation`, after them.
    ///
    /// # Errors
    /// [`TokenRegistrationError`]; the call is ended, as in the patent, and nothing is lost: begin anew.
    pub fn receive_offer(
        self,
        bytes: &[u8],
        anchors: &TrustAnchors,
        revocation: &Revocation,
        now: UnixTime,
    ) -> Result<NeedForm, TokenRegistrationError> {
        refusal(bytes)?;
        let offer = Offer::decode(bytes)?;
        let core = offer.read_core()?;
        let chain: Vec<&[u8]> = core.chain.iter().map(|certificate| certificate.0).collect();
        let stapled = core.ext.as_ref().and_then(|ext| ext.get(EXT_CRL));
        let judged_at = self.judged_at(&chain, now);
        let server = verify_stapled(&chain, anchors, &self.server_name, judged_at, revocation, stapled)?;

        let suite = self.chosen(&core, &server)?;
        let fit = self.suites.iter().map(|suite| suite.id()).filter(|id| server.accepts(id.code()));
        let offered = SuiteList::of(fit).ok_or(TokenRegistrationError::Downgrade)?;
        let th_o =
            transcript(suite, b"offer", [Item::Message(self.hello.as_bytes()), Item::Message(offer.core.0)]);
        server.offer_key().verify(&th_o, &offer.sig).map_err(TokenRegistrationError::Signature)?;

        core.template.validate()?;
        let sane = core.pk_e.len() == suite.kem().public_key_len()
            && (1..=900).contains(&core.offer_ttl)
            && (256..=4096).contains(&core.outcome_size)
            && core.outcome_size.is_multiple_of(256);
        if !sane {
            return Err(TokenRegistrationError::Bounds);
        }
        let anchor = anchors.as_slice().get(server.anchor()).map(|anchor| anchor.key().as_spki_der());
        Ok(NeedForm {
            facts: OfferFacts {
                suite,
                offered,
                txn: self.txn,
                offer_id: core.offer_id,
                cookie: offer.cookie.to_vec(),
                pk_e: core.pk_e.to_vec(),
                outcome_size: core.outcome_size,
                expires: now.after(core.offer_ttl.into()),
                th_o,
                anchor: suite.hash(&[anchor.unwrap_or_default()]),
                server,
                replaces: self.replaces,
            },
            template: core.template,
        })
    }

    /// The time at which the chain is judged: the token's own, unless it is known to be wrong. Then all that is
    /// known is that it is later than the floor, and a certificate that was issued since is judged at its beginning.
    fn judged_at(&self, chain: &[&[u8]], now: UnixTime) -> UnixTime {
        if now >= self.clock_floor {
            return now;
        }
        let leaf = chain.first().and_then(|leaf| Certificate::from_der(leaf).ok());
        self.clock_floor.max(leaf.map(|leaf| leaf.not_before()).unwrap_or_default())
    }

    /// The suite that R1 chose, if it is the first of R0's that the certificate lists and the
    /// anchor accepts: a stripped or worsened offer is refused.
    fn chosen(
        &self,
        core: &OfferCore<'_>,
        server: &VerifiedServer,
    ) -> Result<&'static dyn Suite, TokenRegistrationError> {
        let first = self.suites.iter().copied().find(|suite| server.suites().contains(suite.id()));
        first
            .filter(|suite| {
                core.version == VERSION && core.suite == suite.id().code() && server.accepts(core.suite)
            })
            .ok_or(TokenRegistrationError::Downgrade)
    }
}

/// The server is verified; the user is to fill the template in (patent step 100).
#[must_use]
#[derive(Debug)]
pub struct NeedForm {
    facts: OfferFacts,
    template: Template,
}

impl NeedForm {
    /// The template to fill in with [`Template::fill`].
    #[must_use]
    pub const fn wanted(&self) -> &Template {
        &self.template
    }

    /// The server that asks, verified.
    #[must_use]
    pub const fn server(&self) -> &VerifiedServer {
        &self.facts.server
    }

    /// When the offer lapses: a form filled in later is refused with `restart`.
    #[must_use]
    pub const fn expires(&self) -> UnixTime {
        self.facts.expires
    }

    /// Checks a filled-in form and what goes with it, without using them up.
    ///
    /// # Errors
    /// [`TokenRegistrationError::Form`] names the fields at fault; [`TokenRegistrationError::TicketForm`] when a
    /// ticket goes with another form; [`TokenRegistrationError::FormTooLong`].
    pub fn check(&self, form: &Form, credential: &Credential) -> Result<(), TokenRegistrationError> {
        let name = self.template.check(form).map_err(|faults| self.template.named(&faults))?;
        ProofMaker::of(&self.facts, form, &name, credential.clone()).map(drop)
    }

    /// Takes the filled-in form and the reason why the applicant should be expected.
    ///
    /// # Errors
    /// Those of [`NeedForm::check`].
    pub fn supply(self, form: Form, credential: Credential) -> Result<NeedWrap, TokenRegistrationError> {
        let name = self.template.check(&form).map_err(|faults| self.template.named(&faults))?;
        let proof = ProofMaker::of(&self.facts, &form, &name, credential)?;
        Ok(NeedWrap::new(self.facts, form, proof))
    }
}
