//! A token that is all there and protects nothing.

use super::world::{Counting, fixed};
use halfkey::certificate::TrustAnchors;
use halfkey::key::KemPublicKey;
use halfkey::policy::SuiteId;
use halfkey::port::token::JoinRequest;
use halfkey::port::{Token, TokenError};
use halfkey::record::{Attempt, ProofKey, TokenRegistration};
use halfkey::schedule::{KeyContext, KeySet, KeyUse, Ssk1Use, binder, derive_from_ssk1};
use halfkey::suite::{XWING, find};
use halfkey::{Digest, KeyId, RandomSource, Secret, Txn};
use std::collections::BTreeMap;

pub struct Card {
    random: Counting,
    halves: BTreeMap<Txn, Secret>,
    attempts: BTreeMap<Txn, Attempt>,
    pub keys: BTreeMap<KeyId, (KeySet, TokenRegistration)>,
}

impl Card {
    pub fn new(seed: u8) -> Self {
        let random = Counting::new(seed);
        Self { random, halves: BTreeMap::new(), attempts: BTreeMap::new(), keys: BTreeMap::new() }
    }
}

impl Token for Card {
    fn anchors(&self) -> Result<TrustAnchors, TokenError> {
        Ok(fixed().anchors.clone())
    }

    fn wrap(&mut self, txn: &Txn, _: SuiteId, server_key: &KemPublicKey) -> Result<Vec<u8>, TokenError> {
        let mut ssk1 = [0; 32];
        self.random.fill(&mut ssk1);
        let ssk1 = Secret::new(ssk1);
        let ct = server_key.encapsulate(&ssk1, &mut self.random).map_err(|_| TokenError::UnfitServerKey)?;
        self.halves.insert(*txn, ssk1);
        Ok(ct)
    }

    fn derive_from_ssk1(
        &mut self,
        txn: &Txn,
        wanted: Ssk1Use,
        transcript: &Digest,
    ) -> Result<Secret, TokenError> {
        Ok(derive_from_ssk1(
            &XWING,
            self.halves.get(txn).ok_or(TokenError::NoSuchAttempt)?,
            wanted,
            transcript,
        ))
    }

    fn save_attempt(&mut self, attempt: Attempt) -> Result<(), TokenError> {
        if matches!(attempt, Attempt::Waiting(_)) {
            self.halves.remove(attempt.txn());
        }
        self.attempts.insert(*attempt.txn(), attempt);
        Ok(())
    }

    fn attempts(&self) -> Result<Vec<Attempt>, TokenError> {
        Ok(self.attempts.values().cloned().collect())
    }

    fn abandon(&mut self, txn: &Txn) -> Result<(), TokenError> {
        self.halves.remove(txn);
        self.attempts.remove(txn);
        Ok(())
    }

    fn join(&mut self, join: &JoinRequest) -> Result<[u8; 32], TokenError> {
        let suite = find(join.suite).ok_or(TokenError::UnknownSuite)?;
        let ssk1 = self.halves.get(&join.txn).ok_or(TokenError::NoSuchAttempt)?;
        let TokenRegistration { certificate, server_name, user_id, key_id, .. } = &join.registration;
        if self.keys.contains_key(key_id) {
            return Err(TokenError::KeyExists);
        }
        let mix = match &join.proof_key {
            ProofKey::None => Secret::absent(),
            ProofKey::Secret(secret) => binder(suite, secret, &join.transcript),
            ProofKey::Renewal(old) => {
                let (keys, _) = self.keys.get(old).ok_or(TokenError::NoSuchKey)?;
                keys.derive(suite, &KeyUse::Binder(join.transcript))
            }
        };
        let context = KeyContext { certificate, server_name, user_id, key_id };
        let keys = KeySet::join(suite, ssk1, &join.ssk2, &join.transcript, &join.ss_e, &mix, &context);
        if keys.derive(suite, &KeyUse::Grant(join.transcript)).expose() != &join.tag_s {
            return Err(TokenError::WrongProof);
        }
        let tag_c = *keys.derive(suite, &KeyUse::Confirm(join.transcript, join.tag_s)).expose();
        self.keys.insert(*key_id, (keys, join.registration.clone()));
        self.abandon(&join.txn)?;
        Ok(tag_c)
    }

    fn derive(&mut self, key_id: &KeyId, question: &KeyUse) -> Result<Secret, TokenError> {
        Ok(self.keys.get(key_id).ok_or(TokenError::NoSuchKey)?.0.derive(&XWING, question))
    }

    fn registrations(&self) -> Result<Vec<TokenRegistration>, TokenError> {
        Ok(self.keys.values().map(|(_, registration)| registration.clone()).collect())
    }

    fn update(&mut self, registration: &TokenRegistration) -> Result<(), TokenError> {
        let slot = self.keys.get_mut(&registration.key_id).ok_or(TokenError::NoSuchKey)?;
        slot.1 = registration.clone();
        Ok(())
    }

    fn remove(&mut self, key_id: &KeyId) -> Result<(), TokenError> {
        self.keys.remove(key_id).map(drop).ok_or(TokenError::NoSuchKey)
    }
}
