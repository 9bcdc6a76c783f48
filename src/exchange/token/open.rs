//! Opening a session: S0 to S3.

use super::reply::News;
use super::state::{OpenSession, Opening, State};
use super::then::{DeriveThen, RegistrationThen, RemoveThen, UpdateThen};
use super::turn::{self, TokenTurn, asked, store};
use crate::exchange::asked::Resume;
use crate::id::KeyId;
use crate::moment::Moment;
use crate::port::TokenError;
use crate::port::entitlement_store::Status;
use crate::port::question::{Answered, Derive, FindRegistrations, Remove};
use crate::record::TokenRegistration;
use crate::session::token::{
    self as steps, AwaitAccept, AwaitChallenge, NeedResponse, NeedSeed, Options, Session, SessionOutcome,
};
use crate::session::{SessionEnded, TokenSessionError};
use crate::step::ErrorReason;
use alloc::boxed::Box;
use alloc::vec::Vec;

pub(super) fn begin(key_id: KeyId, options: Options, moment: Moment) -> TokenTurn {
    asked(RegistrationThen::Open(key_id, options), moment)
}

/// S0.
fn start(opening: Box<Opening>) -> TokenTurn {
    match steps::open(&opening.registration, &opening.options) {
        Ok(step) => turn::send(step.send.into_bytes(), State::AwaitChallenge(Box::new(step.next), opening)),
        Err(error) => turn::failed(error, None),
    }
}

/// S1.
pub(super) fn challenge(
    state: AwaitChallenge,
    opening: Box<Opening>,
    frame: &[u8],
    mut moment: Moment,
) -> TokenTurn {
    match state.receive_challenge(frame, &mut moment) {
        Ok(need) => asked(DeriveThen::Response(Box::new(need), opening), moment),
        Err(error) => refused(error, opening),
    }
}

/// S2.
pub(super) fn respond(need: NeedResponse, opening: Box<Opening>, answer: Answered<Derive>) -> TokenTurn {
    match answer {
        Ok(tag_c) => {
            let step = need.supply(&tag_c);
            turn::send(step.send.into_bytes(), State::AwaitAccept(Box::new(step.next), opening))
        }
        Err(error) => turn::failed(error, None),
    }
}

/// S3.
pub(super) fn accept(state: AwaitAccept, opening: Box<Opening>, frame: &[u8], moment: Moment) -> TokenTurn {
    match state.receive_accept(frame) {
        Ok(need) => asked(DeriveThen::Session(Box::new(need), opening), moment),
        Err(error) => refused(error, opening),
    }
}

/// A refused alias is followed by the key id, where the policy allows it.
fn refused(error: TokenSessionError, mut opening: Box<Opening>) -> TokenTurn {
    let registration = &opening.registration;
    let may_fall_back =
        registration.alias.is_some() && registration.policy.allow_key_id && !opening.options.by_key_id;
    match error {
        TokenSessionError::Refused(ErrorReason::Refused) if may_fall_back => {
            opening.options.by_key_id = true;
            start(opening)
        }
        error => turn::failed(error, None),
    }
}

/// Outcome of S3, as the server has proved it.
pub(super) fn seeded(
    need: NeedSeed,
    opening: Box<Opening>,
    answer: Answered<Derive>,
    moment: Moment,
) -> TokenTurn {
    let key_id = opening.registration.key_id;
    let d = match answer {
        Ok(d) => d,
        Err(error) => return turn::failed(error, None),
    };
    match need.supply(&d) {
        Ok(SessionOutcome::Session(mut session)) => {
            session.channel.rekey_after(opening.options.rekey_after);
            let then = RegistrationThen::Opened(key_id, Box::new(session));
            asked(then, moment)
        }
        Ok(SessionOutcome::NotActive(Status::Lost)) => {
            asked((Remove { key_id }, RemoveThen::NotActive), moment)
        }
        Ok(SessionOutcome::NotActive(status)) => {
            asked(RegistrationThen::NotActive(key_id, status, false), moment)
        }
        Err(error) => turn::failed(error, None),
    }
}

impl RegistrationThen {
    /// Goes on where the token has no answer. What the server has proved is told all the same.
    fn without(self, error: TokenError) -> TokenTurn {
        let state = match self {
            Self::NotActive(_, status, within) => return not_active(status, within),
            Self::Open(..) | Self::Opened(..) => None,
            Self::Configure(one) => Some(State::Open(one.open)),
            Self::Judge(one) => Some(State::Open(one.open)),
            Self::Applied(one) => Some(State::Open(one.open)),
        };
        turn::failed(error, state)
    }
}

impl Resume for RegistrationThen {
    type Question = FindRegistrations;
    type Base = Moment;
    type Turn = TokenTurn;

    fn question(&self) -> &Self::Question {
        &FindRegistrations
    }

    fn resume(self, moment: Box<Moment>, answer: Answered<Self::Question>) -> TokenTurn {
        let (then, moment) = (self, *moment);
        let found = answer.and_then(|all: Vec<TokenRegistration>| {
            let mut all = all.into_iter();
            all.find(|one| one.key_id == *then.key_id()).ok_or(TokenError::NoSuchKey)
        });
        let registration = match found {
            Ok(registration) => registration,
            Err(error) => return then.without(error),
        };
        match then {
            RegistrationThen::Open(_, options) => start(Box::new(Opening { registration, options })),
            RegistrationThen::Opened(_, session) => opened(*session, registration, moment),
            RegistrationThen::NotActive(_, status, within) => {
                let registration = TokenRegistration { not_active: Some(status), ..registration };
                store(registration, UpdateThen::NotActive(status, within), moment)
            }
            RegistrationThen::Configure(one) => one.ask(&registration, &moment),
            RegistrationThen::Judge(one) => one.judge(&registration, moment),
            RegistrationThen::Applied(one) => one.report(&registration, moment),
        }
    }
}

/// Stores the outcome of the session before the session is given out.
fn opened(session: Session, mut registration: TokenRegistration, moment: Moment) -> TokenTurn {
    let news = session.note(&mut registration);
    let open = Box::new(OpenSession::new(session, registration.key_id));
    if news { store(registration, UpdateThen::Opened(open), moment) } else { open.opened(registration) }
}

/// Tells a status that is not active: at the opening of a session, or within it.
pub(super) fn not_active(status: Status, within: bool) -> TokenTurn {
    match within {
        true => turn::failed(SessionEnded(status), None),
        false => turn::news(News::NotActive(status), None),
    }
}
