//! A token over a device that keeps its keys inside: a smartcard, a PKCS#11 module, a phone's key store.
//!
//! `cargo run --example hsm_token` runs the contract that every token keeps, registers one, and opens a
//! session. The device is played by a struct with five commands, none of which gives a key out. There is
//! nothing of the protocol in it: labels and layouts come from `Ssk1Use::input`, `JoinRequest::input` and
//! `KeyUse::input`, as bytes to authenticate. What there is to write stands between the two rules.

mod setting;

use device::{Device, Fault};
use halfkey::certificate::TrustAnchors;
use halfkey::key::{KemPrivateKey, KemPublicKey};
use halfkey::memory::Store;
use halfkey::policy::SuiteId;
use halfkey::port::token::JoinRequest;
use halfkey::port::{Token, TokenError, contract};
use halfkey::record::{Attempt, Progress, TokenRegistration};
use halfkey::schedule::{KeySet, KeyUse, Ssk1Use, SubKey};
use halfkey::suite::find;
use halfkey::{Cause, Digest, KeyId, Secret, SystemRandom, Txn};
use setting::{Outcome, Setting, say};
use std::collections::BTreeMap;

/// The device, as its maker ships it: a handle names a key of 32 bytes.
mod device {
    use halfkey::key::KemPublicKey;
    use halfkey::suite::{Suite, X25519};
    use halfkey::{Secret, SystemRandom};
    use std::collections::BTreeMap;

    #[derive(Debug)]
    pub(crate) enum Fault {
        NoSuchHandle,
        UnfitKey,
    }

    #[derive(Default)]
    pub(crate) struct Device(BTreeMap<String, Secret>);

    impl Device {
        /// Draws a key, and lets it out encrypted: RSAES-OAEP (in PKCS#11 `C_GenerateKey` and `C_WrapKey`).
        pub(crate) fn draw(&mut self, handle: String, wrapping: &KemPublicKey) -> Result<Vec<u8>, Fault> {
            let key = Secret::random(&mut SystemRandom);
            let wrapped = wrapping.encapsulate(&key, &mut SystemRandom).map_err(|_| Fault::UnfitKey)?;
            self.0.insert(handle, key);
            Ok(wrapped)
        }
        /// Takes a key in (`C_CreateObject`).
        pub(crate) fn import(&mut self, handle: String, key: &Secret) {
            self.0.insert(handle, key.clone());
        }
        /// HMAC-SHA-256 under a key (`C_Sign`). A real device has its own; this one borrows the library's.
        pub(crate) fn mac(&self, handle: &str, input: &[u8]) -> Result<[u8; 32], Fault> {
            Ok(X25519.mac(self.0.get(handle).ok_or(Fault::NoSuchHandle)?, &[input]))
        }
        /// Compares such a MAC, in constant time (`C_Verify`).
        pub(crate) fn verify(&self, handle: &str, input: &[u8], mac: &[u8; 32]) -> Result<bool, Fault> {
            let right = self.mac(handle, input)?;
            Ok(right.iter().zip(mac).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0)
        }
        /// Erases a key, if it is there (`C_DestroyObject`).
        pub(crate) fn delete(&mut self, handle: &str) {
            self.0.remove(handle);
        }
    }
}

// ----------------------------------------------------------------------------------------------
type Answer<T> = Result<T, TokenError>;

/// Everything but the keys. A real one has these three in a file, and writes it last: keys in the device that
/// the file does not name are left from a crash, and deleted at the next start.
struct HsmToken {
    device: Device,
    anchors: TrustAnchors,
    attempts: BTreeMap<Txn, Attempt>,
    registrations: BTreeMap<KeyId, TokenRegistration>,
}

/// The handle of SSK1 in an attempt.
fn half(txn: &Txn) -> String {
    format!("{txn} SSK1")
}

/// The handle of a sub-key of a registration.
fn sub_key(key_id: &KeyId, sub_key: SubKey) -> String {
    format!("{key_id} {sub_key:?}")
}

/// The error of a command that names a key, which is not there, or else the device's with its cause.
fn missing(error: TokenError) -> impl FnOnce(Fault) -> TokenError {
    move |fault| match fault {
        Fault::NoSuchHandle => error,
        fault => TokenError::Failed(Cause::new(format!("{fault:?}"))),
    }
}

impl HsmToken {
    fn forget(&mut self, key_id: &KeyId) {
        SubKey::ALL.iter().for_each(|part| self.device.delete(&sub_key(key_id, *part)));
    }
}

impl Token for HsmToken {
    fn anchors(&self) -> Answer<TrustAnchors> {
        Ok(self.anchors.clone())
    }
    fn wrap(&mut self, txn: &Txn, suite: SuiteId, server_key: &KemPublicKey) -> Answer<Vec<u8>> {
        find(suite).ok_or(TokenError::UnknownSuite)?;
        self.device.draw(half(txn), server_key).map_err(|_| TokenError::UnfitServerKey)
    }
    fn derive_from_ssk1(&mut self, txn: &Txn, wanted: Ssk1Use, transcript: &Digest) -> Answer<Secret> {
        let derived = self.device.mac(&half(txn), &wanted.input(transcript));
        derived.map(Secret::new).map_err(missing(TokenError::NoSuchAttempt))
    }
    fn save_attempt(&mut self, attempt: Attempt) -> Answer<()> {
        match &attempt {
            Attempt::InFlight(attempt) => {
                // There is an SSK1, or there is nothing to save.
                self.device.mac(&half(&attempt.txn), &[]).map_err(missing(TokenError::NoSuchAttempt))?;
            }
            Attempt::Waiting(waiting) => self.device.delete(&half(&waiting.txn)),
        }
        self.attempts.insert(*attempt.txn(), attempt);
        Ok(())
    }
    fn attempts(&self) -> Answer<Vec<Attempt>> {
        Ok(self.attempts.values().cloned().collect())
    }
    fn abandon(&mut self, txn: &Txn) -> Answer<()> {
        self.device.delete(&half(txn));
        self.attempts.remove(txn);
        Ok(())
    }
    fn join(&mut self, join: &JoinRequest) -> Answer<[u8; 32]> {
        let (suite, key_id) = (find(join.suite).ok_or(TokenError::UnknownSuite)?, join.registration.key_id);
        if self.registrations.contains_key(&key_id) {
            return Err(TokenError::KeyExists);
        }
        // The one secret that passes the host: j, from which the sub-keys are made. SSK1 stays inside.
        let j = self.device.mac(&half(&join.txn), &join.input(suite)).map(Secret::new);
        let j = j.map_err(missing(TokenError::NoSuchAttempt))?;
        let binder = join.binder(suite, |earlier, key_use| self.derive(earlier, key_use))?;
        let keys = KeySet::from_j(suite, &j, &join.ss_e, &binder, &join.context());
        SubKey::ALL.iter().for_each(|part| self.device.import(sub_key(&key_id, *part), keys.sub_key(*part)));

        let grant = KeyUse::Grant(join.transcript);
        let proved = self.device.verify(&sub_key(&key_id, grant.sub_key()), &grant.input(), &join.tag_s);
        if !proved.map_err(missing(TokenError::NoSuchKey))? {
            self.forget(&key_id);
            return Err(TokenError::WrongProof);
        }
        let tag_c = *self.derive(&key_id, &KeyUse::Confirm(join.transcript, join.tag_s))?.expose();
        self.registrations.insert(key_id, join.joined(tag_c));
        self.abandon(&join.txn)?;
        Ok(tag_c)
    }
    fn derive(&mut self, key_id: &KeyId, key_use: &KeyUse) -> Answer<Secret> {
        let derived = self.device.mac(&sub_key(key_id, key_use.sub_key()), &key_use.input());
        derived.map(Secret::new).map_err(missing(TokenError::NoSuchKey))
    }
    fn registrations(&self) -> Answer<Vec<TokenRegistration>> {
        Ok(self.registrations.values().cloned().collect())
    }
    fn update(&mut self, registration: &TokenRegistration) -> Answer<()> {
        let mut new = registration.clone();
        if !self.registrations.contains_key(&new.key_id) {
            return Err(TokenError::NoSuchKey);
        }
        let superseded = if new.progress == Progress::Active { new.supersedes.take() } else { None };
        if let Some(earlier) = superseded.and_then(|key_id| self.registrations.remove(&key_id)) {
            new.inherit_from(&earlier);
            self.forget(&earlier.key_id);
        }
        self.registrations.insert(new.key_id, new);
        Ok(())
    }
    fn remove(&mut self, key_id: &KeyId) -> Answer<()> {
        self.forget(key_id);
        self.registrations.remove(key_id).map(drop).ok_or(TokenError::NoSuchKey)
    }
}
// ----------------------------------------------------------------------------------------------

fn blank(anchors: &TrustAnchors) -> HsmToken {
    let (device, attempts, registrations) = (Device::default(), BTreeMap::new(), BTreeMap::new());
    HsmToken { device, anchors: anchors.clone(), attempts, registrations }
}

fn main() -> Outcome {
    let setting = Setting::new()?;
    let server_key = KemPrivateKey::generate(2048, &mut SystemRandom)?;
    contract::token(&mut || Box::new(blank(&setting.anchors)), &server_key, &mut SystemRandom)?;
    say(format_args!("the token keeps the contract"));

    let registration = setting.tell(blank(&setting.anchors), Store::new(), "alice")?;
    say(format_args!("alice is registered as {}, with key {}", registration.user_id, registration.key_id));
    Ok(())
}
