//! The server's side of a session: S0 in, S1 out, S2 in, S3 out.
//!
//! An address that nobody has is no error here. It gets a decoy, the decoy gets a challenge, and
//! fails like any wrong proof. Only who proves a key costs the store a write.

use super::ServerSessionError;
use super::channel::{Channel, ChannelError};
use super::decoy::{Claimant, Person};
use super::keys::{self, SessionKeys};
use crate::id::{AccessPath, Alias, Digest, KeyId, UserId};
use crate::message::{Accept, Address, Challenge, ChallengeCore, Open, Response, StatusMessage, VERSION};
use crate::policy::Mode;
use crate::port::entitlement_store::{Admission, Admitted, Status};
use crate::port::question::{Admit, FindRegistration};
use crate::random::{Purpose, RandomSource, draw_for};
use crate::record::{Lifecycle, ServerRegistration};
use crate::schedule::{KeySet, KeyUse};
use crate::secret::Secret;
use crate::settings::ServerSettings;
use crate::step::Step;
use crate::suite::Suite;
use crate::time::{Period, UnixTime};
use crate::wire::{Bytes, Codes, Frame, Message, Problem, WireError, encode};
use alloc::vec::Vec;
use subtle::ConstantTimeEq;

/// Seconds for which a challenge may be answered.
pub const CHALLENGE_SECS: u64 = 60;

/// Tells whether the time of a challenge is over that ends at `lapses`.
pub(super) const fn has_lapsed(lapses: UnixTime, now: UnixTime) -> bool {
    Period::until(lapses, CHALLENGE_SECS).is_over(now)
}

/// Receives S0.
///
/// # Errors
/// [`ServerSessionError::Wire`], [`ServerSessionError::Version`], [`ServerSessionError::OtherServer`] or
/// [`ServerSessionError::Suite`] for a suite that this server does not have.
pub fn receive_open(bytes: &[u8], settings: &ServerSettings) -> Result<NeedRegistration, ServerSessionError> {
    let open: Open<'_> = Message::decode(bytes)?;
    if open.version != VERSION {
        return Err(ServerSessionError::Version(open.version));
    }
    if open.server_name != settings.name {
        return Err(ServerSessionError::OtherServer);
    }
    let suite = settings.suite(open.suite).ok_or(ServerSessionError::Suite(open.suite))?;
    Ok(NeedRegistration {
        suite,
        decoy: Claimant::decoy(settings),
        question: FindRegistration { address: open.address },
        modes: open.modes,
        open: bytes.to_vec(),
    })
}

/// Wants the registration that S0 names.
#[must_use = "the token waits for S1"]
pub struct NeedRegistration {
    suite: &'static dyn Suite,
    question: FindRegistration,
    modes: Codes,
    decoy: Claimant,
    open: Vec<u8>,
}

impl NeedRegistration {
    /// The address to look up.
    #[must_use]
    pub const fn wanted(&self) -> &FindRegistration {
        &self.question
    }

    /// Goes on with what the store holds under the address, in whatever state of its life, or with
    /// nothing. Draws N_s.
    ///
    /// # Errors
    /// [`ServerSessionError::Suite`] or [`ServerSessionError::Mode`] when the registration's policy allows
    /// nothing of what S0 offers.
    pub fn supply(
        self,
        registered: Option<ServerRegistration>,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<Step<Challenge<'static>, AwaitResponse>, ServerSessionError> {
        let (core, next) = self.challenge(registered, now, random)?;
        let challenge = Challenge { core: Bytes(&core), cookie: None };
        Ok(Step { send: Frame::stored(encode(&challenge)), next })
    }

    /// The core of S1, and the state after it.
    pub(super) fn challenge(
        self,
        registered: Option<ServerRegistration>,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<(Vec<u8>, AwaitResponse), ServerSessionError> {
        let Self { suite, question: FindRegistration { address }, modes, decoy, open } = self;
        let claimant = decoy.or(registered);
        if !claimant.policy.suites.contains(suite.id()) {
            return Err(ServerSessionError::Suite(suite.id().code()));
        }
        let mode = claimant.policy.modes.best_in(&modes).ok_or(ServerSessionError::Mode)?;
        let core = ChallengeCore {
            version: VERSION,
            mode: mode.code(),
            n_s: draw_for(random, Purpose::ServerChallenge),
            ext: None,
        };
        let core = encode(&core);
        let transcript = keys::challenge(suite, &open, &core);
        let lapses = now.after(CHALLENGE_SECS);
        Ok((
            core,
            AwaitResponse { suite, mode, address, claimant, transcript, lapses, parked: Parked::Never },
        ))
    }
}

/// Place of a challenge between S1 and S2.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parked {
    /// It never left this memory, so it is good for one use as it is.
    Never,
    /// With the server; S2 carries no cookie.
    Recoverable([u8; 16]),
    /// In S1, so S2 must carry it.
    Cookie([u8; 16]),
}

/// Has sent S1 and awaits S2, for at most [`CHALLENGE_SECS`] seconds.
#[must_use = "the token will answer"]
pub struct AwaitResponse {
    pub(super) suite: &'static dyn Suite,
    pub(super) mode: Mode,
    pub(super) address: Address,
    pub(super) claimant: Claimant,
    /// thC.
    pub(super) transcript: Digest,
    pub(super) lapses: UnixTime,
    pub(super) parked: Parked,
}

impl AwaitResponse {
    /// Receives S2 and checks the proof before anything else is done with it. Draws what makes the
    /// session's key this server's too: the KEM's randomness, or 32 fresh bytes in mode `psk`.
    ///
    /// # Errors
    /// [`ServerSessionError::Lapsed`], [`ServerSessionError::Wire`], [`ServerSessionError::WrongProof`] or
    /// [`ServerSessionError::Kem`].
    pub fn receive_response(
        self,
        bytes: &[u8],
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<NeedAdmission, ServerSessionError> {
        let Self { suite, mode, address, claimant, transcript, lapses, parked } = self;
        if has_lapsed(lapses, now) {
            return Err(ServerSessionError::Lapsed);
        }
        let response: Response<'_> = Message::decode(bytes)?;
        if response.cookie.is_some() != matches!(parked, Parked::Cookie(_)) {
            return Err(misplaced("cookie", response.cookie.is_some()));
        }
        if response.pk_e.is_some() != (mode == Mode::PskKem) {
            return Err(misplaced("pk_e", response.pk_e.is_some()));
        }
        let pk_e = response.pk_e.map(|pk_e| pk_e.0);

        let asked = keys::response(suite, &transcript, &response.n_c, pk_e);
        let expected = claimant.keys.derive(suite, &asked);
        let proved = bool::from(expected.expose().ct_eq(&response.tag_c));
        let person = match (proved, claimant.person) {
            (true, Some(person)) => person,
            (false, Some(_)) => return Err(ServerSessionError::WrongProof),
            (_, None) => return Err(ServerSessionError::UnknownKey),
        };

        let (x, contribution, ss_e) = match pk_e {
            None => {
                let x = draw_for::<32>(random, Purpose::Contribution);
                (x.to_vec(), x, None)
            }
            Some(pk_e) => {
                let (x, ss_e) = suite.kem().encapsulate(pk_e, random)?;
                let contribution = keys::contribution(suite, &x);
                (x, contribution, Some(ss_e))
            }
        };
        let spend = match parked {
            Parked::Never => None,
            Parked::Recoverable(id) | Parked::Cookie(id) => Some((id, lapses)),
        };
        Ok(NeedAdmission {
            suite,
            mode,
            asked: keys::session(&response.tag_c, &contribution),
            keys: claimant.keys,
            question: Admit {
                admission: Admission {
                    key_id: person.key_id,
                    address,
                    next_alias: Alias(draw_for(random, Purpose::Alias)),
                    spend,
                },
            },
            person,
            ss_e,
            x,
        })
    }
}

/// A field of S2 that is there and should not be, or the other way round.
fn misplaced(field: &'static str, present: bool) -> ServerSessionError {
    let problem = if present { Problem::UnexpectedKey } else { Problem::Missing };
    WireError { message: "S2 Response", field, problem }.into()
}

/// Has verified S2 and wants the store to let the session in.
#[must_use = "the token waits for S3"]
pub struct NeedAdmission {
    suite: &'static dyn Suite,
    mode: Mode,
    keys: KeySet,
    person: Person,
    /// d.
    asked: KeyUse,
    ss_e: Option<Secret>,
    x: Vec<u8>,
    question: Admit,
}

impl NeedAdmission {
    /// The question: a session to admit ([`EntitlementStore::admit`](crate::port::EntitlementStore::admit)).
    #[must_use]
    pub const fn wanted(&self) -> &Admit {
        &self.question
    }

    /// Goes on with the store's answer. S3 says how the registration stands; it opens a channel only
    /// when that is in order.
    ///
    /// # Errors
    /// [`ServerSessionError::Spent`].
    pub fn supply(
        self,
        admitted: Admitted,
        now: UnixTime,
    ) -> Result<Step<Accept<'static>, Entry>, ServerSessionError> {
        let Self { suite, mode, keys, person, asked, ss_e, x, question: Admit { admission } } = self;
        let status = match admitted {
            Admitted::Spent => return Err(ServerSessionError::Spent),
            Admitted::As(Status::Active) if person.expires.is_some_and(|at| at <= now) => Status::Expired,
            Admitted::As(status) => status,
        };
        let d = keys.derive(suite, &asked);
        let ses = SessionKeys::derive(suite, &d, ss_e.as_ref());
        let tag_s = ses.tag_s;
        let mut channel = Channel::of_server(suite, ses);
        let alias = (status == Status::Active).then_some(admission.next_alias);
        let record = channel.seal_status(&encode(&StatusMessage { status: status.code(), alias }))?;
        let accept = Accept { x: Bytes(&x), tag_s, record: Bytes(&record) };
        let send = Frame::stored(encode(&accept));

        let Person { key_id, user_id, access_path, .. } = person;
        let next = if status == Status::Active {
            let address = admission.address;
            Entry::Session(Established { key_id, user_id, access_path, address, mode, channel, heard: false })
        } else {
            Entry::NotActive { key_id, status }
        };
        Ok(Step { send, next })
    }
}

/// Outcome for a proven key.
#[must_use]
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one, it is moved once, and most are sessions")]
pub enum Entry {
    /// A session.
    Session(Established),
    /// An S3 that says why not, and nothing else.
    NotActive {
        /// The key.
        key_id: KeyId,
        /// How its registration stands; never `Active`.
        status: Status,
    },
}

/// Returns how a registration stands, as the store holds it; one that it does not hold any more is revoked.
pub(crate) fn status(registration: Option<&ServerRegistration>, now: UnixTime) -> Status {
    let Some(registration) = registration else { return Status::Revoked };
    match registration.lifecycle {
        Lifecycle::Active if registration.expires.is_some_and(|expires| expires <= now) => Status::Expired,
        Lifecycle::Active => Status::Active,
        Lifecycle::Superseded => Status::Expired,
        Lifecycle::Suspended => Status::Suspended,
        Lifecycle::Revoked => Status::Revoked,
        Lifecycle::Pending { .. } | Lifecycle::Lost => Status::Lost,
    }
}

/// The server's end of a session.
#[must_use]
#[derive(Debug)]
pub struct Established {
    /// The key that was proved.
    pub key_id: KeyId,
    /// User of the key.
    pub user_id: UserId,
    /// Where the user's entitlements begin.
    pub access_path: AccessPath,
    /// How S0 named the registration.
    pub address: Address,
    /// How the session's key was made.
    pub mode: Mode,
    /// The channel; the server may send at once after S3.
    pub channel: Channel,
    heard: bool,
}

impl Established {
    /// What to tell the store with [`EntitlementStore::confirm_alias`](crate::port::EntitlementStore::confirm_alias): once, after the first record of the
    /// token's has opened, for only then is it certain that S3 arrived.
    #[must_use]
    pub fn heard(&mut self) -> Option<(KeyId, Address)> {
        let first = self.channel.has_heard() && !self.heard;
        self.heard |= first;
        first.then_some((self.key_id, self.address))
    }

    /// Makes the record that ends the session and says how the registration stands. Nothing is sent after it.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] where this side has closed already; another
    /// [`ChannelError`].
    pub fn end(&mut self, status: Status) -> Result<Vec<u8>, ChannelError> {
        self.channel.seal_status(&encode(&StatusMessage { status: status.code(), alias: None }))
    }
}
