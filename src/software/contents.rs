//! Contents of the token: trust anchors, attempts, and keys.

use super::Label;
use crate::certificate::TrustAnchors;
use crate::id::{Digest, KeyId, Txn};
use crate::key::KemPublicKey;
use crate::policy::SuiteId;
use crate::port::TokenError;
use crate::port::token::{JoinRequest, Joined};
use crate::random::RandomSource;
use crate::record::{Attempt, Progress, TokenRegistration};
use crate::schedule::{KeySet, KeyUse, Ssk1Use, derive_from_ssk1};
use crate::secret::Secret;
use crate::suite::{Suite, find};
use crate::wire::stored::{many, stored};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Greatest number of registrations on a token. A renewal and the key that it supersedes count as one.
pub(super) const MAX_REGISTRATIONS: usize = 256;
/// Greatest number of attempts on a token.
pub(super) const MAX_RUNS: usize = 64;

#[derive(Clone)]
pub(super) struct Contents {
    pub(super) anchors: TrustAnchors,
    runs: Vec<Run>,
    keys: Vec<Key>,
}

/// A run: first SSK1 alone, then the attempt with it, then perhaps a wait without it.
#[derive(Clone)]
struct Run {
    txn: Txn,
    suite: Option<SuiteId>,
    ssk1: Option<Secret>,
    attempt: Option<Attempt>,
}

#[derive(Clone)]
struct Key {
    registration: TokenRegistration,
    keys: KeySet,
    label: Option<Label>,
}

stored! { Contents, "token" { 1 => anchors, 2 => runs as many, 3 => keys as many } }
stored! { Run, "token.run" { 1 => txn, 2 => suite, 3 => ssk1, 4 => attempt } }
stored! { Key, "token.key" { 1 => registration, 2 => keys, 3 => label } }

impl Contents {
    pub(super) const fn blank(anchors: TrustAnchors) -> Self {
        Self { anchors, runs: Vec::new(), keys: Vec::new() }
    }

    fn run(&self, txn: &Txn) -> Option<&Run> {
        self.runs.iter().find(|run| run.txn == *txn)
    }

    fn half_of(&self, txn: &Txn) -> Result<(&'static dyn Suite, &Secret), TokenError> {
        let run = self.run(txn).ok_or(TokenError::NoSuchAttempt)?;
        let (id, ssk1) = run.suite.zip(run.ssk1.as_ref()).ok_or(TokenError::NoSuchAttempt)?;
        Ok((find(id).ok_or(TokenError::UnknownSuite)?, ssk1))
    }

    /// Returns the place of the run. A new run takes the place of the oldest one without an attempt, if the
    /// token has no free place.
    fn run_mut(&mut self, txn: &Txn) -> Result<&mut Run, TokenError> {
        let place = match self.runs.iter().position(|run| run.txn == *txn) {
            Some(place) => place,
            None => {
                if self.runs.len() >= MAX_RUNS {
                    let idle = self.runs.iter().position(|run| run.attempt.is_none());
                    self.runs.remove(idle.ok_or(TokenError::Full)?);
                }
                self.runs.push(Run { txn: *txn, suite: None, ssk1: None, attempt: None });
                self.runs.len().saturating_sub(1)
            }
        };
        self.runs.get_mut(place).ok_or(TokenError::Full)
    }

    pub(super) fn wrap(
        &mut self,
        txn: &Txn,
        suite: SuiteId,
        server_key: &KemPublicKey,
        random: &mut dyn RandomSource,
    ) -> Result<Vec<u8>, TokenError> {
        find(suite).ok_or(TokenError::UnknownSuite)?;
        let ssk1 = Secret::random(random);
        let ct = server_key.encapsulate(&ssk1, random).map_err(|_| TokenError::UnfitServerKey)?;
        let run = self.run_mut(txn)?;
        (run.suite, run.ssk1) = (Some(suite), Some(ssk1));
        Ok(ct)
    }

    pub(super) fn derive_from_ssk1(
        &self,
        txn: &Txn,
        wanted: Ssk1Use,
        transcript: &Digest,
    ) -> Result<Secret, TokenError> {
        let (suite, ssk1) = self.half_of(txn)?;
        Ok(derive_from_ssk1(suite, ssk1, wanted, transcript))
    }

    pub(super) fn save_attempt(&mut self, attempt: Attempt) -> Result<(), TokenError> {
        // The registration that the run renews is known from here on, and the server has received nothing yet.
        if let Attempt::InFlight(half) = &attempt {
            self.half_of(&half.txn)?;
            self.room(&half.txn, half.supersedes())?;
        }
        let run = self.run_mut(attempt.txn())?;
        if let Attempt::Waiting(_) = &attempt {
            (run.suite, run.ssk1) = (None, None);
        }
        run.attempt = Some(attempt);
        Ok(())
    }

    pub(super) fn attempts(&self) -> Vec<Attempt> {
        self.runs.iter().filter_map(|run| run.attempt.clone()).collect()
    }

    pub(super) fn abandon(&mut self, txn: &Txn) {
        self.runs.retain(|run| run.txn != *txn);
    }

    pub(super) fn join(&mut self, join: &JoinRequest) -> Result<[u8; 32], TokenError> {
        let (suite, ssk1) = self.half_of(&join.txn)?;
        if suite.id() != join.suite {
            return Err(TokenError::NoSuchAttempt);
        }
        if self.key(&join.registration.key_id).is_ok() {
            return Err(TokenError::KeyExists);
        }
        self.room(&join.txn, join.registration.supersedes)?;
        let earlier = |key_id: &KeyId, question: &KeyUse| Ok(self.key(key_id)?.keys.derive(suite, question));
        let Joined { keys, registration, tag_c } = join.with(suite, ssk1, earlier)?;
        self.keys.push(Key { registration, keys, label: None });
        self.abandon(&join.txn);
        Ok(tag_c)
    }

    /// Returns true if the run has a place for its key. Every other run that waits for its R3 has one, and an
    /// active key that is to be superseded leaves its own; so there are at most twice as many keys.
    fn room(&self, txn: &Txn, supersedes: Option<KeyId>) -> Result<(), TokenError> {
        let others = self.runs.iter().filter(|run| run.txn != *txn).filter_map(|run| match &run.attempt {
            Some(Attempt::InFlight(half)) => Some(half.supersedes()),
            _ => None,
        });
        let joined = self.keys.iter().map(|key| key.registration.supersedes);
        let leaving: BTreeSet<_> = others.clone().chain(joined).chain([supersedes]).flatten().collect();
        let stays = |key: &&Key| {
            key.registration.progress != Progress::Active || !leaving.contains(&key.registration.key_id)
        };
        let taken = self.keys.iter().filter(stays).count().saturating_add(others.count());
        if taken < MAX_REGISTRATIONS { Ok(()) } else { Err(TokenError::Full) }
    }

    fn key(&self, key_id: &KeyId) -> Result<&Key, TokenError> {
        self.keys.iter().find(|key| key.registration.key_id == *key_id).ok_or(TokenError::NoSuchKey)
    }

    pub(super) fn derive(&self, key_id: &KeyId, question: &KeyUse) -> Result<Secret, TokenError> {
        let key = self.key(key_id)?;
        let suite = find(key.registration.suite).ok_or(TokenError::UnknownSuite)?;
        Ok(key.keys.derive(suite, question))
    }

    pub(super) fn registrations(&self) -> Vec<TokenRegistration> {
        self.keys.iter().map(|key| key.registration.clone()).collect()
    }

    pub(super) fn update(&mut self, registration: &TokenRegistration) -> Result<(), TokenError> {
        let place = |key_id: &KeyId| self.keys.iter().position(|key| key.registration.key_id == *key_id);
        let at = place(&registration.key_id).ok_or(TokenError::NoSuchKey)?;
        let mut new = registration.clone();
        if new.progress == Progress::Active
            && let Some(earlier) = new.supersedes.take()
            && earlier != new.key_id
            && let Some(earlier) = place(&earlier)
        {
            let label = self.keys.get(earlier).and_then(|earlier| {
                new.inherit_from(&earlier.registration);
                earlier.label.clone()
            });
            if let Some(key) = self.keys.get_mut(at) {
                key.registration = new;
                key.label = key.label.take().or(label);
            }
            self.keys.remove(earlier);
        } else if let Some(key) = self.keys.get_mut(at) {
            key.registration = new;
        }
        Ok(())
    }

    pub(super) fn label(&self, key_id: &KeyId) -> Result<Option<Label>, TokenError> {
        Ok(self.key(key_id)?.label.clone())
    }

    pub(super) fn rename(&mut self, key_id: &KeyId, label: Option<Label>) -> Result<(), TokenError> {
        let key = self.keys.iter_mut().find(|key| key.registration.key_id == *key_id);
        key.ok_or(TokenError::NoSuchKey)?.label = label;
        Ok(())
    }

    pub(super) fn remove(&mut self, key_id: &KeyId) -> Result<(), TokenError> {
        self.key(key_id)?;
        self.keys.retain(|key| key.registration.key_id != *key_id);
        Ok(())
    }
}
