//! The key schedule of registration: two halves in, four sub-keys out (PROTOCOL.md, section 6).
//!
//! ```text
//! SSK1 ─ prf "half B" thB ─┐                       SSK1 ─ prf "join" H(SSK2 ‖ thJ) ─ j
//!                    ss_e ─┴ Extract thB ─ k2                 ss_e ─┐
//! SSK1 ─ prf "half G" thG ─┐                       proof key ─ mix ─┴ Extract j ─ K ─ sub-keys
//!                    ss_e ─┴ Extract thG ─ k3
//! ```

use crate::aead::{self, SealBroken};
use crate::id::{Digest, KeyId, ServerName, UserId};
pub use crate::record::KeySet;
use crate::secret::Secret;
use crate::suite::{Suite, prf};
use crate::transcript::{label, lengthed};
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// Uses of the token's contribution SSK1 while it is the only shared secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ssk1Use {
    /// p_B, which seals R2.
    Request,
    /// p_G, which opens R3.
    Outcome,
}

impl Ssk1Use {
    /// The bytes to authenticate under SSK1: `label ‖ 0x00 ‖ transcript ‖ 0x01`. Nothing in it is secret.
    #[must_use]
    pub fn input(self, transcript: &Digest) -> Vec<u8> {
        [self.label(), &[0], transcript.as_bytes(), &[1]].concat()
    }

    const fn label(self) -> &'static [u8] {
        match self {
            Self::Request => label::HALF_B,
            Self::Outcome => label::HALF_G,
        }
    }
}

/// Derives p_B or p_G: `HMAC(SSK1, input)`, the value that a token which guards SSK1 gives out.
#[must_use]
pub fn derive_from_ssk1(suite: &dyn Suite, ssk1: &Secret, wanted: Ssk1Use, transcript: &Digest) -> Secret {
    prf(suite, ssk1, wanted.label(), transcript.as_bytes())
}

/// k2 or k3: seals one text, once, under the transcript before it.
#[derive(Debug)]
pub(crate) struct Envelope {
    suite: &'static dyn Suite,
    transcript: Digest,
    prk: Secret,
    wanted: Ssk1Use,
}

impl Envelope {
    /// `Extract(transcript, p ‖ ss_e)`.
    pub(crate) fn new(
        suite: &'static dyn Suite,
        wanted: Ssk1Use,
        transcript: Digest,
        p: &Secret,
        ss_e: &Secret,
    ) -> Self {
        Self { suite, transcript, prk: suite.extract(transcript.as_bytes(), &[p, ss_e]), wanted }
    }

    fn key_and_nonce(&self) -> (Secret, [u8; 12]) {
        let (key_label, nonce_label) = match self.wanted {
            Ssk1Use::Request => (label::REQUEST_KEY, label::REQUEST_NONCE),
            Ssk1Use::Outcome => (label::OUTCOME_KEY, label::OUTCOME_NONCE),
        };
        let mut nonce = [0; 12];
        self.suite.expand(&self.prk, &[nonce_label, &[0]], &mut nonce);
        (expand_key(self.suite, &self.prk, key_label), nonce)
    }

    /// Seals the one text; the envelope is spent.
    pub(crate) fn seal(self, mut text: Zeroizing<Vec<u8>>) -> Vec<u8> {
        let (key, nonce) = self.key_and_nonce();
        aead::seal(&*self.suite.aead(&key), &nonce, self.transcript.as_bytes(), &mut text);
        core::mem::take(&mut text)
    }

    /// Opens what the peer sealed.
    pub(crate) fn open(&self, mut text: Vec<u8>) -> Result<Zeroizing<Vec<u8>>, SealBroken> {
        let (key, nonce) = self.key_and_nonce();
        aead::open(&*self.suite.aead(&key), &nonce, self.transcript.as_bytes(), &mut text)?;
        Ok(Zeroizing::new(text))
    }

    /// The ticket of a run that is told to wait, and its public name. The key of the run's own
    /// proof is mixed in, so a waiting run authenticates the server no less than the first did.
    pub(crate) fn ticket(&self, mix: &Secret) -> (Secret, [u8; 16]) {
        let base = expand_key(self.suite, &self.prk, label::TICKET);
        let mut id = [0; 16];
        self.suite.expand(&self.prk, &[label::TICKET_ID, &[0]], &mut id);
        (prf(self.suite, mix, label::TICKET, base.expose()), id)
    }
}

pub(crate) fn expand_key(suite: &dyn Suite, prk: &Secret, label: &[u8]) -> Secret {
    let mut key = [0; 32];
    suite.expand(prk, &[label, &[0]], &mut key);
    Secret::new(key)
}

/// `o = prf(the key whose proof R2 carried, "mix" ‖ transcript)`.
#[must_use]
pub fn binder(suite: &dyn Suite, proof_key: &Secret, transcript: &Digest) -> Secret {
    prf(suite, proof_key, label::MIX, transcript.as_bytes())
}

/// Context that the sub-keys are bound to besides the transcript.
#[derive(Clone, Copy, Debug)]
pub struct KeyContext<'a> {
    /// SHA-256 of the server's certificate in DER.
    pub certificate: &'a Digest,
    /// The server's name.
    pub server_name: &'a ServerName,
    /// The user identification code.
    pub user_id: &'a UserId,
    /// The key's name.
    pub key_id: &'a KeyId,
}

/// What SSK1 authenticates at the join: `label ‖ 0x00 ‖ H(SSK2 ‖ thJ) ‖ 0x01`.
pub(crate) fn join_input(suite: &dyn Suite, ssk2: &Secret, transcript: &Digest) -> Vec<u8> {
    let digest = suite.hash(&[ssk2.expose(), transcript.as_bytes()]);
    [label::JOIN, &[0], digest.as_bytes(), &[1]].concat()
}

impl KeySet {
    /// The join (patent steps 170 and 200): both halves, the ephemeral secret and the proof's mix
    /// become K, and K its sub-keys. Everything else is forgotten here.
    #[must_use]
    pub fn join(
        suite: &dyn Suite,
        ssk1: &Secret,
        ssk2: &Secret,
        transcript: &Digest,
        ss_e: &Secret,
        mix: &Secret,
        context: &KeyContext<'_>,
    ) -> Self {
        let j = Secret::new(suite.mac(ssk1, &[&join_input(suite, ssk2, transcript)]));
        Self::from_j(suite, &j, ss_e, mix, context)
    }

    /// The second half of the join, for a token that guards SSK1 and lets only `j` out: `HMAC(SSK1, input)` of
    /// [`JoinRequest::input`](crate::port::token::JoinRequest::input).
    #[must_use]
    pub fn from_j(
        suite: &dyn Suite,
        j: &Secret,
        ss_e: &Secret,
        mix: &Secret,
        context: &KeyContext<'_>,
    ) -> Self {
        let k = suite.extract(j.expose(), &[ss_e, mix]);
        let sub = |label| context.sub_key(suite, &k, label);
        Self {
            auth: sub(label::KEY_AUTH),
            derive: sub(label::KEY_DERIVE),
            confirm: sub(label::KEY_CONFIRM),
            renew: sub(label::KEY_RENEW),
        }
    }

    /// Derives the one value that a use of the key gives: `HMAC(sub-key, input)` of
    /// [`KeyUse::sub_key`] and [`KeyUse::input`].
    #[must_use]
    pub fn derive(&self, suite: &dyn Suite, key_use: &KeyUse) -> Secret {
        Secret::new(suite.mac(self.sub_key(key_use.sub_key()), &key_use.parts()))
    }

    /// Returns one of the sub-keys, for a token that imports them into a device.
    #[must_use]
    pub const fn sub_key(&self, sub_key: SubKey) -> &Secret {
        match sub_key {
            SubKey::Auth => &self.auth,
            SubKey::Derive => &self.derive,
            SubKey::Confirm => &self.confirm,
            SubKey::Renew => &self.renew,
        }
    }
}

/// Names one of the four sub-keys of a shared key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubKey {
    /// K_auth: the token's proof in a session.
    Auth,
    /// K_derive: the shared key's part of a session's key.
    Derive,
    /// K_confirm: the proofs at the end of a registration (R3 to R5).
    Confirm,
    /// K_renew: the proof of a renewal.
    Renew,
}

impl SubKey {
    /// The sub-keys of a shared key.
    pub const ALL: [Self; 4] = [Self::Auth, Self::Derive, Self::Confirm, Self::Renew];
}

/// Everything that a key, once joined, is ever used for: labelled MACs and derived values.
///
/// Each is `HMAC-SHA-256(sub-key, input)`, 32 bytes. A token whose keys live in a device sends
/// [`KeyUse::input`] to the key that [`KeyUse::sub_key`] names, and copies no label of the protocol.
///
/// ```
/// use halfkey::Secret;
/// use halfkey::schedule::{KeyUse, SubKey};
///
/// /// `Token::derive` over a device that has HMAC and handles.
/// fn derive(hmac: impl Fn(SubKey, &[u8]) -> [u8; 32], key_use: &KeyUse) -> Secret {
///     Secret::new(hmac(key_use.sub_key(), &key_use.input()))
/// }
/// # let _ = derive(|_, input| [input.len() as u8; 32], &KeyUse::Session([0; 64]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyUse {
    /// tag_c of S2, over `thC ‖ N_c ‖ P`: under K_auth.
    Response([u8; 96]),
    /// d, over `tag_c ‖ X`: under K_derive.
    Session([u8; 64]),
    /// tag_s of R3, over thJ: under K_confirm.
    Grant(Digest),
    /// tag_c of R4, over thJ and tag_s: under K_confirm.
    Confirm(Digest, [u8; 32]),
    /// The tag of R5 when the registration counts, over thJ and tag_c: under K_confirm.
    Done(Digest, [u8; 32]),
    /// The tag of R5 when another registration was first: under K_confirm.
    Lost(Digest, [u8; 32]),
    /// The renewal proof of R2, over thB: under K_renew.
    Renew(Digest),
    /// The binder of a renewal, over thJ (thB for a ticket): under K_renew.
    Binder(Digest),
}

impl KeyUse {
    /// The sub-key that is used.
    #[must_use]
    pub const fn sub_key(&self) -> SubKey {
        match self {
            Self::Response(_) => SubKey::Auth,
            Self::Session(_) => SubKey::Derive,
            Self::Grant(_) | Self::Confirm(..) | Self::Done(..) | Self::Lost(..) => SubKey::Confirm,
            Self::Renew(_) | Self::Binder(_) => SubKey::Renew,
        }
    }

    /// The bytes to authenticate, at most 128: `label ‖ 0x00 ‖` what the use is over, and after it the
    /// `0x01` of HKDF-Expand for a derived value. Nothing in it is secret.
    #[must_use]
    pub fn input(&self) -> Vec<u8> {
        self.parts().concat()
    }

    /// [`KeyUse::input`] in four parts.
    const fn parts(&self) -> [&[u8]; 4] {
        let (label, over, last): (&[u8], &[u8], &[u8]) = match self {
            Self::Response(text) => (label::RESPONSE, text, &[]),
            Self::Session(text) => (label::SESSION, text, &[1]),
            Self::Grant(th_j) => (label::GRANT, th_j.as_bytes(), &[]),
            Self::Confirm(th_j, tag_s) => (label::CONFIRM, th_j.as_bytes(), tag_s),
            Self::Done(th_j, tag_c) => (label::DONE, th_j.as_bytes(), tag_c),
            Self::Lost(th_j, tag_c) => (label::LOST, th_j.as_bytes(), tag_c),
            Self::Renew(th_b) => (label::RENEW, th_b.as_bytes(), &[]),
            Self::Binder(th) => (label::MIX, th.as_bytes(), &[1]),
        };
        [label, &[0], over, last]
    }
}

impl KeyContext<'_> {
    /// `prf(K, label ‖ each item: length(4) ‖ bytes)`.
    fn sub_key(&self, suite: &dyn Suite, k: &Secret, label: &[u8]) -> Secret {
        let info = lengthed([
            self.certificate.as_bytes(),
            self.server_name.as_str().as_bytes(),
            self.user_id.as_str().as_bytes(),
            self.key_id.as_bytes(),
        ]);
        prf(suite, k, label, &info)
    }
}

#[cfg(test)]
mod tests;
