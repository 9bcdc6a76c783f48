//! The software token as a [`Token`].

use super::SoftwareToken;
use crate::certificate::TrustAnchors;
use crate::id::{Digest, KeyId, Txn};
use crate::key::KemPublicKey;
use crate::policy::SuiteId;
use crate::port::token::JoinRequest;
use crate::port::{Token, TokenError};
use crate::record::{Attempt, TokenRegistration};
use crate::schedule::{KeyUse, Ssk1Use};
use crate::secret::Secret;
use alloc::vec::Vec;

impl Token for SoftwareToken {
    fn anchors(&self) -> Result<TrustAnchors, TokenError> {
        Ok(self.look()?.anchors.clone())
    }

    fn wrap(&mut self, txn: &Txn, suite: SuiteId, server_key: &KemPublicKey) -> Result<Vec<u8>, TokenError> {
        self.change(|contents, random| contents.wrap(txn, suite, server_key, random))
    }

    fn derive_from_ssk1(
        &mut self,
        txn: &Txn,
        wanted: Ssk1Use,
        transcript: &Digest,
    ) -> Result<Secret, TokenError> {
        self.look()?.derive_from_ssk1(txn, wanted, transcript)
    }

    fn save_attempt(&mut self, attempt: Attempt) -> Result<(), TokenError> {
        self.change(|contents, _| contents.save_attempt(attempt))
    }

    fn attempts(&self) -> Result<Vec<Attempt>, TokenError> {
        Ok(self.look()?.attempts())
    }

    fn abandon(&mut self, txn: &Txn) -> Result<(), TokenError> {
        self.change(|contents, _| {
            contents.abandon(txn);
            Ok(())
        })
    }

    fn join(&mut self, join: &JoinRequest) -> Result<[u8; 32], TokenError> {
        self.change(|contents, _| contents.join(join))
    }

    fn derive(&mut self, key_id: &KeyId, question: &KeyUse) -> Result<Secret, TokenError> {
        self.look()?.derive(key_id, question)
    }

    fn registrations(&self) -> Result<Vec<TokenRegistration>, TokenError> {
        Ok(self.look()?.registrations())
    }

    fn update(&mut self, registration: &TokenRegistration) -> Result<(), TokenError> {
        self.change(|contents, _| contents.update(registration))
    }

    fn remove(&mut self, key_id: &KeyId) -> Result<(), TokenError> {
        self.change(|contents, _| contents.remove(key_id))
    }
}
