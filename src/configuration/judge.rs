//! What a token makes of a C1: a rule for each of its fields, and nothing changed by what breaks one.

use super::apply::{Instruction, NeedApply};
use super::document::{Content, content};
use super::error::TokenSideError;
use super::{FRESH, MAX_HELD};
use crate::id::Application;
use crate::message::{Applied, Configuration, Held, Scope, Serial};
use crate::port::entitlement_store::Document;
use crate::record::{HeldConfiguration, Registration};
use crate::step::Step;
use crate::time::UnixTime;
use crate::wire::{Frame, Message};
use alloc::boxed::Box;

/// What is to be done about a C1.
#[derive(Debug)]
#[must_use]
pub enum Verdict {
    /// What is held is right, its validity renewed. Store the record, then send C2.
    Unchanged(Step<Applied, Box<Registration>>),
    /// The client system has something to do.
    Apply(Box<NeedApply>),
    /// Refused: send C2. The record stays as it is.
    Refused(Step<Applied, Rejection>),
    /// The server knows nothing of the application: what is held stays. Store the record; there is no C2.
    Unknown(Box<Registration>),
}

/// Why a configuration is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// Older than what is held: the server was restored from a backup and its epoch not raised, or somebody
    /// tries to roll the token back.
    RolledBack {
        /// The serial held.
        held: Serial,
        /// The serial that came.
        offered: Serial,
    },
    /// The serial held, and other content: the server says two things under one serial.
    Equivocation {
        /// The serial.
        serial: Serial,
    },
    /// [`MAX_HELD`] applications have a configuration already.
    NoRoom,
}

impl Rejection {
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
    registration: &Registration,
    sent: Option<UnixTime>,
    now: UnixTime,
) -> Result<Verdict, TokenSideError> {
    let Scope { user_id, server_name, application } = &c1.scope;
    if *user_id != registration.user_id || *server_name != registration.server_name {
        return Err(TokenSideError::WrongScope);
    }
    let content = content(c1)?;
    if !content.digest_fits() {
        return Err(TokenSideError::WrongDigest);
    }
    let floor = clock_floor(registration, c1.server_time, sent, now);
    let (offered, valid_for, instruction) = match content {
        Content::Unknown => return Ok(Verdict::Unknown(Box::new(with_floor(registration, floor)))),
        Content::Unchanged { held, valid_for } => (held, valid_for, None),
        Content::Revoked { held } => (held, None, Some(Instruction::Remove)),
        Content::Document { held, valid_for, media_type, body } => {
            let document = Document { media_type: media_type.into(), body: body.into() };
            (held, valid_for, Some(Instruction::Install(document)))
        }
    };
    let before = registration.configuration(application).map(version);
    let refuse = |why: Rejection| {
        let send = c2(c1.request_id, application, offered.serial, why.code());
        Ok(Verdict::Refused(Step { send, next: why }))
    };
    match (before, instruction) {
        (Some(held), _) if offered.serial < held.serial => {
            refuse(Rejection::RolledBack { held: held.serial, offered: offered.serial })
        }
        (Some(held), _) if offered.serial == held.serial && offered.digest != held.digest => {
            refuse(Rejection::Equivocation { serial: held.serial })
        }
        (Some(held), _) if offered == held => {
            let end = valid_until(valid_for, sent, now, floor);
            let next = Box::new(renewed(registration, application, end, floor));
            Ok(Verdict::Unchanged(Step { send: c2(c1.request_id, application, held.serial, 0), next }))
        }
        (_, None) => Err(TokenSideError::NotHeld),
        (None, Some(_)) if registration.configurations.len() >= MAX_HELD => refuse(Rejection::NoRoom),
        (before, Some(instruction)) => Ok(Verdict::Apply(Box::new(NeedApply {
            key_id: registration.key_id,
            request_id: c1.request_id,
            held: HeldConfiguration {
                application: application.clone(),
                serial: offered.serial,
                digest: offered.digest,
                valid_until: valid_until(valid_for, sent, now, floor),
                revoked: matches!(instruction, Instruction::Remove),
            },
            instruction,
            before,
            floor,
        }))),
    }
}

/// The server's time counts from a prompt answer alone: not from a push, nor where the token's own clock
/// went backwards meanwhile. It only ever raises the floor.
fn clock_floor(
    registration: &Registration,
    server_time: u64,
    sent: Option<UnixTime>,
    now: UnixTime,
) -> UnixTime {
    let prompt = sent.is_some_and(|sent| sent <= now && now.since(sent) <= FRESH);
    let told = if prompt { UnixTime::from_secs(server_time) } else { UnixTime::default() };
    registration.clock_floor.max(told)
}

/// Validity counts from the question, or from the arrival of a push, on the clock that will judge it.
fn valid_until(
    valid_for: Option<u32>,
    sent: Option<UnixTime>,
    now: UnixTime,
    floor: UnixTime,
) -> Option<UnixTime> {
    let begin = sent.unwrap_or(now).min(now).max(floor);
    valid_for.map(|seconds| begin.after(u64::from(seconds)))
}

pub(super) fn with_floor(registration: &Registration, floor: UnixTime) -> Registration {
    let mut record = registration.clone();
    record.clock_floor = record.clock_floor.max(floor);
    record
}

fn renewed(
    registration: &Registration,
    application: &Application,
    end: Option<UnixTime>,
    floor: UnixTime,
) -> Registration {
    let mut record = with_floor(registration, floor);
    let held = record.configurations.iter_mut().find(|held| held.application == *application);
    if let Some(held) = held.filter(|held| !held.revoked) {
        held.valid_until = end;
    }
    record
}

/// What names a held configuration.
pub(super) const fn version(held: &HeldConfiguration) -> Held {
    Held { serial: held.serial, digest: held.digest }
}

pub(super) fn c2(request_id: u32, application: &Application, serial: Serial, result: u8) -> Frame<Applied> {
    Applied { request_id, application: application.clone(), serial, result }.encode()
}
