//! R4 and R5: both prove the key before it counts.

use super::refusal;
use crate::id::{KeyId, Txn};
use crate::message::{Confirm, Done};
use crate::port::question::Derive;
use crate::record::{Progress, TokenRegistration};
use crate::registration::{Recoverable, TokenRegistrationError};
use crate::schedule::KeyUse;
use crate::secret::Secret;
use crate::step::Step;
use crate::wire::Message;
use subtle::ConstantTimeEq;

/// R4 again, after a crash or a lost R5; `None` for a registration that is active already.
///
/// Where R4 is no longer answered, the first session with the new key settles it just as well.
pub fn confirm_again(registration: TokenRegistration) -> Option<Step<Confirm, AwaitDone>> {
    let Progress::Joined { tag_c, .. } = registration.progress else {
        return None;
    };
    let send = Confirm { key_id: registration.key_id, tag_c }.encode();
    Some(Step { send, next: AwaitDone { registration } })
}

/// R4 is out; R5 is awaited.
#[must_use]
#[derive(Debug)]
pub struct AwaitDone {
    pub(super) registration: TokenRegistration,
}

impl AwaitDone {
    /// The state for a registration that is joined and not active.
    pub(crate) fn again(registration: TokenRegistration) -> Option<Self> {
        matches!(registration.progress, Progress::Joined { .. }).then_some(Self { registration })
    }

    /// The registration that awaits R5.
    #[must_use]
    pub const fn registration(&self) -> &TokenRegistration {
        &self.registration
    }

    /// R5.
    ///
    /// # Errors
    /// [`Recoverable`] holds the state; nothing is lost: send R4 again, or open a session.
    pub fn receive_done(self, bytes: &[u8]) -> Result<NeedSettle, Recoverable<Self>> {
        let read = refusal(bytes).and_then(|()| {
            let done = Done::decode(bytes)?;
            match self.registration.progress {
                Progress::Joined { txn, transcript, tag_c, .. } if txn == done.txn => {
                    Ok((done, transcript, tag_c))
                }
                _ => Err(TokenRegistrationError::WrongRun),
            }
        });
        match read {
            Ok((done, th_j, tag_c)) => {
                let key_use = if done.lost { KeyUse::Lost } else { KeyUse::Done }(th_j, tag_c);
                let question = Derive { key_id: self.registration.key_id, key_use };
                Ok(NeedSettle { question, state: self, done })
            }
            Err(error) => Err(Recoverable { state: self, error }),
        }
    }
}

/// The token is to say what the tag of R5 should be.
#[must_use]
#[derive(Debug)]
pub struct NeedSettle {
    question: Derive,
    state: AwaitDone,
    done: Done,
}

impl NeedSettle {
    /// The question: the tag that R5 should carry.
    #[must_use]
    pub const fn wanted(&self) -> &Derive {
        &self.question
    }

    /// The state before R5 came.
    pub(crate) const fn state(&self) -> &AwaitDone {
        &self.state
    }

    /// The state before R5 came: to go on waiting, where the token has no answer.
    pub fn into_state(self) -> AwaitDone {
        self.state
    }

    /// Compares in constant time.
    ///
    /// # Errors
    /// [`Recoverable`] holds the state: a forged R5 costs nothing.
    pub fn supply(self, tag: &Secret) -> Result<Settled, Recoverable<AwaitDone>> {
        if !bool::from(tag.expose().ct_eq(&self.done.tag)) {
            return Err(Recoverable { state: self.state, error: TokenRegistrationError::Proof });
        }
        let registration = self.state.registration;
        Ok(if self.done.lost {
            Settled::Lost { key_id: registration.key_id, txn: self.done.txn }
        } else {
            Settled::Done(TokenRegistration { progress: Progress::Active, ..registration })
        })
    }
}

/// How a registration ended.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "there is one, and it is moved once")]
pub enum Settled {
    /// Active on both sides: store it with [`Token::update`](crate::port::Token::update).
    Done(TokenRegistration),
    /// Another registration took the name or the code first: remove it with [`Token::remove`](crate::port::Token::remove).
    Lost {
        /// The key that does not count.
        key_id: KeyId,
        /// The run.
        txn: Txn,
    },
}

impl Settled {}
