//! The operator's answers to applications that wait.

use super::case::{APPROVED, Case, NOW, REFUSED, outcome, ticket, waits};
use super::{ContractViolation, Kept, ensure};
use crate::id::UserName;
use crate::record::{
    ApplicantRecord, Effect, NewOutcome, PendingLimits, ProofId, RejectionCause, RejectionCode,
    RejectionRecord, RequestAnswer, WaitingRequest,
};
use alloc::boxed::Box;

const STORED: &str = "an outcome for a new request is stored";

pub(super) fn answers_are_kept(case: &Case<'_>) -> Kept {
    const GIVEN: &str = "the operator's answer is given with the application that it is to";
    const NONE: &str = "no answer is made up";
    const GOES_ON: &str = "an answer goes on where its token is told to wait again";
    const STAYS: &str = "an application that has an answer makes way for none";
    const USED: &str = "a refusal that uses a ticket up removes its application";
    let found = |n| case.applicant(&case.seeds.ann, Some(ProofId::Ticket(ticket(n))), NOW);
    let approved =
        |found: &ApplicantRecord| found.waiting.is_some() && found.answer == Some(RequestAnswer::Approved);
    ensure(approved(&found(APPROVED)?), GIVEN)?;
    let refused = found(REFUSED)?;
    ensure(refused.answer == Some(RequestAnswer::Refused(RejectionCode::ProofNeeded)), GIVEN)?;
    case.commit(waiting(waits(1, &case.seeds.ann), None), STORED)?;
    let undecided = found(1)?;
    ensure(undecided.waiting.is_some() && undecided.answer.is_none(), NONE)?;

    let name = name("approved")?;
    case.commit(waiting(waits(2, &name), Some(APPROVED)), STORED)?;
    ensure(found(APPROVED)?.waiting.is_none(), "a repeated wait replaces the application before it")?;
    ensure(approved(&found(2)?), GOES_ON)?;
    for n in 3..=4 {
        case.commit(waiting(waits(n, &name), None), STORED)?;
    }
    ensure(approved(&found(2)?), STAYS)?;
    ensure(
        found(3)?.waiting.is_none(),
        "the oldest application that waits for a name makes way for one more",
    )?;

    let (cause, code) = (RejectionCause::Declined, RejectionCode::ProofNeeded);
    let refusal = RejectionRecord { cause, code, name: None, ticket: Some(ticket(REFUSED)) };
    case.commit(outcome(5, Effect::Refused(refusal)), STORED)?;
    let found = found(REFUSED)?;
    ensure(found.waiting.is_none() && found.answer.is_none(), USED)
}

/// An outcome that tells to wait, where there is room for one of a kind.
fn waiting(application: WaitingRequest, instead_of: Option<u8>) -> NewOutcome {
    let [n, ..] = *application.ticket_id.as_bytes();
    let instead_of = instead_of.map(ticket);
    let effect = Effect::Waiting { application: Box::new(application), instead_of };
    NewOutcome { limits: PendingLimits { same: 1, total: 1 }, ..outcome(n, effect) }
}

fn name(text: &str) -> Result<UserName, ContractViolation> {
    UserName::new(text).map_err(|_| ContractViolation::Broken("the names of the contract are names"))
}
