//! S0, S1 and S2: a challenge, and the proof that answers it.

use super::admit::NeedAdmission;
use super::decoy::Claimant;
use crate::id::{Alias, Digest};
use crate::message::{Address, Challenge, ChallengeCore, Open, Response, VERSION};
use crate::policy::Mode;
use crate::port::entitlement_store::Admission;
use crate::port::question::{Admit, FindRegistration};
use crate::random::{Purpose, RandomSource, draw_for};
use crate::record::ServerRegistration;
use crate::session::{ServerSessionError, keys};
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
                admission: Admission::new(
                    person.key_id,
                    address,
                    Alias(draw_for(random, Purpose::Alias)),
                    spend,
                ),
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
