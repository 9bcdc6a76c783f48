//! Outcomes, and the lives of registrations and applications.

use super::case::{Case, DAY, Grant, NOW, application, in_clause, key, outcome, refused, request, response};
use super::{ContractViolation, Kept, ensure, same};
use crate::id::UserName;
use crate::message::Address;
use crate::port::entitlement_store::{Committed, Confirmed, Status};
use crate::record::{
    Effect, ExpectedTags, Lifecycle, NewOutcome, PendingLimits, ProofId, ServerRegistration, Takes,
    WaitingRequest,
};
use crate::time::UnixTime;

pub(super) fn outcomes_are_kept(case: &Case<'_>) -> Kept {
    ensure(case.outcome(1, NOW)?.is_none(), "there is no outcome before one is committed")?;
    case.commit(outcome(1, refused()), "an outcome for a new request is stored")?;
    let kept = case.outcome(1, NOW.after(DAY - 1))?;
    ensure(kept == Some(response(1)), "an outcome is kept, byte for byte, until its keep_until")
}

pub(super) fn the_first_outcome_counts(case: &Case<'_>) -> Kept {
    const EXISTING: &str = "a second outcome for one request is not stored, and the first given back";
    case.commit(outcome(1, refused()), "an outcome for a new request is stored")?;
    let mut second = Grant::to(&case.seeds.ann, 2).outcome(case)?;
    second.request = request(1);
    let committed = case.store.commit(&second, NOW).map_err(in_clause(EXISTING))?;
    ensure(committed == Committed::Existing(response(1)), EXISTING)?;
    ensure(case.outcome(1, NOW)? == Some(response(1)), EXISTING)?;
    let effect = case.find(&Address::Key(key(2)))?;
    ensure(effect.is_none(), "what is not stored has no effect")
}

pub(super) fn a_grant_is_pending(case: &Case<'_>) -> Kept {
    const FOUND: &str = "a granted registration is found as it was granted";
    let grant = Grant::to(&case.seeds.ann, 1);
    ensure(case.find(&Address::Key(key(1)))?.is_none(), "nothing is found that was never granted")?;
    grant.commit(case)?;
    let granted = grant.registered(case)?;
    ensure(equal(&case.row(&key(1))?, &granted), FOUND)?;
    case.is_known(super::case::alias(1), 1, "a granted registration is found by its first alias")?;
    let expected = case.store.expected(&key(1), NOW).map_err(in_clause("expected answers"))?;
    let right = expected.is_some_and(|tags| equal_tags(&tags, &Grant::expected(1)));
    ensure(right, "the tags that R4 and R5 will carry are kept")?;
    let applicant = case.applicant(&case.seeds.ann, None, NOW)?;
    ensure(!applicant.name_taken, "a pending registration does not take its name")
}

pub(super) fn the_oldest_makes_way(case: &Case<'_>) -> Kept {
    const PROVED: &str = "the oldest registration pending with a code makes way for one more, and is lost";
    const OPEN: &str = "the oldest registration pending without proof makes way for one more";
    const WAITING: &str = "the oldest application that waits for a name makes way for one more";
    let invited = &case.seeds.invited;
    let code = case.applicant(invited, Some(ProofId::Activation), NOW)?.activation;
    let takes = Takes::Code(code.ok_or(ContractViolation::Broken("an unused code is found"))?.id);
    let grant = |outcome: NewOutcome, n: u8, clause| {
        let outcome = NewOutcome { limits: PendingLimits { same: 2, total: 3 }, ..outcome };
        let committed = case.store.commit(&outcome, NOW.after(n.into())).map_err(in_clause(clause))?;
        ensure(committed == Committed::Stored, clause)
    };
    for n in 1..=3 {
        let mut outcome = Grant::to(invited, n).taking(takes).outcome(case)?;
        if let Effect::Granted(new) = &mut outcome.effect {
            new.registered.lifecycle = Lifecycle::Pending { confirm_by: NOW.after(DAY + u64::from(n)) };
        }
        grant(outcome, n, PROVED)?;
    }
    ensure(case.lifecycle(1)? == Lifecycle::Lost, PROVED)?;
    for n in 2..=3 {
        ensure(matches!(case.lifecycle(n)?, Lifecycle::Pending { .. }), "the others stay as they are")?;
    }
    let other = UserName::new("other")
        .map_err(|_| ContractViolation::Broken("the names of the contract are names"))?;
    for n in 4..=8 {
        // Three for one name, of which two stay; then two for another, of which one is one too many in all.
        let name = if n < 7 { &case.seeds.ann } else { &other };
        let mut outcome = Grant::to(name, n).outcome(case)?;
        if let Effect::Granted(new) = &mut outcome.effect {
            new.registered.lifecycle = Lifecycle::Pending { confirm_by: NOW.after(DAY + u64::from(n)) };
        }
        grant(outcome, n, OPEN)?;
        let kept =
            (4..=n).filter(|n| case.find(&Address::Key(key(*n))).is_ok_and(|row| row.is_some_and(pending)));
        let wanted: &[u8] = match n {
            4 => &[4],
            5 => &[4, 5],
            6 => &[5, 6],
            7 => &[5, 6, 7],
            _ => &[6, 7, 8],
        };
        ensure(kept.eq(wanted.iter().copied()), OPEN)?;
    }
    for n in 9..=11 {
        let waiting = WaitingRequest { hold_until: NOW.after(DAY + u64::from(n)), ..application(case, n) };
        let effect = Effect::Waiting { application: waiting.into(), instead_of: None };
        grant(outcome(n, effect), n, WAITING)?;
    }
    for n in 9..=11 {
        let proof = ProofId::Ticket(application(case, n).ticket_id);
        let found = case.applicant(&case.seeds.ann, Some(proof), NOW)?.waiting;
        ensure(found.is_some() == (n > 9), WAITING)?;
    }
    Ok(())
}

fn pending(row: ServerRegistration) -> bool {
    matches!(row.lifecycle, Lifecycle::Pending { .. })
}

pub(super) fn confirmation(case: &Case<'_>) -> Kept {
    Grant::to(&case.seeds.ann, 1).commit(case)?;
    case.activate(1)?;
    ensure(case.lifecycle(1)? == Lifecycle::Active, "a confirmed registration is active")?;
    ensure(case.confirm(1)? == Confirmed::Active, "confirming an active registration again changes nothing")?;
    let applicant = case.applicant(&case.seeds.ann, None, NOW)?;
    ensure(applicant.name_taken, "an active registration has taken its name")?;
    let expected = case.store.expected(&key(1), NOW).map_err(in_clause("expected answers"))?;
    ensure(expected.is_some(), "R4 may be repeated until the first session")?;
    ensure(case.outcome(1, NOW)? == Some(response(1)), "so may R2")
}

pub(super) fn one_winner_of_a_name(case: &Case<'_>) -> Kept {
    for n in 1..=3 {
        Grant::to(&case.seeds.ann, n).commit(case)?;
    }
    case.activate(2)?;
    ensure(case.confirm(1)? == Confirmed::Lost, "one registration alone wins a name")?;
    ensure(case.lifecycle(1)? == Lifecycle::Lost, "the rivals for a name are lost")?;
    case.stands(3, NOW.after(2), Status::Lost, "a rival cannot win by a session either")?;
    Grant::to(&case.seeds.ann, 4).commit(case)?;
    ensure(case.confirm(4)? == Confirmed::Lost, "a name once taken stays taken")
}

pub(super) fn one_winner_of_a_code(case: &Case<'_>) -> Kept {
    const CODE: &str = "the secret of an unused activation code is given for its name";
    let invited = &case.seeds.invited;
    let proof = ProofId::Activation;
    let applicant = case.applicant(invited, Some(proof), NOW)?;
    let code = applicant.activation.ok_or(ContractViolation::Broken(CODE))?;
    ensure(same(&code.secret, &case.seeds.code), CODE)?;
    let open = case.applicant(invited, None, NOW)?;
    ensure(open.name_taken, "a name that an activation code is for is not for an applicant without proof")?;
    let stranger = case.applicant(&case.seeds.ann, Some(proof), NOW)?;
    ensure(stranger.activation.is_none(), "no activation code is made up")?;
    for n in 1..=2 {
        Grant::to(invited, n).taking(Takes::Code(code.id)).commit(case)?;
    }
    let applicant = case.applicant(invited, Some(proof), NOW)?;
    let still = applicant.activation.is_some_and(|still| still.id == code.id);
    ensure(still, "a code is not used by pending registrations, and keeps its id")?;
    case.activate(1)?;
    ensure(case.confirm(2)? == Confirmed::Lost, "a code serves one registration")?;
    let applicant = case.applicant(invited, Some(proof), NOW)?;
    ensure(applicant.activation.is_none(), "a code is used by the registration that wins")
}

pub(super) fn one_heir_of_a_key(case: &Case<'_>) -> Kept {
    let renewal = |n| Grant::to(&case.seeds.ann, n).taking(Takes::Place(key(1)));
    Grant::to(&case.seeds.ann, 1).commit(case)?;
    case.activate(1)?;
    let applicant = case.applicant(&case.seeds.ann, Some(ProofId::Renewal(key(1))), NOW)?;
    let earlier = applicant.earlier.is_some_and(|row| row.key_id == key(1));
    ensure(earlier, "a renewal is shown the registration that it renews")?;
    renewal(2).commit(case)?;
    renewal(3).commit(case)?;
    ensure(case.lifecycle(1)? == Lifecycle::Active, "a pending renewal leaves the key as it is")?;
    ensure(case.confirm(2)? == Confirmed::Active, "a renewal keeps the name of the key it renews")?;
    ensure(case.lifecycle(1)? == Lifecycle::Superseded, "a confirmed renewal supersedes the key")?;
    ensure(case.confirm(3)? == Confirmed::Lost, "a key has one heir")?;
    renewal(4).commit(case)?;
    ensure(case.confirm(4)? == Confirmed::Lost, "a superseded key has no heir")?;
    case.stands(1, NOW.after(2), Status::Expired, "the session of a superseded key says that it is over")
}

pub(super) fn too_late(case: &Case<'_>) -> Kept {
    const LATE: &str = "a registration confirmed too late is lost";
    Grant::to(&case.seeds.ann, 1).commit(case)?;
    Grant::to(&case.seeds.ann, 2).commit(case)?;
    let late: UnixTime = NOW.after(DAY + 1);
    let applicant = case.applicant(&case.seeds.ann, None, late)?;
    ensure(!applicant.name_taken, "what has lapsed takes no name")?;
    let confirmed = case.store.confirm(&key(1), late).map_err(in_clause("confirm answers"))?;
    ensure(confirmed == Confirmed::Lost, LATE)?;
    ensure(case.lifecycle(1)? == Lifecycle::Lost, LATE)?;
    case.stands(2, late, Status::Lost, "a registration first used too late is lost")
}

pub(super) fn waiting_applications(case: &Case<'_>) -> Kept {
    const FOUND: &str = "a waiting application is found by its ticket, as it was";
    let (first, second) = (application(case, 1), application(case, 2));
    let (old, ticket) = (first.ticket_id, second.ticket_id);
    let waiting = |id, now| -> Result<_, ContractViolation> {
        Ok(case.applicant(&case.seeds.ann, Some(ProofId::Ticket(id)), now)?.waiting)
    };
    ensure(waiting(ticket, NOW)?.is_none(), "no application is made up")?;
    let effect = Effect::Waiting { application: first.into(), instead_of: None };
    case.commit(outcome(1, effect), "an outcome for a new request is stored")?;
    ensure(waiting(old, NOW)?.is_some(), FOUND)?;
    let effect = Effect::Waiting { application: second.clone().into(), instead_of: Some(old) };
    case.commit(outcome(2, effect), "an outcome for a new request is stored")?;
    ensure(waiting(old, NOW)?.is_none(), "a repeated wait replaces the application before it")?;
    let found = waiting(ticket, NOW.after(DAY - 1))?;
    let as_it_was = found.is_some_and(|found| {
        same(&found.ticket, &second.ticket) && (found.form, found.name) == (second.form, second.name)
    });
    ensure(as_it_was, FOUND)?;
    let mut grant = Grant::to(&case.seeds.ann, 3);
    grant.ticket = Some(ticket);
    grant.commit(case)?;
    case.activate(3)?;
    ensure(waiting(ticket, NOW)?.is_none(), "a ticket is used up by the registration that wins")?;

    let renews = Some(Takes::Place(key(3)));
    let third = WaitingRequest { takes: renews, ..application(case, 4) };
    let ticket = third.ticket_id;
    let effect = Effect::Waiting { application: third.into(), instead_of: None };
    case.commit(outcome(4, effect), "an outcome for a new request is stored")?;
    let applicant = case.applicant(&case.seeds.ann, Some(ProofId::Ticket(ticket)), NOW)?;
    let earlier = applicant.earlier.is_some_and(|row| row.key_id == key(3));
    ensure(earlier, "a ticket for a renewal is shown the registration that it renews")
}

fn equal(a: &ServerRegistration, b: &ServerRegistration) -> bool {
    let keys = same(&a.keys.auth, &b.keys.auth)
        && same(&a.keys.derive, &b.keys.derive)
        && same(&a.keys.renew, &b.keys.renew);
    let plain = |row: &ServerRegistration| {
        (row.key_id, row.user_id.clone(), row.name.clone(), row.access_path.clone(), row.expires)
    };
    keys && plain(a) == plain(b) && (a.suite, a.policy, a.lifecycle) == (b.suite, b.policy, b.lifecycle)
}

fn equal_tags(a: &ExpectedTags, b: &ExpectedTags) -> bool {
    a.txn == b.txn && same(&a.confirm, &b.confirm) && same(&a.done, &b.done) && same(&a.lost, &b.lost)
}
