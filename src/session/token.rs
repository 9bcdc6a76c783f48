//! The token's side of a session: S0 out, S1 in, S2 out, S3 in.
//!
//! The key itself is asked two things, and both answers come from the [`Token`](crate::port::Token): tag_c and d.

use super::channel::Channel;
use super::keys::{self, SessionKeys};
use super::{RECORDS_PER_KEY, TokenSessionError};
use crate::id::{Alias, KeyId};
use crate::message::{Accept, Address, Challenge, ChallengeCore, Open, Response, StatusMessage, VERSION};
use crate::policy::{Mode, Modes};
use crate::port::entitlement_store::Status;
use crate::port::question::Derive;
use crate::random::{Purpose, RandomSource, draw_for};
use crate::record::{self, TokenRegistration};
use crate::secret::Secret;
use crate::step::{ErrorReason, Step};
use crate::suite::{SUITES, Suite};
use crate::wire::{Bytes, Frame, Message, Problem, WireError, encode};
use alloc::vec::Vec;
use core::fmt;
use subtle::ConstantTimeEq;

/// Decodes a message, or the refusal that came in its place.
fn decode<'b, M: Message<'b>>(bytes: &'b [u8]) -> Result<M, TokenSessionError> {
    M::decode(bytes).map_err(|error| {
        ErrorReason::read(bytes).map_or(TokenSessionError::Wire(error), TokenSessionError::Refused)
    })
}

/// Choices of a token, within the policy of the registration.
#[derive(Clone, Copy)]
pub struct Options {
    /// The suites whose code is at hand. Default: all of this crate's.
    pub suites: &'static [&'static dyn Suite],
    /// The modes. Default: all.
    pub modes: Modes,
    /// Go by the key id although there is an alias: what is left when the alias was refused.
    /// Sessions opened so can be linked. Default: no.
    pub by_key_id: bool,
    /// Records after which the token renews its key. Default: 2^24 − 1, the most there may be.
    pub rekey_after: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { suites: SUITES, modes: Modes::all(), by_key_id: false, rekey_after: RECORDS_PER_KEY }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.suites.iter().map(|suite| suite.id())).entries(self.modes.iter()).finish()
    }
}

/// Makes S0: the best suite allowed, every mode allowed, and the alias if there is one.
///
/// # Errors
/// [`TokenSessionError::NothingToOffer`], [`TokenSessionError::AliasRequired`].
pub fn open(
    registration: &TokenRegistration,
    options: &Options,
) -> Result<Step<Open<'static>, AwaitChallenge>, TokenSessionError> {
    let policy = &registration.policy;
    let allowed = options.suites.iter().copied().filter(|suite| policy.suites.contains(suite.id()));
    let suite = allowed.max_by_key(|suite| suite.id()).ok_or(TokenSessionError::NothingToOffer)?;
    let modes = policy.modes.iter().filter(|mode| options.modes.allows(*mode));
    let modes = Modes::of(modes).ok_or(TokenSessionError::NothingToOffer)?;
    let address = match registration.alias {
        Some(_) if options.by_key_id && !policy.allow_key_id => return Err(TokenSessionError::AliasRequired),
        Some(alias) if !options.by_key_id => Address::Alias(alias),
        _ => Address::Key(registration.key_id),
    };
    let open = encode(&Open {
        version: VERSION,
        suite: suite.id().code(),
        modes: *modes.codes(),
        address,
        server_name: registration.server_name.clone(),
        ext: None,
    });
    let next = AwaitChallenge { suite, modes, key_id: registration.key_id, open: open.clone() };
    Ok(Step { send: Frame::stored(open), next })
}

/// Has sent S0 and awaits S1.
#[must_use = "the server will answer"]
pub struct AwaitChallenge {
    suite: &'static dyn Suite,
    modes: Modes,
    key_id: KeyId,
    open: Vec<u8>,
}

impl AwaitChallenge {
    /// Receives S1. Draws N_c and, in mode `psk-kem`, a KEM key for this session alone.
    ///
    /// # Errors
    /// [`TokenSessionError::Wire`], [`TokenSessionError::Version`], [`TokenSessionError::Mode`] or
    /// [`TokenSessionError::Refused`].
    pub fn receive_challenge(
        self,
        bytes: &[u8],
        random: &mut dyn RandomSource,
    ) -> Result<NeedResponse, TokenSessionError> {
        let Self { suite, modes, key_id, open } = self;
        let challenge: Challenge<'_> = decode(bytes)?;
        let core: ChallengeCore<'_> =
            crate::wire::decode(&challenge.core, "S1 Challenge.core", challenge.core.len())?;
        if core.version != VERSION {
            return Err(TokenSessionError::Version(core.version));
        }
        // The modes offered are among those that the stored policy allows.
        let mode =
            Mode::from_code(core.mode).filter(|mode| modes.allows(*mode)).ok_or(TokenSessionError::Mode)?;
        let th_c = keys::challenge(suite, &open, &challenge.core);

        let n_c = draw_for(random, Purpose::TokenChallenge);
        let (sk_e, pk_e) = match mode {
            Mode::Psk => (None, None),
            Mode::PskKem => {
                let (private, public) = suite.kem().generate(random);
                (Some(private), Some(public))
            }
        };
        let cookie = challenge.cookie.map(|cookie| cookie.to_vec());
        let question = Derive { key_id, key_use: keys::response(suite, &th_c, &n_c, pk_e.as_deref()) };
        Ok(NeedResponse { question, suite, mode, n_c, sk_e, pk_e, cookie })
    }
}

/// Wants tag_c from the token (patent step 320).
#[must_use = "the server waits for S2"]
pub struct NeedResponse {
    question: Derive,
    suite: &'static dyn Suite,
    mode: Mode,
    n_c: [u8; 32],
    sk_e: Option<Secret>,
    pk_e: Option<Vec<u8>>,
    cookie: Option<Vec<u8>>,
}

impl NeedResponse {
    /// The question: tag_c of S2.
    #[must_use]
    pub const fn wanted(&self) -> &Derive {
        &self.question
    }

    /// Makes S2 of the answer.
    pub fn supply(self, tag_c: &Secret) -> Step<Response<'static>, AwaitAccept> {
        let Self { question: Derive { key_id, .. }, suite, mode, n_c, sk_e, pk_e, cookie } = self;
        let tag_c = *tag_c.expose();
        let response =
            Response { n_c, pk_e: pk_e.as_deref().map(Bytes), tag_c, cookie: cookie.as_deref().map(Bytes) };
        let send = Frame::stored(encode(&response));
        Step { send, next: AwaitAccept { suite, mode, key_id, tag_c, sk_e } }
    }
}

/// Has sent S2 and awaits S3. Nothing else may be sent before that.
#[must_use = "the server will answer"]
pub struct AwaitAccept {
    suite: &'static dyn Suite,
    mode: Mode,
    key_id: KeyId,
    tag_c: [u8; 32],
    sk_e: Option<Secret>,
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
    pub const fn note(&self, registration: &mut TokenRegistration) {
        registration.progress = record::Progress::Active;
        registration.not_active = None;
        if self.alias.is_some() {
            registration.alias = self.alias;
        }
    }
}
