//! The token's judgement of a C1: a rule for each of its fields, and nothing changed by a C1 that breaks one.

use super::apply::{Instruction, NeedApply, c2, version, with_floor};
use crate::configuration::document::{News, content};
use crate::configuration::error::TokenConfigurationError;
use crate::configuration::limit::{FRESH_SECS, MAX_HELD};
use crate::id::ApplicationName;
use crate::message::{Applied, Configuration, ConfigurationSerial, Scope};
use crate::port::entitlement_store::Document;
use crate::record::{HeldConfiguration, TokenRegistration};
use crate::step::Step;
use crate::time::{Period, UnixTime};
use alloc::boxed::Box;

/// Verdict on a C1.
#[derive(Debug)]
#[must_use]
pub enum Verdict {
    /// The held configuration is right, its validity renewed. Store the record, then send C2.
    Unchanged(Step<Applied, Box<TokenRegistration>>),
    /// The client system has something to do.
    Apply(Box<NeedApply>),
    /// Refused: send C2. The record stays as it is.
    Refused(Step<Applied, ConfigurationRejection>),
    /// The server knows nothing of the application: what is held stays. Store the record; there is no C2.
    Unknown(Box<TokenRegistration>),
}

/// Why a configuration is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigurationRejection {
    /// Older than what is held: the server was restored from a backup and its epoch not raised, or somebody
    /// tries to roll the token back.
    RolledBack {
        /// The serial held.
        held: ConfigurationSerial,
        /// The serial that came.
        offered: ConfigurationSerial,
    },
    /// The serial held, and other content: the server says two things under one serial.
    Equivocation {
        /// The serial.
        serial: ConfigurationSerial,
    },
    /// [`MAX_HELD`] applications have a configuration already.
    NoRoom,
}

impl ConfigurationRejection {
    const fn code(self) -> u8 {
        match self {
            Self::RolledBack { .. } => 1,
            Self::Equivocation { .. } => 2,
            Self::NoRoom => 4,
        }
    }
}

/// Judges a C1; `sent` is when its C0 left, `None` for a push.
pub(super) fn judge(
    c1: &Configuration<'_>,
    registration: &TokenRegistration,
    sent: Option<UnixTime>,
    now: UnixTime,
) -> Result<Verdict, TokenConfigurationError> {
    let Scope { user_id, server_name, application } = &c1.scope;
    if *user_id != registration.user_id || *server_name != registration.server_name {
        return Err(TokenConfigurationError::WrongScope);
    }
    let floor = clock_floor(registration, c1.server_time, sent, now);
    let Some(content) = content(c1)? else {
        return Ok(Verdict::Unknown(Box::new(with_floor(registration, floor))));
    };
    if !content.digest_fits() {
        return Err(TokenConfigurationError::WrongDigest);
    }
    let offered = content.version;
    let valid = valid(content.valid_for, sent, now);
    let send = |code| c2(c1.request_id, application, offered.serial, code);
    let refuse =
        |why: ConfigurationRejection| Ok(Verdict::Refused(Step { send: send(why.code()), next: why }));
    let before = registration.configuration(application).map(version);
    match before {
        Some(held) if offered == held => {
            let next = Box::new(renewed(registration, application, valid, floor));
            return Ok(Verdict::Unchanged(Step { send: send(0), next }));
        }
        Some(held) if offered.serial < held.serial => {
            return refuse(ConfigurationRejection::RolledBack { held: held.serial, offered: offered.serial });
        }
        Some(held) if offered.serial == held.serial => {
            return refuse(ConfigurationRejection::Equivocation { serial: held.serial });
        }
        Some(_) | None => {}
    }
    let instruction = match content.news {
        News::Unchanged => return Err(TokenConfigurationError::NotHeld),
        _ if before.is_none() && registration.configurations.len() >= MAX_HELD => {
            return refuse(ConfigurationRejection::NoRoom);
        }
        News::Revoked => Instruction::Remove,
        News::Document { media_type, body } => {
            Instruction::Install(Document { media_type: media_type.into(), body: body.into() })
        }
    };
    let held = HeldConfiguration {
        application: application.clone(),
        serial: offered.serial,
        digest: offered.digest,
        valid,
        floor,
        revoked: instruction == Instruction::Remove,
    };
    let (key_id, request_id) = (registration.key_id, c1.request_id);
    Ok(Verdict::Apply(Box::new(NeedApply { key_id, request_id, instruction, held, before, floor })))
}

/// The server's time counts from a prompt answer alone: not from a push, nor where the token's own clock
/// went backwards meanwhile. It only ever raises the floor, and not beyond what can be: a server whose
/// certificate has ended has none to offer, so a later time is an error, also where the token's own clock agrees:
/// what both were once wrong about would refuse every certificate for good.
fn clock_floor(
    registration: &TokenRegistration,
    server_time: u64,
    sent: Option<UnixTime>,
    now: UnixTime,
) -> UnixTime {
    let prompt = sent.is_some_and(|sent| sent <= now && now.since(sent) <= FRESH_SECS);
    let told = if prompt { UnixTime::from_secs(server_time) } else { UnixTime::default() };
    registration.clock_floor.max(told.min(registration.certificate_end))
}

/// Validity counts from the question, or from the arrival of a push, on the token's own clock.
fn valid(valid_for: Option<u32>, sent: Option<UnixTime>, now: UnixTime) -> Option<Period> {
    let begin = sent.unwrap_or(now).min(now);
    valid_for.map(|seconds| Period::new(begin, seconds.into()))
}

fn renewed(
    registration: &TokenRegistration,
    application: &ApplicationName,
    valid: Option<Period>,
    floor: UnixTime,
) -> TokenRegistration {
    let mut record = with_floor(registration, floor);
    let held = record.configurations.iter_mut().find(|held| held.application == *application);
    if let Some(held) = held.filter(|held| !held.revoked) {
        held.valid = valid;
        held.floor = floor;
    }
    record
}
