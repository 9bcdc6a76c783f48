//! The bare primitives, through the crates that make them or the crate's own key types.

use crate::recorder::Call;
use crate::session::{cheap, server_calls};
use crate::world::{kem_key, only, suite_name};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, Nonce};
use criterion::Criterion;
use halfkey::Secret;
use halfkey::policy::SuiteId;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::hint::black_box;

fn hmac(key: &[u8], input: &[u8]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
    mac.update(input);
    mac.finalize().into_bytes().into()
}

/// One call again, with nothing around it.
fn replay(call: &Call) {
    match call {
        Call::Hash { input, .. } => drop(black_box(Sha256::digest(input))),
        Call::Mac { key, input, .. } => drop(black_box(hmac(key, input))),
        Call::Extract { salt, material, .. } => drop(black_box(hmac(salt, material))),
        Call::Expand { key, info, out } => {
            let mut made = vec![0; out.len()];
            Hkdf::<Sha256>::from_prk(key).unwrap().expand(info, &mut made).unwrap();
            black_box(made);
        }
        Call::Seal { key, nonce, aad, text, .. } => {
            let mut sealed = Vec::with_capacity(text.len() + 16);
            sealed.extend_from_slice(text);
            let cipher = Aes256Gcm::new_from_slice(key).unwrap();
            let nonce = Nonce::try_from(&nonce[..]).unwrap();
            cipher.encrypt_in_place(&nonce, aad, &mut sealed).unwrap();
            black_box(sealed);
        }
    }
}

pub(crate) fn bare(c: &mut Criterion) {
    let mut group = c.benchmark_group("bare");
    let (private, ssk1) = (kem_key(), Secret::new([7; 32]));
    let ct = private.public().encapsulate(&ssk1, &mut cheap).unwrap();
    group.bench_function("RSA-3072 OAEP encapsulate", |b| {
        b.iter(|| private.public().encapsulate(black_box(&ssk1), &mut cheap).unwrap());
    });
    group.bench_function("RSA-3072 OAEP decapsulate, blinded", |b| {
        b.iter(|| private.decapsulate(black_box(&ct), &ssk1, &mut cheap));
    });
    for id in SuiteId::ALL {
        let (kem, name) = (only(id)[0].kem(), suite_name(id));
        let (secret, public) = kem.generate(&mut cheap);
        let (ciphertext, _) = kem.encapsulate(&public, &mut cheap).unwrap();
        group.bench_function(format!("{name} generate"), |b| b.iter(|| kem.generate(&mut cheap)));
        group.bench_function(format!("{name} encapsulate"), |b| {
            b.iter(|| kem.encapsulate(black_box(&public), &mut cheap).unwrap());
        });
        group.bench_function(format!("{name} decapsulate"), |b| {
            b.iter(|| kem.decapsulate(&secret, black_box(&ciphertext)).unwrap());
        });
    }
    group.bench_function("HMAC-SHA-256 of 64 B", |b| {
        b.iter(|| hmac(black_box(&[7; 32]), black_box(&[9; 64])))
    });
    group.bench_function("SHA-256 of 64 B", |b| b.iter(|| Sha256::digest(black_box([9; 64]))));
    for (size, name) in [(64, "64 B"), (1024, "1 KiB"), (16_384, "16 KiB")] {
        let call = Call::Seal {
            key: vec![1; 32],
            nonce: vec![2; 12],
            aad: Vec::new(),
            text: vec![3; size],
            sealed: Vec::new(),
        };
        group.bench_function(format!("AES-256-GCM seal {name}"), |b| b.iter(|| replay(black_box(&call))));
    }
    let calls = server_calls();
    group.bench_function("all that a server computes in a psk session", |b| {
        b.iter(|| calls.iter().for_each(|call| replay(black_box(call))));
    });
}
