//! An operator's answers to applications that wait, from the first run of the token to the one that fetches them.

use crate::applicant::{Applicant, setting, states, user};
use crate::common::client::RegistrationOutcome;
use crate::common::{Counting, World, grant};
use halfkey::TicketId;
use halfkey::port::Token;
use halfkey::record::{Lifecycle, RequestAnswer, TokenRegistration, Waiting};
use halfkey::registration::server::{Decision, EnrolmentProof, EnrolmentRequest};
use halfkey::registration::token::Credential;
use halfkey::registration::{ActivationCode, RESEND_SECS, RejectionCode};
use halfkey::store::OperatorError;
use halfkey::store::operation::{DecideRequest, WithdrawCode};
use std::cell::Cell;

const APPROVED: RequestAnswer = RequestAnswer::Approved;

/// Has everybody wait whom the operator has not approved. Returns how it ended, and whether the operator was asked.
fn comes(
    applicant: &mut Applicant,
    world: &World,
    name: &str,
    credential: Credential,
) -> (RegistrationOutcome, Option<bool>) {
    let asked = Cell::new(None);
    let approve = |request: &EnrolmentRequest| {
        asked.set(Some(request.approved));
        assert!(!request.approved || request.ticket.is_some(), "approved without a ticket");
        if request.approved { grant() } else { Decision::Wait { retry_after: 60 } }
    };
    let end = applicant.register_where(world, name, credential, &approve);
    (end, asked.get())
}

fn waits(applicant: &mut Applicant, world: &World, name: &str, credential: Credential) -> Waiting {
    match comes(applicant, world, name, credential) {
        (RegistrationOutcome::Waiting(waiting), Some(false)) => waiting,
        other => panic!("{other:?}"),
    }
}

fn granted(applicant: &mut Applicant, world: &World, waiting: Waiting) -> TokenRegistration {
    match comes(applicant, world, "alice", Credential::Ticket(waiting)) {
        (RegistrationOutcome::Active(registration), Some(true)) => registration,
        other => panic!("{other:?}"),
    }
}

/// The code that the token is told; nobody was asked.
fn refused(applicant: &mut Applicant, world: &World, waiting: Waiting) -> RejectionCode {
    match comes(applicant, world, "alice", Credential::Ticket(waiting)) {
        (RegistrationOutcome::Refused(refused), None) => refused.code,
        other => panic!("{other:?}"),
    }
}

/// The id that the operator's list shows.
fn listed(world: &World) -> TicketId {
    world.waiting()[0].ticket_id
}

fn decide(world: &World, ticket_id: TicketId, answer: RequestAnswer) -> Result<(), OperatorError> {
    world.store.run(&DecideRequest { ticket_id, answer }, world.now())
}

#[test]
fn an_approved_applicant_is_registered() {
    let (issuer, world) = setting();
    let mut alice = Applicant::new(&issuer, 7);
    let mut waiting = waits(&mut alice, &world, "alice", Credential::None);
    let listed = listed(&world);
    // It asks again a few times, and stays where it is in the operator's list.
    for _ in 0..3 {
        world.pass(60);
        waiting = waits(&mut alice, &world, "alice", Credential::Ticket(waiting));
    }
    decide(&world, listed, APPROVED).unwrap();
    // Who comes under the same name without the ticket waits.
    waits(&mut Applicant::new(&issuer, 8), &world, "alice", Credential::None);
    granted(&mut alice, &world, waiting.clone());
    alice.settled(&world);
    // It is used up, for both sides, and so is the answer.
    assert_eq!(refused(&mut alice, &world, waiting), RejectionCode::Unspecified);
    assert_eq!(decide(&world, listed, APPROVED), Err(OperatorError::NoSuchTicket));
}

#[test]
fn a_refused_applicant_is_told_the_code() {
    for code in [RejectionCode::Declined, RejectionCode::ProofNeeded, RejectionCode::NameTaken] {
        let (issuer, world) = setting();
        let mut alice = Applicant::new(&issuer, 7);
        let waiting = waits(&mut alice, &world, "alice", Credential::None);
        let ticket_id = listed(&world);
        decide(&world, ticket_id, RequestAnswer::Refused(code)).unwrap();
        assert_eq!(refused(&mut alice, &world, waiting.clone()), code);
        assert!(alice.token.attempts().unwrap().is_empty() && world.waiting().is_empty());
        // It was fetched, and is no application any more.
        assert_eq!(decide(&world, ticket_id, APPROVED), Err(OperatorError::NoSuchTicket));
        assert_eq!(refused(&mut alice, &world, waiting), RejectionCode::Unspecified);
        // Whoever was refused may ask again.
        waits(&mut alice, &world, "alice", Credential::None);
    }
}

/// R3 with a refusal was lost: the token sends R2 again, and is told the same.
#[test]
fn a_refusal_that_was_lost_is_told_again() {
    let (issuer, world) = setting();
    let mut alice = Applicant::new(&issuer, 7);
    let waiting = waits(&mut alice, &world, "alice", Credential::None);
    decide(&world, listed(&world), RequestAnswer::Refused(RejectionCode::NameTaken)).unwrap();
    let applied = alice.applied(&world, "alice", Credential::Ticket(waiting));
    let first = crate::applicant::answer(&world, &applied.r2);
    assert!(world.waiting().is_empty());
    assert_eq!(crate::applicant::answer(&world, &applied.r2), first);
}

#[test]
fn an_answer_ends_with_its_application() {
    let (issuer, world) = setting();
    let mut alice = Applicant::new(&issuer, 7);
    let waiting = waits(&mut alice, &world, "alice", Credential::None);
    decide(&world, listed(&world), APPROVED).unwrap();
    world.pass(u64::from(world.settings.hold_for) + 1);
    assert_eq!(refused(&mut alice, &world, waiting), RejectionCode::Unspecified);
    assert_eq!(states(&world), []);
}

#[test]
fn the_last_answer_counts() {
    let (issuer, world) = setting();
    let mut alice = Applicant::new(&issuer, 7);
    let waiting = waits(&mut alice, &world, "alice", Credential::None);
    for answer in [APPROVED, RequestAnswer::Refused(RejectionCode::Declined), APPROVED] {
        decide(&world, listed(&world), answer).unwrap();
    }
    granted(&mut alice, &world, waiting);
}

/// What was granted is taken back as long as its token has not confirmed it.
#[test]
fn a_refusal_is_in_time_until_the_key_is_confirmed() {
    let (issuer, world) = setting();
    let mut alice = Applicant::new(&issuer, 7);
    let waiting = waits(&mut alice, &world, "alice", Credential::None);
    let applied = alice.applied(&world, "alice", Credential::Ticket(waiting));
    let r3 = crate::applicant::answer(&world, &applied.r2);
    decide(&world, listed(&world), RequestAnswer::Refused(RejectionCode::Declined)).unwrap();
    assert_eq!(states(&world), [Lifecycle::Lost]);
    drop(r3);
    let end = alice.client(&world, |client| client.resume(&mut world.link(), applied.half)).unwrap();
    assert!(matches!(end, RegistrationOutcome::Lost), "{end:?}");
}

#[test]
fn a_holder_of_a_code_waits_like_everybody() {
    let (issuer, world) = setting();
    let code = ActivationCode::generate(&mut Counting::new(50));
    world.invite(&user("alice"), &code);
    let mut alice = Applicant::new(&issuer, 7);
    let waiting = waits(&mut alice, &world, "alice", Credential::Activation(code.clone()));
    decide(&world, listed(&world), APPROVED).unwrap();
    granted(&mut alice, &world, waiting);
    alice.settled(&world);
    // An approval is no code: with the code withdrawn, the application is gone.
    let (issuer, world) = setting();
    world.invite(&user("alice"), &code);
    let mut alice = Applicant::new(&issuer, 7);
    let waiting = waits(&mut alice, &world, "alice", Credential::Activation(code));
    decide(&world, listed(&world), APPROVED).unwrap();
    world.run(&WithdrawCode(user("alice")));
    assert_eq!(refused(&mut alice, &world, waiting), RejectionCode::Unspecified);
}

#[test]
fn a_renewal_waits_and_is_answered() {
    let (issuer, world) = setting();
    let mut alice = Applicant::new(&issuer, 7);
    let mut old = alice.registered(&world, "alice");
    for answer in [RequestAnswer::Refused(RejectionCode::NotRenewable), APPROVED] {
        let waiting = waits(&mut alice, &world, "alice", Credential::Renewal(old.key_id));
        decide(&world, listed(&world), answer).unwrap();
        match answer {
            APPROVED => {
                let new = granted(&mut alice, &world, waiting);
                assert_eq!(new.user_id, old.user_id);
                old = new;
            }
            _ => assert_eq!(refused(&mut alice, &world, waiting), RejectionCode::NotRenewable),
        }
        alice.session(&world, &old).unwrap();
    }
    alice.settled(&world);
}

/// A decision at the very moment when the token is told to wait again is not lost: the outcome was made before it, and
/// is stored after it.
#[test]
fn a_decision_and_a_repeated_wait_meet() {
    let (issuer, world) = setting();
    let mut alice = Applicant::new(&issuer, 7);
    let waiting = waits(&mut alice, &world, "alice", Credential::None);
    let listed = listed(&world);
    let approve = |request: &EnrolmentRequest| {
        assert!(!request.approved && matches!(request.proof, EnrolmentProof::None));
        decide(&world, listed, APPROVED).unwrap();
        Decision::Wait { retry_after: 60 }
    };
    let end = alice.register_where(&world, "alice", Credential::Ticket(waiting), &approve);
    let RegistrationOutcome::Waiting(waiting) = end else { panic!("{end:?}") };
    granted(&mut alice, &world, waiting);
}

/// An outcome that says to wait is kept as long as its token may send R2 again, and not as long as the application: of an
/// agent that asks every few seconds for thirty days, very many would stay.
#[test]
fn an_outcome_that_says_wait_is_kept_for_ten_minutes() {
    let (issuer, world) = setting();
    let mut alice = Applicant::new(&issuer, 7);
    crate::applicant::decide(&world, true);
    let applied = alice.applied(&world, "alice", Credential::None);
    let r3 = crate::applicant::answer(&world, &applied.r2);
    assert_eq!(world.waiting().len(), 1);
    world.pass(RESEND_SECS);
    assert_eq!(crate::applicant::answer(&world, &applied.r2), r3);
    world.pass(1);
    let late = crate::applicant::answer(&world, &applied.r2);
    assert_eq!(crate::applicant::refusal(&late), Some(halfkey::ErrorReason::Restart));
    assert_eq!(world.waiting().len(), 1, "the application waits on");
}
