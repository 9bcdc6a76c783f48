//! A token over a card that never gives a key out: hardware fits behind the trait.
//!
//! The host holds the public parts and the attempts; SSK1 and every key are in the card, behind
//! commands that answer yes or no, or with a labelled MAC. The one thing more that the host sees is
//! `j`, once, at the join; it makes the sub-keys of it and imports them, as on a card that knows HMAC
//! and not HKDF.

use halfkey::certificate::TrustAnchors;
use halfkey::key::KemPublicKey;
use halfkey::policy::SuiteId;
use halfkey::port::token::JoinRequest;
use halfkey::port::{Token, TokenError};
use halfkey::record::{Attempt, Progress, TokenRegistration};
use halfkey::schedule::{KeySet, KeyUse, Ssk1Use};
use halfkey::suite::XWING;
use halfkey::{Digest, KeyId, Secret, Txn};

/// The card, as its maker would ship it. No function returns a key.
mod chip {
    use halfkey::key::KemPublicKey;
    use halfkey::schedule::{KeySet, KeyUse, Ssk1Use, derive_from_ssk1};
    use halfkey::suite::{Suite, XWING};
    use halfkey::{Digest, KeyId, RandomSource, Secret, SystemRandom, Txn};
    use std::collections::BTreeMap;

    #[derive(Default)]
    pub(crate) struct Card {
        halves: BTreeMap<[u8; 16], Secret>,
        keys: BTreeMap<[u8; 16], KeySet>,
    }

    impl Card {
        /// Makes SSK1 in the card and lets it out encapsulated.
        pub(crate) fn make_half(&mut self, txn: &Txn, server_key: &KemPublicKey) -> Option<Vec<u8>> {
            let mut ssk1 = [0; 32];
            SystemRandom.fill(&mut ssk1);
            let ssk1 = Secret::new(ssk1);
            let ct = server_key.encapsulate(&ssk1, &mut SystemRandom).ok()?;
            self.halves.insert(*txn.as_bytes(), ssk1);
            Some(ct)
        }
        pub(crate) fn derive_from_ssk1(
            &self,
            txn: &Txn,
            wanted: Ssk1Use,
            transcript: &Digest,
        ) -> Option<Secret> {
            self.halves.get(txn.as_bytes()).map(|ssk1| derive_from_ssk1(&XWING, ssk1, wanted, transcript))
        }
        /// HMAC of any input under SSK1: the card knows no label of the protocol.
        pub(crate) fn join(&self, txn: &Txn, input: &[u8]) -> Option<Secret> {
            let ssk1 = self.halves.get(txn.as_bytes())?;
            Some(Secret::new(XWING.mac(ssk1, &[input])))
        }
        pub(crate) fn import(&mut self, key_id: &KeyId, keys: KeySet) {
            self.keys.insert(*key_id.as_bytes(), keys);
        }
        /// Returns true if `tag` is this key's tag over the bytes of the key use.
        pub(crate) fn verify(&self, key_id: &KeyId, question: &KeyUse, tag: &[u8; 32]) -> bool {
            let right = self.derive(key_id, question);
            right
                .is_some_and(|right| right.expose().iter().zip(tag).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0)
        }
        pub(crate) fn derive(&self, key_id: &KeyId, question: &KeyUse) -> Option<Secret> {
            self.keys.get(key_id.as_bytes()).map(|keys| keys.derive(&XWING, question))
        }
        pub(crate) fn erase_half(&mut self, txn: &Txn) {
            self.halves.remove(txn.as_bytes());
        }
        pub(crate) fn erase_key(&mut self, key_id: &KeyId) {
            self.keys.remove(key_id.as_bytes());
        }
    }
}

pub(crate) struct CardToken {
    card: chip::Card,
    anchors: TrustAnchors,
    attempts: Vec<Attempt>,
    registrations: Vec<TokenRegistration>,
}

impl CardToken {
    pub(crate) fn blank(anchors: TrustAnchors) -> Self {
        Self { card: chip::Card::default(), anchors, attempts: Vec::new(), registrations: Vec::new() }
    }
    fn place(&self, key_id: &KeyId) -> Result<usize, TokenError> {
        self.registrations.iter().position(|one| one.key_id == *key_id).ok_or(TokenError::NoSuchKey)
    }
}

impl Token for CardToken {
    fn anchors(&self) -> Result<TrustAnchors, TokenError> {
        Ok(self.anchors.clone())
    }
    fn wrap(&mut self, txn: &Txn, suite: SuiteId, server_key: &KemPublicKey) -> Result<Vec<u8>, TokenError> {
        if suite != SuiteId::XWing {
            return Err(TokenError::UnknownSuite);
        }
        self.card.make_half(txn, server_key).ok_or(TokenError::UnfitServerKey)
    }
    fn derive_from_ssk1(
        &mut self,
        txn: &Txn,
        wanted: Ssk1Use,
        transcript: &Digest,
    ) -> Result<Secret, TokenError> {
        self.card.derive_from_ssk1(txn, wanted, transcript).ok_or(TokenError::NoSuchAttempt)
    }
    fn save_attempt(&mut self, attempt: Attempt) -> Result<(), TokenError> {
        if let Attempt::Waiting(waiting) = &attempt {
            self.card.erase_half(&waiting.txn);
        }
        self.attempts.retain(|other| other.txn() != attempt.txn());
        self.attempts.push(attempt);
        Ok(())
    }
    fn attempts(&self) -> Result<Vec<Attempt>, TokenError> {
        Ok(self.attempts.clone())
    }
    fn abandon(&mut self, txn: &Txn) -> Result<(), TokenError> {
        self.card.erase_half(txn);
        self.attempts.retain(|attempt| attempt.txn() != txn);
        Ok(())
    }
    fn join(&mut self, join: &JoinRequest) -> Result<[u8; 32], TokenError> {
        let key_id = join.registration.key_id;
        if self.place(&key_id).is_ok() {
            return Err(TokenError::KeyExists);
        }
        let j = self.card.join(&join.txn, &join.input(&XWING)).ok_or(TokenError::NoSuchAttempt)?;
        let mix = join
            .binder(&XWING, |earlier, asked| self.card.derive(earlier, asked).ok_or(TokenError::NoSuchKey))?;
        self.card.import(&key_id, KeySet::from_j(&XWING, &j, &join.ss_e, &mix, &join.context()));
        if !self.card.verify(&key_id, &KeyUse::Grant(join.transcript), &join.tag_s) {
            self.card.erase_key(&key_id);
            return Err(TokenError::WrongProof);
        }
        let confirm = KeyUse::Confirm(join.transcript, join.tag_s);
        let tag_c = *self.card.derive(&key_id, &confirm).ok_or(TokenError::NoSuchKey)?.expose();
        self.registrations.push(join.joined(tag_c));
        self.abandon(&join.txn)?;
        Ok(tag_c)
    }
    fn derive(&mut self, key_id: &KeyId, question: &KeyUse) -> Result<Secret, TokenError> {
        self.card.derive(key_id, question).ok_or(TokenError::NoSuchKey)
    }
    fn registrations(&self) -> Result<Vec<TokenRegistration>, TokenError> {
        Ok(self.registrations.clone())
    }
    fn update(&mut self, registration: &TokenRegistration) -> Result<(), TokenError> {
        let place = self.place(&registration.key_id)?;
        let mut registration = registration.clone();
        let active = registration.progress == Progress::Active;
        let earlier = if active { registration.supersedes.take() } else { None };
        if let Some(old) = earlier.and_then(|earlier| self.place(&earlier).ok()) {
            registration.inherit_from(&self.registrations[old]);
        }
        self.registrations[place] = registration;
        earlier.map_or(Ok(()), |earlier| self.remove(&earlier))
    }
    fn remove(&mut self, key_id: &KeyId) -> Result<(), TokenError> {
        let place = self.place(key_id)?;
        self.registrations.remove(place);
        self.card.erase_key(key_id);
        Ok(())
    }
}
