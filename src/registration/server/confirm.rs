//! R4 and R5: the registration counts from here on.

use crate::message::{self, Done};
use crate::port::entitlement_store::Confirmed;
use crate::port::question::{Confirm, FindExpected};
use crate::record::ExpectedTags;
use crate::registration::ServerRegistrationError;
use crate::secret::Secret;
use crate::wire::{Frame, Message};
use subtle::ConstantTimeEq;

/// R4.
///
/// # Errors
/// [`ServerRegistrationError::Wire`].
pub fn receive_confirm(bytes: &[u8]) -> Result<NeedExpected, ServerRegistrationError> {
    let confirm = message::Confirm::decode(bytes)?;
    Ok(NeedExpected { tag_c: confirm.tag_c, question: FindExpected { key_id: confirm.key_id } })
}

/// The tags that this key's R4 and R5 carry are needed.
#[must_use]
#[derive(Debug)]
pub struct NeedExpected {
    tag_c: [u8; 32],
    question: FindExpected,
}

impl NeedExpected {
    /// The question: the tags of this key ([`EntitlementStore::expected`](crate::port::EntitlementStore::expected)).
    #[must_use]
    pub const fn wanted(&self) -> &FindExpected {
        &self.question
    }

    /// Compares in constant time; an unknown key is compared with something too.
    ///
    /// # Errors
    /// [`ServerRegistrationError::WrongProof`], for a wrong tag and an unknown key alike.
    pub fn supply(self, expected: Option<ExpectedTags>) -> Result<NeedConfirm, ServerRegistrationError> {
        let nothing = Secret::absent();
        let tag = expected.as_ref().map_or(&nothing, |expected| &expected.confirm);
        let equal = bool::from(tag.expose().ct_eq(&self.tag_c));
        match expected {
            Some(expected) if equal => {
                Ok(NeedConfirm { question: Confirm { key_id: self.question.key_id }, expected })
            }
            _ => Err(ServerRegistrationError::WrongProof),
        }
    }
}

/// The token has proved its key: the registration is to be made active, by compare-and-set.
#[must_use]
#[derive(Debug)]
pub struct NeedConfirm {
    question: Confirm,
    expected: ExpectedTags,
}

impl NeedConfirm {
    /// The question: the key to make active ([`EntitlementStore::confirm`](crate::port::EntitlementStore::confirm)).
    #[must_use]
    pub const fn wanted(&self) -> &Confirm {
        &self.question
    }

    /// It is durable: R5 may leave.
    pub fn supply(self, confirmed: Confirmed) -> Frame<Done> {
        let (lost, tag) = match confirmed {
            Confirmed::Active => (false, &self.expected.done),
            Confirmed::Lost => (true, &self.expected.lost),
        };
        Done { txn: self.expected.txn, lost, tag: *tag.expose() }.encode()
    }
}
