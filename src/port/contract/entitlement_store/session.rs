//! Sessions, aliases and entitlements.

use super::case::{Case, DAY, Grant, NOW, alias, in_clause, key};
use super::{ContractViolation, Kept, ensure};
use crate::id::{ApplicationName, UserId};
use crate::message::Address;
use crate::port::entitlement_store::{
    Admission, Admitted, ConfigurationSerial, EntitlementQuery, Report, ReportResult, Status, UserInformation,
};
use crate::record::{Lifecycle, Takes};

pub(super) fn admission(case: &Case<'_>) -> Kept {
    const FORGOTTEN: &str = "the first session ends what R2 and R4 may repeat";
    let mut grant = Grant::to(&case.seeds.ann, 1);
    grant.expires = Some(NOW.after(DAY));
    grant.commit(case)?;
    case.stands(1, NOW, Status::Active, "a session confirms a pending registration")?;
    ensure(case.lifecycle(1)? == Lifecycle::Active, "a session confirms a pending registration")?;
    let expected = case.store.expected(&key(1), NOW).map_err(in_clause("expected answers"))?;
    ensure(expected.is_none() && case.outcome(1, NOW)?.is_none(), FORGOTTEN)?;
    let late = case.admit_by_key(1, alias(9), NOW.after(DAY + 1))?;
    ensure(late == Admitted::As(Status::Expired), "an expired key is told so")
}

pub(super) fn challenges_are_spent(case: &Case<'_>) -> Kept {
    const ONCE: &str = "a parked challenge admits once";
    Grant::to(&case.seeds.ann, 1).commit(case)?;
    let address = Address::Key(key(1));
    let parked = |id, next| Admission::new(key(1), address, alias(next), Some(([id; 16], NOW.after(60))));
    ensure(case.admit(parked(1, 11), NOW)? == Admitted::As(Status::Active), "a parked challenge admits")?;
    ensure(case.admit(parked(1, 12), NOW)? == Admitted::Spent, ONCE)?;
    ensure(case.find(&Address::Alias(alias(12)))?.is_none(), "a spent challenge has no effect")?;
    ensure(case.admit(parked(2, 13), NOW)? == Admitted::As(Status::Active), "another one admits again")?;
    ensure(case.admit(parked(1, 14), NOW.after(59))? == Admitted::Spent, ONCE)
}

pub(super) fn aliases(case: &Case<'_>) -> Kept {
    const KEPT: &str = "an alias is kept until the token has spoken in a session of a newer one";
    Grant::to(&case.seeds.ann, 1).commit(case)?;
    let open = |by: u8, next: u8| -> Kept {
        let address = Address::Alias(alias(by));
        let admission = Admission::new(key(1), address, alias(next), None);
        ensure(case.admit(admission, NOW)? == Admitted::As(Status::Active), "an alias opens a session")
    };
    let heard = |by: u8| -> Kept {
        case.store.confirm_alias(&key(1), &Address::Alias(alias(by)), NOW).map_err(in_clause("heard answers"))
    };
    // Four answers are lost, then a fifth: the token still knows but the first alias.
    for next in 11..=15 {
        open(1, next)?;
        case.is_known(alias(1), 1, KEPT)?;
    }
    for next in 12..=15 {
        case.is_known(alias(next), 1, "the four newest aliases issued by one address are kept")?;
    }
    let oldest = case.find(&Address::Alias(alias(11)))?;
    ensure(oldest.is_none(), "at most four unused aliases of one address are kept")?;
    // The fifth arrived; its answer is lost, and no record is sent.
    open(15, 21)?;
    for kept in [1, 15, 21] {
        case.is_known(alias(kept), 1, KEPT)?;
    }
    // A record of the first session comes late, then one of the second.
    heard(1)?;
    for kept in [1, 15, 21] {
        case.is_known(alias(kept), 1, "a record in a session drops nothing newer than its alias")?;
    }
    heard(15)?;
    for kept in [15, 21] {
        case.is_known(alias(kept), 1, "the alias heard and those issued by it are kept")?;
    }
    open(21, 31)?;
    case.is_known(alias(31), 1, "each session's alias is issued")?;
    let unknown = case.find(&Address::Alias(alias(99)))?;
    ensure(unknown.is_none(), "an alias never handed out is not known")
}

/// A store may hand out an alias in each session, or keep one while it is young.
pub(super) fn young_aliases(case: &Case<'_>) -> Kept {
    const FOUND: &str = "an alias that is kept opens sessions, and no other is handed out";
    Grant::to(&case.seeds.ann, 1).commit(case)?;
    let mut by = 1;
    for next in 11..=14 {
        let mut admission = Admission::new(key(1), Address::Alias(alias(by)), alias(next), None);
        admission.alias_age = 60;
        match case.admit(admission, NOW)? {
            Admitted::As(Status::Active) => by = next,
            Admitted::Again { .. } => {
                ensure(case.find(&Address::Alias(alias(next)))?.is_none(), FOUND)?;
                case.is_known(alias(by), 1, FOUND)?;
            }
            _ => return Err(ContractViolation::Broken(FOUND)),
        }
    }
    case.activate(1)?;
    let mut admission = Admission::new(key(1), Address::Alias(alias(by)), alias(15), None);
    admission.alias_age = 60;
    let old = case.admit(admission, NOW.after(61))?;
    ensure(old == Admitted::As(Status::Active), "in place of an old alias another is handed out")?;
    case.is_known(alias(15), 1, "each session's alias is issued")
}

pub(super) fn entitlements(case: &Case<'_>) -> Kept {
    const DOCUMENT: &str = "a user is given the document that the user is entitled to";
    let seeds = case.seeds;
    Grant::to(&seeds.ann, 1).commit(case)?;
    case.activate(1)?;
    let query = |user: &UserId, application: &ApplicationName| EntitlementQuery {
        key_id: key(1),
        user_id: user.clone(),
        access_path: seeds.path.clone(),
        application: application.clone(),
        information: UserInformation::default(),
        held: None,
    };
    let ask = |user: &UserId, application: &ApplicationName| {
        case.store.entitlement(&query(user, application), NOW).map_err(in_clause("entitlement answers"))
    };
    let name = |_| ContractViolation::Broken("the names of the contract are names");
    let (stranger, other) =
        (UserId::new("stranger").map_err(name)?, ApplicationName::new("other").map_err(name)?);
    let held = ask(&seeds.user, &seeds.application)?.ok_or(ContractViolation::Broken(DOCUMENT))?;
    ensure(held.document.as_ref() == Some(&seeds.document) && held.valid_for.is_none(), DOCUMENT)?;
    ensure(ask(&seeds.user, &other)?.is_none(), "nothing is said of an application that is not known")?;
    ensure(ask(&stranger, &seeds.application)?.is_none(), "another user is not given the document")?;
    ensure(held.last_applied.is_none(), "nothing is applied before it is reported")?;

    let report = |n, serial, result| {
        let report = Report { key_id: key(n), application: seeds.application.clone(), serial, result };
        case.store.report(&report, NOW).map_err(in_clause("a report is taken"))
    };
    let applied = || -> Result<_, ContractViolation> {
        Ok(ask(&seeds.user, &seeds.application)?.and_then(|held| held.last_applied))
    };
    let newer = ConfigurationSerial { epoch: held.serial.epoch.saturating_add(1), ..held.serial };
    report(1, newer, ReportResult::Failed)?;
    ensure(applied()?.is_none(), "what failed is not applied")?;
    report(1, newer, ReportResult::Applied)?;
    ensure(applied()? == Some(newer), "the last serial applied is known")?;
    report(1, held.serial, ReportResult::Applied)?;
    report(1, newer, ReportResult::Regressed)?;
    ensure(applied()? == Some(newer), "nothing lowers the last serial applied")?;
    let again = ask(&seeds.user, &seeds.application)?;
    ensure(again.is_some_and(|again| again.serial == held.serial), "a serial stays until there is a change")?;

    Grant::to(&seeds.ann, 2).taking(Takes::Place(key(1))).commit(case)?;
    case.activate(2)?;
    let query = EntitlementQuery { key_id: key(2), ..query(&seeds.user, &seeds.application) };
    let renewed = case.store.entitlement(&query, NOW).map_err(in_clause("entitlement answers"))?;
    let applied = renewed.and_then(|held| held.last_applied);
    ensure(applied == Some(newer), "a renewal keeps the last serial applied")
}
