//! Certificates of every wrong kind, properly signed or not: each is refused for its own reason.

use super::common::*;
use der::asn1::{BitString, Ia5String, OctetString};
use der::{Decode, Encode};
use halfkey::certificate::{
    AnchorError, Certificate, CertificateError, EXTENSION_OID, PURPOSE_OID, Revocation, SerialNumber,
    TrustAnchor, TrustAnchors, Usage, verify,
};
use halfkey::key::{IssuerKey, KeyError};
use halfkey::memory::Authority;
use halfkey::port::CertificateAuthority;
use halfkey::{ServerName, UnixTime};
use rsa::pkcs8::EncodePublicKey;
use x509_cert::certificate::Version;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, SubjectAltName};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber as DerSerialNumber;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

const KEY_USAGE: &str = "2.5.29.15";
const SUBJECT_ALT_NAME: &str = "2.5.29.17";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const PURPOSES: &str = "2.5.29.37";

fn key() -> IssuerKey {
    ed25519_issuer_key("issuer")
}

/// Verifies a certificate that differs from a good one by `change`, and returns the result.
fn of(change: impl FnOnce(&mut Tbs)) -> Result<(), CertificateError> {
    let mut authority = root("issuer");
    let good = issue(&mut authority, "leaf");
    let forged = forge(good.leaf().as_der(), &key(), change);
    check(&[&forged], &anchors(&authority)).map(drop)
}

#[test]
fn the_forge_itself_changes_nothing() {
    assert_eq!(of(|_| ()), Ok(()));
}

#[test]
fn time() {
    let mut authority = root("issuer");
    let chain = issue(&mut authority, "leaf");
    let at = |now| verify(&chain.as_der(), &anchors(&authority), &name(), now, &Revocation::Ignore).map(drop);
    let (not_before, not_after) = (NOW, NOW.after(YEAR));
    let before = UnixTime::from_secs(NOW.as_secs() - 1);
    assert_eq!(at(before), Err(CertificateError::NotYetValid { not_before, now: before }));
    let now = UnixTime::from_secs(0);
    assert_eq!(at(now), Err(CertificateError::NotYetValid { not_before, now }));
    assert_eq!(at(not_before), Ok(()));
    assert_eq!(at(not_after), Ok(()));
    let now = not_after.after(1);
    let expired = CertificateError::Expired { not_after, now };
    assert_eq!(at(now), Err(expired));
    for part in ["2028-01-15T08:00:00Z", "2028-01-15T08:00:01Z", "set the clock"] {
        assert!(expired.to_string().contains(part), "{expired}");
    }
    let now = UnixTime::from_secs(u64::MAX);
    assert_eq!(at(now), Err(CertificateError::Expired { not_after, now }));
    let reversed = of(|tbs| std::mem::swap(&mut tbs.validity.not_before, &mut tbs.validity.not_after));
    assert_eq!(reversed, Err(CertificateError::Validity));
}

#[test]
fn names() {
    let mut authority = root("issuer");
    let chain = issue(&mut authority, "leaf");
    for other in ["example", "gate.example.org", "a.gate.example", "gate"] {
        let other = ServerName::new(other).unwrap();
        let found = verify(&chain.as_der(), &anchors(&authority), &other, NOW, &Revocation::Ignore);
        assert_eq!(found, Err(CertificateError::WrongName), "{other}");
    }
    let dns = |name: &str| GeneralName::DnsName(Ia5String::new(name).unwrap());
    let named = |names: Vec<GeneralName>| {
        of(|tbs| tbs.set(SUBJECT_ALT_NAME, &SubjectAltName(names).to_der().unwrap()))
    };
    assert_eq!(named(vec![dns("gate.example")]), Ok(()));
    assert_eq!(named(vec![dns("gate.example"), dns("gate.example")]), Err(CertificateError::NotOneName));
    assert_eq!(named(vec![dns("gate.example"), dns("other.example")]), Err(CertificateError::NotOneName));
    let address = GeneralName::IpAddress(OctetString::new([192, 0, 2, 1]).unwrap());
    assert_eq!(named(vec![dns("gate.example"), address]), Err(CertificateError::NotOneName));
    assert_eq!(named(vec![dns("*.example")]), Err(CertificateError::WrongName));
    assert_eq!(named(vec![dns("GATE.example")]), Err(CertificateError::CapitalsInName));
    assert_eq!(named(vec![dns("gate.example.")]), Err(CertificateError::WrongName));
    assert_eq!(named(vec![dns("other.example")]), Err(CertificateError::WrongName));
    assert_eq!(named(vec![]), Err(CertificateError::NotOneName));
    assert_eq!(of(|tbs| tbs.remove(SUBJECT_ALT_NAME)), Err(CertificateError::NotOneName));
    // A common name is no name.
    let common = of(|tbs| {
        tbs.remove(SUBJECT_ALT_NAME);
        tbs.subject = "CN=gate.example".parse().unwrap();
    });
    assert_eq!(common, Err(CertificateError::NotOneName));
    let not_critical = |tbs: &mut Tbs| tbs.extension(SUBJECT_ALT_NAME).critical = false;
    assert_eq!(of(not_critical), Err(CertificateError::NameNotCritical));
    let with_subject = of(|tbs| {
        not_critical(tbs);
        tbs.subject = "CN=anything".parse().unwrap();
    });
    assert_eq!(with_subject, Ok(()));
    for (error, field) in [
        (CertificateError::NotOneName, "subjectAltName"),
        (CertificateError::CapitalsInName, "subjectAltName"),
        (CertificateError::NameNotCritical, "subjectAltName"),
        (CertificateError::WrongName, "subjectAltName"),
        (CertificateError::WrongUsage(Usage::CertificateSigning), "keyUsage"),
        (CertificateError::WrongUsage(Usage::Purpose), "extKeyUsage"),
    ] {
        assert!(error.to_string().contains(field), "{error}");
    }
}

#[test]
fn usages() {
    let usage = |bits: &[u8]| of(|tbs| tbs.set(KEY_USAGE, bits));
    let wrong = Err(CertificateError::WrongUsage(Usage::ServerKey));
    assert_eq!(usage(&[3, 2, 5, 0x20]), Ok(()));
    for (kind, bits) in [
        ("digitalSignature", &[3, 2, 7, 0x80][..]),
        ("keyEncipherment and digitalSignature", &[3, 2, 5, 0xA0]),
        ("keyEncipherment and keyCertSign", &[3, 2, 2, 0x24]),
        ("keyEncipherment and decipherOnly", &[3, 3, 7, 0x20, 0x80]),
        ("dataEncipherment", &[3, 2, 4, 0x10]),
        ("none", &[3, 1, 0]),
        ("not DER", &[3, 2, 0, 0x20]),
        ("no BIT STRING", &[4, 1, 0x20]),
        ("nothing", &[]),
    ] {
        assert_eq!(usage(bits), wrong, "{kind}");
    }
    assert_eq!(of(|tbs| tbs.remove(KEY_USAGE)), wrong);

    let purposes = |oids: &[&str]| {
        let purposes = ExtendedKeyUsage(oids.iter().map(|oid| oid.parse().unwrap()).collect());
        of(|tbs| tbs.set(PURPOSES, &purposes.to_der().unwrap()))
    };
    let (server_auth, any) = ("1.3.6.1.5.5.7.3.1", "2.5.29.37.0");
    let wrong = Err(CertificateError::WrongUsage(Usage::Purpose));
    assert_eq!(purposes(&[PURPOSE_OID]), Ok(()));
    for oids in [
        &[server_auth][..],
        &[any],
        &[EXTENSION_OID],
        &[PURPOSE_OID, server_auth],
        &[server_auth, PURPOSE_OID],
        &[PURPOSE_OID, PURPOSE_OID],
        &[],
    ] {
        assert_eq!(purposes(oids), wrong, "{oids:?}");
    }
    assert_eq!(of(|tbs| tbs.remove(PURPOSES)), wrong);
}

#[test]
fn an_authority_is_no_server() {
    let constraints = |ca| BasicConstraints { ca, path_len_constraint: None }.to_der().unwrap();
    let with = |ca| of(|tbs| tbs.extensions.push(extension(BASIC_CONSTRAINTS, true, &constraints(ca))));
    assert_eq!(with(true), Err(CertificateError::CaAsLeaf));
    assert_eq!(with(false), Ok(()));
    let authority = root("issuer");
    let certificate = authority.root_certificate(validity(), &mut fixed("root")).unwrap();
    assert_eq!(check(&[certificate.as_der()], &anchors(&authority)), Err(CertificateError::CaAsLeaf));
}

#[test]
fn server_keys() {
    use rsa::{BoxedUint, PublicKey};
    let modulus = |bits: u32| BoxedUint::from_be_slice(&vec![0xFF; bits.div_ceil(8) as usize], bits).unwrap();
    let rsa_key = |modulus: BoxedUint, exponent: u64| {
        let key = PublicKey::new_unchecked(modulus, exponent.into()).to_public_key_der().unwrap();
        of(|tbs| tbs.key = SubjectPublicKeyInfoOwned::from_der(key.as_bytes()).unwrap())
    };
    let refused = |error| Err(CertificateError::ServerKey(error));
    assert_eq!(rsa_key(modulus(2048), 65537), Ok(()));
    assert_eq!(rsa_key(modulus(8192), 65537), Ok(()));
    assert_eq!(rsa_key(modulus(2040), 65537), refused(KeyError::TooSmall { bits: 2040 }));
    assert_eq!(rsa_key(modulus(1024), 65537), refused(KeyError::TooSmall { bits: 1024 }));
    assert_eq!(rsa_key(modulus(8200), 65537), refused(KeyError::TooLarge { bits: 8200 }));
    assert_eq!(rsa_key(modulus(32768), 65537), refused(KeyError::TooLarge { bits: 32768 }));
    assert_eq!(rsa_key(modulus(2048), 3), refused(KeyError::Exponent));
    assert_eq!(rsa_key(modulus(2048), 65538), refused(KeyError::Exponent));
    assert_eq!(rsa_key(modulus(2048), (1 << 32) + 1), refused(KeyError::Exponent));
    let ed25519 = SubjectPublicKeyInfoOwned::from_der(key().public().as_spki_der()).unwrap();
    assert_eq!(
        of(|tbs| tbs.key = ed25519),
        refused(KeyError::WrongAlgorithm { found: "Ed25519", wanted: "RSA" })
    );
    let bits = |bytes: &[u8]| of(|tbs| tbs.key.subject_public_key = BitString::from_bytes(bytes).unwrap());
    assert_eq!(bits(&[]), refused(KeyError::Malformed));
    assert_eq!(bits(&[0x30, 6, 2, 1, 0, 2, 1, 3]), refused(KeyError::TooSmall { bits: 0 }));
    assert_eq!(bits(&[0x30, 6, 2, 1, 0xFF, 2, 1, 3]), refused(KeyError::Malformed));
}

#[test]
fn the_private_extension() {
    assert_eq!(of(|tbs| tbs.remove(EXTENSION_OID)), Err(CertificateError::ExtensionMissing));
    let repeat = |tbs: &mut Tbs| {
        let again = tbs.extension(EXTENSION_OID).clone();
        tbs.extensions.insert(0, again);
    };
    assert_eq!(of(repeat), Err(CertificateError::ExtensionRepeated));
    let critical = |tbs: &mut Tbs| tbs.extension(EXTENSION_OID).critical = true;
    assert_eq!(of(critical), Err(CertificateError::CriticalExtension));

    let key = offer_key().public();
    let value = |suites: &[u8], key: &[u8]| {
        let suites = [&[0x30, suites.len() as u8][..], suites].concat();
        let key = [&[4, key.len() as u8][..], key].concat();
        [&[0x30, (suites.len() + key.len()) as u8][..], &suites, &key].concat()
    };
    let with = |value: &[u8]| of(|tbs| tbs.set(EXTENSION_OID, value));
    let one = &[2, 1, 7][..];
    assert_eq!(with(&value(one, key.as_bytes())), Ok(()));
    assert_eq!(with(&value(one, &[0xFF; 32])), Err(CertificateError::OfferKey(KeyError::Malformed)));
    let weak: [u8; 32] = std::array::from_fn(|i| u8::from(i == 0));
    assert_eq!(with(&value(one, &weak)), Err(CertificateError::OfferKey(KeyError::SmallOrder)));
    let eight: Vec<u8> = (1..=8).flat_map(|suite| [2, 1, suite]).collect();
    assert_eq!(with(&value(&eight, key.as_bytes())), Ok(()));
    let nine: Vec<u8> = (1..=9).flat_map(|suite| [2, 1, suite]).collect();
    for (kind, wrong) in [
        ("no suite", value(&[], key.as_bytes())),
        ("nine suites", value(&nine, key.as_bytes())),
        ("a suite twice", value(&one.repeat(2), key.as_bytes())),
        ("suite above 65535", value(&[2, 3, 1, 0, 0], key.as_bytes())),
        ("negative suite", value(&[2, 1, 0xFF], key.as_bytes())),
        ("not the shortest INTEGER", value(&[2, 2, 0, 7], key.as_bytes())),
        ("short key", value(one, &[1; 31])),
        ("long key", value(one, &[1; 33])),
        ("bytes after it", [value(one, key.as_bytes()), vec![5, 0]].concat()),
        ("nothing", vec![]),
        ("another type", vec![5, 0]),
    ] {
        assert_eq!(with(&wrong), Err(CertificateError::ExtensionMalformed), "{kind}");
    }
    let good = value(one, key.as_bytes());
    for end in 0..good.len() {
        assert_eq!(with(&good[..end]), Err(CertificateError::ExtensionMalformed), "{end}");
    }
}

#[test]
fn other_oddities() {
    let unknown = |critical| of(|tbs| tbs.extensions.push(extension("1.2.3.4", critical, &[5, 0])));
    assert_eq!(unknown(false), Ok(()));
    assert_eq!(unknown(true), Err(CertificateError::CriticalExtension));
    assert_eq!(of(|tbs| tbs.version = Version::V2), Err(CertificateError::Version));
    assert_eq!(of(|tbs| tbs.issuer = "CN=Other".parse().unwrap()), Err(CertificateError::UnknownIssuer));
    assert_eq!(of(|tbs| tbs.issuer = Name::default()), Err(CertificateError::UnknownIssuer));
    let zero = of(|tbs| tbs.serial = DerSerialNumber::new(&[0]).unwrap());
    assert_eq!(zero, Err(CertificateError::SerialNumber));
    let negative = of(|tbs| tbs.serial = DerSerialNumber::from_der(&[2, 1, 0x80]).unwrap());
    assert_eq!(negative, Err(CertificateError::SerialNumber));
    let long = of(|tbs| tbs.extensions.push(extension("1.2.3.4", false, &[0; 8192])));
    assert_eq!(long, Err(CertificateError::CertificateTooLong));
    let twice = of(|tbs| {
        let again = tbs.extension(SUBJECT_ALT_NAME).clone();
        tbs.extensions.push(again);
    });
    assert_eq!(twice, Err(CertificateError::Malformed));
    let ecdsa = of(|tbs| tbs.signature.oid = "1.2.840.10045.4.3.2".parse().unwrap());
    assert_eq!(ecdsa, Err(CertificateError::Algorithm));
}

#[test]
fn other_issuers() {
    let mut authority = root("issuer");
    let chain = issue(&mut authority, "leaf");
    let other_key = anchors(&root("other key"));
    assert_eq!(check(&chain.as_der(), &other_key), Err(CertificateError::BadSignature));
    let other = Authority::root(issuer_name("Other"), ed25519_issuer_key("issuer")).unwrap();
    assert_eq!(check(&chain.as_der(), &anchors(&other)), Err(CertificateError::UnknownIssuer));
    // Same name, but a key of another kind.
    let rsa = Authority::root(issuer_name("Test issuer"), rsa_issuer_key().clone()).unwrap();
    assert_eq!(check(&chain.as_der(), &anchors(&rsa)), Err(CertificateError::Algorithm));
    assert_eq!(check(&[], &anchors(&authority)), Err(CertificateError::EmptyChain));
    // One good anchor among others is enough.
    let all = [&other_key, &anchors(&other), &anchors(&rsa), &anchors(&authority)];
    let all = all.iter().flat_map(|anchors| anchors.as_slice()).cloned().collect();
    assert_eq!(check(&chain.as_der(), &TrustAnchors::new(all).unwrap()).unwrap().anchor(), 3);
}

#[test]
fn issuers_that_may_not_issue() {
    let mut top = root("top");
    let low_key = ed25519_issuer_key("low");
    let good = top
        .certify_authority(&issuer_name("low"), low_key.public(), 0, validity(), &mut fixed("low"))
        .unwrap();
    let mut low = Authority::subordinate(low_key, vec![good.clone()], top.trust_anchor().unwrap()).unwrap();
    let chain = issue(&mut low, "leaf");
    let with = |change: &dyn Fn(&mut Tbs)| {
        let issuer = forge(good.as_der(), &ed25519_issuer_key("top"), change);
        check(&[chain.leaf().as_der(), &issuer], &anchors(&top)).map(drop)
    };
    assert_eq!(with(&|_| ()), Ok(()));
    assert_eq!(with(&|tbs| tbs.remove(BASIC_CONSTRAINTS)), Err(CertificateError::LeafAsCa));
    assert_eq!(with(&|tbs| tbs.set(BASIC_CONSTRAINTS, &[0x30, 0])), Err(CertificateError::LeafAsCa));
    let signs_lists = &[3, 2, 1, 2][..];
    let wrong = Err(CertificateError::WrongUsage(Usage::CertificateSigning));
    assert_eq!(with(&|tbs| tbs.set(KEY_USAGE, signs_lists)), wrong);
    assert_eq!(with(&|tbs| tbs.remove(KEY_USAGE)), wrong);
    let server_auth = ExtendedKeyUsage(vec!["1.3.6.1.5.5.7.3.1".parse().unwrap()]).to_der().unwrap();
    let other_purpose = with(&|tbs| tbs.extensions.push(extension(PURPOSES, false, &server_auth)));
    assert_eq!(other_purpose, Err(CertificateError::WrongUsage(Usage::Purpose)));
    let small = rsa::PublicKey::new_unchecked(
        rsa::BoxedUint::from_be_slice(&[0xFF; 128], 1024).unwrap(),
        65537_u64.into(),
    );
    let small = small.to_public_key_der().unwrap();
    let weak = with(&|tbs| tbs.key = SubjectPublicKeyInfoOwned::from_der(small.as_bytes()).unwrap());
    assert_eq!(weak, Err(CertificateError::IssuerKey(KeyError::TooSmall { bits: 1024 })));
    // A key that nothing on the way was signed with is not the trouble.
    let surplus = forge(good.as_der(), &ed25519_issuer_key("top"), |tbs| {
        tbs.subject = "CN=surplus".parse().unwrap();
        tbs.key = SubjectPublicKeyInfoOwned::from_der(small.as_bytes()).unwrap();
    });
    let other_top = anchors(&root("other key"));
    let found = check(&[chain.leaf().as_der(), good.as_der(), &surplus], &other_top);
    assert_eq!(found, Err(CertificateError::BadSignature));
    // Only names below "org".
    let org = [0x30, 9, 0xA0, 7, 0x30, 5, 0x82, 3, b'o', b'r', b'g'];
    let constrained = with(&|tbs| tbs.extensions.push(extension("2.5.29.30", true, &org)));
    assert_eq!(constrained, Err(CertificateError::NameConstraint));
    // A server that issues.
    let server = issue(&mut top, "server");
    let found = check(&[chain.leaf().as_der(), server.leaf().as_der()], &anchors(&top));
    assert_eq!(found, Err(CertificateError::UnknownIssuer));
    let server = forge(server.leaf().as_der(), &ed25519_issuer_key("top"), |tbs| {
        (tbs.subject, tbs.key) = subject_and_key(good.as_der());
    });
    let found = check(&[chain.leaf().as_der(), &server], &anchors(&top));
    assert_eq!(found, Err(CertificateError::LeafAsCa));
}

/// The subject and the key of a certificate.
fn subject_and_key(certificate: &[u8]) -> (Name, SubjectPublicKeyInfoOwned) {
    let parsed = x509_cert::Certificate::from_der(certificate).unwrap();
    let tbs = parsed.tbs_certificate();
    (tbs.subject().clone(), tbs.subject_public_key_info().clone())
}

/// Operators' chain files hold all sorts of certificates: none of them is judged unless it is on the path.
#[test]
fn surplus_certificates_are_ignored() {
    let mut top = root("top");
    let low_key = ed25519_issuer_key("low");
    let low_name = issuer_name("low");
    let random = &mut fixed("low");
    let own = top.certify_authority(&low_name, low_key.public(), 0, validity(), random).unwrap();
    let mut low =
        Authority::subordinate(low_key.clone(), vec![own.clone()], top.trust_anchor().unwrap()).unwrap();
    let chain = issue(&mut low, "leaf");
    let (leaf, own) = (chain.leaf().as_der(), own.as_der());
    let of_root = |key: IssuerKey| {
        let root = Authority::root(issuer_name("Test issuer"), key).unwrap();
        root.root_certificate(validity(), &mut fixed("root")).unwrap().as_der().to_vec()
    };
    let as_issuer = |change: &dyn Fn(&mut Tbs)| forge(own, &ed25519_issuer_key("top"), change);
    let small = rsa::PublicKey::new_unchecked(
        rsa::BoxedUint::from_be_slice(&[0xFF; 128], 1024).unwrap(),
        65537_u64.into(),
    );
    let small = SubjectPublicKeyInfoOwned::from_der(small.to_public_key_der().unwrap().as_bytes()).unwrap();
    let p521 = SubjectPublicKeyInfoOwned {
        algorithm: x509_cert::spki::AlgorithmIdentifierOwned {
            oid: "1.2.840.10045.2.1".parse().unwrap(),
            parameters: Some(
                der::asn1::Any::encode_from(&"1.3.132.0.35".parse::<der::oid::ObjectIdentifier>().unwrap())
                    .unwrap(),
            ),
        },
        subject_public_key: BitString::from_bytes(&[4; 133]).unwrap(),
    };
    let surplus = [
        ("the anchor's own certificate", of_root(ed25519_issuer_key("top"))),
        ("a root with a key on P-256", of_root(issuer_keys("ec")[1].clone())),
        ("a root with a key on P-521", as_issuer(&|tbs| tbs.key = p521.clone())),
        ("a root with an RSA key of 1024 bits", as_issuer(&|tbs| tbs.key = small.clone())),
        ("a signer of lists", as_issuer(&|tbs| tbs.set(KEY_USAGE, &[3, 2, 1, 2]))),
        ("a signer of lists with another key", {
            as_issuer(&|tbs| {
                tbs.set(KEY_USAGE, &[3, 2, 1, 2]);
                tbs.remove(BASIC_CONSTRAINTS);
                tbs.key =
                    SubjectPublicKeyInfoOwned::from_der(ed25519_issuer_key("lists").public().as_spki_der())
                        .unwrap();
            })
        }),
        ("an issuer of the same name for another purpose", {
            let server_auth = ExtendedKeyUsage(vec!["1.3.6.1.5.5.7.3.1".parse().unwrap()]).to_der().unwrap();
            as_issuer(&|tbs| tbs.extensions.push(extension(PURPOSES, false, &server_auth)))
        }),
        ("an issuer of next year", as_issuer(&|tbs| tbs.validity.not_before = tbs.validity.not_after)),
        ("the server's own again", leaf.to_vec()),
        ("a root of version 1", as_issuer(&|tbs| tbs.version = Version::V1)),
        ("a root with serial number 0", as_issuer(&|tbs| tbs.serial = DerSerialNumber::new(&[0]).unwrap())),
        ("no certificate", vec![0x30, 0]),
        ("nothing", vec![]),
    ];
    for (kind, surplus) in &surplus {
        for chain in [[leaf, surplus, own], [leaf, own, surplus]] {
            assert_eq!(check(&chain, &anchors(&top)).map(drop), Ok(()), "{kind}");
        }
    }
    // But a path through such a certificate is none.
    for (kind, surplus) in &surplus[2..] {
        if !kind.contains("serial") {
            assert!(check(&[leaf, surplus], &anchors(&top)).is_err(), "{kind}");
        }
    }
}

#[test]
fn rsa_signatures_are_checked() {
    let mut authority = Authority::root(issuer_name("RSA"), rsa_issuer_key().clone()).unwrap();
    let chain = issue(&mut authority, "leaf");
    let leaf = chain.leaf().as_der();
    for place in 0..leaf.len() {
        let mut wrong = leaf.to_vec();
        wrong[place] ^= 1 << (place % 8);
        assert!(check(&[&wrong], &anchors(&authority)).is_err(), "byte {place}");
    }
    for place in [leaf.len() - 256, leaf.len() - 1] {
        let mut wrong = leaf.to_vec();
        wrong[place] ^= 1;
        assert_eq!(check(&[&wrong], &anchors(&authority)), Err(CertificateError::BadSignature));
    }
    let other = IssuerKey::generate_rsa(2048, &mut fixed("other")).unwrap();
    let other = Authority::root(issuer_name("RSA"), other).unwrap();
    assert_eq!(check(&[leaf], &anchors(&other)), Err(CertificateError::BadSignature));
}

/// RFC 4055, section 5.
#[test]
fn parameters_of_rsa_signatures_are_null_or_absent() {
    let mut authority = Authority::root(issuer_name("RSA"), rsa_issuer_key().clone()).unwrap();
    let chain = issue(&mut authority, "leaf");
    let with = |parameters: Option<der::asn1::Any>| {
        let forged =
            forge(chain.leaf().as_der(), rsa_issuer_key(), |tbs| tbs.signature.parameters = parameters);
        check(&[&forged], &anchors(&authority)).map(drop)
    };
    assert_eq!(with(Some(der::asn1::Any::null())), Ok(()));
    assert_eq!(with(None), Ok(()));
    assert_eq!(with(Some(der::asn1::Any::encode_from(&7_u8).unwrap())), Err(CertificateError::Algorithm));
    let list = authority.revocation_list(NOW, &mut fixed("list")).unwrap();
    let list = forge_list(list.as_der(), rsa_issuer_key(), |tbs| tbs.signature.parameters = None);
    let revocation = Revocation::lists([list], halfkey::certificate::RevocationDepth::Leaf);
    let found = verify(&chain.as_der(), &anchors(&authority), &name(), NOW, &revocation);
    assert_eq!(found.map(drop), Ok(()));
}

#[test]
fn ecdsa_signatures_are_checked() {
    for key in &issuer_keys("ecdsa")[1..3] {
        let mut authority = Authority::root(issuer_name("EC"), key.clone()).unwrap();
        let chain = issue(&mut authority, "leaf");
        let leaf = chain.leaf().as_der();
        assert!(check(&[leaf], &anchors(&authority)).is_ok());
        for place in 0..leaf.len() {
            let mut wrong = leaf.to_vec();
            wrong[place] ^= 1 << (place % 8);
            assert!(check(&[&wrong], &anchors(&authority)).is_err(), "byte {place}");
        }
        let mut wrong = leaf.to_vec();
        wrong[leaf.len() - 1] ^= 1;
        assert_eq!(check(&[&wrong], &anchors(&authority)), Err(CertificateError::BadSignature));
        let same_kind = &issuer_keys("other")[1..3];
        for other in same_kind {
            let other = Authority::root(issuer_name("EC"), other.clone()).unwrap();
            let refused = check(&[leaf], &anchors(&other)).unwrap_err();
            assert!(matches!(refused, CertificateError::BadSignature | CertificateError::Algorithm));
        }
    }
}

#[test]
fn a_root_that_restricts_names_is_an_anchor_for_these_or_none() {
    let root = root("issuer").root_certificate(validity(), &mut fixed("root")).unwrap();
    let of = |change: &dyn Fn(&mut Tbs)| {
        let forged = Certificate::from_der(&forge(root.as_der(), &key(), change)).unwrap();
        TrustAnchor::from_certificate(&forged).map(|anchor| anchor.permitted().to_vec())
    };
    assert_eq!(of(&|_| ()), Ok(vec![]));
    let constrained = |value: &[u8]| of(&|tbs| tbs.extensions.push(extension("2.5.29.30", true, value)));
    let org = ServerName::new("org").unwrap();
    for permitted in [*b"org", *b"Org"] {
        let value = [&[0x30, 9, 0xA0, 7, 0x30, 5, 0x82, 3][..], &permitted].concat();
        assert_eq!(constrained(&value), Ok(vec![org.clone()]));
    }
    for (kind, value) in [
        ("excluded", &[0x30, 9, 0xA1, 7, 0x30, 5, 0x82, 3, b'o', b'r', b'g'][..]),
        ("an address", &[0x30, 14, 0xA0, 12, 0x30, 10, 0x87, 8, 10, 0, 0, 0, 255, 0, 0, 0]),
        (
            "both",
            &[
                0x30, 18, 0xA0, 7, 0x30, 5, 0x82, 3, b'o', b'r', b'g', 0xA1, 7, 0x30, 5, 0x82, 3, b'a', b'r',
                b'g',
            ],
        ),
        ("nothing", &[0x30, 0]),
        ("no DER", &[7]),
    ] {
        assert_eq!(constrained(value), Err(AnchorError::NameConstraints), "{kind}");
    }
    let dot = constrained(&[0x30, 10, 0xA0, 8, 0x30, 6, 0x82, 4, b'.', b'o', b'r', b'g']);
    assert!(matches!(dot, Err(AnchorError::Name(_))));
    let lists_only = of(&|tbs| tbs.set(KEY_USAGE, &[3, 2, 1, 2]));
    assert_eq!(lists_only, Err(AnchorError::NotAnAuthority));
}

/// One issuer of several cannot stand for the servers of another.
#[test]
fn an_anchor_is_for_the_names_it_permits() {
    let names = |names: &[&str]| names.iter().map(|name| ServerName::new(name).unwrap()).collect::<Vec<_>>();
    let mut top = root("top");
    let low_key = ed25519_issuer_key("low");
    let own = top
        .certify_authority(&issuer_name("low"), low_key.public(), 0, validity(), &mut fixed("low"))
        .unwrap();
    let mut low = Authority::subordinate(low_key, vec![own], top.trust_anchor().unwrap()).unwrap();
    let chains = [issue(&mut top, "direct"), issue(&mut low, "below")];
    let open = top.trust_anchor().unwrap();
    for (permitted, good) in [
        (&["gate.example"][..], true),
        (&["example"], true),
        (&["org", "example"], true),
        (&["ate.example"], false),
        (&["xample"], false),
        (&["a.gate.example"], false),
        (&["gate"], false),
        (&["org", "plant.example"], false),
        (&["gate.example.org"], false),
    ] {
        let anchor = open.clone().with_permitted(names(permitted)).unwrap();
        assert_eq!(anchor.permitted(), names(permitted));
        let again = TrustAnchors::from_pem(&anchor.to_pem().unwrap()).unwrap();
        assert_eq!(again.as_slice(), &[anchor]);
        for chain in &chains {
            let found = check(&chain.as_der(), &again).map(drop);
            assert_eq!(
                found,
                if good { Ok(()) } else { Err(CertificateError::NameConstraint) },
                "{permitted:?}"
            );
        }
    }
    // What another anchor permits does not count.
    let other = Authority::root(issuer_name("Other"), ed25519_issuer_key("other")).unwrap();
    let other = other.trust_anchor().unwrap().with_permitted(names(&["gate.example"])).unwrap();
    let limited = open.clone().with_permitted(names(&["org"])).unwrap();
    let both = TrustAnchors::new(vec![limited, other]).unwrap();
    assert_eq!(check(&chains[0].as_der(), &both).map(drop), Err(CertificateError::NameConstraint));
    let all: Vec<String> = (0..9).map(|n| format!("n{n}.example")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert!(open.clone().with_permitted(names(&all[..8])).is_ok());
    for wrong in [&all[..], &[], &["a", "b", "a"]] {
        assert_eq!(open.clone().with_permitted(names(wrong)), Err(AnchorError::Permitted), "{wrong:?}");
    }
    // In the file too: an empty list would permit nobody or everybody.
    let der = open.to_der().unwrap();
    let with = |list: &[u8]| {
        let mut der = [&der[..], list].concat();
        der[1] += u8::try_from(list.len()).unwrap();
        TrustAnchor::from_der(&der)
    };
    assert!(der[1] < 0x60, "a short form");
    assert!(with(&[0xA0, 3, 0x16, 1, b'a']).is_ok());
    assert_eq!(with(&[0xA0, 0]), Err(AnchorError::Permitted));
    assert_eq!(with(&[0xA0, 6, 0x16, 1, b'a', 0x16, 1, b'a']), Err(AnchorError::Permitted));
    for wrong in [
        &[0xA0, 3, 0x16, 1, b'A'][..],
        &[0xA0, 2, 0x16, 0],
        &[0xA0, 3, 0x16, 1, b'.'],
        &[0xA0, 3, 0x0C, 1, b'a'],
    ] {
        assert!(with(wrong).is_err(), "{wrong:?}");
    }
    let longest = names(&[&("a.".repeat(125) + "abc"), &("b.".repeat(125) + "abc")]);
    assert!(TrustAnchors::from_pem(&open.with_permitted(longest).unwrap().to_pem().unwrap()).is_ok());
}

/// The person who embeds a root decides to trust it: only its name and its key count.
#[test]
fn a_root_of_any_serial_number_is_an_anchor() {
    let mut authority = root("issuer");
    let certificate = authority.root_certificate(validity(), &mut fixed("root")).unwrap();
    let chain = issue(&mut authority, "leaf");
    let long = [&[2, 21, 0x7F][..], &[0xFF; 20]].concat();
    for (serial, shown) in [
        (&[2, 1, 0][..], "00"),
        (&[2, 1, 0x80], "80"),
        (&[2, 1, 0xFF], "ff"),
        (&long, &("7f".to_owned() + &"ff".repeat(20))),
        (&[2, 2, 0, 0x80], "80"),
    ] {
        let forged = forge(certificate.as_der(), &key(), |tbs| {
            tbs.serial = DerSerialNumber::from_der(serial).unwrap();
        });
        let forged = Certificate::from_der(&forged).unwrap();
        assert_eq!(forged.serial().to_string(), shown);
        let anchor = TrustAnchor::from_certificate(&forged).unwrap();
        assert_eq!(check(&chain.as_der(), &anchor.into()).map(drop), Ok(()), "{shown}");
        let pem = Certificate::from_pem(&forged.to_pem().unwrap()).unwrap();
        assert_eq!(pem, forged);
    }
    // Two numbers that are written alike are not the same: -128 and 128.
    let of = |serial: &[u8]| {
        let forged = forge(certificate.as_der(), &key(), |tbs| {
            tbs.serial = DerSerialNumber::from_der(serial).unwrap();
        });
        Certificate::from_der(&forged).unwrap().serial().clone()
    };
    assert_ne!(of(&[2, 1, 0x80]), of(&[2, 2, 0, 0x80]));
    assert_eq!(of(&[2, 2, 0, 0x80]), SerialNumber::new(&[0x80]).unwrap());
}

#[test]
fn every_flipped_bit_and_every_truncation_is_refused() {
    let mut authority = root("issuer");
    let chain = issue(&mut authority, "leaf");
    let (leaf, anchors) = (chain.leaf().as_der(), anchors(&authority));
    for place in 0..leaf.len() {
        for bit in 0..8 {
            let mut wrong = leaf.to_vec();
            wrong[place] ^= 1 << bit;
            assert!(check(&[&wrong], &anchors).is_err(), "byte {place} bit {bit}");
        }
        assert_eq!(check(&[&leaf[..place]], &anchors), Err(CertificateError::Malformed), "{place}");
    }
    let extended = [leaf, &[0]].concat();
    assert_eq!(check(&[&extended], &anchors), Err(CertificateError::Malformed));
}
