//! Keys in and out, and SSK1 under P_u.

use super::common::{fixed, issuer_keys, kem_key, offer_key, rsa_issuer_key};
use der::asn1::{Any, BitString};
use der::oid::ObjectIdentifier;
use der::{Decode, Encode};
use halfkey::key::{
    IssuerKey, IssuerPublicKey, KemPrivateKey, KemPublicKey, KeyError, OfferKey, OfferPublicKey, PemError,
};
use halfkey::{Digest, RandomSource, Secret};
use rsa::pkcs8::{DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use std::sync::LazyLock;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

static SSK1: LazyLock<Secret> = LazyLock::new(|| Secret::new([0x51; 32]));
static FALLBACK: LazyLock<Secret> = LazyLock::new(|| Secret::new([0xFA; 32]));

fn not(found: &'static str, wanted: &'static str) -> KeyError {
    KeyError::WrongAlgorithm { found, wanted }
}

fn open(ciphertext: &[u8]) -> [u8; 32] {
    *kem_key().decapsulate(ciphertext, &FALLBACK, &mut fixed("blind")).expose()
}

#[test]
fn ssk1_arrives() {
    let ciphertext = kem_key().public().encapsulate(&SSK1, &mut fixed("seed")).unwrap();
    assert_eq!(ciphertext.len(), kem_key().public().ciphertext_len());
    assert_eq!(ciphertext.len(), 256);
    assert_eq!(open(&ciphertext), *SSK1.expose());
}

#[test]
fn encapsulation_draws_the_oaep_seed_and_nothing_else() {
    let mut drawn = Vec::new();
    let mut counting = |out: &mut [u8]| {
        drawn.push(out.len());
        fixed("seed").fill(out);
    };
    let ciphertext = kem_key().public().encapsulate(&SSK1, &mut counting).unwrap();
    assert_eq!(drawn, [32]);
    assert_eq!(ciphertext, kem_key().public().encapsulate(&SSK1, &mut fixed("seed")).unwrap());
    assert_ne!(ciphertext, kem_key().public().encapsulate(&SSK1, &mut fixed("other")).unwrap());
}

#[test]
fn decapsulation_is_blinded() {
    let ciphertext = kem_key().public().encapsulate(&SSK1, &mut fixed("seed")).unwrap();
    let (mut drawn, mut source) = (0, fixed("blind"));
    let mut counting = |out: &mut [u8]| {
        drawn += out.len();
        source.fill(out);
    };
    let _ = kem_key().decapsulate(&ciphertext, &FALLBACK, &mut counting);
    assert_eq!(drawn, 32, "the seed of the blinding; the unblinded forms are banned by clippy.toml");
}

#[test]
fn what_does_not_open_gives_the_fallback() {
    let ciphertext = kem_key().public().encapsulate(&SSK1, &mut fixed("seed")).unwrap();
    for place in [0, 1, 100, 255] {
        let mut wrong = ciphertext.clone();
        wrong[place] ^= 1;
        assert_eq!(open(&wrong), *FALLBACK.expose(), "byte {place}");
    }
    for wrong in [&[][..], &ciphertext[1..], &[0; 256], &[0xFF; 256], &[0; 257], &[0; 255]] {
        assert_eq!(open(wrong), *FALLBACK.expose());
    }
}

#[test]
fn another_label_hash_or_length_gives_the_fallback() {
    use rsa::Oaep;
    use sha2::{Sha256, Sha512};
    let key = rsa::PublicKey::from_public_key_der(kem_key().public().as_spki_der()).unwrap();
    let rng = || rand::rngs::SysRng;
    let seal = |label: &[u8], text: &[u8]| {
        key.encrypt(&mut rng(), Oaep::<Sha256>::new_with_label(label), text).unwrap()
    };
    assert_eq!(open(&seal(b"", &[0x51; 32])), [0x51; 32]);
    for (label, text) in
        [(&b""[..], &[0x51; 31][..]), (b"", &[0x51; 33]), (b"", &[]), (b"halfkey/1 ssk1", &[0x51; 32])]
    {
        assert_eq!(open(&seal(label, text)), *FALLBACK.expose());
    }
    let other = key.encrypt(&mut rng(), Oaep::<Sha512>::new(), &[0x51; 32]);
    assert_eq!(open(&other.unwrap()), *FALLBACK.expose());
}

#[test]
fn keys_go_out_and_come_back() {
    let key = kem_key();
    let again = KemPrivateKey::from_pkcs8_pem(&key.to_pkcs8_pem().unwrap()).unwrap();
    assert_eq!(again.public(), key.public());
    assert_eq!(again.to_pkcs8_der().unwrap(), key.to_pkcs8_der().unwrap());
    assert_eq!(KemPublicKey::from_spki_pem(&key.public().to_spki_pem().unwrap()).unwrap(), *key.public());

    let key = offer_key();
    let again = OfferKey::from_pkcs8_pem(&key.to_pkcs8_pem().unwrap()).unwrap();
    assert_eq!(again.public(), key.public());
    let public = OfferPublicKey::from_spki_pem(&key.public().to_spki_pem().unwrap()).unwrap();
    assert_eq!(public, key.public());

    for key in issuer_keys("issuer") {
        let again = IssuerKey::from_pkcs8_pem(&key.to_pkcs8_pem().unwrap()).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(again.to_pkcs8_der().unwrap(), key.to_pkcs8_der().unwrap());
        let public = IssuerPublicKey::from_spki_pem(&key.public().to_spki_pem().unwrap()).unwrap();
        assert_eq!(&public, key.public());
    }
}

#[test]
fn keys_of_another_kind_are_refused() {
    let (kem, offer) = (kem_key().to_pkcs8_der().unwrap(), offer_key().to_pkcs8_der().unwrap());
    assert_eq!(OfferKey::from_pkcs8_der(&kem).unwrap_err(), not("RSA", "Ed25519"));
    assert_eq!(KemPrivateKey::from_pkcs8_der(&offer).unwrap_err(), not("Ed25519", "RSA"));
    let pem = kem_key().to_pkcs8_pem().unwrap();
    assert_eq!(
        KemPublicKey::from_spki_pem(&pem).unwrap_err(),
        KeyError::Pem(PemError::Label { found: "PRIVATE KEY", wanted: "PUBLIC KEY" })
    );
    assert_eq!(OfferPublicKey::from_spki_der(kem_key().public().as_spki_der()), Err(not("RSA", "Ed25519")));
    let point_of_order_one = std::array::from_fn(|i| u8::from(i == 0));
    assert_eq!(OfferPublicKey::new(&point_of_order_one), Err(KeyError::SmallOrder));
}

#[test]
fn points_of_issuers_are_on_their_curve_and_uncompressed() {
    use p256::elliptic_curve::sec1::ToSec1Point;
    let random = &mut fixed("points");
    let (on_p256, on_p384) =
        (IssuerKey::generate_p256(random).unwrap(), IssuerKey::generate_p384(random).unwrap());
    for (key, length) in [(&on_p256, 65), (&on_p384, 97)] {
        let good = key.public().as_spki_der();
        let start = good.len() - length;
        assert_eq!(IssuerPublicKey::from_spki_der(good).as_ref(), Ok(key.public()));
        for place in [start, start + 1, good.len() - 1] {
            let mut wrong = good.to_vec();
            wrong[place] ^= 1;
            assert_eq!(IssuerPublicKey::from_spki_der(&wrong), Err(KeyError::Malformed), "byte {place}");
        }
    }
    let spki = SubjectPublicKeyInfoOwned::from_der(on_p256.public().as_spki_der()).unwrap();
    let with = |point: &[u8], curve: &str| {
        let mut spki = spki.clone();
        spki.subject_public_key = BitString::from_bytes(point).unwrap();
        spki.algorithm.parameters =
            Some(Any::encode_from(&curve.parse::<ObjectIdentifier>().unwrap()).unwrap());
        IssuerPublicKey::from_spki_der(&spki.to_der().unwrap())
    };
    let (p256, p521) = ("1.2.840.10045.3.1.7", "1.3.132.0.35");
    let point = spki.subject_public_key.raw_bytes();
    assert!(with(point, p256).is_ok());
    assert_eq!(with(point, "1.3.132.0.34"), Err(KeyError::Malformed), "as a point of P-384");
    let wanted = "RSA, ECDSA on P-256 or P-384, or Ed25519";
    assert_eq!(with(point, p521), Err(not("another elliptic curve", wanted)));
    let mut agreement = spki.clone();
    agreement.algorithm.oid = "1.3.132.1.12".parse().unwrap();
    let agreement = IssuerPublicKey::from_spki_der(&agreement.to_der().unwrap());
    assert_eq!(agreement, Err(not("an unknown algorithm", wanted)), "id-ecDH signs nothing");
    assert_eq!(with(&[0], p256), Err(KeyError::Malformed), "the point at infinity");
    assert_eq!(with(&[], p256), Err(KeyError::Malformed));
    let compressed = p256::PublicKey::from_sec1_bytes(point).unwrap().to_sec1_point(true);
    assert_eq!(with(compressed.as_bytes(), p256), Err(KeyError::Malformed));
    // A private key beside another's public key.
    let (one, mut other) = (on_p256.to_pkcs8_der().unwrap(), on_p256.to_pkcs8_der().unwrap());
    let place = one.len() - point.len();
    let foreign = IssuerKey::generate_p256(random).unwrap();
    other[place..].copy_from_slice(&foreign.to_pkcs8_der().unwrap()[place..]);
    assert_eq!(IssuerKey::from_pkcs8_der(&other).unwrap_err(), KeyError::Malformed);
}

#[test]
fn small_rsa_keys_are_refused() {
    assert_eq!(
        KemPrivateKey::generate(1024, &mut fixed("small")).unwrap_err(),
        KeyError::TooSmall { bits: 1024 }
    );
    assert_eq!(
        IssuerKey::generate_rsa(8194, &mut fixed("large")).unwrap_err(),
        KeyError::TooLarge { bits: 8194 }
    );
    let small = rsa::PrivateKey::new(&mut rand::rngs::SysRng, 1024).unwrap();
    let (private, public) =
        (small.to_pkcs8_der().unwrap(), small.to_public_key().to_public_key_der().unwrap());
    let error = KeyError::TooSmall { bits: 1024 };
    assert_eq!(KemPrivateKey::from_pkcs8_der(private.as_bytes()).unwrap_err(), error);
    assert_eq!(IssuerKey::from_pkcs8_der(private.as_bytes()).unwrap_err(), error);
    assert_eq!(KemPublicKey::from_spki_der(public.as_bytes()).unwrap_err(), error);
    assert_eq!(IssuerPublicKey::from_spki_der(public.as_bytes()).unwrap_err(), error);
}

#[test]
fn broken_encodings_are_refused() {
    let private = kem_key().to_pkcs8_der().unwrap();
    for end in 0..private.len() {
        assert!(KemPrivateKey::from_pkcs8_der(&private[..end]).is_err(), "{end}");
    }
    let public = kem_key().public().as_spki_der();
    for end in 0..public.len() {
        assert!(KemPublicKey::from_spki_der(&public[..end]).is_err(), "{end}");
        assert!(IssuerPublicKey::from_spki_der(&public[..end]).is_err(), "{end}");
    }
    for place in 0..private.len() {
        let mut wrong = private.to_vec();
        wrong[place] ^= 1 << (place % 8);
        // Some parts are stored twice or can be made anew from the others: never a panic, and what
        // is accepted is the same key.
        if let Ok(key) = KemPrivateKey::from_pkcs8_der(&wrong) {
            assert_eq!(key.public(), kem_key().public(), "byte {place}");
        }
    }
}

#[test]
fn encodings_have_a_longest_length() {
    for (length, error) in [(8192, KeyError::Malformed), (8193, KeyError::TooLong), (9000, KeyError::TooLong)]
    {
        let long = vec![0x30; length];
        assert_eq!(KemPrivateKey::from_pkcs8_der(&long).unwrap_err(), error, "{length}");
        assert_eq!(OfferKey::from_pkcs8_der(&long).unwrap_err(), error, "{length}");
        assert_eq!(IssuerKey::from_pkcs8_der(&long).unwrap_err(), error, "{length}");
        assert_eq!(KemPublicKey::from_spki_der(&long).unwrap_err(), error, "{length}");
        assert_eq!(OfferPublicKey::from_spki_der(&long).unwrap_err(), error, "{length}");
        assert_eq!(IssuerPublicKey::from_spki_der(&long).unwrap_err(), error, "{length}");
    }
}

#[test]
fn a_public_key_is_itself_and_of_its_length() {
    let read = |pem| KemPrivateKey::from_pkcs8_pem(pem).unwrap();
    let one = read(include_str!("../data/test-key-rsa-2048-a.pem"));
    let other = read(include_str!("../data/test-key-rsa-2048-b.pem"));
    assert_eq!(one.public(), one.clone().public());
    assert_ne!(one.public(), other.public());
    assert_eq!(one.public().bits(), 2048);
    assert_eq!(format!("{:?}", one.public()), "KemPublicKey(2048 bits)");
}

#[test]
fn offers_are_signed_and_nothing_else_verifies() {
    let (key, th_o) = (offer_key(), Digest::new([7; 32]));
    let signature = key.sign(&th_o);
    assert_eq!(key.public().verify(&th_o, &signature), Ok(()));
    assert_eq!(key.public().verify(&Digest::new([8; 32]), &signature), Err(KeyError::BadSignature));
    for place in 0..signature.len() {
        let mut wrong = signature;
        wrong[place] ^= 1 << (place % 8);
        assert_eq!(key.public().verify(&th_o, &wrong), Err(KeyError::BadSignature), "byte {place}");
    }
    let other = OfferKey::generate(&mut fixed("other"));
    assert_eq!(other.public().verify(&th_o, &signature), Err(KeyError::BadSignature));
}

#[test]
fn debug_shows_no_key() {
    let shown = format!("{:?} {:?} {:?}", kem_key(), offer_key(), rsa_issuer_key());
    assert_eq!(shown, "KemPrivateKey(..) OfferKey(..) IssuerKey(..)");
    let public = rsa_issuer_key().public();
    assert_eq!(format!("{public:?}"), format!("IssuerPublicKey({} bytes)", public.as_spki_der().len()));
}

/// The RSA crate draws again until a number fits; a source that repeats itself must not hold it up.
#[test]
fn a_source_that_repeats_itself_holds_nothing_up() {
    for byte in [0x00, 0x01, 0xD1, 0xFF] {
        let mut same = |out: &mut [u8]| out.fill(byte);
        let ciphertext = kem_key().public().encapsulate(&SSK1, &mut same).unwrap();
        let opened = kem_key().decapsulate(&ciphertext, &FALLBACK, &mut same);
        assert_eq!(opened.expose(), SSK1.expose());
        assert!(IssuerKey::generate_p256(&mut same).is_ok() && IssuerKey::generate_p384(&mut same).is_ok());
    }
}
