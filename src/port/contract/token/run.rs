//! Runs under way: halves and attempts.

use super::case::{Case, equal_halves, equal_waits, half_attempt, in_clause, key, txn, waiting_attempt};
use super::{Kept, ensure, same};
use crate::port::TokenError;
use crate::record::Attempt;
use crate::schedule::KeyUse;

pub(super) fn a_blank_token(case: &mut Case<'_>) -> Kept {
    const BLANK: &str = "a blank token has anchors, and nothing else";
    let anchors = case.token.anchors().map_err(in_clause(BLANK))?;
    let again = case.token.anchors().map_err(in_clause(BLANK))?;
    ensure(anchors == again, "the anchors stay the same")?;
    let registrations = case.token.registrations().map_err(in_clause(BLANK))?;
    ensure(registrations.is_empty(), BLANK)?;
    ensure(case.token.attempts().map_err(in_clause(BLANK))?.is_empty(), BLANK)?;
    let answer = case.token.derive(&key(1), &KeyUse::Response([1; 96]));
    let no_key = Some(TokenError::NoSuchKey);
    ensure(answer.err() == no_key, "a key that is not there does not answer")?;
    ensure(case.token.remove(&key(1)).err() == no_key, "a key that is not there cannot be removed")
}

pub(super) fn halves(case: &mut Case<'_>) -> Kept {
    case.has_no_half(1, "there is no half before it is wrapped")?;
    let first = case.wrap(1)?;
    let second = case.wrap(2)?;
    case.has_half(1, &first, "a half is that of the SSK1 that was wrapped")?;
    case.has_half(2, &second, "each run has its own half")
}

pub(super) fn halves_are_fresh_and_replaced(case: &mut Case<'_>) -> Kept {
    let (first, other) = (case.wrap(1)?, case.wrap(2)?);
    ensure(!same(&first, &other), "every SSK1 is fresh")?;
    let second = case.wrap(1)?;
    ensure(!same(&first, &second), "every SSK1 is fresh")?;
    case.has_half(1, &second, "wrapping again replaces the half")
}

pub(super) fn attempts(case: &mut Case<'_>) -> Kept {
    const HELD: &str = "an attempt is held as it was given";
    let ssk1 = case.wrap(1)?;
    for size in [1024, 2048] {
        let attempt = half_attempt(1, size)?;
        case.save_attempt(Attempt::InFlight(attempt.clone()))?;
        let held = case.attempt(1)?;
        ensure(matches!(&held, Some(Attempt::InFlight(held)) if equal_halves(held, &attempt)), HELD)?;
    }
    case.has_half(1, &ssk1, "a held attempt leaves the half as it is")
}

pub(super) fn waiting(case: &mut Case<'_>) -> Kept {
    case.wrap(1)?;
    case.save_attempt(Attempt::InFlight(half_attempt(1, 1024)?))?;
    let other = case.wrap(2)?;
    let wait = waiting_attempt(1)?;
    case.save_attempt(Attempt::Waiting(wait.clone()))?;
    let held = case.attempt(1)?;
    let right = matches!(&held, Some(Attempt::Waiting(held)) if equal_waits(held, &wait));
    ensure(right, "a wait takes the place of the half it ends")?;
    case.has_no_half(1, "a wait erases the SSK1 of its run")?;
    case.has_half(2, &other, "a wait leaves other runs as they are")
}

pub(super) fn giving_up(case: &mut Case<'_>) -> Kept {
    const NOTHING: &str = "giving up what is not there is no error";
    case.token.abandon(&txn(1)).map_err(in_clause(NOTHING))?;
    case.wrap(1)?;
    case.save_attempt(Attempt::InFlight(half_attempt(1, 1024)?))?;
    let other = case.wrap(2)?;
    case.token.abandon(&txn(1)).map_err(in_clause("a run can be given up"))?;
    case.has_no_half(1, "giving up erases the half")?;
    ensure(case.attempt(1)?.is_none(), "giving up erases the attempt")?;
    case.has_half(2, &other, "giving up leaves other runs as they are")?;
    case.token.abandon(&txn(1)).map_err(in_clause(NOTHING))
}
