//! PROTOCOL.md, sections 6 and 8, as read by an observer that has every key: from the bytes of a run,
//! every value that is computed in it.

use crate::cbor::Item;
use crate::reference::{ABSENT, Reference, lv, plain_hash, unpadded};
use ed25519_dalek::{Signature, VerifyingKey};
use pkcs8::DecodePrivateKey;
use rsa::Oaep;
use sha2::Sha256;
use std::collections::BTreeMap;

/// Input of an observer.
pub(crate) struct Observer<'a> {
    /// PKCS#8 in DER.
    pub(crate) kem_key: &'a [u8],
    pub(crate) offer_key: [u8; 32],
    pub(crate) server_name: &'a str,
    /// The private key of pk_e, as it was drawn.
    pub(crate) sk_e: &'a [u8],
    /// The fresh bytes that salt_g is made of.
    pub(crate) r: &'a [u8],
    pub(crate) proof_key: ProofKey<'a>,
}

/// P: what the proof in R2 is made with.
#[derive(Clone, Copy)]
pub(crate) enum ProofKey<'a> {
    None,
    /// The code.
    Activation(&'a str),
    /// K_renew of the old key, and its key_id.
    Renewal(&'a [u8], &'a [u8]),
    /// The ticket and its ticket_id.
    Ticket(&'a [u8], &'a [u8]),
}

/// R0 to R5, whichever there are.
pub(crate) type Messages = BTreeMap<&'static str, Vec<u8>>;

/// A, of a code as a person types it.
fn activation(reference: &mut Reference, code: &str, server: &str, user: &str) -> Vec<u8> {
    let dropped = code.chars().filter(|c| !" -".contains(*c));
    let canonical: String = dropped
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect();
    assert!([16, 26].contains(&canonical.len()));
    let extracted = reference.extract("Extract(0^32, c)", &ABSENT, &[canonical.as_bytes()]);
    let info = [lv(server.as_bytes()), lv(user.as_bytes())].concat();
    reference.prf("A", &extracted, "activation", &info)
}

/// Recomputes a run from its bytes, checking all that either side would check.
#[allow(clippy::disallowed_methods, reason = "a key for tests that everybody has needs no blinding")]
pub(crate) fn registration(observer: &Observer<'_>, messages: &Messages) -> Reference {
    let r1 = Item::read(&messages["R1"]);
    let (core, sig) = (r1.at(1).bytes(), r1.at(3).bytes());
    let offer = Item::read(core);
    let suite = offer.at(2).uint() as u16;
    let mut re = Reference::new(suite);

    let th_o = re.transcript("thO", "offer", &[(1, &messages["R0"]), (1, core)]);
    let signed = [b"halfkey/1 offer", &[0][..], &th_o].concat();
    let offer_key = VerifyingKey::from_bytes(&observer.offer_key).unwrap();
    offer_key.verify_strict(&signed, &Signature::from_slice(sig).unwrap()).unwrap();

    let r2 = Item::read(&messages["R2"]);
    let (core, sealed) = (r2.at(1).bytes(), r2.at(2).bytes());
    let th_b = re.transcript("thB", "request", &[(2, &th_o), (1, core)]);
    let request = Item::read(core);
    let kem_key = rsa::PrivateKey::from_pkcs8_der(observer.kem_key).unwrap();
    let oaep = Oaep::<Sha256>::new();
    let ssk1 = kem_key.decrypt(oaep, request.at(4).bytes()).unwrap();
    re.name("SSK1", &ssk1);
    let ss_e = re.decapsulate(observer.sk_e, request.at(5).bytes());
    re.name("ss_e", &ss_e);

    let p_b = re.prf("p_B", &ssk1, "half B", &th_b);
    let prk2 = re.extract("prk2", &th_b, &[&p_b, &ss_e]);
    let k2 = re.key("k2", &prk2, "request key", 32);
    let nonce2 = re.key("nonce2", &prk2, "request nonce", 12);
    let body = unpadded(&re.open(&k2, &nonce2, &th_b, sealed));
    re.name("request-body", &body);
    let body = Item::read(&body);
    let user = template_name(&offer, body.at(1));

    let proof_key = prove(&mut re, observer, body.find(2), &user, &th_b);
    let mix = |re: &mut Reference, name: &str, th: &[u8]| match &proof_key {
        None => ABSENT.to_vec(),
        Some(key) => re.prf(name, key, "mix", th),
    };
    let o_b = mix(&mut re, "o(thB)", &th_b);
    let base = re.key("key(prk2, ticket)", &prk2, "ticket", 32);
    re.prf("ticket", &o_b, "ticket", &base);
    re.key("ticket_id", &prk2, "ticket id", 16);

    let r3 = Item::read(&messages["R3"]);
    let (core, tag_s) = (r3.at(1).bytes(), r3.at(2).bytes());
    let outcome = Item::read(core);
    let (salt_g, sealed) = (outcome.at(2).bytes(), outcome.at(3).bytes());
    re.name("salt_g", salt_g);
    let th_g = re.transcript("thG", "outcome", &[(2, &th_b), (1, &messages["R2"]), (3, salt_g)]);
    let p_g = re.prf("p_G", &ssk1, "half G", &th_g);
    let prk3 = re.extract("prk3", &th_g, &[&p_g, &ss_e]);
    let k3 = re.key("k3", &prk3, "outcome key", 32);
    let nonce3 = re.key("nonce3", &prk3, "outcome nonce", 12);
    let padded = re.open(&k3, &nonce3, &th_g, sealed);
    assert_eq!(padded.len() as u64, offer.at(7).uint(), "outcome_size");
    assert_eq!(re.salt(observer.r, &padded), salt_g);
    let body = unpadded(&padded);
    re.name("outcome-body", &body);
    let body = Item::read(&body);
    let th_j = re.transcript("thJ", "join", &[(2, &th_g), (1, core)]);
    if body.at(1).uint() != 1 {
        return re;
    }

    let ssk2 = body.at(3).bytes();
    re.name("SSK2", ssk2);
    let o_j = mix(&mut re, "o(thJ)", &th_j);
    let digest = re.hash(&[ssk2, &th_j].concat());
    let j = re.prf("j", &ssk1, "join", &digest);
    let k = re.extract("K", &j, &[&ss_e, &o_j]);
    let leaf = plain_hash(offer.at(3).array()[0].bytes());
    let context = [
        lv(&leaf),
        lv(observer.server_name.as_bytes()),
        lv(body.at(2).text().as_bytes()),
        lv(body.at(4).bytes()),
    ]
    .concat();
    let [_, _, k_confirm, _] = ["auth", "derive", "confirm", "renew"]
        .map(|x| re.prf(&format!("K_{x}"), &k, &format!("key {x}"), &context));

    let computed = re.mac("tag_s", &k_confirm, "grant", &th_j);
    assert_eq!(computed, tag_s);
    let tag_c = re.mac("tag_c", &k_confirm, "confirm", &[&th_j[..], tag_s].concat());
    let done = re.mac("tag of R5 done", &k_confirm, "done", &[&th_j[..], &tag_c].concat());
    let lost = re.mac("tag of R5 lost", &k_confirm, "lost", &[&th_j[..], &tag_c].concat());
    assert_eq!(Item::read(&messages["R4"]).at(2).bytes(), tag_c);
    let r5 = Item::read(&messages["R5"]);
    assert_eq!(r5.at(3).bytes(), if *r5.at(2) == Item::Bool(true) { lost } else { done });
    re
}

/// The user's name: the form's value for the template's one field of kind 0.
fn template_name(offer: &Item, form: &Item) -> String {
    let fields = offer.at(4).at(1).array();
    let place = fields.iter().position(|field| field.at(3).array()[0] == Item::Uint(0)).unwrap();
    form.at(place as u64).text().into()
}

/// P, after the proof in R2 has been compared with it, if the two were made with the same.
fn prove(
    re: &mut Reference,
    observer: &Observer<'_>,
    proof: Option<&Item>,
    user: &str,
    th_b: &[u8],
) -> Option<Vec<u8>> {
    let (kind, id, key, label) = match observer.proof_key {
        ProofKey::None => {
            assert_eq!(proof, None);
            return None;
        }
        ProofKey::Activation(code) => {
            let a = activation(re, code, observer.server_name, user);
            (1, None, a, "activation proof")
        }
        ProofKey::Renewal(k_renew, key_id) => (2, Some(key_id), k_renew.to_vec(), "renew"),
        ProofKey::Ticket(ticket, ticket_id) => (3, Some(ticket_id), ticket.to_vec(), "ticket proof"),
    };
    let proof = proof.expect("a proof");
    assert_eq!(proof.at(1).uint(), kind);
    assert_eq!(proof.find(2).map(Item::bytes), id);
    let tag = re.mac("proof", &key, label, th_b);
    assert_eq!(proof.at(3).bytes(), tag);
    Some(key)
}
