//! Requests, issuing, and verification of issued certificates; chains of authorities; the contract.

use super::common::*;
use halfkey::certificate::{
    AnchorError, Certificate, CertificateError, CertificateRequest, Chain, IssueError, IssuerName,
    RequestError, Revocation, RevocationDepth, RevocationList, SerialNumber, TrustAnchor, TrustAnchors,
    Validity, verify,
};
use halfkey::key::PemError;
use halfkey::memory::{Authority, StateError};
use halfkey::policy::SuiteList;
use halfkey::port::CertificateAuthority;
use halfkey::port::certificate_authority::AuthorityError;
use halfkey::port::contract::{self, AuthorityViolation};
use halfkey::{NameError, RandomSource, UnixTime};
use sha2::{Digest, Sha256};

#[test]
fn what_is_issued_verifies() {
    let rsa = Authority::root(issuer_name("RSA issuer"), rsa_issuer_key().clone()).unwrap();
    for mut authority in [rsa, root("ed25519")] {
        let chain = issue(&mut authority, "serial");
        let server = check(&chain.as_der(), &anchors(&authority)).unwrap();
        assert_eq!(server.name(), &name());
        assert_eq!(server.kem_key(), kem_key().public());
        assert_eq!(server.offer_key(), &offer_key().public());
        assert_eq!(*server.suites(), suites(SUITES));
        assert_eq!(server.serial(), chain.leaf().serial());
        assert_eq!(server.not_after(), NOW.after(YEAR));
        assert_eq!(server.anchor(), 0);
        let hash: [u8; 32] = Sha256::digest(chain.leaf().as_der()).into();
        assert_eq!(server.leaf_hash().as_bytes(), &hash);
        assert_eq!(chain.leaf().serial().as_bytes().len(), 16);
        assert_eq!(Chain::from_pem(&chain.to_pem().unwrap()).unwrap(), chain);
        assert!(chain.leaf().as_der().len() < 1200);
    }
}

#[test]
fn serial_numbers_are_positive_and_of_16_bytes_whatever_is_drawn() {
    let mut authority = root("issuer");
    for byte in [0x00, 0x3F, 0x40, 0x7F, 0x80, 0xC0, 0xFF] {
        let mut same = |out: &mut [u8]| out.fill(byte);
        let chain = authority.issue(&request(), validity(), &mut same).unwrap();
        let serial = chain.leaf().serial();
        assert!(serial.as_bytes().len() == 16 && serial.as_bytes()[0] < 0x80, "{serial}");
        assert!(format!("{:?}", chain.leaf()).contains(&serial.to_string()), "a log says which it is");
    }
}

/// While an issuer changes its key, one name has two.
#[test]
fn an_anchor_goes_alone() {
    let all = ["old", "new"].map(|seed| root(seed).trust_anchor().unwrap());
    let other = Authority::root(issuer_name("Other"), ed25519_issuer_key("old")).unwrap();
    let all: Vec<_> = all.into_iter().chain([other.trust_anchor().unwrap()]).collect();
    for gone in &all {
        let left = TrustAnchors::new(all.clone()).unwrap().without(gone).unwrap();
        let rest: Vec<_> = all.iter().filter(|anchor| *anchor != gone).cloned().collect();
        assert_eq!(left.as_slice(), rest);
    }
}

#[test]
fn the_contract_holds_for_the_authority_in_memory() {
    let rsa = Authority::root(issuer_name("RSA issuer"), rsa_issuer_key().clone()).unwrap();
    for mut authority in [rsa, root("ed25519"), under(&mut root("top"), "below", 0)] {
        assert_eq!(
            contract::certificate_authority(&mut authority, &request(), NOW, &mut fixed("contract")),
            Ok(())
        );
    }
}

/// An authority certified by `above`.
fn under(above: &mut Authority, seed: &str, path_length: u8) -> Authority {
    let key = ed25519_issuer_key(seed);
    let certificate = above
        .certify_authority(&issuer_name(seed), key.public(), path_length, validity(), &mut fixed(seed))
        .unwrap();
    let mut chain = vec![certificate];
    chain.extend(issue(above, "chain").issuers().iter().cloned());
    Authority::subordinate(key, chain, above.trust_anchor().unwrap()).unwrap()
}

#[test]
fn authorities_certify_authorities_as_far_as_the_path_length_goes() {
    let mut top = root("top");
    let mut middle = under(&mut top, "middle", 1);
    let mut low = under(&mut middle, "low", 0);
    let chain = issue(&mut low, "leaf");
    assert_eq!(chain.issuers().len(), 2);
    assert_eq!(check(&chain.as_der(), &anchors(&top)).unwrap().kem_key(), kem_key().public());
    // The order of issuers does not matter; a missing one does.
    let der = chain.as_der();
    assert!(check(&[der[0], der[2], der[1]], &anchors(&top)).is_ok());
    assert_eq!(check(&der[..1], &anchors(&top)), Err(CertificateError::UnknownIssuer));
    assert_eq!(check(&der[..2], &anchors(&top)), Err(CertificateError::UnknownIssuer));

    let mut too_low = under(&mut low, "too low", 0);
    let chain = issue(&mut too_low, "leaf");
    assert_eq!(check(&chain.as_der(), &anchors(&top)), Err(CertificateError::PathLength));
    let mut der = chain.as_der();
    der.push(der[1]);
    assert_eq!(check(&der, &anchors(&top)), Err(CertificateError::ChainTooLong));
}

#[test]
fn several_anchors_and_their_minimum_suites() {
    let (mut old, mut new) = (root("old"), root("new"));
    let anchor = |authority: &Authority| authority.trust_anchor().unwrap();
    // Both issuers have the same name: the key decides.
    let both =
        TrustAnchors::new(vec![anchor(&old).with_minimum_suite(0x0102), anchor(&new).with_minimum_suite(0)])
            .unwrap();
    let by_old = check(&issue(&mut old, "a").as_der(), &both).unwrap();
    let by_new = check(&issue(&mut new, "b").as_der(), &both).unwrap();
    assert_eq!((by_old.anchor(), by_new.anchor()), (0, 1));
    assert_eq!([0x0101, 0x0102, 0x0103].map(|suite| by_old.accepts(suite)), [false, true, false]);
    assert_eq!([0x0101, 0x0102, 0x0103].map(|suite| by_new.accepts(suite)), [true, true, false]);

    let strict = anchor(&old).with_minimum_suite(0x0103).into();
    assert_eq!(check(&issue(&mut old, "c").as_der(), &strict), Err(CertificateError::SuitesTooWeak));
}

/// A server is set up just now, and the token's clock is a little behind.
#[test]
fn certificates_are_backdated() {
    let mut authority = root("issuer");
    let validity = Validity::lasting(NOW, 3600).unwrap();
    let chain = authority.issue(&request(), validity, &mut fixed("leaf")).unwrap();
    let at = |now: u64| {
        let now = UnixTime::from_secs(now);
        verify(&chain.as_der(), &anchors(&authority), &name(), now, &Revocation::Ignore).map(drop)
    };
    let now = NOW.as_secs();
    assert_eq!((at(now - 5), at(now - 300), at(now + 3600)), (Ok(()), Ok(()), Ok(())));
    assert!(matches!(at(now - 301), Err(CertificateError::NotYetValid { .. })));
    assert!(matches!(at(now + 3601), Err(CertificateError::Expired { .. })));
    assert_eq!(Validity::lasting(UnixTime::from_secs(10), 10).unwrap().not_before().as_secs(), 0);
    assert!(Validity::lasting(NOW, u64::MAX).is_err());
}

/// An issuer takes another key, or another issuer takes its place. Tokens hold the old anchor: the old key
/// certifies the new one, and servers send that certificate along until every token has the new anchor.
#[test]
fn a_cross_certificate_leads_from_the_old_anchor_to_the_new_key() {
    for new_name in ["Test issuer", "Next issuer"] {
        for new_key in issuer_keys("next") {
            let mut old = root("old");
            let old_anchor = old.trust_anchor().unwrap();
            let new_name = issuer_name(new_name);
            let random = &mut fixed("cross");
            let cross = old.certify_authority(&new_name, new_key.public(), 0, validity(), random).unwrap();
            let new_anchor = TrustAnchor::new(new_name, new_key.public().clone());
            let mut new = Authority::subordinate(new_key, vec![cross], old_anchor.clone()).unwrap();
            let (before, after) = (issue(&mut old, "before"), issue(&mut new, "after"));

            let (old_only, new_only) = (old_anchor.clone().into(), new_anchor.clone().into());
            let both = TrustAnchors::new(vec![old_anchor, new_anchor]).unwrap();
            for anchors in [&old_only, &new_only, &both] {
                assert_eq!(check(&after.as_der(), anchors).map(drop), Ok(()));
            }
            assert_eq!(check(&before.as_der(), &old_only).map(drop), Ok(()));
            assert!(check(&before.as_der(), &new_only).is_err());
            // Without it, only tokens with the new anchor find a path.
            assert!(check(&after.as_der()[..1], &old_only).is_err());
            assert_eq!(check(&after.as_der()[..1], &both).unwrap().anchor(), 1);

            // Lists of both keys, in any order, whichever way the path goes.
            let lists = [old.revocation_list(NOW, random), new.revocation_list(NOW, random)];
            let lists = lists.map(|list| list.unwrap().as_der().to_vec());
            for lists in [lists.clone(), [lists[1].clone(), lists[0].clone()]] {
                let revocation = Revocation::lists(lists, RevocationDepth::Chain);
                for anchors in [&old_only, &new_only, &both] {
                    let found = verify(&after.as_der(), anchors, &name(), NOW, &revocation);
                    assert_eq!(found.map(drop), Ok(()));
                }
            }
        }
    }
}

#[test]
fn anchors_go_out_and_come_back() {
    let rsa = Authority::root(issuer_name("RSA issuer"), rsa_issuer_key().clone()).unwrap();
    let anchors = TrustAnchors::new(vec![
        root("a").trust_anchor().unwrap().with_minimum_suite(0xFFFF),
        rsa.trust_anchor().unwrap(),
    ])
    .unwrap();
    assert_eq!(TrustAnchors::from_pem(&anchors.to_pem().unwrap()).unwrap(), anchors);
    let der = anchors.as_slice()[1].to_der().unwrap();
    assert_eq!(&TrustAnchor::from_der(&der).unwrap(), &anchors.as_slice()[1]);
    for end in 0..der.len() {
        assert!(TrustAnchor::from_der(&der[..end]).is_err(), "{end}");
    }
    for place in 0..der.len() {
        let mut wrong = der.clone();
        wrong[place] ^= 1 << (place % 8);
        assert_ne!(TrustAnchor::from_der(&wrong).as_ref(), Ok(&anchors.as_slice()[1]));
    }

    let certificate = rsa.root_certificate(validity(), &mut fixed("root")).unwrap();
    assert_eq!(TrustAnchor::from_certificate(&certificate).unwrap(), rsa.trust_anchor().unwrap());
    let leaf = issue(&mut root("a"), "leaf");
    assert_eq!(TrustAnchor::from_certificate(leaf.leaf()), Err(AnchorError::NotAnAuthority));
    assert_eq!(TrustAnchors::new(vec![]), Err(AnchorError::None));

    // An anchor whose first line was lost is not passed over.
    let text = anchors.to_pem().unwrap();
    let second = text.rfind("-----BEGIN").unwrap();
    assert!(TrustAnchors::from_pem(&text[..second]).is_ok());
    for cut in 1.."-----BEGIN HALFKEY TRUST ANCHOR-----\n".len() {
        let cut = [&text[..second], &text[second + cut..]].concat();
        let damaged = AnchorError::Pem(PemError::Damaged { wanted: "HALFKEY TRUST ANCHOR" });
        assert_eq!(TrustAnchors::from_pem(&cut), Err(damaged), "{cut}");
    }
    let many = TrustAnchors::from_pem(&text.repeat(9));
    assert_eq!(many, Err(AnchorError::TooMany));
    let numbered = |count: usize| (0..count).map(|n| root(&n.to_string()).trust_anchor().unwrap()).collect();
    assert!(TrustAnchors::new(numbered(16)).is_ok());
    assert_eq!(TrustAnchors::new(numbered(17)), Err(AnchorError::TooMany));
    let anchor = root("a").trust_anchor().unwrap();
    let twice = vec![anchor.clone(), anchor.with_minimum_suite(5)];
    assert_eq!(TrustAnchors::new(twice), Err(AnchorError::Twice));
}

#[test]
fn requests_are_signed_by_the_offer_key() {
    let request = request();
    assert_eq!(CertificateRequest::from_der(request.as_der()), Ok(request.clone()));
    assert_eq!(CertificateRequest::from_pem(&request.to_pem().unwrap()), Ok(request.clone()));
    for end in 0..request.as_der().len() {
        assert!(CertificateRequest::from_der(&request.as_der()[..end]).is_err(), "{end}");
    }
    for place in 0..request.as_der().len() {
        let mut wrong = request.as_der().to_vec();
        wrong[place] ^= 1 << (place % 8);
        assert!(CertificateRequest::from_der(&wrong).is_err(), "byte {place}");
    }
    let mut wrong = request.as_der().to_vec();
    *wrong.last_mut().unwrap() ^= 1;
    assert_eq!(CertificateRequest::from_der(&wrong), Err(RequestError::BadSignature));
    assert_eq!(CertificateRequest::from_der(&[0; 2048]), Err(RequestError::Malformed));
    assert_eq!(CertificateRequest::from_der(&[0; 2049]), Err(RequestError::TooLong));

    // No list of suites can be made that a request must not have; one that says so is refused.
    for codes in [&[][..], &[1, 1], &[1, 2, 3, 4, 5, 6, 7, 8, 9]] {
        assert_eq!(SuiteList::from_codes(codes.iter().copied()), None);
    }
    assert!(SuiteList::from_codes([8, 7, 6, 5, 4, 3, 2, 1]).is_some());
    let twice = request.as_der().windows(8).position(|at| at == [2, 2, 1, 2, 2, 2, 1, 1]).unwrap();
    let mut repeated = request.as_der().to_vec();
    repeated[twice + 7] = 2;
    // Its signature is wrong now, which is looked at first.
    assert_eq!(CertificateRequest::from_der(&repeated), Err(RequestError::BadSignature));
}

#[test]
fn state_survives_a_restart() {
    let mut authority = root("issuer");
    let (kept, revoked) = (issue(&mut authority, "kept"), issue(&mut authority, "revoked"));
    authority.revoke(revoked.leaf().serial(), NOW).unwrap();
    let before = authority.revocation_list(NOW, &mut fixed("")).unwrap();
    let state = authority.state().unwrap();
    let mut again = root("issuer").with_state(&state).unwrap();
    assert_eq!(again.state().unwrap(), state);
    let after = again.revocation_list(NOW, &mut fixed("")).unwrap();
    assert_ne!(before, after, "the list's number went on");
    again.revoke(kept.leaf().serial(), NOW).unwrap();
    assert_eq!(again.revoke(&SerialNumber::new(&[1]).unwrap(), NOW), Err(AuthorityError::UnknownSerial));

    let other = Authority::root(issuer_name("Other"), ed25519_issuer_key("other")).unwrap();
    assert_eq!(other.with_state(&state).unwrap_err(), StateError::OtherAuthority);
    for end in 0..state.len() {
        assert_eq!(root("issuer").with_state(&state[..end]).unwrap_err(), StateError::Malformed);
    }
}

#[test]
fn impossible_validity_and_a_stuck_random_source_are_refused() {
    assert_eq!(Validity::new(NOW, UnixTime::from_secs(1)), Err(IssueError::Validity));
    assert_eq!(Validity::new(NOW, UnixTime::from_secs(u64::MAX)), Err(IssueError::Validity));
    let mut authority = root("issuer");
    issue(&mut authority, "same");
    assert_eq!(
        authority.issue(&request(), validity(), &mut fixed("same")),
        Err(AuthorityError::Issue(IssueError::RandomSource))
    );
}

#[test]
fn validity_beyond_2049_works() {
    let mut authority = root("issuer");
    let end = UnixTime::from_secs(4_000_000_000);
    let validity = Validity::new(NOW, end).unwrap();
    let chain = authority.issue(&request(), validity, &mut fixed("late")).unwrap();
    let verify = |now| verify(&chain.as_der(), &anchors(&authority), &name(), now, &Revocation::Ignore);
    assert_eq!(verify(end).unwrap().not_after(), end);
    assert_eq!(verify(end.after(1)), Err(CertificateError::Expired { not_after: end, now: end.after(1) }));
}

/// An authority that breaks the contract in one way.
struct Broken(Authority, Fault, u64);

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    OtherContents,
    Validity,
    SameSerial,
    RevokesAll,
    RevokesNone,
    RevokeTwice,
    UnknownSerial,
    OtherAnchor,
}

impl CertificateAuthority for Broken {
    fn trust_anchor(&self) -> Result<TrustAnchor, AuthorityError> {
        let anchor = self.0.trust_anchor()?;
        Ok(if self.1 == Fault::OtherAnchor && self.2 > 0 { anchor.with_minimum_suite(1) } else { anchor })
    }

    fn issue(
        &mut self,
        request: &CertificateRequest,
        validity: Validity,
        random: &mut dyn RandomSource,
    ) -> Result<Chain, AuthorityError> {
        self.2 += 1;
        match self.1 {
            Fault::OtherContents => {
                let other =
                    CertificateRequest::sign(&name(), kem_key().public(), &suites(&[9]), &offer_key())
                        .unwrap();
                self.0.issue(&other, validity, random)
            }
            Fault::Validity => {
                let longer = Validity::new(validity.not_before(), validity.not_after().after(1)).unwrap();
                self.0.issue(request, longer, random)
            }
            Fault::SameSerial => root("issuer").issue(request, validity, &mut fixed("same")),
            _ => self.0.issue(request, validity, random),
        }
    }

    fn revoke(&mut self, serial: &SerialNumber, now: UnixTime) -> Result<(), AuthorityError> {
        self.2 += 1;
        match (self.1, self.0.revoke(serial, now)) {
            (Fault::RevokeTwice, _) if self.2 == 5 => Err(AuthorityError::Refused),
            (Fault::RevokesNone | Fault::UnknownSerial, _) => Ok(()),
            (_, done) => done,
        }
    }

    fn revocation_list(
        &mut self,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<RevocationList, AuthorityError> {
        if self.1 == Fault::RevokesNone {
            return root("issuer").revocation_list(now, random);
        }
        if self.1 == Fault::RevokesAll {
            let state = self.0.state().unwrap();
            let mut all = root("issuer").with_state(&state).unwrap();
            for serial in serials(&state) {
                all.revoke(&serial, now).unwrap();
            }
            return all.revocation_list(now, random);
        }
        self.0.revocation_list(now, random)
    }
}

/// The serial numbers in a saved state: INTEGERs of 16 bytes.
fn serials(state: &[u8]) -> Vec<SerialNumber> {
    let found = state.windows(18).filter(|window| window[..2] == [2, 16]);
    found.map(|window| SerialNumber::new(&window[2..]).unwrap()).collect()
}

#[test]
fn the_contract_finds_what_is_broken() {
    for (fault, violation) in [
        (Fault::OtherContents, AuthorityViolation::OtherContents),
        (Fault::Validity, AuthorityViolation::Validity),
        (Fault::SameSerial, AuthorityViolation::SameSerial),
        (Fault::RevokesAll, AuthorityViolation::RevokesOthers),
        (Fault::RevokesNone, AuthorityViolation::NotRevoked),
        (Fault::RevokeTwice, AuthorityViolation::RevokeTwice),
        (Fault::UnknownSerial, AuthorityViolation::UnknownSerial),
        (Fault::OtherAnchor, AuthorityViolation::OtherAnchor),
    ] {
        let mut broken = Broken(root("issuer"), fault, 0);
        let found = contract::certificate_authority(&mut broken, &request(), NOW, &mut fixed("contract"));
        assert_eq!(found, Err(violation));
    }
}

#[test]
fn certificates_of_others_make_no_subordinate() {
    let mut top = root("top");
    let anchor = top.trust_anchor().unwrap();
    let own = top
        .certify_authority(
            &issuer_name("low"),
            ed25519_issuer_key("low").public(),
            0,
            validity(),
            &mut fixed(""),
        )
        .unwrap();
    let subordinate = |key: &str, above: Vec<Certificate>| {
        Authority::subordinate(ed25519_issuer_key(key), above, anchor.clone()).map(drop)
    };
    assert_eq!(subordinate("low", vec![own.clone()]), Ok(()));
    assert_eq!(subordinate("other", vec![own.clone()]), Err(AnchorError::NotAnAuthority));
    assert_eq!(subordinate("low", vec![]), Err(AnchorError::NotAnAuthority));
    assert_eq!(subordinate("low", vec![own; 4]), Err(AnchorError::NotAnAuthority));
    let missing = CertificateError::Pem(PemError::Missing { wanted: "CERTIFICATE" });
    assert_eq!(Certificate::from_pem("nothing"), Err(missing));
    assert_eq!(Chain::from_pem("nothing"), Err(missing));
}

#[test]
fn certificates_and_names_have_a_longest_length() {
    for (length, error) in [(8192, CertificateError::Malformed), (8193, CertificateError::CertificateTooLong)]
    {
        assert_eq!(Certificate::from_der(&vec![0; length]), Err(error), "{length}");
    }
    for (length, error) in
        [(1024, NameError::Encoding), (1025, NameError::TooLong(1024)), (2000, NameError::TooLong(1024))]
    {
        assert_eq!(IssuerName::from_der(&vec![0; length]), Err(error), "{length}");
    }
    assert_eq!(format!("{:?}", issuer_name("Test issuer")), "IssuerName(CN=Test issuer)");
}

/// An anchor takes the place of one with its name and its key, not of one that shares only one of them.
#[test]
fn an_anchor_replaces_itself_alone() {
    let of = |name: &str, seed: &str| {
        Authority::root(issuer_name(name), ed25519_issuer_key(seed)).unwrap().trust_anchor().unwrap()
    };
    let anchors = TrustAnchors::from(of("One", "a"));
    for other in [of("One", "b"), of("Two", "a")] {
        let both = anchors.clone().with(other.clone()).unwrap();
        assert_eq!(both.as_slice(), [of("One", "a"), other]);
    }
    let stricter = of("One", "a").with_minimum_suite(5);
    assert_eq!(anchors.with(stricter.clone()).unwrap().as_slice(), [stricter]);
}
