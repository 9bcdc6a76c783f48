//! Requests that wait: permitted and forbidden uses of a ticket.

use crate::applicant::{Applicant, active, answer, decide, setting, states, user};
use crate::common::client::RegistrationOutcome;
use crate::common::{Counting, World, grant};
use crate::supply::*;
use halfkey::port::Token;
use halfkey::port::question::StoreQuestion;
use halfkey::record::{Attempt, Lifecycle, RequestAnswer, Waiting};
use halfkey::registration::server::{Decision, EnrolmentProof, EnrolmentRequest, Lookup, receive_request};
use halfkey::registration::token::Credential;
use halfkey::registration::{ActivationCode, RejectionCode, TokenRegistrationError};
use halfkey::store::operation::{DecideRequest, ReleaseName, Suspend};

const REFUSED: RequestAnswer = RequestAnswer::Refused(RejectionCode::Declined);

fn waits(applicant: &mut Applicant, world: &World, name: &str, credential: Credential) -> Waiting {
    decide(world, true);
    let waiting = match applicant.register(world, name, credential) {
        RegistrationOutcome::Waiting(waiting) => waiting,
        other => panic!("{other:?}"),
    };
    decide(world, false);
    waiting
}

fn invite(world: &World, name: &str, seed: u8) -> ActivationCode {
    let code = ActivationCode::generate(&mut Counting::new(seed));
    let name = user(name);
    world.invite(&name, &code);
    code
}

fn refused(end: RegistrationOutcome) -> RejectionCode {
    match end {
        RegistrationOutcome::Refused(refused) => refused.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ticket_is_good_for_its_form_and_its_time() {
    for (late, good) in [(0, true), (1, false)] {
        let (issuer, world) = setting();
        let mut applicant = Applicant::new(&issuer, 7);
        let waiting = waits(&mut applicant, &world, "alice", Credential::None);
        let (_, _, need) = applicant.offered(&world);
        let other = crate::applicant::form(need.wanted(), "bob");
        let error = need.supply(other.clone(), Credential::Ticket(waiting.clone())).unwrap_err();
        assert_eq!(error, TokenRegistrationError::TicketForm);
        // A token that does not care is refused by the server, without a word why.
        let forged = Waiting { form: other, ..waiting.clone() };
        assert_eq!(
            refused(applicant.register(&world, "bob", Credential::Ticket(forged))),
            RejectionCode::Unspecified
        );
        world.pass(u64::from(world.settings.hold_for) + late);
        let end = applicant.register(&world, "alice", Credential::Ticket(waiting));
        assert_eq!(matches!(end, RegistrationOutcome::Active(_)), good, "{end:?}");
        assert_eq!(active(&world), usize::from(good));
    }
}

/// Even where the store still has what it should have let go.
#[test]
fn a_ticket_held_too_long_is_refused_whatever_the_store_says() {
    let (issuer, world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    let waiting = waits(&mut applicant, &world, "alice", Credential::None);
    world.pass(u64::from(world.settings.hold_for));
    let applied = applicant.applied(&world, "alice", Credential::Ticket(waiting));
    let (settings, now) = (&world.settings, world.now());
    for (late, refused) in [(0, None), (1, Some(RejectionCode::Unspecified))] {
        let new = receive_request(&applied.r2).unwrap().supply(None, b"peer", settings, now).unwrap();
        let Lookup::New(need) = new else { panic!() };
        let need = need.supply_from(&world.server, settings, now).unwrap();
        let known = need.wanted().ask(&world.store, now).unwrap();
        assert!(known.waiting.is_some());
        assert_eq!(
            need.supply(known, settings, now.after(late)).refused().map(|refusal| refusal.code),
            refused
        );
    }
}

#[test]
fn a_ticket_makes_one_registration() {
    let (issuer, world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    let waiting = waits(&mut applicant, &world, "alice", Credential::None);
    let ticket = || Credential::Ticket(waiting.clone());
    // Two runs with it at once: both are granted, the first to confirm wins.
    let first = applicant.applied(&world, "alice", ticket());
    let second = applicant.applied(&world, "alice", ticket());
    let r3 = [answer(&world, &first.r2), answer(&world, &second.r2)];
    applicant.completes_with(&world, &second.half, &r3[1]);
    let end = applicant.client(&world, |client| client.resume(&mut world.link(), first.half)).unwrap();
    assert!(matches!(end, RegistrationOutcome::Lost), "{end:?}");
    applicant.settled(&world);
    assert_eq!(refused(applicant.register(&world, "alice", ticket())), RejectionCode::Unspecified);
    // Nor does freeing the name bring it back.
    let held_by = world.registrations()[0].user_id.clone();
    world.run(&ReleaseName { name: user("alice"), held_by });
    assert_eq!(refused(applicant.register(&world, "alice", ticket())), RejectionCode::Unspecified);
    assert_eq!(states(&world), [Lifecycle::Active, Lifecycle::Lost]);
}

#[test]
fn a_ticket_takes_the_code_that_earned_it() {
    let (issuer, world) = setting();
    let code = invite(&world, "alice", 50);
    let (mut one, mut two) = (Applicant::new(&issuer, 7), Applicant::new(&issuer, 8));
    let waiting = waits(&mut one, &world, "alice", Credential::Activation(code.clone()));
    // The code is not used yet: another token with it may still win.
    two.register_over(&world, &mut world.link().losing(4), "alice", Credential::Activation(code.clone()))
        .unwrap_err();
    let end = one.register(&world, "alice", Credential::Ticket(waiting));
    assert!(matches!(end, RegistrationOutcome::Active(_)), "{end:?}");
    one.settled(&world);
    let joined = two.token.registrations().unwrap().remove(0);
    let end = two.client(&world, |client| client.confirm(&mut world.link(), joined)).unwrap();
    assert!(matches!(end, RegistrationOutcome::Lost), "{end:?}");
    let end = two.register(&world, "alice", Credential::Activation(code));
    assert_eq!(refused(end), RejectionCode::Unspecified);
}

/// A ticket earned with a code that was withdrawn does not take the code that came after it.
#[test]
fn a_ticket_does_not_take_a_later_code() {
    let (issuer, world) = setting();
    let leaked = invite(&world, "alice", 50);
    let (mut thief, mut alice) = (Applicant::new(&issuer, 7), Applicant::new(&issuer, 8));
    let waiting = waits(&mut thief, &world, "alice", Credential::Activation(leaked));
    let code = invite(&world, "alice", 51);
    let end = thief.register(&world, "alice", Credential::Ticket(waiting));
    assert_eq!(refused(end), RejectionCode::Unspecified);
    let end = alice.register(&world, "alice", Credential::Activation(code));
    assert!(matches!(end, RegistrationOutcome::Active(_)), "{end:?}");
    alice.settled(&world);
}

#[test]
fn a_waiting_renewal_replaces_its_key_and_no_other() {
    let (issuer, world) = setting();
    let mut alice = Applicant::new(&issuer, 7);
    let old = alice.registered(&world, "alice");
    let waiting = waits(&mut alice, &world, "alice", Credential::Renewal(old.key_id));
    let end = alice.register(&world, "alice", Credential::Ticket(waiting.clone()));
    let RegistrationOutcome::Active(new) = end else { panic!("{end:?}") };
    assert_eq!(new.user_id, old.user_id);
    alice.settled(&world);
    // The ticket is spent, whatever has become of the key.
    let end = alice.register(&world, "alice", Credential::Ticket(waiting));
    assert_eq!(refused(end), RejectionCode::Unspecified);
    // One that waits while its key is suspended is not granted.
    let waiting = waits(&mut alice, &world, "alice", Credential::Renewal(new.key_id));
    world.run(&Suspend(new.key_id));
    let end = alice.register(&world, "alice", Credential::Ticket(waiting));
    assert_eq!(refused(end), RejectionCode::NotRenewable);
}

/// However often an applicant is told to wait, neither side keeps more than one application of his.
#[test]
fn waiting_again_and_again_fills_neither_side() {
    let (issuer, world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    let mut waiting = waits(&mut applicant, &world, "alice", Credential::None);
    for _ in 0..70 {
        waiting = waits(&mut applicant, &world, "alice", Credential::Ticket(waiting));
        world.pass(3600);
    }
    assert_eq!((applicant.token.attempts().unwrap().len(), world.waiting().len()), (1, 1));
    let end = applicant.register(&world, "alice", Credential::Ticket(waiting));
    assert!(matches!(end, RegistrationOutcome::Active(_)), "{end:?}");
    applicant.settled(&world);
    assert!(world.waiting().is_empty());
}

/// An attacker that withholds every answer does not fill up a token.
#[test]
fn runs_without_an_answer_do_not_fill_the_token() {
    let (issuer, world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    for _ in 0..70 {
        let mut link = world.link().losing(3);
        applicant.register_over(&world, &mut link, "alice", Credential::None).unwrap_err();
        world.pass(86_401);
    }
    applicant.registered(&world, "alice");
    applicant.settled(&world);
}

#[test]
fn strangers_who_wait_are_bounded_and_can_be_refused() {
    let (issuer, mut world) = setting();
    world.settings.pending_total = 5;
    decide(&world, true);
    let mut stranger = Applicant::new(&issuer, 8);
    let code = invite(&world, "alice", 50);
    let mut last = None;
    for n in 0..5 {
        let end = stranger.register(&world, &format!("stranger{n}"), Credential::None);
        assert!(matches!(end, RegistrationOutcome::Waiting(_)), "{end:?}");
        last = Some(end);
        // Of those of one second, any may be the oldest.
        world.pass(1);
    }
    let mut late = Applicant::new(&issuer, 9);
    let end = late.register(&world, "late", Credential::None);
    assert!(matches!(end, RegistrationOutcome::Waiting(_)), "{end:?}");
    let names =
        |world: &World| world.waiting().iter().map(|waiting| waiting.name.to_string()).collect::<Vec<_>>();
    assert!(names(&world).len() == 5 && names(&world).contains(&"late".into()), "{:?}", names(&world));
    // There is room for who has a ticket or a code, and a bound for a code, too.
    let Some(RegistrationOutcome::Waiting(waiting)) = last else { panic!() };
    let end = stranger.register(&world, "stranger4", Credential::Ticket(waiting));
    assert!(matches!(end, RegistrationOutcome::Waiting(_)), "{end:?}");
    for _ in 0..world.settings.pending_same + 3 {
        let end = stranger.register(&world, "alice", Credential::Activation(code.clone()));
        assert!(matches!(end, RegistrationOutcome::Waiting(_)), "{end:?}");
    }
    let with_code = names(&world).iter().filter(|name| *name == "alice").count();
    assert_eq!(with_code, usize::try_from(world.settings.pending_same).unwrap());
    let mut alice = Applicant::new(&issuer, 7);
    decide(&world, false);
    for application in world.waiting() {
        world.run(&DecideRequest { ticket_id: application.ticket_id, answer: REFUSED });
    }
    for attempt in stranger.token.attempts().unwrap() {
        let Attempt::Waiting(waiting) = attempt else { continue };
        let name = waiting.form.get(0).cloned();
        let Some(halfkey::template::FieldValue::Text(name)) = name else { panic!() };
        let end = refused(stranger.register(&world, &name, Credential::Ticket(waiting)));
        // Some have made way for others.
        assert!(matches!(end, RejectionCode::Declined | RejectionCode::Unspecified), "{end:?}");
    }
    assert_eq!(names(&world), ["late"], "each other has been told");
    alice.registered(&world, "stranger0");
}

/// The operator can tell who was told to wait from who merely applies for the same name.
#[test]
fn the_operator_knows_whose_application_comes_back() {
    let (issuer, world) = setting();
    let (mut alice, mut thief) = (Applicant::new(&issuer, 7), Applicant::new(&issuer, 8));
    let waiting = waits(&mut alice, &world, "alice", Credential::None);
    let approved = world.waiting()[0].ticket_id;
    let approve = |application: &EnrolmentRequest| {
        assert!(matches!(application.proof, EnrolmentProof::None));
        if application.ticket == Some(approved) { grant() } else { Decision::Wait { retry_after: 60 } }
    };
    let end = thief.register_where(&world, "alice", Credential::None, &approve);
    assert!(matches!(end, RegistrationOutcome::Waiting(_)), "{end:?}");
    let end = alice.register_where(&world, "alice", Credential::Ticket(waiting), &approve);
    assert!(matches!(end, RegistrationOutcome::Active(_)), "{end:?}");
    assert_eq!(active(&world), 1);
}

/// Waiting holds neither the code nor the name: who confirms first has them.
#[test]
fn a_ticket_whose_name_or_code_is_gone_is_told_so() {
    let (issuer, world) = setting();
    let (mut slow, mut quick) = (Applicant::new(&issuer, 7), Applicant::new(&issuer, 8));
    let waiting = waits(&mut slow, &world, "alice", Credential::None);
    quick.registered(&world, "alice");
    assert_eq!(
        refused(slow.register(&world, "alice", Credential::Ticket(waiting))),
        RejectionCode::NameTaken
    );

    let code = invite(&world, "bob", 50);
    let waiting = waits(&mut slow, &world, "bob", Credential::Activation(code.clone()));
    let mut other = Applicant::new(&issuer, 9);
    let end = other.register(&world, "bob", Credential::Activation(code));
    assert!(matches!(end, RegistrationOutcome::Active(_)), "{end:?}");
    assert_eq!(
        refused(slow.register(&world, "bob", Credential::Ticket(waiting))),
        RejectionCode::Unspecified
    );
}
