//! The properties of PROTOCOL.md, section 11, one by one: 1 to 4. 5, 9 and 10 stand in
//! [`crate::secrecy`], 6 in [`crate::enumeration`], 7 in [`crate::messages`], 8 in [`crate::crash`] and
//! [`crate::tampering`].

use crate::applicant::{Applicant, SMALL, active, answer, answer_through, form, is, refusal, setting};
use crate::common::{Counting, Issuer, World, token};
use crate::distort::{bstr, content, with};
use crate::supply::*;
use halfkey::certificate::{Revocation, TrustAnchors};
use halfkey::message::{Address, Offer, Outcome};
use halfkey::policy::{SuiteId, SuiteList};
use halfkey::port::auth_server::{Decapsulated, Encapsulated, OfferMaterial};
use halfkey::port::question::KeysQuestion;
use halfkey::port::{AuthServer, AuthServerError, CertificateAuthority, EntitlementStore, Token};
use halfkey::registration::TokenRegistrationError;
use halfkey::registration::server::receive_hello;
use halfkey::registration::token::{Credential, ServerDecision, hello};
use halfkey::schedule::{KeyContext, KeySet, KeyUse};
use halfkey::suite::{SUITES, Suite, XWING};
use halfkey::{Digest, ErrorReason, KeyId, Secret, ServerName, UnixTime, UserId};
use std::collections::BTreeSet;

const TH: Digest = Digest::new([0xAB; 32]);

/// Returns a fingerprint of all of a token's keys.
fn fingerprint(token: &mut dyn Token, key_id: &KeyId) -> Vec<[u8; 32]> {
    [KeyUse::Response([0xAB; 96]), KeyUse::Session([0xAB; 64]), KeyUse::Renew(TH), KeyUse::Binder(TH)]
        .map(|question| *token.derive(key_id, &question).unwrap().expose())
        .into()
}

fn row(world: &World, key_id: &KeyId) -> halfkey::record::ServerRegistration {
    world.store.registration(&Address::Key(*key_id), world.now()).unwrap().unwrap()
}

#[test]
fn p1_agreement_on_names_suite_policy_and_keys() {
    for (suites, suite) in [(SUITES, SuiteId::XWing), (SMALL, SuiteId::X25519)] {
        let (issuer, world) = setting();
        let mut applicant = Applicant::new(&issuer, 7);
        applicant.suites = suites;
        let held = applicant.registered(&world, "alice");
        let row = row(&world, &held.key_id);
        assert_eq!((held.suite, row.suite), (suite, suite));
        assert_eq!(
            (&held.user_id, &held.access_path, held.policy),
            (&row.user_id, &row.access_path, row.policy)
        );
        assert_eq!((held.server_name.as_str(), row.name.as_str()), ("gate.example", "alice"));
        let keys = &row.keys;
        let mac = |key: &Secret, label: &[u8], over: &[u8]| XWING.mac(key, &[label, &[0], over]);
        let prf = |key: &Secret, label: &[u8], over: &[u8]| XWING.mac(key, &[label, &[0], over, &[1]]);
        let theirs = vec![
            mac(&keys.auth, b"halfkey/1 response", &[0xAB; 96]),
            prf(&keys.derive, b"halfkey/1 session", &[0xAB; 64]),
            mac(&keys.renew, b"halfkey/1 renew", TH.as_bytes()),
            prf(&keys.renew, b"halfkey/1 mix", TH.as_bytes()),
        ];
        assert_eq!(fingerprint(&mut applicant.token, &held.key_id), theirs);
        applicant.session(&world, &held).unwrap();
    }
}

/// Injective: one run on one side is one run on the other, however often its messages come.
#[test]
fn p1_agreement_is_injective() {
    let (issuer, world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    let applied = applicant.applied(&world, "alice", Credential::None);
    let r3 = answer(&world, &applied.r2);
    let held = applicant.completes_with(&world, &applied.half, &r3);
    for _ in 0..3 {
        assert_eq!(answer(&world, &applied.r2), r3);
    }
    applicant.session(&world, &held).unwrap();
    // The outcome is forgotten with the first session: then R2 is judged again, and refused.
    let again = answer(&world, &applied.r2);
    assert!(is::<Outcome<'_>>(&again));
    assert_eq!(world.registrations().len(), 1);
    applicant.settled(&world);
}

#[test]
fn p2_both_contributions_and_the_code_are_drawn_each_time() {
    let (issuer, world) = setting();
    let server = crate::recording::RecordingServer::new(&world.server);
    let mut applicant = Applicant::new(&issuer, 7);
    let (mut contributions, mut codes) = (BTreeSet::new(), BTreeSet::new());
    for user in ["alice", "bob", "carol"] {
        let applied = applicant.applied(&world, user, Credential::None);
        let r3 = answer_through(&world, &server, &world.store, b"peer", &applied.r2);
        let ServerDecision::Granted(need) = applicant.opens(&world, &applied.half, &r3).unwrap() else {
            panic!("not granted")
        };
        contributions.insert(*server.opened.lock().unwrap().last().unwrap().ssk1.expose());
        contributions.insert(*need.wanted().ssk2.expose());
        codes.insert(need.registration().user_id.to_string());
    }
    assert_eq!((contributions.len(), codes.len()), (6, 3));
}

#[test]
fn p2_neither_side_alone_makes_the_key() {
    let run = |ssk1: u8, client: u8, server: u8| {
        let (issuer, world) = setting();
        let mut applicant = Applicant::with(token(issuer.anchors(), ssk1), 0);
        let (_, _, need) = applicant.offered(&world);
        applicant.random = Counting::new(client);
        *world.random.borrow_mut() = Counting::new(server);
        let form = form(need.wanted(), "alice");
        let need = need.supply(form, Credential::None).unwrap();
        let need = need.supply_from(&mut applicant.token, &mut applicant.random).unwrap();
        let step = need.supply_from(&mut applicant.token, world.now()).unwrap();
        let halfkey::record::Attempt::InFlight(half) = step.wanted().attempt.clone() else { panic!() };
        drop(step.supply_from(&mut applicant.token).unwrap());
        let r3 = answer(&world, &half.request);
        let held = applicant.completes_with(&world, &half, &r3);
        fingerprint(&mut applicant.token, &held.key_id)
    };
    let same = run(1, 2, 3);
    assert_eq!(run(1, 2, 3), same, "the run is its random bytes");
    for (other, what) in [(run(9, 2, 3), "SSK1"), (run(1, 9, 3), "ss_e"), (run(1, 2, 9), "SSK2")] {
        assert!(same.iter().zip(&other).all(|(a, b)| a != b), "another {what}, the same key");
    }
}

/// Every input of the join changes every key.
#[test]
fn p2_p4_the_join_binds_all_of_it() {
    let [a, b] = [Secret::new([1; 32]), Secret::new([2; 32])];
    let names = [ServerName::new("a.example").unwrap(), ServerName::new("b.example").unwrap()];
    let users = [UserId::new("u1").unwrap(), UserId::new("u2").unwrap()];
    let keys = [KeyId::new([1; 16]), KeyId::new([2; 16])];
    let digests = [Digest::new([1; 32]), Digest::new([2; 32])];
    let join = |other: usize| {
        let at = |place: usize| usize::from(place == other);
        let secret = |place: usize| if at(place) == 1 { &b } else { &a };
        let context = KeyContext {
            certificate: &digests[at(1)],
            server_name: &names[at(2)],
            user_id: &users[at(3)],
            key_id: &keys[at(4)],
        };
        let set = KeySet::join(&XWING, secret(5), secret(6), &digests[at(7)], secret(8), secret(9), &context);
        set.stored().map(|key| *key.expose())
    };
    let all: Vec<_> = (0..10).flat_map(join).collect();
    for (place, key) in all.iter().enumerate() {
        assert!(!all[..place].contains(key), "key {place} twice");
    }
}

/// An authentication server that makes worse offers than it should, and signs them.
struct Worse<'s>(&'s dyn AuthServer, SuiteId);

impl AuthServer for Worse<'_> {
    fn offer_material(&self, _: &SuiteList, now: UnixTime) -> Result<OfferMaterial, AuthServerError> {
        self.0.offer_material(&SuiteList::only(self.1), now)
    }
    fn sign_offer(&self, certificate: &Digest, transcript: &Digest) -> Result<[u8; 64], AuthServerError> {
        self.0.sign_offer(certificate, transcript)
    }
    fn decapsulate(&self, sealed: &Encapsulated, now: UnixTime) -> Result<Decapsulated, AuthServerError> {
        self.0.decapsulate(sealed, now)
    }
}

fn asks(
    world: &World,
    anchors: &TrustAnchors,
    meddle: impl Fn(&[u8]) -> Vec<u8>,
) -> Option<TokenRegistrationError> {
    let step = hello(world.settings.name.clone(), SUITES, &mut Counting::new(9)).unwrap();
    let r1 = meddle(step.send.as_bytes());
    step.next.receive_offer(&r1, anchors, &Revocation::Ignore, world.now()).err()
}

#[test]
fn p3_no_downgrade_of_suite_or_version() {
    let (issuer, world) = setting();
    let anchors = issuer.anchors();
    assert_eq!(asks(&world, &anchors, |r0| answer(&world, r0)), None);
    // The better suite struck out, or behind the other, on the way.
    for suites in [vec![0x81, 1], vec![0x82, 1, 2]] {
        let error = asks(&world, &anchors, |r0| answer(&world, &with(r0, 2, suites.clone())));
        assert_eq!(error, Some(TokenRegistrationError::Downgrade));
    }
    // Another struck out that changes nothing in the choice: the signature is over what was sent.
    let error = asks(&world, &anchors, |r0| answer(&world, &with(r0, 2, vec![0x81, 2])));
    assert!(matches!(error, Some(TokenRegistrationError::Signature(_))), "{error:?}");
    // A server that chooses the worse one of its own accord.
    let worse = Worse(&world.server, SuiteId::X25519);
    let error = asks(&world, &anchors, |r0| answer_through(&world, &worse, &world.store, b"peer", r0));
    assert_eq!(error, Some(TokenRegistrationError::Downgrade));
    // An anchor that vouches for nothing below X-Wing, and a client that asks for less.
    let anchor = issuer.authority.trust_anchor().unwrap().with_minimum_suite(2);
    let step = hello(world.settings.name.clone(), SMALL, &mut Counting::new(9)).unwrap();
    let r1 = answer(&world, step.send.as_bytes());
    let error = step.next.receive_offer(&r1, &anchor.into(), &Revocation::Ignore, world.now()).unwrap_err();
    assert_eq!(error, TokenRegistrationError::Downgrade);
    // Another version, signed by the server itself.
    let error = asks(&world, &anchors, |r0| {
        let need = receive_hello(r0, &world.settings).unwrap();
        let offer_material = need.wanted().ask(&world.server, world.now()).unwrap();
        let mut random = Counting::new(3);
        let need = need.supply(&offer_material, b"peer", &world.settings, world.now(), &mut random).unwrap();
        let r1 = need.supply([0; 64]).into_bytes();
        let core = with(&content(&r1, 1), 1, vec![2]);
        let head = [&b"halfkey/1 offer\0"[..], &[0, 2]].concat();
        let items = [item(1, r0), item(1, &core)].concat();
        let th_o = XWING.hash(&[&head, &items]);
        let sig = world.server.sign_offer(&offer_material.certificate, &th_o).unwrap();
        with(&with(&r1, 1, bstr(&core)), 3, bstr(&sig))
    });
    assert_eq!(error, Some(TokenRegistrationError::Downgrade));
}

/// An item of a transcript, from PROTOCOL.md, section 5.
pub(crate) fn item(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind][..], &u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

pub(crate) fn transcript(name: &str, items: &[Vec<u8>]) -> Digest {
    XWING.hash(&[b"halfkey/1 ", name.as_bytes(), &[0], &2u16.to_be_bytes(), &items.concat()])
}

/// Two certified servers, one of them the attacker, who even shares the other's master secret.
#[test]
fn p4_no_relay_between_servers() {
    let mut issuer = Issuer::new(1);
    let (good, evil) =
        (World::new(&mut issuer, "good.example", 0), World::new(&mut issuer, "evil.example", 1));
    let mut applicant = Applicant::new(&issuer, 7);
    // The call for the one is not taken by the other, and its offer does not stand for the other's.
    let step = hello(good.settings.name.clone(), SUITES, &mut Counting::new(9)).unwrap();
    assert_eq!(refusal(&answer(&evil, step.send.as_bytes())), Some(ErrorReason::Refused));
    let renamed = with(step.send.as_bytes(), 4, [&[0x6C][..], b"evil.example"].concat());
    let r1 = answer(&evil, &renamed);
    assert!(is::<Offer<'_>>(&r1));
    let error = step.next.receive_offer(&r1, &issuer.anchors(), &Revocation::Ignore, good.now()).unwrap_err();
    assert!(matches!(error, TokenRegistrationError::Certificate(_)), "{error:?}");
    // A token that calls the attacker is not passed on to the other server.
    let step = hello(evil.settings.name.clone(), SUITES, &mut Counting::new(9)).unwrap();
    let renamed = with(step.send.as_bytes(), 4, [&[0x6C][..], b"good.example"].concat());
    let r1 = answer(&good, &renamed);
    let error = step.next.receive_offer(&r1, &issuer.anchors(), &Revocation::Ignore, good.now()).unwrap_err();
    assert!(matches!(error, TokenRegistrationError::Certificate(_)), "{error:?}");
    // R2 for the one is nothing to the other, which made no such offer.
    let applied = applicant.applied(&good, "alice", Credential::None);
    let answered = answer(&evil, &applied.r2);
    let restart = TokenRegistrationError::ErrorMessage(ErrorReason::Restart);
    assert_eq!(applicant.refuses(&good, &applied.half, &answered), restart);
    assert_eq!((evil.registrations().len(), active(&evil)), (0, 0));
    applicant.completes(&good, &applied);
    applicant.settled(&good);
}

/// The same random bytes with two servers, and the same token twice with one: no two keys alike.
#[test]
fn p4_no_key_is_shared_between_runs_or_servers() {
    let mut issuer = Issuer::new(1);
    let (one, two) = (World::new(&mut issuer, "one.example", 0), World::new(&mut issuer, "two.example", 1));
    *two.random.borrow_mut() = Counting::new(30);
    let mut prints: Vec<[u8; 32]> = Vec::new();
    for world in [&one, &two] {
        let mut applicant = Applicant::new(&issuer, 7);
        let held = applicant.registered(world, "alice");
        prints.extend(fingerprint(&mut applicant.token, &held.key_id));
    }
    let mut applicant = Applicant::new(&issuer, 8);
    for user in ["bob", "carol"] {
        let held = applicant.registered(&one, user);
        prints.extend(fingerprint(&mut applicant.token, &held.key_id));
    }
    for (place, print) in prints.iter().enumerate() {
        assert!(!prints[..place].contains(print), "{place}");
    }
}

/// A server that names a key which the token holds from another server gains nothing by it.
#[test]
fn p4_no_key_is_taken_for_another() {
    let mut issuer = Issuer::new(1);
    let (one, two) = (World::new(&mut issuer, "one.example", 0), World::new(&mut issuer, "two.example", 1));
    let mut applicant = Applicant::new(&issuer, 7);
    let held = applicant.registered(&one, "alice");
    // Seek the random bytes with which the second server names the same key: they are the first's.
    let applied = applicant.applied(&two, "alice", Credential::None);
    let mut draws = 0;
    let key = held.key_id;
    let fixed = move |out: &mut [u8]| {
        draws += 1;
        out.fill(draws);
        if out.len() == 16 {
            out.copy_from_slice(key.as_bytes());
            if draws > 5 {
                out[0] ^= 1; // the alias
            }
        }
    };
    let mut fixed = fixed;
    let settings = &two.settings;
    let new = halfkey::registration::server::receive_request(&applied.r2).unwrap();
    let halfkey::registration::server::Lookup::New(need) =
        new.supply_from(&two.store, b"peer", settings, two.now()).unwrap()
    else {
        panic!()
    };
    let judged = need.supply_from(&two.server, settings, two.now()).unwrap();
    let judged = judged.supply_from(&two.store, settings, two.now()).unwrap();
    let commit = judged.decide(|_| crate::common::grant(), settings, two.now(), &mut fixed).unwrap();
    let halfkey::record::Effect::Granted(new) = &commit.wanted().outcome.effect else { panic!() };
    assert_eq!(new.registered.key_id, held.key_id);
    let r3 = commit.wanted().outcome.response.clone();
    let error = applicant.refuses(&two, &applied.half, &r3);
    assert_eq!(error, TokenRegistrationError::Token(halfkey::port::TokenError::KeyExists));
    assert_eq!(applicant.token.registrations().unwrap(), std::slice::from_ref(&held));
    applicant.session(&one, &held).unwrap();
}
