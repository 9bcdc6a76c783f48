//! A token in memory whose keys can be written down, so that a test can go on where another ended.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use super::common::Counting;
use halfkey::certificate::TrustAnchors;
use halfkey::key::KemPublicKey;
use halfkey::policy::{Policy, SuiteId};
use halfkey::port::token::{JoinRequest, Joined};
use halfkey::port::{Token, TokenError};
use halfkey::record::{Attempt, Progress, TokenRegistration};
use halfkey::schedule::{KeySet, KeyUse, Ssk1Use, derive_from_ssk1};
use halfkey::suite::find;
use halfkey::{Digest, KeyId, RandomSource, Secret, Txn, UnixTime};
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Answer<T> = Result<T, TokenError>;

pub struct Keeper {
    pub anchors: TrustAnchors,
    random: Counting,
    halves: BTreeMap<Txn, Secret>,
    attempts: BTreeMap<Txn, Attempt>,
    keys: BTreeMap<KeyId, (TokenRegistration, KeySet)>,
}

impl Keeper {
    pub fn blank(anchors: TrustAnchors, seed: u8) -> Self {
        let (halves, attempts, keys) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { anchors, random: Counting::new(seed), halves, attempts, keys }
    }

    pub fn only(&self) -> TokenRegistration {
        assert_eq!(self.keys.len(), 1);
        self.keys.values().next().unwrap().0.clone()
    }

    /// Every secret that it shares with a server.
    pub fn secrets(&self) -> Vec<[u8; 32]> {
        self.keys.values().flat_map(|(_, keys)| keys.stored().map(|key| *key.expose())).collect()
    }

    /// Its one registration.
    pub fn write(&self) -> Value {
        let (registration, keys) = self.keys.values().next().unwrap();
        let progress = match registration.progress {
            Progress::Active => Value::Null,
            Progress::Joined { txn, transcript, tag_c, confirm } => json!({
                "txn": txn.to_string(), "transcript": transcript.to_string(),
                "tag_c": Digest::new(tag_c).to_string(), "confirm_by": confirm.end().as_secs(),
            }),
        };
        json!({
            "key_id": registration.key_id.to_string(),
            "server_name": registration.server_name.as_str(),
            "certificate": registration.certificate.to_string(),
            "anchor": registration.anchor.to_string(),
            "user_id": registration.user_id.as_str(),
            "access_path": registration.access_path.as_str(),
            "suite": registration.suite.code(),
            "alias": registration.alias.map(|alias| alias.to_string()),
            "joined": progress,
            "keys": keys.stored().map(|key| Digest::new(*key.expose()).to_string()),
        })
    }

    /// A token with the one registration that was written down.
    pub fn read(anchors: TrustAnchors, written: &Value) -> Self {
        let text = |name: &str| written[name].as_str().unwrap();
        let digest = |value: &Value| value.as_str().unwrap().parse::<Digest>().unwrap();
        let keys = [0, 1, 2, 3].map(|place| Secret::new(*digest(&written["keys"][place]).as_bytes()));
        let [auth, derive, confirm, renew] = keys;
        let joined = &written["joined"];
        let progress = match joined.as_object() {
            None => Progress::Active,
            Some(_) => Progress::Joined {
                txn: joined["txn"].as_str().unwrap().parse().unwrap(),
                transcript: digest(&joined["transcript"]),
                tag_c: *digest(&joined["tag_c"]).as_bytes(),
                confirm: halfkey::Period::new(UnixTime::default(), joined["confirm_by"].as_u64().unwrap()),
            },
        };
        let registration = TokenRegistration {
            key_id: text("key_id").parse().unwrap(),
            server_name: super::common::name(text("server_name")),
            certificate: digest(&written["certificate"]),
            certificate_end: UnixTime::from_secs(4_000_000_000),
            anchor: digest(&written["anchor"]),
            user_id: text("user_id").parse().unwrap(),
            access_path: text("access_path").parse().unwrap(),
            suite: SuiteId::from_code(u16::try_from(written["suite"].as_u64().unwrap()).unwrap()).unwrap(),
            policy: Policy::default(),
            alias: written["alias"].as_str().map(|alias| alias.parse().unwrap()),
            progress,
            supersedes: None,
            configurations: Vec::new(),
            clock_floor: UnixTime::default(),
            not_active: None,
        };
        let mut keeper = Self::blank(anchors, 99);
        let keys = KeySet::from_stored(auth, derive, confirm, renew);
        keeper.keys.insert(registration.key_id, (registration, keys));
        keeper
    }
}

impl Token for Keeper {
    fn anchors(&self) -> Answer<TrustAnchors> {
        Ok(self.anchors.clone())
    }
    fn wrap(&mut self, txn: &Txn, _suite: SuiteId, server_key: &KemPublicKey) -> Answer<Vec<u8>> {
        let mut ssk1 = [0; Secret::LEN];
        self.random.fill(&mut ssk1);
        let ct = server_key.encapsulate(&Secret::new(ssk1), &mut self.random);
        self.halves.insert(*txn, Secret::new(ssk1));
        ct.map_err(|_| TokenError::UnfitServerKey)
    }
    fn derive_from_ssk1(&mut self, txn: &Txn, wanted: Ssk1Use, transcript: &Digest) -> Answer<Secret> {
        let ssk1 = self.halves.get(txn).ok_or(TokenError::NoSuchAttempt)?;
        Ok(derive_from_ssk1(find(SuiteId::XWing).unwrap(), ssk1, wanted, transcript))
    }
    fn save_attempt(&mut self, attempt: Attempt) -> Answer<()> {
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
        let ssk1 = self.halves.get(&join.txn).ok_or(TokenError::NoSuchAttempt)?.clone();
        let suite = find(join.suite).ok_or(TokenError::UnknownSuite)?;
        let Joined { keys, registration, tag_c } =
            join.with(suite, &ssk1, |id, asked| self.derive(id, asked))?;
        self.keys.insert(registration.key_id, (registration, keys));
        self.abandon(&join.txn)?;
        Ok(tag_c)
    }
    fn derive(&mut self, key_id: &KeyId, question: &KeyUse) -> Answer<Secret> {
        let (registration, keys) = self.keys.get(key_id).ok_or(TokenError::NoSuchKey)?;
        Ok(keys.derive(find(registration.suite).ok_or(TokenError::UnknownSuite)?, question))
    }
    fn registrations(&self) -> Answer<Vec<TokenRegistration>> {
        Ok(self.keys.values().map(|(registration, _)| registration.clone()).collect())
    }
    fn update(&mut self, registration: &TokenRegistration) -> Answer<()> {
        let mut new = registration.clone();
        let earlier = if new.progress == Progress::Active { new.supersedes.take() } else { None };
        let earlier = earlier.and_then(|key_id| self.keys.remove(&key_id));
        let (held, _) = self.keys.get_mut(&new.key_id).ok_or(TokenError::NoSuchKey)?;
        *held = new;
        if let Some((earlier, _)) = earlier {
            held.inherit_from(&earlier);
        }
        Ok(())
    }
    fn remove(&mut self, key_id: &KeyId) -> Answer<()> {
        self.keys.remove(key_id).map(drop).ok_or(TokenError::NoSuchKey)
    }
}
