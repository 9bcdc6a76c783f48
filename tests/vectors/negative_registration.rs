//! R1s and R2s that must be refused, made with the keys of the published run.

use crate::cbor::Item;
use crate::negative::*;
use crate::recorder::Party;
use crate::reference::{Reference, unpadded};
use crate::stage;
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use ed25519_dalek::{Signer, SigningKey};
use halfkey::RandomSource;

/// R1s that are signed, and none that a token takes.
pub(crate) fn offers(run: Run<'_>) -> Vec<Refused> {
    let mut seed = [0; 32];
    Party::new(stage::OFFER_SEED).fill(&mut seed);
    let key = SigningKey::from_bytes(&seed);
    let (r0, r1) = (run.message("R0"), run.message("R1"));
    let core = Item::read(&r1).at(1).bytes().to_vec();
    let signed = |core: Vec<u8>| {
        let th_o = Reference::new(1).transcript("thO", "offer", &[(1, &r0), (1, &core)]);
        let sig = key.sign(&[b"halfkey/1 offer", &[0][..], &th_o].concat()).to_bytes().to_vec();
        with(&with(&r1, 1, Item::Bytes(core)), 3, Item::Bytes(sig))
    };
    assert_eq!(signed(core.clone()), r1);
    let template = Item::read(&core).at(4).at(1).array().to_vec();
    let changed = |fields: Vec<Item>| with(&core, 4, Item::Map(vec![(1, Item::Array(fields))]));
    let named = |item: &Item, key: u64, value: Item| {
        let Item::Map(mut fields) = item.clone() else { panic!("no map") };
        fields.iter_mut().find(|(found, _)| *found == key).unwrap().1 = value;
        Item::Map(fields)
    };
    let mut leaf = Item::read(&core).at(3).array()[0].bytes().to_vec();
    *leaf.last_mut().unwrap() ^= 1;
    let number = |key: u64, n: u64| signed(with(&core, key, Item::Uint(n)));
    [
        ("the signature is changed", flipped(&r1, 3)),
        (
            "the core is changed, the signature is not",
            with(&r1, 1, Item::Bytes(with(&core, 6, Item::Uint(601)))),
        ),
        ("version 2", number(1, 2)),
        ("a suite that R0 did not offer", number(2, 2)),
        ("offer_ttl 0", number(6, 0)),
        ("offer_ttl 901", number(6, 901)),
        ("outcome_size 300", number(7, 300)),
        ("outcome_size 4352", number(7, 4352)),
        (
            "the certificate's signature is changed",
            signed(with(&core, 3, Item::Array(vec![Item::Bytes(leaf)]))),
        ),
        ("a pk_e of 33 bytes", signed(with(&core, 9, Item::Bytes(vec![7; 33])))),
        ("a template without a user name", signed(changed(template[1..].to_vec()))),
        ("a template with two user names", {
            let second = named(&template[0], 1, text("again"));
            signed(changed([&template[..], &[second]].concat()))
        }),
        ("a template with one name twice", signed(changed([&template[..], &template[1..2]].concat()))),
        ("a label with a control", {
            let label = named(&template[1], 2, text("Depart\u{1b}ment"));
            signed(changed(vec![template[0].clone(), label]))
        }),
        ("a user name that is not required", {
            let name = named(&template[0], 4, Item::Bool(false));
            signed(changed([&[name], &template[1..]].concat()))
        }),
    ]
    .map(|(why, bytes)| refused("R1", why, bytes, ENDS))
    .into()
}

pub(crate) fn padded(text: &[u8], more: usize) -> Vec<u8> {
    let mut padded = crate::reference::lv(text);
    padded.resize(padded.len().next_multiple_of(256) + more, 0);
    padded
}

/// R2s that are changed. The server's answers are in `then`.
pub(crate) fn requests(run: Run<'_>) -> Vec<Refused> {
    let (r2, body) = (run.message("R2"), run.value("request-body"));
    let core = Item::read(&r2).at(1).bytes().to_vec();
    let recored = |core: Vec<u8>| with(&r2, 1, Item::Bytes(core));
    let sealed = |padded: &[u8]| {
        let sealed = seal(&run.value("k2"), &run.value("nonce2"), &run.value("thB"), padded);
        with(&r2, 2, Item::Bytes(sealed))
    };
    assert_eq!(sealed(&padded(&body, 0)), r2);
    let mut dirty = padded(&body, 0);
    *dirty.last_mut().unwrap() = 1;
    let mut longer = padded(&body, 0);
    longer[..4].copy_from_slice(&0xFFFF_u32.to_be_bytes());
    let Item::Map(mut parts) = Item::read(&body) else { panic!("no map") };
    let proof = parts.last_mut().unwrap();
    let Item::Map(tag) = &mut proof.1 else { panic!("no proof") };
    let Item::Bytes(bytes) = &mut tag.last_mut().unwrap().1 else { panic!("no tag") };
    bytes[31] ^= 1;
    let unproved = Item::Map(parts).encoded();
    // A form that opens and is proved, with a department of 65 bytes and without the terms.
    let mut form = Item::read(&body);
    if let Item::Map(parts) = &mut form {
        parts[0].1 = Item::Map(vec![(0, text(stage::USER)), (1, text(&"d".repeat(65)))]);
    }
    let long = |key, length| recored(with(&core, key, Item::Bytes(vec![7; length])));
    [
        ("the cookie is changed", recored(flipped(&core, 3)), E0_RESTART),
        ("another txn than the cookie's", recored(flipped(&core, 1)), E0_RESTART),
        ("another offer_id than the cookie's", recored(flipped(&core, 2)), E0_RESTART),
        ("a ct of 255 bytes", long(4, 255), E0_REFUSED),
        ("a ct_e of 31 bytes", long(5, 31), E0_REFUSED),
        ("an unknown key in the core", recored(with(&core, 23, Item::Uint(0))), E0_REFUSED),
        ("a ct of another length than the modulus", long(4, 257), OPENS_NOT),
        ("ct is changed", recored(flipped(&core, 4)), OPENS_NOT),
        ("a ct_e of 33 bytes", long(5, 33), OPENS_NOT),
        ("ct_e is changed", recored(flipped(&core, 5)), OPENS_NOT),
        ("a ct_e of small order", recored(with(&core, 5, Item::Bytes(vec![0; 32]))), OPENS_NOT),
        ("the sealed part is changed", flipped(&r2, 2), REFUSED_0),
        ("padding that is not zero", sealed(&dirty), REFUSED_0),
        ("256 bytes of padding too much", sealed(&padded(&body, 256)), REFUSED_0),
        ("a length beyond the end", sealed(&longer), REFUSED_0),
        ("a byte after the body", sealed(&padded(&[&body[..], &[0]].concat(), 0)), REFUSED_0),
        ("the proof's tag is changed", sealed(&padded(&unproved, 0)), REFUSED_0),
        (
            "a form with a text too long and a required field missing",
            sealed(&padded(&form.encoded(), 0)),
            "R3 with Refused 1, place 1: 4, place 2: 1",
        ),
    ]
    .map(|(why, bytes, then)| refused("R2", why, bytes, then))
    .into()
}

/// The refusal in an R3 that answers this R2 under the run's SSK1, if it opens.
pub(crate) fn rejection(values: &[(String, Vec<u8>)], r2: &[u8], r3: &[u8]) -> Option<String> {
    let value = |name| &values.iter().find(|(found, _)| found == name).unwrap().1;
    let core = Item::read(r3).at(1).bytes().to_vec();
    let outcome = Item::read(&core);
    let mut re = Reference::new(1);
    let th_g = re.transcript("thG", "outcome", &[(2, value("thB")), (1, r2), (3, outcome.at(2).bytes())]);
    let p_g = re.prf("p_G", value("SSK1"), "half G", &th_g);
    let prk3 = re.extract("prk3", &th_g, &[&p_g, value("ss_e")]);
    let k3 = re.key("k3", &prk3, "outcome key", 32);
    let nonce3 = re.key("nonce3", &prk3, "outcome nonce", 12);
    let cipher = Aes256Gcm::new_from_slice(&k3).unwrap();
    let payload = Payload { msg: outcome.at(3).bytes(), aad: &th_g };
    let text = cipher.decrypt(&Nonce::try_from(&nonce3[..]).unwrap(), payload).ok()?;
    let body = Item::read(&unpadded(&text));
    assert_eq!(body.at(1).uint(), 3);
    let faults = body.find(3).map_or(&[][..], Item::array).iter();
    let faults = faults.map(|fault| format!(", place {}: {}", fault.at(1).uint(), fault.at(2).uint()));
    Some(format!("R3 with Refused {}{}", body.at(2).uint(), faults.collect::<String>()))
}
