//! R2: recover SSK1 (patent step 140).

use super::application::Read;
use super::cookie::Cookie;
use super::judge::NeedApplicant;
use super::offer::template_digest;
use crate::id::{Digest, OfferId, Txn};
use crate::message::{Outcome, Request, RequestBody};
use crate::port::AuthServerError;
use crate::port::auth_server::{Decapsulated, Encapsulated};
use crate::port::question::FindOutcome;
use crate::registration::{OfferFault, ServerRegistrationError, padding};
use crate::schedule::{Envelope, Ssk1Use, derive_from_ssk1};
use crate::secret::Secret;
use crate::settings::ServerSettings;
use crate::suite::{Suite, prf};
use crate::time::UnixTime;
use crate::transcript::{Item, transcript};
use crate::wire::{self, Frame, Message};
use alloc::vec::Vec;

/// Takes R2.
///
/// # Errors
/// [`ServerRegistrationError::Wire`].
pub fn receive_request(bytes: &[u8]) -> Result<NeedOutcome, ServerRegistrationError> {
    let request = Request::decode(bytes)?;
    let core = request.read_core()?;
    Ok(NeedOutcome {
        question: FindOutcome { request: crate::hash::sha256(&[bytes]) },
        read: Unopened {
            txn: core.txn,
            offer_id: core.offer_id,
            cookie: core.cookie.to_vec(),
            ct: core.ct.to_vec(),
            ct_e: core.ct_e.to_vec(),
            core: request.core.0.to_vec(),
            sealed: request.sealed.to_vec(),
            bytes: bytes.to_vec(),
        },
    })
}

/// R2, read and not yet opened.
#[derive(Debug)]
struct Unopened {
    txn: Txn,
    offer_id: OfferId,
    cookie: Vec<u8>,
    ct: Vec<u8>,
    ct_e: Vec<u8>,
    core: Vec<u8>,
    sealed: Vec<u8>,
    bytes: Vec<u8>,
}

/// The store is to say whether this very R2 was answered before.
#[must_use]
#[derive(Debug)]
pub struct NeedOutcome {
    question: FindOutcome,
    read: Unopened,
}

/// The two ways to go on with an R2.
#[must_use]
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one, and it is moved once")]
pub enum Lookup {
    /// It was answered before: send the same bytes again.
    Before(Frame<Outcome<'static>>),
    /// It is new.
    New(NeedSecrets),
}

impl NeedOutcome {
    /// The question for the store: H(R2).
    #[must_use]
    pub const fn wanted(&self) -> &FindOutcome {
        &self.question
    }

    /// Takes the stored R3, if there is one; otherwise checks the cookie, before any private-key
    /// operation.
    ///
    /// # Errors
    /// [`ServerRegistrationError::NoSuchOffer`] when the cookie is not this server's for this peer, has
    /// lapsed, or the template has changed since.
    pub fn supply(
        self,
        stored: Option<Vec<u8>>,
        peer: &[u8],
        settings: &ServerSettings,
        now: UnixTime,
    ) -> Result<Lookup, ServerRegistrationError> {
        if let Some(outcome) = stored {
            return Ok(Lookup::Before(Frame::stored(outcome)));
        }
        let read = self.read;
        let ttl = settings.offer_ttl.into();
        let cookie = Cookie::open(&settings.secrets.cookie, peer, ttl, &read.cookie, now);
        let cookie = cookie.map_err(ServerRegistrationError::NoSuchOffer)?;
        if (cookie.txn, cookie.offer_id) != (read.txn, read.offer_id) {
            return Err(ServerRegistrationError::NoSuchOffer(OfferFault::OtherRun));
        }
        if cookie.template != template_digest(settings) {
            return Err(ServerRegistrationError::NoSuchOffer(OfferFault::Template));
        }
        let suite = settings.suite(cookie.suite);
        let suite = suite.ok_or(ServerRegistrationError::NoSuchOffer(OfferFault::Suite))?;
        let Unopened { ct, ct_e, core, sealed, bytes, .. } = read;
        let fallback = prf(suite, &settings.secrets.reject, b"halfkey/1 no ssk1", &ct);
        let fallback_e = prf(suite, &settings.secrets.reject, b"halfkey/1 no ss_e", &ct_e);
        let (certificate, ephemeral) = (cookie.certificate, cookie.ephemeral);
        let question = Encapsulated { suite: suite.id(), certificate, ephemeral, ct, ct_e, fallback };
        let digest = self.question.request;
        Ok(Lookup::New(NeedSecrets { question, cookie, suite, fallback_e, core, sealed, bytes, digest }))
    }
}

/// SSK1 and ss_e are to be decapsulated (patent step 140).
#[must_use]
#[derive(Debug)]
pub struct NeedSecrets {
    question: Encapsulated,
    cookie: Cookie,
    suite: &'static dyn Suite,
    fallback_e: Secret,
    core: Vec<u8>,
    sealed: Vec<u8>,
    bytes: Vec<u8>,
    digest: Digest,
}

impl NeedSecrets {
    /// The ciphertexts ([`AuthServer::decapsulate`](crate::port::AuthServer::decapsulate)).
    #[must_use]
    pub const fn wanted(&self) -> &Encapsulated {
        &self.question
    }

    /// The offer that the request was made for.
    #[must_use]
    pub const fn offer(&self) -> &OfferId {
        &self.cookie.offer_id
    }

    /// Takes the secrets and opens the form.
    ///
    /// Whatever does not decapsulate or open is no error here: it goes on like a wrong proof, through
    /// the same questions to an R3 of the same size. Two public facts are the exception: the offer's
    /// ephemeral key is gone, by a restart or by time, so that no answer would ever open; and a
    /// device failed.
    ///
    /// # Errors
    /// [`ServerRegistrationError::NoSuchOffer`] for a key that is gone; [`ServerRegistrationError::AuthServer`] for a
    /// failing device.
    pub fn supply(
        self,
        secrets: Result<Decapsulated, AuthServerError>,
        settings: &ServerSettings,
    ) -> Result<NeedApplicant, ServerRegistrationError> {
        let secrets = match secrets {
            Ok(secrets) => secrets,
            Err(error @ (AuthServerError::Device(_) | AuthServerError::Failed(_))) => {
                return Err(error.into());
            }
            Err(AuthServerError::NoSuchKey) => {
                return Err(ServerRegistrationError::NoSuchOffer(OfferFault::Keys));
            }
            Err(_) => Decapsulated { ssk1: self.question.fallback.clone(), ss_e: self.fallback_e.clone() },
        };
        let suite = self.suite;
        let items = [Item::Transcript(&self.cookie.transcript), Item::Message(&self.core)];
        let th_b = transcript(suite, b"request", items);
        let p_b = derive_from_ssk1(suite, &secrets.ssk1, Ssk1Use::Request, &th_b);
        let envelope = Envelope::new(suite, Ssk1Use::Request, th_b, &p_b, &secrets.ss_e);
        let body = open(&envelope, &self.sealed);
        let read = Read {
            suite,
            cookie: self.cookie,
            request: self.bytes,
            digest: self.digest,
            secrets,
            th_b,
            envelope,
        };
        let opened = body.map(|body| {
            let checked = settings.template.check(&body.form);
            (body, checked)
        });
        Ok(NeedApplicant::new(read, opened))
    }
}

fn open(envelope: &Envelope, sealed: &[u8]) -> Option<RequestBody> {
    let padded = envelope.open(sealed.to_vec()).ok()?;
    let text = padding::unpad(&padded)?;
    if padding::padded_len(text) != Some(padded.len()) {
        return None;
    }
    wire::decode(text, "R2 Request.body", text.len()).ok()
}
