//! Removing expired rows, and what stays.
#![allow(clippy::indexing_slicing, reason = "a test may panic")]

use super::*;
use crate::id::ChallengeId;
use crate::memory::Store;
use crate::port::StoreError;
use crate::record::{RejectionCause, RejectionRecord};
use crate::store::event::AuditEvent;
use crate::store::operation::ListEvents;
use std::vec::Vec;

struct Refuse;
operation! { Refuse writes -> (), OperatorError; |self, tables, now| {
    let cause = RejectionCause::Declined;
    let refusal = RejectionRecord { cause, code: cause.code(), name: None, ticket: None };
    Ok(AuditEvent::refused(&refusal).log(tables, now).await?)
} }

struct Drop(usize);
operation! { Drop writes -> usize, OperatorError; |self, tables, now| {
    Ok(drop_strangers(tables, 4, self.0, now).await?)
} }

struct Spend(u8);
operation! { Spend writes -> (), OperatorError; |self, tables, now| {
    Ok(tables.insert(ChallengeRow { id: ChallengeId([self.0; 16]), lapses: now }).await?)
} }

/// Drops, and tells which challenges are left.
struct DropSpent(usize);
operation! { DropSpent writes -> (usize, Vec<u8>), OperatorError; |self, tables, now| {
    let dropped = drop_spent(tables, 4, self.0, now).await?;
    let mut left = tables.select::<ChallengeRow>(Query::all()).await?;
    left.sort_by_key(|row| row.id);
    Ok((dropped, left.iter().map(|row| row.id.0[0]).collect()))
} }

#[test]
fn the_latest_spent_challenges_stay() {
    let (store, now) = (Store::new(), UnixTime::from_secs(1_000_000));
    for (n, seconds) in (1..).zip([5, 1, 2, 3, 4, 0, 100]) {
        store.run(&Spend(n), now.after(seconds)).unwrap();
    }
    let at = now.after(99);
    assert_eq!(store.run(&DropSpent(1), at), Ok((1, [1, 2, 3, 4, 5, 7].into())));
    assert_eq!(store.run(&DropSpent(9), at), Ok((1, [1, 3, 4, 5, 7].into())));
    assert_eq!(store.run(&DropSpent(9), at), Ok((0, [1, 3, 4, 5, 7].into())));
    assert_eq!(store.run(&DropSpent(9), now.after(101)), Ok((1, [1, 4, 5, 7].into())));
}

#[test]
fn refusals_of_a_clock_that_was_ahead_push_no_others_out() {
    let (store, now) = (Store::new(), UnixTime::from_secs(1_000_000));
    let at = |seconds: u64| now.after(seconds);
    let years = 30 * 365 * 86_400;
    for seconds in [0, years, years, 301, 1, 300, 2] {
        store.run(&Refuse, at(seconds)).unwrap();
    }
    let log = || -> Vec<u64> {
        let page = store.run(&ListEvents::default(), now).unwrap();
        page.entries.iter().map(|entry| entry.at.since(now)).collect()
    };
    assert_eq!(store.run(&Drop(1), now), Ok(1));
    assert_eq!(log(), [0, 1, 2, 300, years, years]);
    assert_eq!(store.run(&Drop(9), now), Ok(2));
    assert_eq!(log(), [0, 1, 2, 300]);
    store.run(&Refuse, at(3)).unwrap();
    assert_eq!((store.run(&Drop(9), now), log()), (Ok(1), [1, 2, 3, 300].into()));
    assert_eq!(store.run(&Drop(9), now), Ok(0));
}

/// The store in memory keeps 1024 entries of a kind.
#[test]
fn nor_do_they_in_memory() {
    let (store, now) = (Store::new(), UnixTime::from_secs(1_000_000));
    for n in 0..1030 {
        store.run(&Refuse, now.after(30 * 365 * 86_400 + n)).unwrap();
    }
    let honest = [0, 1, 2].map(|n| now.after(n));
    for at in honest {
        store.run(&Refuse, at).unwrap();
    }
    let page = store.run(&ListEvents::default(), now).unwrap();
    let first: Vec<_> = page.entries.iter().take(3).map(|entry| entry.at).collect();
    assert_eq!(first, honest);
}

/// Rows that an index leads to and that are not over are damage; a store that fails is none.
#[test]
fn a_damaged_row_is_counted_and_a_failure_ends_the_purge() {
    let found = |row, is_over: bool| {
        let mut purged = Purged::default();
        let sound = purged.sound::<u8>(row, |_| is_over).map(|row| row.map(|row| row.row));
        (sound, purged.damaged)
    };
    let row = || Ok(Some(Versioned { row: 7, version: 1 }));
    assert_eq!(found(row(), true), (Ok(Some(7)), 0));
    assert_eq!(found(row(), false), (Ok(None), 1));
    assert_eq!(found(Ok(None), true), (Ok(None), 0));
    for damage in [StoreError::Damaged, StoreError::StorageKey] {
        assert_eq!(found(Err(TxError::Error(damage)), true), (Ok(None), 1));
    }
    for failure in [TxError::Conflict, TxError::Error(StoreError::Full)] {
        assert_eq!(found(Err(failure.clone()), true), (Err(failure), 0));
    }
}
