//! All that a store says of itself, line by line; and the check that it hangs together.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use super::operations::Run;
use halfkey::port::StoreError;
use halfkey::record::Lifecycle;
use halfkey::store::OperatorError;
use halfkey::store::operation::*;
use halfkey::{EventId, UnixTime, UserName, record::Applicant};
use std::collections::BTreeSet;
use std::fmt::Debug;

/// The whole of a list, page after page.
pub fn every<T>(
    mut page: impl FnMut(Option<Cursor>) -> Result<Page<T>, OperatorError>,
) -> Result<Vec<T>, OperatorError> {
    let (mut all, mut next) = (Vec::new(), None);
    loop {
        let Page { entries, next: more, damaged } = page(next)?;
        if !damaged.is_empty() {
            return Err(StoreError::Damaged.into());
        }
        all.extend(entries);
        match more {
            Some(more) => next = Some(more),
            None => return Ok(all),
        }
    }
}

/// What a store holds, and what it says of names; without what chance has chosen, so that two stores
/// to which the same has happened say the same.
pub fn survey(store: &impl Run, now: UnixTime) -> Result<Vec<String>, OperatorError> {
    let mut lines = holdings(store, now)?;
    let rows = every(|after| store.run(&ListRegistrations { after, ..ListRegistrations::default() }, now))?;
    let names: BTreeSet<UserName> = rows.into_iter().map(|row| row.name).collect();
    for name in names {
        let record = store.port().applicant(&Applicant { name: name.clone(), proof: None }, now)?;
        lines.push(format!("{:?}", (name, record.name_taken, record.activation.is_some())));
    }
    Ok(lines)
}

/// What a store holds, a line for each thing.
pub fn holdings(store: &impl Run, now: UnixTime) -> Result<Vec<String>, OperatorError> {
    let mut lines = Vec::new();
    let mut note = |line: &dyn Debug| lines.push(format!("{line:?}"));
    let limit = Some(1000);
    let rows =
        every(|after| store.run(&ListRegistrations { after, limit, ..ListRegistrations::default() }, now))?;
    rows.iter().for_each(|row| note(row));
    for code in every(|after| store.run(&ListCodes { after, limit, ..ListCodes::default() }, now))? {
        note(&(code.name, code.issued_at, code.expires));
    }
    for waiting in every(|after| store.run(&ListRequests { after, limit, ..ListRequests::default() }, now))? {
        let proven = waiting.takes.is_some();
        note(&(waiting.ticket_id, waiting.name, waiting.form, proven, waiting.since, waiting.hold_until));
        note(&waiting.answer);
    }
    for entitled in
        every(|after| store.run(&ListEntitlements { after, limit, ..ListEntitlements::default() }, now))?
    {
        let (subject, application) = (entitled.subject.clone(), entitled.application.clone());
        let body = store
            .run(&ReadEntitlement::new(subject, application).when(entitled.condition.clone()), now)?
            .map(|document| document.body);
        note(&(entitled, body));
    }
    every(|after| store.run(&ListMembers { after, limit, ..ListMembers::default() }, now))?
        .iter()
        .for_each(|row| note(row));
    for mut report in every(|after| store.run(&ListReports { after, limit, ..ListReports::default() }, now))?
    {
        // They stand in other rows.
        (report.user_id, report.name, report.current) = (None, None, None);
        note(&report);
    }
    for mut event in every(|after| store.run(&ListEvents { after, limit, ..ListEvents::default() }, now))? {
        event.id = EventId::new([0; 16]);
        note(&event);
    }
    Ok(lines)
}

/// What must hold whatever has happened: an active or suspended registration holds its name, and
/// nobody else is active under it.
pub fn hangs_together(store: &impl Run, now: UnixTime) -> Result<(), StoreError> {
    let rows = every(|after| store.run(&ListRegistrations { after, ..ListRegistrations::default() }, now));
    let rows = rows.map_err(|error| match error {
        OperatorError::Store(error) => error,
        other => panic!("{other}"),
    })?;
    let mut held = BTreeSet::new();
    for row in rows.iter().filter(|row| matches!(row.lifecycle, Lifecycle::Active | Lifecycle::Suspended)) {
        let applicant = Applicant { name: row.name.clone(), proof: None };
        assert!(store.port().applicant(&applicant, now)?.name_taken, "{row:?} holds its name");
        assert!(held.insert(row.name.clone()), "{row:?} is alone under its name");
    }
    for row in rows.iter().filter(|row| matches!(row.lifecycle, Lifecycle::Pending { .. })) {
        assert!(store.port().expected(&row.key_id, now)?.is_some(), "{row:?} can be confirmed");
    }
    Ok(())
}
