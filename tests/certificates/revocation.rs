//! Revocation lists: revoked, stale, forged, foreign, missing, too long.

use super::common::*;
use halfkey::UnixTime;
use halfkey::certificate::{
    CertificateError, Chain, Revocation, RevocationDepth, RevocationList, TrustAnchors, VerifiedServer,
    verify,
};
use halfkey::memory::Authority;
use halfkey::port::CertificateAuthority;
use x509_cert::crl::RevokedCert;

fn against(
    lists: &[&[u8]],
    chain: &Chain,
    anchors: &TrustAnchors,
    now: UnixTime,
) -> Result<VerifiedServer, CertificateError> {
    let revocation = Revocation::lists(lists.iter().copied(), RevocationDepth::Chain);
    verify(&chain.as_der(), anchors, &name(), now, &revocation)
}

fn list(authority: &mut Authority) -> RevocationList {
    authority.revocation_list(NOW, &mut fixed("list")).unwrap()
}

#[test]
fn revoked_until_the_list_goes_stale() {
    let mut authority = root("issuer");
    let (kept, revoked) = (issue(&mut authority, "kept"), issue(&mut authority, "revoked"));
    let empty = list(&mut authority);
    authority.revoke(revoked.leaf().serial(), NOW).unwrap();
    let list = list(&mut authority);
    let anchors = anchors(&authority);
    assert!(against(&[empty.as_der()], &revoked, &anchors, NOW).is_ok());
    assert!(against(&[list.as_der()], &kept, &anchors, NOW).is_ok());
    assert_eq!(against(&[list.as_der()], &revoked, &anchors, NOW), Err(CertificateError::Revoked));

    let next_update = NOW.after(Authority::LIST_LIFETIME);
    let last = UnixTime::from_secs(next_update.as_secs() - 1);
    assert!(against(&[list.as_der()], &kept, &anchors, last).is_ok());
    let stale = Err(CertificateError::StaleCrl { next_update, now: next_update });
    assert_eq!(against(&[list.as_der()], &kept, &anchors, next_update), stale);
    assert_eq!(against(&[list.as_der()], &revoked, &anchors, next_update), stale);
    assert_eq!(RevocationList::from_pem(&list.to_pem().unwrap()), Ok(list));
}

#[test]
fn a_list_is_demanded_and_must_be_the_issuers() {
    let mut authority = root("issuer");
    let chain = issue(&mut authority, "leaf");
    let anchors = anchors(&authority);
    let mut same_name = root("other key");
    let mut other = Authority::root(issuer_name("Other"), ed25519_issuer_key("other")).unwrap();
    let against = |lists: &[&[u8]]| against(lists, &chain, &anchors, NOW).map(drop);
    assert_eq!(against(&[]), Err(CertificateError::RevocationUnknown));
    assert_eq!(against(&[list(&mut other).as_der()]), Err(CertificateError::RevocationUnknown));
    assert_eq!(against(&[list(&mut same_name).as_der()]), Err(CertificateError::BadCrlSignature));
    let own = list(&mut authority);
    assert_eq!(against(&[list(&mut other).as_der(), own.as_der()]), Ok(()));
    assert_eq!(against(&[own.as_der(); 4]), Ok(()));
    assert_eq!(against(&[own.as_der(); 5]), Err(CertificateError::TooManyCrls));
    assert_eq!(against(&[&[0; 16 * 1024]]), Err(CertificateError::MalformedCrl));
    assert_eq!(against(&[&[0; 16 * 1024 + 1]]), Err(CertificateError::CrlTooLong));
    assert_eq!(against(&[chain.leaf().as_der()]), Err(CertificateError::MalformedCrl));
}

/// An issuer's name is no key: while it changes its key, or where two have one name, each path finds its list.
/// A list about some certificates is taken for one about all of them by nobody, whatever it calls itself.
#[test]
fn partial_lists_are_refused_by_that_word() {
    let mut authority = root("issuer");
    let chain = issue(&mut authority, "leaf");
    let anchors = anchors(&authority);
    let full = list(&mut authority);
    let key = ed25519_issuer_key("issuer");
    let with = |oid: &str, critical, value: &[u8]| {
        let forged = forge_list(full.as_der(), &key, |tbs| {
            tbs.crl_extensions.as_mut().unwrap().push(extension(oid, critical, value));
        });
        assert_eq!(
            RevocationList::from_der(&forged).map(drop),
            against(&[&forged], &chain, &anchors, NOW).map(drop)
        );
        against(&[&forged], &chain, &anchors, NOW).map(drop)
    };
    let uri = [0x30, 9, 0xA0, 7, 0xA0, 5, 0x86, 3, b'a', b':', b'b'];
    let (point, delta) = ("2.5.29.28", "2.5.29.27");
    for (kind, value) in [
        ("a distribution point", &uri[..]),
        ("users only", &[0x30, 3, 0x81, 1, 0xFF]),
        ("authorities only", &[0x30, 3, 0x82, 1, 0xFF]),
        ("some reasons", &[0x30, 4, 0x83, 2, 1, 0x40]),
        ("indirect", &[0x30, 3, 0x84, 1, 0xFF]),
        ("attribute certificates only", &[0x30, 3, 0x85, 1, 0xFF]),
        ("nothing said", &[0x30, 0]),
        ("no DER", &[7]),
    ] {
        for critical in [true, false] {
            let refused = with(point, critical, value).unwrap_err();
            assert!(matches!(refused, CertificateError::UnsupportedCrl(_)), "{kind}: {refused:?}");
            let text = refused.to_string();
            assert!(text.contains("unsupported") && text.contains("issuingDistributionPoint"), "{text}");
        }
    }
    let refused = with(delta, true, &[2, 1, 1]).unwrap_err().to_string();
    assert!(refused.contains("unsupported") && refused.contains("delta"), "{refused}");
    assert!(matches!(with("1.2.3.4", true, &[5, 0]), Err(CertificateError::UnsupportedCrl(_))));
    assert_eq!(with("1.2.3.4", false, &[5, 0]), Ok(()));
    // A list may name a certificate in words that are not understood: then it is of no use for any.
    let entry = |oid: &str, critical| {
        let forged = forge_list(full.as_der(), &key, |tbs| {
            tbs.revoked_certificates = Some(vec![RevokedCert {
                serial_number: x509_cert::serial_number::SerialNumber::new(&[7]).unwrap(),
                revocation_date: tbs.this_update,
                crl_entry_extensions: Some(vec![extension(oid, critical, &[10, 1, 1])]),
            }]);
        });
        against(&[&forged], &chain, &anchors, NOW).map(drop)
    };
    assert_eq!(entry("2.5.29.21", false), Ok(()), "a reason");
    assert!(matches!(entry("1.2.3.4", true), Err(CertificateError::UnsupportedCrl(_))));
    assert!(
        matches!(entry("2.5.29.29", true), Err(CertificateError::UnsupportedCrl(_))),
        "certificateIssuer"
    );
}

#[test]
fn a_list_with_an_algorithm_that_is_not_in_use_here_says_so() {
    let mut authority = root("issuer");
    let chain = issue(&mut authority, "leaf");
    let forged = forge_list(list(&mut authority).as_der(), &ed25519_issuer_key("issuer"), |tbs| {
        tbs.signature.oid = "1.2.840.113549.1.1.5".parse().unwrap(); // sha1WithRSAEncryption
    });
    let refused = against(&[&forged], &chain, &anchors(&authority), NOW).unwrap_err();
    assert!(matches!(refused, CertificateError::UnsupportedCrl(_)), "{refused:?}");
}

#[test]
fn each_path_finds_the_list_of_its_key() {
    let (mut old, mut new) = (root("old"), root("new"));
    let (by_old, by_new) = (issue(&mut old, "by old"), issue(&mut new, "by new"));
    let both = [&old, &new].into_iter().flat_map(|it| anchors(it).as_slice().to_vec()).collect();
    let both = TrustAnchors::new(both).unwrap();
    let lists = [list(&mut old), list(&mut new)];
    let lists = lists.each_ref().map(RevocationList::as_der);
    let with = |lists: &[&[u8]], chain: &Chain| against(lists, chain, &both, NOW).map(drop);
    for lists in [lists, [lists[1], lists[0]]] {
        assert_eq!(with(&lists, &by_old), Ok(()));
        assert_eq!(with(&lists, &by_new), Ok(()));
    }
    assert_eq!(with(&lists[..1], &by_old), Ok(()));
    assert_eq!(with(&lists[..1], &by_new), Err(CertificateError::BadCrlSignature));
    new.revoke(by_new.leaf().serial(), NOW).unwrap();
    let revoking = list(&mut new);
    for lists in [[lists[0], revoking.as_der()], [revoking.as_der(), lists[0]]] {
        assert_eq!(with(&lists, &by_old), Ok(()));
        assert_eq!(with(&lists, &by_new), Err(CertificateError::Revoked));
    }
    // Of two that count, one is enough.
    for lists in [[lists[1], revoking.as_der()], [revoking.as_der(), lists[1]]] {
        assert_eq!(with(&lists, &by_new), Err(CertificateError::Revoked));
    }
    // One that went stale counts as none: the other one is asked.
    let late = NOW.after(Authority::LIST_LIFETIME);
    let fresh = new.revocation_list(late, &mut fixed("fresh")).unwrap();
    let stale = Err(CertificateError::StaleCrl { next_update: late, now: late });
    for lists in [[lists[0], lists[1]], [lists[1], lists[0]]] {
        assert_eq!(against(&lists, &by_old, &both, late).map(drop), stale);
    }
    for lists in [[lists[1], fresh.as_der()], [fresh.as_der(), lists[1]]] {
        assert_eq!(against(&lists, &by_new, &both, late).map(drop), Err(CertificateError::Revoked));
    }
    let fresh = old.revocation_list(late, &mut fixed("fresh")).unwrap();
    for lists in [[lists[0], fresh.as_der()], [fresh.as_der(), lists[0]]] {
        assert_eq!(against(&lists, &by_old, &both, late).map(drop), Ok(()));
    }
}

#[test]
fn lists_are_verified_under_keys_of_every_kind() {
    for key in issuer_keys("lists") {
        let mut authority = Authority::root(issuer_name("Any"), key).unwrap();
        let (kept, revoked) = (issue(&mut authority, "kept"), issue(&mut authority, "revoked"));
        authority.revoke(revoked.leaf().serial(), NOW).unwrap();
        let list = list(&mut authority);
        let anchors = anchors(&authority);
        assert!(against(&[list.as_der()], &kept, &anchors, NOW).is_ok());
        assert_eq!(against(&[list.as_der()], &revoked, &anchors, NOW), Err(CertificateError::Revoked));
        let mut forged = list.as_der().to_vec();
        let last = forged.len() - 1;
        forged[last] ^= 1;
        assert_eq!(against(&[&forged], &kept, &anchors, NOW), Err(CertificateError::BadCrlSignature));
    }
}

#[test]
fn issuers_can_be_revoked() {
    let mut top = root("top");
    let key = ed25519_issuer_key("low");
    let own =
        top.certify_authority(&issuer_name("low"), key.public(), 0, validity(), &mut fixed("own")).unwrap();
    let mut low = Authority::subordinate(key, vec![own.clone()], top.trust_anchor().unwrap()).unwrap();
    let chain = issue(&mut low, "leaf");
    let anchors = anchors(&top);
    let low_list = list(&mut low);
    let before = list(&mut top);
    top.revoke(own.serial(), NOW).unwrap();
    let after = list(&mut top);
    let with = |lists: &[&[u8]]| against(lists, &chain, &anchors, NOW).map(drop);
    assert_eq!(with(&[low_list.as_der(), before.as_der()]), Ok(()));
    assert_eq!(with(&[low_list.as_der(), after.as_der()]), Err(CertificateError::Revoked));
    assert_eq!(with(&[low_list.as_der()]), Err(CertificateError::RevocationUnknown));
    let leaf_only = Revocation::lists([low_list.as_der()], RevocationDepth::Leaf);
    assert!(verify(&chain.as_der(), &anchors, &name(), NOW, &leaf_only).is_ok());
}

#[test]
fn no_flipped_bit_brings_a_revoked_server_back() {
    let mut authority = root("issuer");
    let chain = issue(&mut authority, "leaf");
    authority.revoke(chain.leaf().serial(), NOW).unwrap();
    let list = list(&mut authority);
    let anchors = anchors(&authority);
    for place in 0..list.as_der().len() {
        for bit in 0..8 {
            let mut wrong = list.as_der().to_vec();
            wrong[place] ^= 1 << bit;
            assert!(against(&[&wrong], &chain, &anchors, NOW).is_err(), "byte {place} bit {bit}");
        }
        let cut = against(&[&list.as_der()[..place]], &chain, &anchors, NOW);
        assert_eq!(cut, Err(CertificateError::MalformedCrl), "{place} bytes");
    }
}

#[test]
fn a_list_that_tokens_would_refuse_is_not_issued() {
    let mut authority = root("issuer");
    let mut random = fixed("many");
    let mut last = None;
    for _ in 0..600 {
        let chain = authority.issue(&request(), validity(), &mut random).unwrap();
        authority.revoke(chain.leaf().serial(), NOW).unwrap();
        last = Some(chain);
    }
    assert!(authority.revocation_list(NOW, &mut random).is_err());
    // Entries of expired certificates are left out, so there is room again.
    let later = NOW.after(YEAR + Authority::LIST_LIFETIME + 1);
    assert!(authority.revocation_list(later, &mut random).is_ok());
    assert!(last.is_some());
}
