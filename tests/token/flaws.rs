//! Tokens with one flaw each, and the clause that notices it.

use super::{contract, software};
use halfkey::certificate::TrustAnchors;
use halfkey::key::KemPublicKey;
use halfkey::policy::SuiteId;
use halfkey::port::token::JoinRequest;
use halfkey::port::{Token, TokenError};
use halfkey::record::{Attempt, Progress, ProofKey, TokenRegistration};
use halfkey::schedule::{KeyUse, Ssk1Use};
use halfkey::software::SoftwareToken;
use halfkey::{Digest, KeyId, Secret, Txn};

#[derive(Clone, Copy, PartialEq, Debug)]
enum Flaw {
    ErasesHalfAfterWrongProof,
    ErasesAttemptAfterWrongProof,
    TakesAnyProof,
    ComparesHalfTheProof,
    KeepsHalfAfterJoin,
    OverwritesKeys,
    KeepsSupersededKeys,
    ForgetsToClearSupersedes,
    ErasesOldKeyAtJoin,
    KeepsHalfWhileWaiting,
    GivesUpLoudly,
    RemovesEverything,
    OneKeyForAll,
    MixesNothing,
    AnswersForStrangers,
}

struct Flawed {
    inner: SoftwareToken,
    flaw: Flaw,
    /// Fault: the token keeps SSK1 for too long.
    wrapped: Vec<(Txn, Secret)>,
    forgetful: bool,
}

impl Flawed {
    fn new(flaw: Flaw) -> Self {
        Self { inner: software().0, flaw, wrapped: Vec::new(), forgetful: false }
    }
    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }
}

impl Token for Flawed {
    fn anchors(&self) -> Result<TrustAnchors, TokenError> {
        self.inner.anchors()
    }
    fn wrap(&mut self, txn: &Txn, suite: SuiteId, server_key: &KemPublicKey) -> Result<Vec<u8>, TokenError> {
        let ct = self.inner.wrap(txn, suite, server_key)?;
        let kept = self.inner.derive_from_ssk1(txn, Ssk1Use::Request, &Digest::new(txn_digest(txn)))?;
        self.wrapped.push((*txn, kept));
        Ok(ct)
    }
    fn derive_from_ssk1(
        &mut self,
        txn: &Txn,
        wanted: Ssk1Use,
        transcript: &Digest,
    ) -> Result<Secret, TokenError> {
        let keeps = self.has(Flaw::KeepsHalfAfterJoin) || self.has(Flaw::KeepsHalfWhileWaiting);
        match self.inner.derive_from_ssk1(txn, wanted, transcript) {
            Err(TokenError::NoSuchAttempt) if keeps => {
                let kept = self.wrapped.iter().rev().find(|(other, _)| other == txn);
                kept.map(|(_, half)| half.clone()).ok_or(TokenError::NoSuchAttempt)
            }
            half => half,
        }
    }
    fn save_attempt(&mut self, attempt: Attempt) -> Result<(), TokenError> {
        let keeps = self.has(Flaw::KeepsHalfWhileWaiting) || matches!(attempt, Attempt::InFlight(_));
        if !keeps {
            self.wrapped.retain(|(txn, _)| txn != attempt.txn());
        }
        self.inner.save_attempt(attempt)
    }
    fn attempts(&self) -> Result<Vec<Attempt>, TokenError> {
        if self.forgetful { Ok(Vec::new()) } else { self.inner.attempts() }
    }
    fn abandon(&mut self, txn: &Txn) -> Result<(), TokenError> {
        let known = self.inner.derive_from_ssk1(txn, Ssk1Use::Request, &Digest::new([0; 32]));
        if self.has(Flaw::GivesUpLoudly) {
            known?;
        }
        self.wrapped.retain(|(other, _)| other != txn);
        self.inner.abandon(txn)
    }
    fn join(&mut self, join: &JoinRequest) -> Result<[u8; 32], TokenError> {
        let mut join = join.clone();
        if self.has(Flaw::MixesNothing) {
            join.proof_key = ProofKey::None;
        }
        if self.has(Flaw::OverwritesKeys) {
            let _ = self.inner.remove(&join.registration.key_id);
        }
        match (self.inner.join(&join), self.flaw) {
            (Err(TokenError::WrongProof), Flaw::ErasesHalfAfterWrongProof) => {
                self.inner.abandon(&join.txn)?;
                Err(TokenError::WrongProof)
            }
            (Err(TokenError::WrongProof), Flaw::ErasesAttemptAfterWrongProof) => {
                self.forgetful = true;
                Err(TokenError::WrongProof)
            }
            (Err(TokenError::WrongProof), Flaw::TakesAnyProof) => Ok([0; 32]),
            (Err(TokenError::WrongProof), Flaw::ComparesHalfTheProof) => {
                // As though the second half of the proof were not looked at.
                let mut join = join.clone();
                for place in 16..32 {
                    join.tag_s[place] ^= 0x80;
                    if let Ok(tag_c) = self.inner.join(&join) {
                        return Ok(tag_c);
                    }
                    join.tag_s[place] ^= 0x80;
                }
                Err(TokenError::WrongProof)
            }
            (Ok(tag_c), Flaw::ErasesOldKeyAtJoin) => {
                join.registration.supersedes.map_or(Ok(()), |earlier| self.inner.remove(&earlier))?;
                Ok(tag_c)
            }
            (joined, _) => {
                if joined.is_ok() && !self.has(Flaw::KeepsHalfAfterJoin) {
                    self.wrapped.retain(|(txn, _)| *txn != join.txn);
                }
                joined
            }
        }
    }
    fn derive(&mut self, key_id: &KeyId, question: &KeyUse) -> Result<Secret, TokenError> {
        match self.inner.derive(key_id, question) {
            Err(TokenError::NoSuchKey) if self.has(Flaw::AnswersForStrangers) => Ok(Secret::absent()),
            Ok(_) if self.has(Flaw::OneKeyForAll) => {
                let first = self.inner.registrations()?.first().map(|first| first.key_id);
                self.inner.derive(&first.unwrap_or(*key_id), question)
            }
            answer => answer,
        }
    }
    fn registrations(&self) -> Result<Vec<TokenRegistration>, TokenError> {
        let mut registrations = self.inner.registrations()?;
        let renewed = |one: &&mut TokenRegistration| {
            one.progress == Progress::Active && one.key_id == KeyId::new([2; 16])
        };
        if self.has(Flaw::ForgetsToClearSupersedes) {
            registrations.iter_mut().filter(renewed).for_each(|one| one.supersedes = Some(one.key_id));
        }
        Ok(registrations)
    }
    fn update(&mut self, registration: &TokenRegistration) -> Result<(), TokenError> {
        let mut registration = registration.clone();
        if self.has(Flaw::KeepsSupersededKeys) && registration.progress == Progress::Active {
            registration.supersedes = None;
        }
        self.inner.update(&registration)
    }
    fn remove(&mut self, key_id: &KeyId) -> Result<(), TokenError> {
        self.inner.remove(key_id)?;
        if self.has(Flaw::RemovesEverything) {
            for other in self.inner.registrations()? {
                self.inner.remove(&other.key_id)?;
            }
        }
        Ok(())
    }
}

fn txn_digest(txn: &Txn) -> [u8; 32] {
    [txn.as_bytes()[0]; 32]
}

#[test]
fn the_contract_notices_each_flaw() {
    const KEPT: &str = "a wrong proof costs neither half nor attempt";
    for (flaw, clause) in [
        (Flaw::ErasesHalfAfterWrongProof, KEPT),
        (Flaw::ErasesAttemptAfterWrongProof, KEPT),
        (Flaw::TakesAnyProof, "every bit of the server's proof counts"),
        (Flaw::ComparesHalfTheProof, "every bit of the server's proof counts"),
        (Flaw::KeepsHalfAfterJoin, "a join erases the half"),
        (Flaw::OverwritesKeys, "no key takes the name of another"),
        (Flaw::KeepsSupersededKeys, "a key that became active erases the one it supersedes"),
        (Flaw::ForgetsToClearSupersedes, "an active key supersedes none any more"),
        (Flaw::ErasesOldKeyAtJoin, "the old key stays until the new one is active"),
        (Flaw::KeepsHalfWhileWaiting, "a wait erases the SSK1 of its run"),
        (Flaw::GivesUpLoudly, "giving up what is not there is no error"),
        (Flaw::RemovesEverything, "removing a key leaves the others as they are"),
        (Flaw::OneKeyForAll, "each key answers for itself"),
        (Flaw::MixesNothing, "a proven join succeeds"),
        (Flaw::AnswersForStrangers, "a key that is not there does not answer"),
    ] {
        let violation = contract(|| Box::new(Flawed::new(flaw))).map_err(|violation| violation.clause());
        assert_eq!(violation, Err(clause), "{flaw:?}");
    }
}
