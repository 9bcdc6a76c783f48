//! Certificates, requests, lists, anchors and keys, in DER and PEM.

use super::play::Play;
use super::world::{TEST_KEYS, at, fixed, name};
use halfkey::certificate::{
    Certificate, CertificateRequest, Chain, IssuerName, Revocation, RevocationDepth, RevocationList,
    TrustAnchor, TrustAnchors, verify,
};
use halfkey::key::{IssuerKey, IssuerPublicKey, KemPrivateKey, KemPublicKey, OfferKey, OfferPublicKey};

pub fn run(bytes: &[u8]) {
    let mut play = Play(bytes);
    match play.byte() % 4 {
        0 => chain(&mut play),
        1 => der(&mut play),
        2 => {
            if let Ok(text) = str::from_utf8(play.0) {
                pem(text);
            }
        }
        _ => written(&mut play),
    }
}

/// A chain and a list that somebody changed: what verifies is what the issuers signed.
fn chain(play: &mut Play<'_>) {
    let fixed = fixed();
    let honest: Vec<Vec<u8>> =
        [&fixed.chain, &fixed.long_chain].into_iter().flat_map(Chain::as_der).map(Vec::from).collect();
    let length = 1 + play.below(5);
    let chain: Vec<Vec<u8>> = (0..length)
        .map(|place| {
            let start = play.pick(&honest[..2]);
            let certificate = if place == 0 { start } else { honest[2].clone() };
            play.meddle(&certificate, &honest)
        })
        .collect();
    let list = play.meddle(&fixed.list, &honest);
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    let depth = play.pick(&[RevocationDepth::Leaf, RevocationDepth::Chain]);
    let revocation = play.pick(&[Revocation::Ignore, Revocation::lists([list.as_slice()], depth)]);
    let now = at(u64::from(play.byte()));
    if let Ok(server) = verify(&chain, &fixed.anchors, &name(), now, &revocation) {
        assert!(honest[..2].iter().any(|leaf| leaf.as_slice() == chain[0]), "a leaf that nobody signed");
        assert_eq!(server.kem_key(), fixed.kem_key.public());
        assert_eq!(*server.offer_key(), fixed.offer_key.public());
        if matches!(revocation, Revocation::Lists { .. }) {
            assert!(list == fixed.list, "a list that nobody signed");
        }
    }
}

/// DER of any kind: no panic, and what is taken is given back as it came, or taken again.
fn der(play: &mut Play<'_>) {
    let fixed = fixed();
    let key = fixed.kem_key.to_pkcs8_der().unwrap().to_vec();
    let begin = [
        Vec::new(),
        fixed.request.as_der().to_vec(),
        fixed.list.clone(),
        fixed.chain.leaf().as_der().to_vec(),
        key,
        fixed.offer_key.to_pkcs8_der().unwrap().to_vec(),
        fixed.kem_key.public().as_spki_der().to_vec(),
        fixed.offer_key.public().to_spki_der().unwrap(),
        fixed.anchors.as_slice()[0].to_der().unwrap(),
        fixed.anchors.as_slice()[1].to_der().unwrap(),
    ];
    let chosen = play.pick(&begin);
    let der = play.meddle(&chosen, &begin);
    let der = if chosen.is_empty() { play.0 } else { &der };
    if let Ok(request) = CertificateRequest::from_der(der) {
        assert_eq!(request.as_der(), der);
    }
    if let Ok(certificate) = Certificate::from_der(der) {
        assert_eq!(certificate.as_der(), der);
    }
    if let Ok(list) = RevocationList::from_der(der) {
        assert_eq!(list.as_der(), der);
    }
    if let Ok(anchor) = TrustAnchor::from_der(der) {
        assert!(TrustAnchor::from_der(&anchor.to_der().unwrap()).unwrap() == anchor);
    }
    if let Ok(name) = IssuerName::from_der(der) {
        assert_eq!(name.as_der(), der);
    }
    if let Ok(key) = KemPublicKey::from_spki_der(der) {
        assert!(KemPublicKey::from_spki_der(key.as_spki_der()).unwrap() == key);
    }
    if let Ok(key) = KemPrivateKey::from_pkcs8_der(der) {
        assert!(
            KemPrivateKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap().public() == key.public()
        );
    }
    if let Ok(key) = IssuerPublicKey::from_spki_der(der) {
        assert!(IssuerPublicKey::from_spki_der(key.as_spki_der()).unwrap() == key);
    }
    if let Ok(key) = IssuerKey::from_pkcs8_der(der) {
        assert!(IssuerKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap().public() == key.public());
    }
    if let Ok(key) = OfferKey::from_pkcs8_der(der) {
        assert!(OfferKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap().public() == key.public());
    }
    if let Ok(key) = OfferPublicKey::from_spki_der(der) {
        assert!(OfferPublicKey::from_spki_der(&key.to_spki_der().unwrap()).unwrap() == key);
    }
}

/// Text where PEM should be: no panic, and what is written is read again.
fn pem(text: &str) {
    if let Ok(chain) = Chain::from_pem(text) {
        assert!(Chain::from_pem(&chain.to_pem().unwrap()).unwrap().as_der() == chain.as_der());
    }
    if let Ok(anchors) = TrustAnchors::from_pem(text) {
        let again = TrustAnchors::from_pem(&anchors.to_pem().unwrap()).unwrap();
        assert!(again.as_slice() == anchors.as_slice());
    }
    if let Ok(request) = CertificateRequest::from_pem(text) {
        assert!(
            CertificateRequest::from_pem(&request.to_pem().unwrap()).unwrap().as_der() == request.as_der()
        );
    }
    drop(Certificate::from_pem(text));
    drop(RevocationList::from_pem(text));
    drop(TrustAnchor::from_pem(text));
    drop(KemPublicKey::from_spki_pem(text));
    drop(KemPrivateKey::from_pkcs8_pem(text));
    drop(IssuerPublicKey::from_spki_pem(text));
    drop(IssuerKey::from_pkcs8_pem(text));
    drop(OfferKey::from_pkcs8_pem(text));
    let _ = OfferPublicKey::from_spki_pem(text);
}

/// Certificate that this crate wrote, changed afterwards.
fn written(play: &mut Play<'_>) {
    let fixed = fixed();
    let texts = [
        fixed.long_chain.to_pem().unwrap(),
        fixed.anchors.to_pem().unwrap(),
        fixed.request.to_pem().unwrap(),
        TEST_KEYS[0].to_owned(),
        fixed.offer_key.to_pkcs8_pem().unwrap().to_string(),
        fixed.kem_key.public().to_spki_pem().unwrap(),
    ];
    let texts: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
    let chosen = play.pick(&texts);
    if let Ok(text) = String::from_utf8(play.meddle(&chosen, &texts)) {
        pem(&text);
    }
}
