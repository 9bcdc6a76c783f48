//! Limits of a stranger's knowledge about names, codes, keys and tickets: the same questions are asked of the
//! store, and the same answer given, whatever is there.

use crate::applicant::{Applicant, Applied, answer_through, decide, setting, user};
use crate::common::{Counting, World};
use crate::distort::{bstr, content, entries, malformed, map, with};
use crate::forge::{Sealing, text};
use crate::watched::WatchedStore;
use halfkey::port::Token;
use halfkey::record::InFlight;
use halfkey::registration::token::{Credential, Rejection, ServerDecision};
use halfkey::registration::{ActivationCode, RejectionCode};
use halfkey::{KeyId, TicketId};
use std::collections::BTreeSet;

/// The calls of the store, the length of the answer, and what it says.
fn judged(
    world: &World,
    applicant: &mut Applicant,
    applied: &Applied,
    r2: &[u8],
) -> (Vec<&'static str>, usize, Option<Rejection>) {
    let store = WatchedStore::new(&world.store, None);
    let r3 = answer_through(world, &world.server, &store, b"peer", r2);
    let half = InFlight { request: r2.to_vec(), ..applied.half.clone() };
    let said = match applicant.opens(world, &half, &r3) {
        Ok(ServerDecision::Refused(refused)) => Some(refused),
        Ok(other) => panic!("{other:?}"),
        Err(_) => None,
    };
    (store.power.calls.into_inner().unwrap(), r3.len(), said)
}

fn tag(proof: &[u8], flip: bool) -> Vec<u8> {
    let mut tag = content(proof, 3);
    tag[31] ^= u8::from(flip);
    bstr(&tag)
}

/// The applicant's R2 with another proof: `(kind, id)`, with a tag that is wrong.
fn proving(applicant: &mut Applicant, applied: &Applied, kind: u8, id: Option<[u8; 16]>) -> Vec<u8> {
    let sealing = Sealing::of(applicant, &applied.half);
    let body = entries(text(&sealing.open(&applied.r2)));
    let mut proof = vec![(1, vec![kind])];
    proof.extend(id.map(|id| (2, bstr(&id))));
    proof.push((3, bstr(&[7; 32])));
    sealing.seal_text(&applied.r2, &map(&[body[0].clone(), (2, map(&proof))]))
}

#[test]
fn p6_wrong_proofs_are_judged_alike_whatever_is_there() {
    let (issuer, world) = setting();
    let (mut alice, mut waiter, mut stranger) =
        (Applicant::new(&issuer, 7), Applicant::new(&issuer, 8), Applicant::new(&issuer, 9));
    let held = alice.registered(&world, "alice");
    decide(&world, true);
    drop(waiter.register(&world, "wally", Credential::None));
    decide(&world, false);
    let ticket = world.waiting()[0].ticket_id;
    let code = ActivationCode::generate(&mut Counting::new(50));
    let invited = user("invited");
    world.invite(&invited, &code);

    let before = format!("{:?} {:?}", world.registrations(), world.waiting());
    let unknown = (*KeyId::new([9; 16]).as_bytes(), *TicketId::new([9; 16]).as_bytes());
    let mut all = Vec::new();
    for (what, name, kind, id) in [
        ("a code for a name with a code", "invited", 1, None),
        ("a code for a name that is taken", "alice", 1, None),
        ("a code for a name that nobody has", "nobody", 1, None),
        ("a key that is known", "alice", 2, Some(*held.key_id.as_bytes())),
        ("a key that is known, under another name", "bob", 2, Some(*held.key_id.as_bytes())),
        ("a key that is not known", "alice", 2, Some(unknown.0)),
        ("a ticket that is known", "wally", 3, Some(*ticket.as_bytes())),
        ("a ticket that is known, with another form", "bob", 3, Some(*ticket.as_bytes())),
        ("a ticket that is not known", "wally", 3, Some(unknown.1)),
    ] {
        let applied = stranger.applied(&world, name, Credential::None);
        let r2 = proving(&mut stranger, &applied, kind, id);
        all.push((what, judged(&world, &mut stranger, &applied, &r2)));
    }
    // And one that does not open at all.
    let applied = stranger.applied(&world, "alice", Credential::None);
    let sealed = [content(&applied.r2, 2), vec![0; 256]].concat();
    let r2 = with(&applied.r2, 2, bstr(&sealed));
    let (calls, length, said) = judged(&world, &mut stranger, &applied, &r2);
    assert_eq!(said.unwrap().code, RejectionCode::Unspecified);
    // It is written down nowhere, which tells its sender what the sender knows; all others are.
    assert_eq!(calls, ["outcome", "applicant"]);
    let calls = ["outcome", "applicant", "commit"];
    for (what, (others, other, said)) in &all {
        assert_eq!((others.as_slice(), other), (&calls[..], &length), "{what}");
        let said = said.as_ref().unwrap();
        assert_eq!((said.code, said.fields.len()), (RejectionCode::Unspecified, 0), "{what}");
    }
    assert_eq!(before, format!("{:?} {:?}", world.registrations(), world.waiting()));
}

/// Right proofs with one bit wrong, of every kind, and then right.
#[test]
fn a_proof_is_the_whole_of_it() {
    let (issuer, world) = setting();
    let code = ActivationCode::generate(&mut Counting::new(50));
    let alice = user("alice");
    world.invite(&alice, &code);
    let mut applicant = Applicant::new(&issuer, 7);
    let again = || ActivationCode::parse(&code.reveal()).unwrap();
    let applied = applicant.applied(&world, "alice", Credential::Activation(again()));
    let sealing = Sealing::of(&mut applicant, &applied.half);
    let body = entries(text(&sealing.open(&applied.r2)));
    let proof = body[1].1.clone();
    let wrong = map(&[entries(&proof)[0].clone(), (3, tag(&proof, true))]);
    let r2 = sealing.seal_text(&applied.r2, &map(&[body[0].clone(), (2, wrong)]));
    let (_, _, said) = judged(&world, &mut applicant, &applied, &r2);
    assert_eq!(said.unwrap().code, RejectionCode::Unspecified);
    // The proof of one run in another.
    let other = applicant.applied(&world, "alice", Credential::Activation(again()));
    let r2 = Sealing::of(&mut applicant, &other.half).seal_text(&other.r2, &map(&body));
    let (_, _, said) = judged(&world, &mut applicant, &other, &r2);
    assert_eq!(said.unwrap().code, RejectionCode::Unspecified);
    let third = applicant.applied(&world, "alice", Credential::Activation(again()));
    applicant.completes(&world, &third);
}

/// The sealed text spoilt by the one who may seal it.
#[test]
fn a_spoilt_form_is_refused_by_an_outcome() {
    let (issuer, world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    let applied = applicant.applied(&world, "alice", Credential::None);
    let sealing = Sealing::of(&mut applicant, &applied.half);
    let plain = text(&sealing.open(&applied.r2)).to_vec();
    let size = judged(&world, &mut applicant, &applied, &sealing.seal_text(&applied.r2, b"no form")).1;
    let long = |text: &[u8]| text.len() > 16_380;
    let mut sent = BTreeSet::new();
    for (what, bytes) in malformed(&plain).into_iter().filter(|(_, text)| !long(text)) {
        if !sent.insert(bytes.clone()) {
            continue;
        }
        let r2 = sealing.seal_text(&applied.r2, &bytes);
        let (calls, length, said) = judged(&world, &mut applicant, &applied, &r2);
        assert_eq!((calls.len(), length), (2, size), "{what}");
        assert_eq!(said.unwrap().code, RejectionCode::Unspecified, "{what}");
    }
    for (what, bytes) in malformed(&entries(&plain)[0].1) {
        let bytes = map(&[(1, bytes)]);
        if !sent.insert(bytes.clone()) {
            continue;
        }
        let r2 = sealing.seal_text(&applied.r2, &bytes);
        let (calls, length, said) = judged(&world, &mut applicant, &applied, &r2);
        let code = said.unwrap().code;
        assert!(matches!(code, RejectionCode::Unspecified | RejectionCode::Form), "{what}: {code:?}");
        let written = if code == RejectionCode::Form { 3 } else { 2 };
        assert_eq!((calls.len(), length), (written, size), "{what}");
    }
    // Forms that read well and are wrong: each field says what is wrong with it.
    let first = applied;
    let applied = applicant.applied(&world, "alice", Credential::None);
    let sealing = Sealing::of(&mut applicant, &applied.half);
    let text = |text: &str| [&[0x78, u8::try_from(text.len()).unwrap()][..], text.as_bytes()].concat();
    for (form, faults) in [
        (vec![(2, vec![0xF5])], vec![(0, 1)]),
        (vec![(0, text("Alice")), (2, vec![0xF5])], vec![(0, 5)]),
        (vec![(0, text("al\u{202E}ice")), (2, vec![0xF5])], vec![(0, 5)]),
        (vec![(0, text("alice-with-a-name-of-24b")), (2, vec![0x01])], vec![(2, 3)]),
        (
            vec![
                (0, text("alice-with-a-name-of-24b")),
                (1, text(&"x".repeat(65))),
                (2, vec![0xF5]),
                (9, vec![0xF5]),
            ],
            vec![(1, 4), (9, 2)],
        ),
        (
            vec![
                (0, text("alice-with-a-name-of-24b")),
                (1, text("a\u{0308}, not composed here")),
                (2, vec![0xF5]),
            ],
            vec![(1, 5)],
        ),
    ] {
        let form: Vec<_> = form
            .into_iter()
            .map(|(place, value)| {
                // Texts under 24 bytes have a shorter head.
                let short = value[0] == 0x78 && value[1] < 24;
                (place, if short { [&[0x60 + value[1]][..], &value[2..]].concat() } else { value })
            })
            .collect();
        let r2 = sealing.seal_text(&applied.r2, &map(&[(1, map(&form))]));
        let (calls, length, said) = judged(&world, &mut applicant, &applied, &r2);
        assert_eq!((calls.len(), length), (3, size), "{form:?}");
        let said = said.unwrap();
        let said: Vec<_> = said.fields.iter().map(|(place, error)| (*place, error.code())).collect();
        assert_eq!(said, faults, "{form:?}");
    }
    applicant.token.abandon(&applied.half.txn).unwrap();
    applicant.completes(&world, &first);
    applicant.settled(&world);
}

#[test]
fn p6_a_closed_server_says_nothing_of_names() {
    let (issuer, mut world) = setting();
    let mut alice = Applicant::new(&issuer, 7);
    alice.registered(&world, "alice");
    world.settings.open_registration = false;
    let mut stranger = Applicant::new(&issuer, 8);
    for name in ["alice", "nobody"] {
        let applied = stranger.applied(&world, name, Credential::None);
        let r2 = applied.r2.clone();
        let (calls, _, said) = judged(&world, &mut stranger, &applied, &r2);
        assert_eq!((calls.len(), said.unwrap().code), (3, RejectionCode::ProofNeeded), "{name}");
    }
}
