//! Every message of a registration, spoilt in every way, on the side that receives it.

use crate::applicant::{Applicant, SMALL, answer, answer_through, is, refusal, setting, states};
use crate::common::{Counting, Issuer, World};
use crate::distort::{bstr, content, entries, flipped, malformed, with};
use crate::forge::Sealing;
use crate::properties::{item, transcript};
use crate::supply::*;
use crate::watched::WatchedStore;
use halfkey::certificate::Revocation;
use halfkey::message::{Confirm, Done, ErrorMessage, Hello, Offer, Outcome, Request};
use halfkey::port::Token;
use halfkey::record::{Lifecycle, Progress};
use halfkey::registration::TokenRegistrationError;
use halfkey::registration::token::{
    AwaitOffer, Credential, NeedForm, ServerDecision, Settled, confirm_again, hello,
};
use halfkey::schedule::Ssk1Use;
use halfkey::suite::SUITES;
use halfkey::wire::Message;
use halfkey::{ErrorReason, ServerName};
use std::cell::Cell;
use std::ops::Range;

pub(crate) const REFUSED: Option<ErrorReason> = Some(ErrorReason::Refused);

/// The same R0 every time.
pub(crate) fn asking(server: &ServerName, applicant: &Applicant) -> (Vec<u8>, AwaitOffer) {
    let step = hello(server.clone(), applicant.suites, &mut Counting::new(77)).unwrap();
    (step.send.into_bytes(), step.next)
}

pub(crate) fn receives(
    world: &World,
    applicant: &Applicant,
    r1: &[u8],
) -> Result<NeedForm, TokenRegistrationError> {
    let (_, state) = asking(&world.settings.name, applicant);
    let anchors = applicant.token.anchors().unwrap();
    state.receive_offer(r1, &anchors, &Revocation::Ignore, world.now())
}

fn place(of: &[u8], within: &[u8]) -> Range<usize> {
    let from = within.windows(of.len()).position(|window| window == of).unwrap();
    from..from + of.len()
}

fn both_suites(test: impl Fn(&Issuer, &World, Applicant)) {
    for suites in [SUITES, SMALL] {
        let (issuer, world) = setting();
        let mut applicant = Applicant::new(&issuer, 7);
        applicant.suites = suites;
        test(&issuer, &world, applicant);
    }
}

#[test]
fn r0_is_refused_or_its_offer_is() {
    both_suites(|_, world, applicant| {
        let (r0, _) = asking(&world.settings.name, &applicant);
        for (what, bytes) in malformed(&r0) {
            assert!(Hello::decode(&bytes).is_err(), "{what}");
            assert_eq!(refusal(&answer(world, &bytes)), REFUSED, "{what}");
        }
        let name = place(world.settings.name.as_str().as_bytes(), &r0);
        for (place, bytes) in flipped(&r0) {
            let answered = answer(world, &bytes);
            if is::<Offer<'_>>(&answered) {
                assert!(!name.contains(&place), "byte {place}: another server was called");
                let error = receives(world, &applicant, &answered).unwrap_err();
                let known =
                    matches!(error, TokenRegistrationError::Signature(_) | TokenRegistrationError::Downgrade);
                assert!(known, "byte {place}: {error:?}");
            } else {
                assert_eq!(refusal(&answered), REFUSED, "byte {place}");
            }
        }
    });
}

#[test]
fn r1_that_was_changed_ends_the_call() {
    both_suites(|_, world, applicant| {
        let (r0, _) = asking(&world.settings.name, &applicant);
        let r1 = answer(world, &r0);
        let core = content(&r1, 1);
        for (what, bytes) in malformed(&r1) {
            let error = receives(world, &applicant, &bytes).unwrap_err();
            assert!(matches!(error, TokenRegistrationError::Wire(_)), "{what}: {error:?}");
        }
        for (what, bytes) in malformed(&core).into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
            let error = receives(world, &applicant, &with(&r1, 1, bstr(&bytes))).unwrap_err();
            assert!(matches!(error, TokenRegistrationError::Wire(_)), "core {what}: {error:?}");
        }
        let cookie = place(&content(&r1, 2), &r1);
        for (place, bytes) in flipped(&r1) {
            // The token cannot read the cookie; the server will.
            assert_eq!(receives(world, &applicant, &bytes).is_ok(), cookie.contains(&place), "byte {place}");
        }
        assert!(receives(world, &applicant, &r1).is_ok());
    });
}

/// Every R2 whose cookie holds gets an R3 of one size, whatever is wrong with it; the others one word.
#[test]
fn r2_that_was_changed_gets_one_word_or_an_outcome_of_one_size() {
    both_suites(|_, world, mut applicant| {
        let applied = applicant.applied(world, "alice", Credential::None);
        let (r2, core) = (&applied.r2, content(&applied.r2, 1));
        for (what, bytes) in malformed(r2) {
            assert!(Request::decode(&bytes).is_err(), "{what}");
            assert_eq!(refusal(&answer(world, &bytes)), REFUSED, "{what}");
        }
        for (what, bytes) in malformed(&core) {
            assert_eq!(refusal(&answer(world, &with(r2, 1, bstr(&bytes)))), REFUSED, "core {what}");
        }
        let cookie = place(&content(&core, 3), r2);
        let (mut outcomes, mut restarts) = (0, 0);
        let size = usize::from(applied.half.outcome_size) + 16;
        for (place, bytes) in flipped(r2) {
            let store = WatchedStore::new(&world.store, None);
            let answered = answer_through(world, &world.server, &store, b"peer", &bytes);
            if is::<Outcome<'_>>(&answered) {
                outcomes += 1;
                assert_eq!(content(&content(&answered, 1), 3).len(), size, "byte {place}");
                assert_eq!(*store.power.calls.lock().unwrap(), ["outcome", "applicant"], "byte {place}");
                let error = applicant.refuses(world, &applied.half, &answered);
                assert_eq!(error, TokenRegistrationError::Sealed, "byte {place}");
            } else if refusal(&answered) == Some(ErrorReason::Restart) {
                restarts += 1;
            } else {
                assert_eq!(refusal(&answered), REFUSED, "byte {place}");
                assert!(!cookie.contains(&place));
            }
        }
        let (ct, ct_e) = (content(&core, 4).len(), content(&core, 5).len());
        assert_eq!(outcomes, ct + ct_e + content(r2, 2).len());
        assert_eq!(restarts, 32 + cookie.len());
        assert!(world.registrations().is_empty());
        assert!(world.events.borrow().iter().all(|event| !format!("{event:?}").starts_with("Granted")));
        applicant.completes(world, &applied);
        applicant.settled(world);
    });
}

#[test]
fn r3_that_was_changed_is_ignored() {
    both_suites(|_, world, mut applicant| {
        let applied = applicant.applied(world, "alice", Credential::None);
        let r3 = answer(world, &applied.r2);
        let core = content(&r3, 1);
        for (what, bytes) in malformed(&r3) {
            let error = applicant.refuses(world, &applied.half, &bytes);
            assert!(matches!(error, TokenRegistrationError::Wire(_)), "{what}: {error:?}");
        }
        for (what, bytes) in malformed(&core).into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
            let error = applicant.refuses(world, &applied.half, &with(&r3, 1, bstr(&bytes)));
            assert!(matches!(error, TokenRegistrationError::Wire(_)), "core {what}: {error:?}");
        }
        for (place, bytes) in flipped(&r3) {
            drop(applicant.refuses(world, &applied.half, &bytes));
            assert!(applicant.token.registrations().unwrap().is_empty(), "byte {place}");
        }
        let longer = with(&core, 3, bstr(&[content(&core, 3), vec![0; 256]].concat()));
        let error = applicant.refuses(world, &applied.half, &with(&r3, 1, bstr(&longer)));
        assert_eq!(error, TokenRegistrationError::Sealed);
        applicant.completes_with(world, &applied.half, &r3);
        applicant.settled(world);
    });
}

/// Even the server itself may not answer at another length than it offered.
#[test]
fn r3_has_the_length_that_was_offered() {
    let (issuer, world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    let applied = applicant.applied(&world, "alice", Credential::None);
    let r3 = answer(&world, &applied.r2);
    let core = content(&r3, 1);
    let half = &applied.half;
    let items = [item(2, half.transcript.as_bytes()), item(1, &applied.r2), item(3, &content(&core, 2))];
    let th_g = transcript("outcome", &items);
    let p_g = applicant.token.derive_from_ssk1(&half.txn, Ssk1Use::Outcome, &th_g).unwrap();
    let sealing = Sealing::outcome(&th_g, &p_g, &half.ss_e);
    let refused = [0, 0, 0, 5, 0xA2, 1, 3, 2, 3];
    for (length, fits) in [(1024, true), (768, false), (1280, false), (4096, false)] {
        let mut padded = refused.to_vec();
        padded.resize(length, 0);
        let core = with(&core, 3, bstr(&sealing.sealed(padded)));
        let r3 = with(&r3, 1, bstr(&core));
        if fits {
            assert!(matches!(applicant.opens(&world, half, &r3).unwrap(), ServerDecision::Refused(_)));
        } else {
            assert_eq!(applicant.refuses(&world, half, &r3), TokenRegistrationError::Sealed, "{length}");
        }
    }
    applicant.completes_with(&world, half, &r3);
}

#[test]
fn r4_that_was_changed_confirms_nothing() {
    let (issuer, world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    let sent = Cell::new(0);
    let mut transport = crate::applicant::wire(|frame| {
        if !is::<Confirm>(frame) {
            return vec![answer(&world, frame)];
        }
        for (what, bytes) in malformed(frame) {
            assert!(Confirm::decode(&bytes).is_err(), "{what}");
            assert_eq!(refusal(&answer(&world, &bytes)), REFUSED, "{what}");
        }
        for bit in 0..frame.len() * 8 {
            let mut bytes = frame.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(refusal(&answer(&world, &bytes)), REFUSED, "bit {bit}");
            assert!(matches!(states(&world)[..], [Lifecycle::Pending { .. }]));
            sent.set(sent.get() + 1);
        }
        vec![answer(&world, frame)]
    });
    applicant.register_over(&world, &mut transport, "alice", Credential::None).unwrap();
    assert!(sent.get() > 8 * 48);
    applicant.settled(&world);
}

#[test]
fn r5_that_was_changed_settles_nothing() {
    let (issuer, world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    applicant.register_over(&world, &mut world.link().losing(4), "alice", Credential::None).unwrap_err();
    let joined = applicant.token.registrations().unwrap().remove(0);
    let r5 = answer(&world, confirm_again(joined.clone()).unwrap().send.as_bytes());
    let mut tries = |bytes: &[u8]| -> Result<Settled, TokenRegistrationError> {
        let state = confirm_again(joined.clone()).unwrap().next;
        let need = state.receive_done(bytes).map_err(|kept| kept.error)?;
        need.supply_from(&mut applicant.token).map_err(|kept| {
            assert_eq!(*kept.state.registration(), joined);
            kept.error
        })
    };
    for (what, bytes) in malformed(&r5) {
        assert!(Done::decode(&bytes).is_err(), "{what}");
        assert!(matches!(tries(&bytes), Err(TokenRegistrationError::Wire(_))), "{what}");
    }
    for bit in 0..r5.len() * 8 {
        let mut bytes = r5.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(tries(&bytes).is_err(), "bit {bit}");
    }
    // The value that turns `done` into `lost` is the only one that would erase a key.
    assert_eq!(tries(&with(&r5, 2, vec![0xF5])).unwrap_err(), TokenRegistrationError::Proof);
    assert!(matches!(tries(&r5), Ok(Settled::Done(row)) if row.progress == Progress::Active));
    applicant.settled(&world);
}

#[test]
fn e0_is_one_word_and_changes_nothing() {
    let (issuer, world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    let applied = applicant.applied(&world, "alice", Credential::None);
    for reason in [ErrorReason::Refused, ErrorReason::Restart, ErrorReason::Busy] {
        let e0 = reason.frame().into_bytes();
        assert_eq!(
            applicant.refuses(&world, &applied.half, &e0),
            TokenRegistrationError::ErrorMessage(reason)
        );
        assert_eq!(
            receives(&world, &applicant, &e0).unwrap_err(),
            TokenRegistrationError::ErrorMessage(reason)
        );
        for (what, bytes) in malformed(&e0) {
            assert!(ErrorMessage::decode(&bytes).is_err(), "{what}");
            let error = applicant.refuses(&world, &applied.half, &bytes);
            assert!(matches!(error, TokenRegistrationError::Wire(_)), "{what}: {error:?}");
            assert_eq!(refusal(&answer(&world, &bytes)), REFUSED);
        }
        for (_, bytes) in flipped(&e0) {
            drop(applicant.refuses(&world, &applied.half, &bytes));
        }
        assert_eq!(refusal(&answer(&world, &e0)), REFUSED, "nobody sends a server E0");
    }
    let other = with(&ErrorReason::Busy.frame().into_bytes(), 1, vec![0x18, 0xC8]);
    assert_eq!(
        applicant.refuses(&world, &applied.half, &other),
        TokenRegistrationError::ErrorMessage(ErrorReason::Refused)
    );
    applicant.completes(&world, &applied);
    applicant.settled(&world);
}

#[test]
fn messages_of_other_runs_and_sides_do_not_fit() {
    let (issuer, world) = setting();
    let (mut one, mut two) = (Applicant::new(&issuer, 7), Applicant::new(&issuer, 8));
    let (a, b) =
        (one.applied(&world, "alice", Credential::None), two.applied(&world, "bob", Credential::None));
    let (r3_a, r3_b) = (answer(&world, &a.r2), answer(&world, &b.r2));
    assert!(matches!(receives(&world, &one, &a.r1), Err(TokenRegistrationError::Signature(_))));
    assert_eq!(one.refuses(&world, &a.half, &r3_b), TokenRegistrationError::WrongRun);
    let dressed = with(&content(&r3_b, 1), 1, bstr(a.half.txn.as_bytes()));
    assert_eq!(one.refuses(&world, &a.half, &with(&r3_b, 1, bstr(&dressed))), TokenRegistrationError::Sealed);
    let grafted = with(&r3_a, 2, entries(&r3_b)[2].1.clone());
    assert!(matches!(one.refuses(&world, &a.half, &grafted), TokenRegistrationError::Token(_)));
    for frame in [&a.r0, &a.r1, &a.r2, &r3_a] {
        // A reflected message, or one that comes too early.
        if !is::<Outcome<'_>>(frame) {
            assert!(matches!(one.refuses(&world, &a.half, frame), TokenRegistrationError::Wire(_)));
        }
        if !is::<Offer<'_>>(frame) {
            assert!(matches!(receives(&world, &one, frame), Err(TokenRegistrationError::Wire(_))));
        }
    }
    for frame in [&a.r1, &r3_a] {
        assert_eq!(refusal(&answer(&world, frame)), REFUSED);
    }
    // R2 with the head of one run and the body of another.
    let mixed = with(&a.r2, 2, bstr(&content(&b.r2, 2)));
    let answered = answer(&world, &mixed);
    assert_eq!(one.refuses(&world, &a.half, &answered), TokenRegistrationError::Sealed);

    let first = one.completes_with(&world, &a.half, &r3_a);
    let second = two.completes_with(&world, &b.half, &r3_b);
    assert_ne!(first.key_id, second.key_id);
    assert_eq!(states(&world), [Lifecycle::Active; 2]);
}

#[test]
fn r4_and_r5_of_another_run_do_not_fit() {
    let (issuer, world) = setting();
    let (mut one, mut two) = (Applicant::new(&issuer, 7), Applicant::new(&issuer, 8));
    for (applicant, user) in [(&mut one, "alice"), (&mut two, "bob")] {
        applicant.register_over(&world, &mut world.link().losing(4), user, Credential::None).unwrap_err();
    }
    let joined = [&one, &two].map(|applicant| applicant.token.registrations().unwrap().remove(0));
    let [r4_a, r4_b] = joined.clone().map(|row| confirm_again(row).unwrap().send.into_bytes());
    let crossed = with(&r4_a, 2, entries(&r4_b)[2].1.clone());
    assert_eq!(refusal(&answer(&world, &crossed)), REFUSED);
    let r5_b = answer(&world, &r4_b);
    let state = |n: usize| confirm_again(joined[n].clone()).unwrap().next;
    assert_eq!(state(0).receive_done(&r5_b).unwrap_err().error, TokenRegistrationError::WrongRun);
    let r5_a = answer(&world, &r4_a);
    let grafted = with(&r5_a, 3, entries(&r5_b)[3].1.clone());
    let kept = state(0).receive_done(&grafted).unwrap().supply_from(&mut one.token).unwrap_err();
    assert_eq!(kept.error, TokenRegistrationError::Proof);
    drop(state(0).receive_done(&r5_a).unwrap().supply_from(&mut one.token).unwrap());
    // Again, late, and by somebody else: the same answer, and no change.
    assert_eq!(answer(&world, &r4_a), r5_a);
    assert_eq!(states(&world), [Lifecycle::Active; 2]);
}
