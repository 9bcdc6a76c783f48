//! A token of one's own: keys in memory, and nothing more. One over a card, a PKCS#11 device or a
//! phone's key store implements the same methods.
//!
//! `cargo run --example custom_token` runs the contract that every token keeps, then registers it.
//! What there is to write stands between the two rules. Each method is one transaction, durable when
//! it returns `Ok`; this token forgets everything with the process, so for it that is no work.

mod setting;

use halfkey::certificate::TrustAnchors;
use halfkey::key::{KemPrivateKey, KemPublicKey};
use halfkey::memory::Store;
use halfkey::policy::SuiteId;
use halfkey::port::token::{JoinRequest, Joined};
use halfkey::port::{Token, TokenError, contract};
use halfkey::record::{Attempt, Progress, TokenRegistration};
use halfkey::schedule::{KeySet, KeyUse, Ssk1Use, derive_from_ssk1};
use halfkey::suite::{Suite, find};
use halfkey::{Digest, KeyId, RandomSource, Secret, SystemRandom, Txn};
use setting::{Outcome, Setting, say};
use std::collections::BTreeMap;

// ----------------------------------------------------------------------------------------------
type Answer<T> = Result<T, TokenError>;

struct Memory {
    anchors: TrustAnchors,
    halves: BTreeMap<Txn, (&'static dyn Suite, Secret)>,
    attempts: BTreeMap<Txn, Attempt>,
    keys: BTreeMap<KeyId, (TokenRegistration, &'static dyn Suite, KeySet)>,
}

impl Token for Memory {
    fn anchors(&self) -> Answer<TrustAnchors> {
        Ok(self.anchors.clone())
    }
    fn wrap(&mut self, txn: &Txn, suite: SuiteId, server_key: &KemPublicKey) -> Answer<Vec<u8>> {
        let suite = find(suite).ok_or(TokenError::UnknownSuite)?;
        let mut ssk1 = [0; Secret::LEN];
        SystemRandom.fill(&mut ssk1);
        let ssk1 = Secret::new(ssk1);
        let ct = server_key.encapsulate(&ssk1, &mut SystemRandom).map_err(|_| TokenError::UnfitServerKey)?;
        self.halves.insert(*txn, (suite, ssk1));
        Ok(ct)
    }
    fn derive_from_ssk1(&mut self, txn: &Txn, wanted: Ssk1Use, transcript: &Digest) -> Answer<Secret> {
        let (suite, ssk1) = self.halves.get(txn).ok_or(TokenError::NoSuchAttempt)?;
        Ok(derive_from_ssk1(*suite, ssk1, wanted, transcript))
    }
    fn save_attempt(&mut self, attempt: Attempt) -> Answer<()> {
        match &attempt {
            Attempt::InFlight(half) if !self.halves.contains_key(&half.txn) => {
                return Err(TokenError::NoSuchAttempt);
            }
            Attempt::InFlight(_) => {}
            Attempt::Waiting(waiting) => drop(self.halves.remove(&waiting.txn)),
        }
        self.attempts.insert(*attempt.txn(), attempt);
        Ok(())
    }
    fn attempts(&self) -> Answer<Vec<Attempt>> {
        Ok(self.attempts.values().cloned().collect())
    }
    fn abandon(&mut self, txn: &Txn) -> Answer<()> {
        self.halves.remove(txn);
        self.attempts.remove(txn);
        Ok(())
    }
    fn join(&mut self, join: &JoinRequest) -> Answer<[u8; 32]> {
        let (suite, ssk1) = self.halves.get(&join.txn).ok_or(TokenError::NoSuchAttempt)?.clone();
        if suite.id() != join.suite {
            return Err(TokenError::NoSuchAttempt);
        }
        if self.keys.contains_key(&join.registration.key_id) {
            return Err(TokenError::KeyExists);
        }
        let Joined { keys, registration, tag_c } =
            join.with(suite, &ssk1, |id, asked| self.derive(id, asked))?;
        self.keys.insert(registration.key_id, (registration, suite, keys));
        self.abandon(&join.txn)?;
        Ok(tag_c)
    }
    fn derive(&mut self, key_id: &KeyId, question: &KeyUse) -> Answer<Secret> {
        let (_, suite, keys) = self.keys.get(key_id).ok_or(TokenError::NoSuchKey)?;
        Ok(keys.derive(*suite, question))
    }
    fn registrations(&self) -> Answer<Vec<TokenRegistration>> {
        Ok(self.keys.values().map(|(registration, ..)| registration.clone()).collect())
    }
    fn update(&mut self, registration: &TokenRegistration) -> Answer<()> {
        let mut new = registration.clone();
        let active = new.progress == Progress::Active;
        let (held, ..) = self.keys.get_mut(&new.key_id).ok_or(TokenError::NoSuchKey)?;
        let earlier = if active { new.supersedes.take() } else { None };
        *held = new;
        if let Some((earlier, ..)) = earlier.and_then(|key_id| self.keys.remove(&key_id))
            && let Some((held, ..)) = self.keys.get_mut(&registration.key_id)
        {
            held.inherit_from(&earlier);
        }
        Ok(())
    }
    fn remove(&mut self, key_id: &KeyId) -> Answer<()> {
        self.keys.remove(key_id).map(drop).ok_or(TokenError::NoSuchKey)
    }
}
// ----------------------------------------------------------------------------------------------

fn blank(anchors: &TrustAnchors) -> Memory {
    let (halves, attempts, keys) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    Memory { anchors: anchors.clone(), halves, attempts, keys }
}

fn main() -> Outcome {
    let setting = Setting::new()?;
    let server_key = KemPrivateKey::generate(2048, &mut SystemRandom)?;
    contract::token(&mut || Box::new(blank(&setting.anchors)), &server_key, &mut SystemRandom)?;
    say(format_args!("the token keeps the contract"));

    let token = blank(&setting.anchors);
    let registration = setting.tell(token, Store::new(), "alice")?;
    say(format_args!("alice is registered as {}, with key {}", registration.user_id, registration.key_id));
    Ok(())
}
