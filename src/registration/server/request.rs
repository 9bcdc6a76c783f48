//! R2: recover SSK1 (patent step 140).

use super::application::Read;
use super::judge::NeedApplicant;
use super::offer::template_digest;
use crate::id::Digest;
use crate::message::{Outcome, Request, RequestBody, RequestCore};
use crate::port::auth_server::{Decapsulated, Encapsulated};
use crate::port::{AuthServer, AuthServerError, EntitlementStore};
use crate::registration::cookie::Cookie;
use crate::registration::{ServerRegistrationError, padding};
use crate::schedule::{Envelope, Ssk1Use, derive_from_ssk1};
use crate::secret::Secret;
use crate::settings::ServerSettings;
use crate::suite::{Suite, XWING, prf};
use crate::time::UnixTime;
use crate::transcript::{Item, transcript};
use crate::wire::{self, Frame, Message};
use alloc::vec::Vec;

/// R2.
///
/// # Errors
/// [`ServerRegistrationError::Wire`].
pub fn receive_request(bytes: &[u8]) -> Result<NeedStored<'_>, ServerRegistrationError> {
    let request = Request::decode(bytes)?;
    let core = request.read_core()?;
    Ok(NeedStored { bytes, request, core, digest: XWING.hash(&[bytes]) })
}

/// Was this very R2 answered before?
#[must_use]
#[derive(Debug)]
pub struct NeedStored<'b> {
    bytes: &'b [u8],
    request: Request<'b>,
    core: RequestCore<'b>,
    digest: Digest,
}

/// What to do about an R2.
#[must_use]
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one, and it is moved once")]
pub enum Stored<'b> {
    /// It was answered before: send the same bytes again.
    Before(Frame<Outcome<'static>>),
    /// It is new.
    New(NeedSecrets<'b>),
}

impl<'b> NeedStored<'b> {
    /// H(R2), to look up ([`EntitlementStore::outcome`]).
    #[must_use]
    pub const fn wanted(&self) -> &Digest {
        &self.digest
    }

    /// Takes the stored R3, if there is one; otherwise checks the cookie, before any private-key
    /// operation.
    ///
    /// # Errors
    /// [`ServerRegistrationError::NoSuchOffer`] when the cookie is not this server's for this peer, has lapsed,
    /// or the template has changed since.
    pub fn supply(
        self,
        stored: Option<Vec<u8>>,
        peer: &[u8],
        settings: &ServerSettings,
        now: UnixTime,
    ) -> Result<Stored<'b>, ServerRegistrationError> {
        if let Some(outcome) = stored {
            return Ok(Stored::Before(Frame::stored(outcome)));
        }
        let cookie = Cookie::open(&settings.secrets.cookie, peer, &self.core.cookie, now);
        let known = cookie.filter(|cookie| {
            cookie.txn == self.core.txn
                && cookie.offer_id == self.core.offer_id
                && cookie.template == template_digest(settings)
        });
        let cookie = known.ok_or(ServerRegistrationError::NoSuchOffer)?;
        let suite = settings.suite(cookie.suite).ok_or(ServerRegistrationError::NoSuchOffer)?;
        let fallback = prf(suite, &settings.secrets.reject, b"halfkey/1 no ssk1", &self.core.ct);
        let fallback_e = prf(suite, &settings.secrets.reject, b"halfkey/1 no ss_e", &self.core.ct_e);
        Ok(Stored::New(NeedSecrets { read: self, cookie, suite, fallback, fallback_e }))
    }

    /// Asks the store.
    ///
    /// # Errors
    /// [`ServerRegistrationError`], the store's among them.
    pub fn supply_from(
        self,
        store: &dyn EntitlementStore,
        peer: &[u8],
        settings: &ServerSettings,
        now: UnixTime,
    ) -> Result<Stored<'b>, ServerRegistrationError> {
        let stored = store.outcome(self.wanted(), now)?;
        self.supply(stored, peer, settings, now)
    }
}

/// SSK1 and ss_e are to be decapsulated (patent step 140).
#[must_use]
#[derive(Debug)]
pub struct NeedSecrets<'b> {
    read: NeedStored<'b>,
    cookie: Cookie,
    suite: &'static dyn Suite,
    fallback: Secret,
    fallback_e: Secret,
}

impl NeedSecrets<'_> {
    /// The ciphertexts ([`AuthServer::decapsulate`]).
    #[must_use]
    pub fn wanted(&self) -> Encapsulated<'_> {
        Encapsulated {
            suite: self.suite.id(),
            certificate: &self.cookie.certificate,
            ephemeral: &self.cookie.ephemeral,
            ct: &self.read.core.ct,
            ct_e: &self.read.core.ct_e,
            fallback: &self.fallback,
        }
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
            Err(AuthServerError::Device(code)) => return Err(AuthServerError::Device(code).into()),
            Err(AuthServerError::NoSuchKey) => return Err(ServerRegistrationError::NoSuchOffer),
            Err(_) => Decapsulated { ssk1: self.fallback.clone(), ss_e: self.fallback_e.clone() },
        };
        let suite = self.suite;
        let items = [Item::Transcript(&self.cookie.transcript), Item::Message(self.read.request.core.0)];
        let th_b = transcript(suite, b"request", items);
        let p_b = derive_from_ssk1(suite, &secrets.ssk1, Ssk1Use::Request, &th_b);
        let envelope = Envelope::new(suite, Ssk1Use::Request, th_b, &p_b, &secrets.ss_e);
        let body = open(&envelope, &self.read.request.sealed);
        let read = Read {
            suite,
            cookie: self.cookie,
            request: self.read.bytes.to_vec(),
            digest: self.read.digest,
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

    /// Asks the authentication server.
    ///
    /// # Errors
    /// As [`NeedSecrets::supply`].
    pub fn supply_from(
        self,
        server: &dyn AuthServer,
        settings: &ServerSettings,
        now: UnixTime,
    ) -> Result<NeedApplicant, ServerRegistrationError> {
        let secrets = server.decapsulate(&self.wanted(), now);
        self.supply(secrets, settings)
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
