//! S3: the server's proof, and the session.

use crate::id::{Alias, KeyId};
use crate::message::{Accept, StatusMessage};
use crate::policy::Mode;
use crate::port::entitlement_store::Status;
use crate::port::question::Derive;
use crate::record::{self, TokenRegistration};
use crate::secret::Secret;
use crate::session::TokenSessionError;
use crate::session::channel::Channel;
use crate::session::keys::{self, SessionKeys};
use crate::step::ErrorReason;
use crate::suite::Suite;
use crate::wire::{Message, Problem, WireError};
use alloc::vec::Vec;
use subtle::ConstantTimeEq;

/// Decodes a message, or the refusal that came in its place.
pub(super) fn decode<'b, M: Message<'b>>(bytes: &'b [u8]) -> Result<M, TokenSessionError> {
    M::decode(bytes).map_err(|error| {
        ErrorReason::read(bytes).map_or(TokenSessionError::Wire(error), TokenSessionError::Refused)
    })
}

/// Has sent S2 and awaits S3. Nothing else may be sent before that.
#[must_use = "the server will answer"]
pub struct AwaitAccept {
    pub(super) suite: &'static dyn Suite,
    pub(super) mode: Mode,
    pub(super) key_id: KeyId,
    pub(super) tag_c: [u8; 32],
    pub(super) sk_e: Option<Secret>,
}

impl AwaitAccept {
    /// Receives S3 and opens the server's contribution to the session's key.
    ///
    /// # Errors
    /// [`TokenSessionError::Wire`], [`TokenSessionError::Kem`] or [`TokenSessionError::Refused`].
    pub fn receive_accept(self, bytes: &[u8]) -> Result<NeedSeed, TokenSessionError> {
        let Self { suite, mode, key_id, tag_c, sk_e } = self;
        let accept: Accept<'_> = decode(bytes)?;
        let (contribution, ss_e) = match sk_e {
            Some(private) => {
                let ss_e = suite.kem().decapsulate(&private, &accept.x)?;
                (keys::contribution(suite, &accept.x), Some(ss_e))
            }
            None => {
                let x = <[u8; 32]>::try_from(accept.x.0);
                (x.map_err(|_| wrong("S3 Accept", "x", Problem::TooLong))?, None)
            }
        };
        Ok(NeedSeed {
            question: Derive { key_id, key_use: keys::session(&tag_c, &contribution) },
            suite,
            mode,
            ss_e,
            tag_s: accept.tag_s,
            record: accept.record.to_vec(),
        })
    }
}

fn wrong(message: &'static str, field: &'static str, problem: Problem) -> TokenSessionError {
    WireError { message, field, problem }.into()
}

/// Wants d from the token: the shared key's part of the session's key (patent step 340).
#[must_use = "the session is not open yet"]
pub struct NeedSeed {
    question: Derive,
    suite: &'static dyn Suite,
    mode: Mode,
    ss_e: Option<Secret>,
    tag_s: [u8; 32],
    record: Vec<u8>,
}

impl NeedSeed {
    /// The question: d.
    #[must_use]
    pub const fn wanted(&self) -> &Derive {
        &self.question
    }

    /// Checks with the answer that the server knows the session's key (patent step 350), and reads
    /// how the registration stands.
    ///
    /// # Errors
    /// [`TokenSessionError::WrongProof`], [`TokenSessionError::Channel`] or [`TokenSessionError::Wire`].
    pub fn supply(self, d: &Secret) -> Result<SessionOutcome, TokenSessionError> {
        let Self { suite, mode, ss_e, tag_s, record, .. } = self;
        let ses = SessionKeys::derive(suite, d, ss_e.as_ref());
        if !bool::from(ses.tag_s.ct_eq(&tag_s)) {
            return Err(TokenSessionError::WrongProof);
        }
        let mut channel = Channel::of_token(suite, ses);
        let status = channel.open_status(&record)?;
        let status: StatusMessage = StatusMessage::decode(&status)?;
        match (Status::from_code(status.status), status.alias) {
            (None, _) => Err(wrong("Status", "status", Problem::OutOfRange)),
            (Some(Status::Active), alias) => Ok(SessionOutcome::Session(Session { channel, mode, alias })),
            (Some(_), Some(_)) => Err(wrong("Status", "alias", Problem::UnexpectedKey)),
            (Some(status), None) => Ok(SessionOutcome::NotActive(status)),
        }
    }
}

/// Outcome of S3, as the server has proved it.
#[must_use]
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one, it is moved once, and most are sessions")]
pub enum SessionOutcome {
    /// The session is open.
    Session(Session),
    /// It is not, and why. After [`Status::Lost`] the key is of no use any more: remove it with
    /// [`Token::remove`](crate::port::Token::remove), and go on with the one that it was to replace. The others are
    /// remembered ([`TokenRegistration::not_active`]), and may pass.
    NotActive(Status),
}

/// The token's end of a session.
#[must_use]
#[derive(Debug)]
pub struct Session {
    /// The channel.
    pub channel: Channel,
    /// How the session's key was made.
    pub mode: Mode,
    alias: Option<Alias>,
}

impl Session {
    /// Writes down what the session says of its registration, for [`Token::update`](crate::port::Token::update): that both
    /// sides have proved the key, and the alias to come back with. Store it before the first record
    /// is sent; the server goes on knowing the old alias until then.
    ///
    /// Returns false where it says nothing new: then there is nothing to store.
    pub fn note(&self, registration: &mut TokenRegistration) -> bool {
        let news = registration.progress != record::Progress::Active
            || registration.not_active.is_some()
            || self.alias.is_some_and(|alias| registration.alias != Some(alias));
        registration.progress = record::Progress::Active;
        registration.not_active = None;
        if self.alias.is_some() {
            registration.alias = self.alias;
        }
        news
    }
}
