//! The join: a renewal compared with its earlier key, then SSK1 and SSK2 made one key (patent step 200).

use super::confirm::AwaitDone;
use super::request::AwaitOutcome;
use crate::id::{KeyId, Txn};
use crate::message::Confirm;
use crate::policy::GrantError;
use crate::port::question::FindRegistrations;
use crate::port::token::JoinRequest;
use crate::record::{Progress, ProofKey, TokenRegistration};
use crate::step::Step;
use crate::wire::Message;
use alloc::boxed::Box;

/// A grant that the token does not take. Give the run up with [`Token::abandon`](crate::port::Token::abandon): the server
/// forgets the registration when it is not confirmed, and an earlier key stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnfitGrant {
    /// The run.
    pub txn: Txn,
    /// The fault of the grant.
    pub error: GrantError,
}

/// The token is to say what it holds of the key that is renewed: a renewal keeps the user and the strength.
#[must_use]
#[derive(Debug)]
pub struct NeedEarlier {
    key_id: KeyId,
    need: Box<NeedJoin>,
}

impl NeedEarlier {
    pub(super) const fn new(key_id: KeyId, need: Box<NeedJoin>) -> Self {
        Self { key_id, need }
    }

    /// The question: the token's registrations ([`Token::registrations`](crate::port::Token::registrations)).
    #[must_use]
    pub const fn wanted(&self) -> &FindRegistrations {
        &FindRegistrations
    }

    /// The state before R3 came: to go on waiting, where the token has no answer.
    pub fn into_state(self) -> AwaitOutcome {
        self.need.into_state()
    }

    /// Compares the grant with the earlier registration. A key that has left the token since R2 has nothing to
    /// say.
    ///
    /// # Errors
    /// [`UnfitGrant`] for another user id, or for a mode or suite that is weaker than all that the earlier
    /// policy allows.
    pub fn supply(self, registrations: &[TokenRegistration]) -> Result<Box<NeedJoin>, UnfitGrant> {
        let new = self.need.registration();
        let earlier = registrations.iter().find(|registration| registration.key_id == self.key_id);
        let error = match earlier {
            Some(earlier) if earlier.user_id != new.user_id => GrantError::OtherUser,
            Some(earlier) if !new.policy.no_weaker_than(&earlier.policy) => GrantError::Weaker,
            Some(_) | None => return Ok(self.need),
        };
        Err(UnfitGrant { txn: self.need.question.txn, error })
    }
}

/// The token is to join the halves (patent step 200).
#[must_use]
#[derive(Debug)]
pub struct NeedJoin {
    question: JoinRequest,
    state: AwaitOutcome,
}

impl NeedJoin {
    pub(super) const fn new(question: JoinRequest, state: AwaitOutcome) -> Self {
        Self { question, state }
    }

    /// The question: the tag of R4, once the contributions are joined ([`Token::join`](crate::port::Token::join)).
    #[must_use]
    pub const fn wanted(&self) -> &JoinRequest {
        &self.question
    }

    /// The registration that will be stored.
    #[must_use]
    pub const fn registration(&self) -> &TokenRegistration {
        &self.question.registration
    }

    /// The key whose proof R2 carried: the ticket of an earlier attempt, perhaps.
    #[must_use]
    pub const fn proof_key(&self) -> &ProofKey {
        &self.question.proof_key
    }

    /// The state before R3 came: to go on waiting, where the token does not join.
    pub fn into_state(self) -> AwaitOutcome {
        self.state
    }

    /// Takes the tag that the token answered the join with; R4 may leave. The run whose ticket this
    /// one used, if it used one, may be given up.
    pub fn supply(self, tag_c: [u8; 32]) -> Step<Confirm, AwaitDone> {
        let mut registration = self.question.registration;
        if let Progress::Joined { tag_c: tag, .. } = &mut registration.progress {
            *tag = tag_c;
        }
        let confirm = Confirm { key_id: registration.key_id, tag_c };
        Step { send: confirm.encode(), next: AwaitDone { registration } }
    }
}
