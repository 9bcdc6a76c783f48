//! A server's challenge outside its memory: in S1 as a cookie, or kept elsewhere between two requests.
//!
//! Parked bytes are `CBOR{id, address, thC, suite, mode, lapses, in_cookie} ‖ HMAC`, at most 256 bytes. They
//! hold no secret, so whoever reads them learns nothing; they are authenticated, so nobody makes or
//! changes them; and they let in one session, ever, because the store spends their id when it
//! admits. Any replica with the same settings can go on with them. A copy of a parked challenge and
//! of the S2 that answers it, used before the honest one, costs the token that attempt and gains a
//! session that nobody can read: every S3 is made with fresh input of the server's.

use super::challenge::{AwaitResponse, NeedRegistration, Parked, has_lapsed};
use super::decoy::Claimant;
use crate::hash;
use crate::id::Digest;
use crate::message::{Address, Challenge, Response};
use crate::policy::Mode;
use crate::port::question::FindRegistration;
use crate::random::{Purpose, RandomSource, draw_for};
use crate::record::ServerRegistration;
use crate::session::ServerSessionError;
use crate::settings::ServerSettings;
use crate::suite::Suite;
use crate::time::UnixTime;
use crate::transcript::label;
use crate::wire::{Bytes, Frame, Message, encode, map};
use alloc::vec::Vec;
use subtle::ConstantTimeEq;

map! {
    /// Contents of a parked challenge.
    struct Ticket, "parked challenge" {
        1 => id: [u8; 16],
        2 => address: Address,
        3 => transcript: Digest,
        4 => suite: u16,
        5 => mode: u16,
        6 => lapses: u64,
        7 => in_cookie: bool,
    }
}

impl NeedRegistration {
    /// [`NeedRegistration::supply`] for a server that keeps nothing: S1 carries the challenge as a
    /// cookie, S2 brings it back to [`resume_from_response`].
    ///
    /// # Errors
    /// Those of [`NeedRegistration::supply`].
    pub fn supply_with_cookie(
        self,
        registered: Option<ServerRegistration>,
        now: UnixTime,
        settings: &ServerSettings,
        random: &mut dyn RandomSource,
    ) -> Result<Frame<Challenge<'static>>, ServerSessionError> {
        let (core, state) = self.challenge(registered, now, random)?;
        let state = AwaitResponse { parked: Parked::Cookie(draw_for(random, Purpose::ChallengeId)), ..state };
        let cookie = state.park(settings, random);
        Ok(Frame::stored(encode(&Challenge { core: Bytes(&core), cookie: Some(Bytes(&cookie)) })))
    }
}

impl AwaitResponse {
    /// The challenge as bytes, to keep anywhere until S2 arrives: [`resume`] takes them back, here
    /// or on another machine.
    #[must_use]
    pub fn park(self, settings: &ServerSettings, random: &mut dyn RandomSource) -> Vec<u8> {
        // Parked again, it stays the same challenge: good for one use in all.
        let (id, in_cookie) = match self.parked {
            Parked::Never => (draw_for(random, Purpose::ChallengeId), false),
            Parked::Recoverable(id) => (id, false),
            Parked::Cookie(id) => (id, true),
        };
        let mut parked = encode(&Ticket {
            id,
            address: self.address,
            transcript: self.transcript,
            suite: self.suite.id().code(),
            mode: self.mode.code(),
            lapses: self.lapses.as_secs(),
            in_cookie,
        });
        let tag = tag(settings, &parked);
        parked.extend_from_slice(&tag);
        parked
    }
}

/// Goes on with what [`AwaitResponse::park`] gave.
///
/// # Errors
/// [`ServerSessionError::NotParked`] for anything else, [`ServerSessionError::Lapsed`].
pub fn resume(
    parked: &[u8],
    settings: &ServerSettings,
    now: UnixTime,
) -> Result<NeedRegistrationAgain, ServerSessionError> {
    take_up(parked, settings, now)
}

/// Goes on with the cookie that S2 brings back. S2 itself goes, as ever, to
/// [`AwaitResponse::receive_response`].
///
/// # Errors
/// [`ServerSessionError::Wire`] for what is no S2, [`ServerSessionError::NotParked`] for one without a cookie
/// of this server's, [`ServerSessionError::Lapsed`].
pub fn resume_from_response(
    response: &[u8],
    settings: &ServerSettings,
    now: UnixTime,
) -> Result<NeedRegistrationAgain, ServerSessionError> {
    let response: Response<'_> = Message::decode(response)?;
    let cookie = response.cookie.ok_or(ServerSessionError::NotParked)?;
    take_up(&cookie, settings, now)
}

fn take_up(
    parked: &[u8],
    settings: &ServerSettings,
    now: UnixTime,
) -> Result<NeedRegistrationAgain, ServerSessionError> {
    let (ticket, seal) = parked.split_last_chunk::<32>().ok_or(ServerSessionError::NotParked)?;
    if !bool::from(tag(settings, ticket).ct_eq(seal)) {
        return Err(ServerSessionError::NotParked);
    }
    let ticket: Ticket = crate::wire::decode(ticket, "parked challenge", 256)?;
    let lapses = UnixTime::from_secs(ticket.lapses);
    if has_lapsed(lapses, now) {
        return Err(ServerSessionError::Lapsed);
    }
    Ok(NeedRegistrationAgain {
        suite: settings.suite(ticket.suite).ok_or(ServerSessionError::Suite(ticket.suite))?,
        mode: Mode::from_code(ticket.mode).ok_or(ServerSessionError::Mode)?,
        decoy: Claimant::decoy(settings),
        question: FindRegistration { address: ticket.address },
        transcript: ticket.transcript,
        lapses,
        parked: if ticket.in_cookie { Parked::Cookie(ticket.id) } else { Parked::Recoverable(ticket.id) },
    })
}

/// Bound to the server's name, for settings of several servers may share one master secret.
fn tag(settings: &ServerSettings, ticket: &[u8]) -> [u8; 32] {
    hash::hmac(&settings.secrets.park, &[label::PARK, &[0], settings.name.as_str().as_bytes(), &[0], ticket])
}

/// Wants the registration of a parked challenge again, as it is now.
#[must_use = "the token waits for S3"]
pub struct NeedRegistrationAgain {
    suite: &'static dyn Suite,
    mode: Mode,
    question: FindRegistration,
    decoy: Claimant,
    transcript: Digest,
    lapses: UnixTime,
    parked: Parked,
}

impl NeedRegistrationAgain {
    /// The address to look up.
    #[must_use]
    pub const fn wanted(&self) -> &FindRegistration {
        &self.question
    }

    /// Goes on with what the store holds under the address.
    ///
    /// # Errors
    /// [`ServerSessionError::Suite`] or [`ServerSessionError::Mode`] when the policy no longer allows what S1
    /// chose.
    pub fn supply(self, registered: Option<ServerRegistration>) -> Result<AwaitResponse, ServerSessionError> {
        let Self { suite, mode, question: FindRegistration { address }, decoy, transcript, lapses, parked } =
            self;
        let claimant = decoy.or(registered);
        if !claimant.policy.suites.contains(suite.id()) {
            return Err(ServerSessionError::Suite(suite.id().code()));
        }
        if !claimant.policy.modes.allows(mode) {
            return Err(ServerSessionError::Mode);
        }
        Ok(AwaitResponse { suite, mode, address, claimant, transcript, lapses, parked })
    }
}
