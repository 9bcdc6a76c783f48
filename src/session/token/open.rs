//! S0, S1 and S2: opening, and the proof that answers the challenge.

use super::accept::{AwaitAccept, decode};
use crate::id::KeyId;
use crate::message::{Address, Challenge, ChallengeCore, Open, Response, VERSION};
use crate::policy::{Mode, Modes};
use crate::port::question::Derive;
use crate::random::{Purpose, RandomSource, draw_for};
use crate::record::TokenRegistration;
use crate::secret::Secret;
use crate::session::{RECORDS_PER_KEY, TokenSessionError, keys};
use crate::step::Step;
use crate::suite::{SUITES, Suite};
use crate::wire::{Bytes, Frame, encode};
use alloc::vec::Vec;
use core::fmt;

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
