//! The operator's answers to applications that wait.

use super::desk::{Desk, HOLD, form, grant, name, secret, ticket};
use super::{Make, Run};
use halfkey::TicketId;
use halfkey::port::entitlement_store::{Committed, Confirmed};
use halfkey::record::{
    Effect, ProofId, RejectionCause, RejectionCode, RejectionRecord, RequestAnswer, Takes, WaitingRequest,
};
use halfkey::store::operation::{DecideRequest, ListRequests, RequestEntry, RequestFilter};
use halfkey::store::{OperatorError, RegistrationState};

const APPROVED: RequestAnswer = RequestAnswer::Approved;
const DECLINED: RequestAnswer = RequestAnswer::Refused(RejectionCode::Declined);

impl<S: Run> Desk<S> {
    fn decide(&self, n: u8, answer: RequestAnswer) -> Vec<String> {
        self.logged(|| self.run(&DecideRequest { ticket_id: ticket(n), answer }))
    }

    fn not_decided(&self, n: u8) {
        for answer in [APPROVED, DECLINED] {
            self.fails(&DecideRequest { ticket_id: ticket(n), answer }, OperatorError::NoSuchTicket);
        }
    }

    fn answer(&self, n: u8) -> Option<RequestAnswer> {
        self.applicant("anybody", Some(ProofId::Ticket(ticket(n)))).answer
    }

    fn entries(&self) -> Vec<RequestEntry> {
        self.run(&ListRequests::default()).entries
    }

    /// The token with ticket `before` comes, and is told to wait with the `n`th.
    fn waits_again(&self, n: u8, before: u8, takes: Option<Takes>) {
        let (ticket_id, hold_until) = (ticket(n), self.now().after(HOLD));
        let (name, form) = (name("ann"), form("ann"));
        let application = WaitingRequest { ticket_id, ticket: secret(), name, form, takes, hold_until };
        let effect = Effect::Waiting { application: application.into(), instead_of: Some(ticket(before)) };
        assert_eq!(self.commit(n, effect), Committed::Stored);
    }

    fn fetches_refusal(&self, n: u8, ticket: TicketId) {
        let (cause, code) = (RejectionCause::Declined, RejectionCode::Declined);
        let refusal = RejectionRecord { cause, code, name: Some(name("ann")), ticket: Some(ticket) };
        assert_eq!(self.commit(n, Effect::Refused(refusal)), Committed::Stored);
    }
}

pub fn an_application_is_answered<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    for n in 1..=3 {
        desk.waits(n, "ann", None);
    }
    assert_eq!(desk.answer(1), None);
    assert_eq!(desk.decide(1, APPROVED), ["request approved ann"]);
    assert_eq!(desk.decide(2, DECLINED), ["request refused cause=declined ann"]);
    for (n, answer) in [(1, Some(APPROVED)), (2, Some(DECLINED)), (3, None)] {
        assert_eq!((desk.waiting(n), desk.answer(n)), (true, answer));
    }
    let shown: Vec<_> = desk.entries().iter().map(|entry| (entry.ticket_id, entry.answer)).collect();
    assert_eq!(shown, [(ticket(1), Some(APPROVED)), (ticket(2), Some(DECLINED)), (ticket(3), None)]);
    let undecided = ListRequests::of(RequestFilter { undecided: true, ..RequestFilter::default() });
    let left: Vec<_> = desk.run(&undecided).entries.into_iter().map(|entry| entry.ticket_id).collect();
    assert_eq!(left, [ticket(3)]);
    // Whoever comes without the ticket has no answer.
    assert_eq!(desk.applicant("ann", None).answer, None);

    // The token fetches the refusal, and its ticket is used up; a repeated request is answered alike.
    assert_eq!(desk.logged(|| desk.fetches_refusal(50, ticket(2))), ["refused cause=declined ann"]);
    assert!(!desk.waiting(2) && desk.waiting(1) && desk.waiting(3));
    desk.not_decided(2);
    desk.pending(&grant(4, "ann").ticket(1));
    assert_eq!(desk.confirm(4), Confirmed::Active);
    desk.not_decided(1);
    assert_eq!(desk.entries().len(), 1);
}

pub fn every_code_is_kept<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.waits(1, "ann", None);
    for (code, logged) in [
        (RejectionCode::Unspecified, "request refused ann"),
        (RejectionCode::Form, "request refused cause=form ann"),
        (RejectionCode::NameTaken, "request refused cause=name taken ann"),
        (RejectionCode::Declined, "request refused cause=declined ann"),
        (RejectionCode::ProofNeeded, "request refused cause=proof needed ann"),
        (RejectionCode::TooMany, "request refused cause=too many ann"),
        (RejectionCode::NotRenewable, "request refused cause=not renewable ann"),
    ] {
        assert_eq!(desk.decide(1, RequestAnswer::Refused(code)), [logged]);
        assert_eq!(desk.answer(1), Some(RequestAnswer::Refused(code)));
    }
}

pub fn an_answer_is_replaced_until_it_is_fetched<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.waits(1, "ann", None);
    desk.decide(1, APPROVED);
    assert_eq!(desk.decide(1, APPROVED), [""; 0], "the same answer is no news");
    desk.decide(1, DECLINED);
    assert_eq!(desk.answer(1), Some(DECLINED));
    assert_eq!(desk.decide(1, APPROVED), ["request approved ann"]);
    assert_eq!(desk.answer(1), Some(APPROVED));
}

pub fn what_is_over_or_granted_has_no_answer<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.not_decided(9);
    desk.waits(1, "ann", None);
    desk.waits(2, "ann", None);
    desk.decide(2, APPROVED);
    desk.pass(HOLD);
    desk.decide(1, DECLINED);
    desk.pass(1);
    desk.not_decided(1);
    desk.not_decided(2);
    assert_eq!(
        (desk.answer(1), desk.answer(2)),
        (None, None),
        "an answer is kept as long as the application"
    );
}

/// The operator's handle, the answer and the time go on while the token asks again and again.
pub fn an_answer_goes_on_where_its_token_waits_again<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let code = Takes::Code(desk.issue("ann", None));
    for takes in [None, Some(code)] {
        desk.waits(1, "ann", takes);
        let since = desk.now();
        for n in 2..=9 {
            desk.pass(HOLD / 2);
            assert_eq!(desk.logged(|| desk.waits_again(n, n - 1, takes)), [""; 0], "it waits already");
        }
        let [entry] = <[_; 1]>::try_from(desk.entries()).unwrap();
        assert_eq!((entry.ticket_id, entry.since), (ticket(1), since));
        assert_eq!(entry.hold_until, desk.now().after(HOLD));
        desk.not_decided(5);
        desk.decide(1, DECLINED);
        assert_eq!(desk.answer(9), Some(DECLINED));
        desk.decide(9, APPROVED);
        desk.waits_again(10, 9, takes);
        assert_eq!((desk.answer(10), desk.waiting(9)), (Some(APPROVED), false));
        desk.fetches_refusal(11, ticket(10));
        assert!(desk.entries().is_empty());
        desk.pass(HOLD + 1);
    }
    // What was over has no part in what comes after it.
    desk.waits(20, "ann", None);
    desk.decide(20, APPROVED);
    desk.pass(HOLD + 1);
    assert_eq!(desk.logged(|| desk.waits_again(21, 20, None)), ["waiting ann"]);
    let [entry] = <[_; 1]>::try_from(desk.entries()).unwrap();
    assert_eq!((entry.ticket_id, entry.since, entry.answer), (ticket(21), desk.now(), None));
}

pub fn a_refusal_takes_back_what_was_granted<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.waits(9, "ann", None);
    desk.decide(9, APPROVED);
    desk.pending(&grant(1, "ann").ticket(9));
    desk.pending(&grant(2, "ann"));
    let lost = ["lost key=1 user-1 ann", "request refused cause=declined ann"];
    assert_eq!(desk.decide(9, DECLINED), lost);
    assert_eq!(desk.confirm(1), Confirmed::Lost);
    assert_eq!(desk.state(2), Some(RegistrationState::Pending), "nobody else's");
    assert_eq!(desk.answer(9), Some(DECLINED));
}

/// Neither strangers nor those with the same proof push an answer out, and answers push nobody out.
pub fn answers_are_in_nobodys_way<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let code = Takes::Code(desk.issue("ann", None));
    for (first, takes) in [(1, None), (21, Some(code))] {
        for n in first..first + 8 {
            desk.waits(n, "ann", takes);
            desk.decide(n, if n % 2 == 0 { APPROVED } else { DECLINED });
            desk.pass(1);
        }
        for n in first + 8..first + 17 {
            desk.waits(n, "ann", takes);
            desk.pass(1);
        }
        for n in first..first + 17 {
            assert_eq!(desk.waiting(n), n != first + 8, "{n}: the oldest without an answer makes way");
        }
    }
}
