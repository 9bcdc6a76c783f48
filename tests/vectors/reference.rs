//! PROTOCOL.md, sections 4 and 5, written down a second time, from that text alone.

use crate::recorder::Call;
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use x25519_dalek::{PublicKey, StaticSecret};

pub(crate) const ABSENT: [u8; 32] = [0; 32];

/// `u32(len(x)) ‖ x`.
pub(crate) fn lv(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

pub(crate) fn plain_hash(input: &[u8]) -> Vec<u8> {
    Sha256::digest(input).to_vec()
}

fn hmac(key: &[u8], input: &[u8]) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
    mac.update(input);
    mac.finalize().into_bytes().to_vec()
}

/// RFC 5869, section 2.3.
fn hkdf_expand(prk: &[u8], info: &[u8], length: usize) -> Vec<u8> {
    let (mut out, mut block) = (Vec::new(), Vec::new());
    for counter in 1..=u8::MAX {
        if out.len() >= length {
            break;
        }
        block = hmac(prk, &[&block, info, &[counter]].concat());
        out.extend_from_slice(&block);
    }
    out.truncate(length);
    out
}

/// The primitives in one suite, the calls made of them, and the values that have a name.
pub(crate) struct Reference {
    pub(crate) suite: u16,
    pub(crate) calls: BTreeSet<Call>,
    pub(crate) values: Vec<(String, Vec<u8>)>,
}

impl Reference {
    pub(crate) fn new(suite: u16) -> Self {
        Self { suite, calls: BTreeSet::new(), values: Vec::new() }
    }

    /// Gives a value its name.
    pub(crate) fn name(&mut self, name: &str, value: &[u8]) {
        self.values.push((name.into(), value.to_vec()));
    }

    pub(crate) fn hash(&mut self, input: &[u8]) -> Vec<u8> {
        let out = plain_hash(input);
        self.calls.insert(Call::Hash { input: input.to_vec(), out: out.clone() });
        out
    }

    fn hmac(&mut self, key: &[u8], input: &[u8]) -> Vec<u8> {
        let out = hmac(key, input);
        self.calls.insert(Call::Mac { key: key.to_vec(), input: input.to_vec(), out: out.clone() });
        out
    }

    /// HMAC without a label, as salt_g is made.
    pub(crate) fn salt(&mut self, r: &[u8], body: &[u8]) -> Vec<u8> {
        self.hmac(r, body)
    }

    pub(crate) fn extract(&mut self, name: &str, salt: &[u8], material: &[&[u8]]) -> Vec<u8> {
        let material = material.concat();
        let out = hmac(salt, &material);
        self.calls.insert(Call::Extract { salt: salt.to_vec(), material, out: out.clone() });
        self.name(name, &out);
        out
    }

    pub(crate) fn expand(&mut self, name: &str, prk: &[u8], info: &[u8], length: usize) -> Vec<u8> {
        let out = hkdf_expand(prk, info, length);
        self.calls.insert(Call::Expand { key: prk.to_vec(), info: info.to_vec(), out: out.clone() });
        self.name(name, &out);
        out
    }

    /// `Expand(prk, label ‖ 0x00, n)`.
    pub(crate) fn key(&mut self, name: &str, prk: &[u8], label: &str, length: usize) -> Vec<u8> {
        self.expand(name, prk, &labelled(label, &[]), length)
    }

    /// `HMAC(k, label ‖ 0x00 ‖ x ‖ 0x01)`.
    pub(crate) fn prf(&mut self, name: &str, key: &[u8], label: &str, x: &[u8]) -> Vec<u8> {
        let out = self.hmac(key, &[&labelled(label, x)[..], &[1]].concat());
        assert_eq!(out, hkdf_expand(key, &labelled(label, x), 32));
        self.name(name, &out);
        out
    }

    /// `HMAC(k, label ‖ 0x00 ‖ x)`.
    pub(crate) fn mac(&mut self, name: &str, key: &[u8], label: &str, x: &[u8]) -> Vec<u8> {
        let out = self.hmac(key, &labelled(label, x));
        self.name(name, &out);
        out
    }

    /// `T(name; items…)`.
    pub(crate) fn transcript(&mut self, value: &str, name: &str, items: &[(u8, &[u8])]) -> Vec<u8> {
        let mut input = [b"halfkey/1 ", name.as_bytes(), &[0], &self.suite.to_be_bytes()].concat();
        for (kind, bytes) in items {
            input.push(*kind);
            input.extend_from_slice(&lv(bytes));
        }
        let out = self.hash(&input);
        self.name(value, &out);
        out
    }

    /// The text that `seal` made this of.
    pub(crate) fn open(&mut self, key: &[u8], nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Vec<u8> {
        let cipher = Aes256Gcm::new_from_slice(key).unwrap();
        let payload = Payload { msg: sealed, aad };
        let text = cipher.decrypt(&Nonce::try_from(nonce).unwrap(), payload).expect("does not open");
        self.calls.insert(Call::Seal {
            key: key.to_vec(),
            nonce: nonce.to_vec(),
            aad: aad.to_vec(),
            text: text.clone(),
            sealed: sealed.to_vec(),
        });
        text
    }

    /// The shared secret of the suite's ephemeral KEM; a private key is the 32 bytes drawn for it.
    pub(crate) fn decapsulate(&self, private: &[u8], ciphertext: &[u8]) -> Vec<u8> {
        let private: [u8; 32] = private.try_into().unwrap();
        match self.suite {
            1 => dhkem(private, ciphertext),
            2 => {
                use x_wing::Decapsulate;
                let ciphertext = x_wing::Ciphertext::try_from(ciphertext).unwrap();
                x_wing::DecapsulationKey::from(private).decapsulate(&ciphertext).to_vec()
            }
            other => panic!("suite {other}"),
        }
    }
}

fn labelled(label: &str, x: &[u8]) -> Vec<u8> {
    [format!("halfkey/1 {label}").as_bytes(), &[0], x].concat()
}

/// RFC 9180, section 4.1: Decap of DHKEM(X25519, HKDF-SHA256).
fn dhkem(private: [u8; 32], enc: &[u8]) -> Vec<u8> {
    let private = StaticSecret::from(private);
    let theirs = PublicKey::from(<[u8; 32]>::try_from(enc).unwrap());
    let dh = private.diffie_hellman(&theirs);
    let context = [enc, PublicKey::from(&private).as_bytes()].concat();
    let suite = [&b"KEM"[..], &[0x00, 0x20]].concat();
    let extracted = [&b"HPKE-v1"[..], &suite, b"eae_prk", dh.as_bytes()].concat();
    let info = [&[0, 32], &b"HPKE-v1"[..], &suite, b"shared_secret", &context].concat();
    hkdf_expand(&hmac(&ABSENT, &extracted), &info, 32)
}

/// Undoes `lv(text) ‖ 0…0` of a length that is a multiple of 256.
pub(crate) fn unpadded(padded: &[u8]) -> Vec<u8> {
    assert!(padded.len().is_multiple_of(256));
    let (length, rest) = padded.split_at(4);
    let (text, zeros) = rest.split_at(u32::from_be_bytes(length.try_into().unwrap()) as usize);
    assert!(zeros.iter().all(|byte| *byte == 0), "padding");
    text.to_vec()
}
