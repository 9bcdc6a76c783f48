//! What has expired goes.

use super::{LIMIT_MAX, Operation, OperatorError, operation};
use crate::store::entity::{Held, Query, Tables, Trouble};
use crate::store::event::EventKind;
use crate::store::rows::{Answer, Code, Happened, Row, Spent, Waiter};
use crate::store::rules::{erase, forget, lose, withdraw};
use crate::time::UnixTime;

/// Seconds by which the clocks of servers may differ.
const CLOCKS: u64 = 300;
/// Most refusals in the log: anybody can cause them.
const REFUSALS: u64 = 10_000;
/// Rows looked at for each that may go: some whose time is over stay all the same.
const LOOKED_AT: usize = 8;

/// Lets go of what has expired: stored R3s, pending registrations (they are lost), lost ones (they
/// are forgotten), waiting applications, used challenges, and activation codes whose time is over,
/// with which none is pending or waits. It answers with what went.
///
/// Nothing that has expired counts for anything before it is purged, so when it is done, and how
/// often, is a matter of room alone.
#[derive(Clone, Copy, Debug)]
pub struct Purge {
    /// At most so many of each kind, 1 to 1000, so that no transaction grows without bound. Of codes
    /// and registrations eight times as many are looked at: the earliest may be among those that stay.
    pub limit: u16,
}

/// What was purged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purged {
    /// Stored R3s.
    pub outcomes: usize,
    /// Pending registrations that are lost now.
    pub lost: usize,
    /// Lost registrations that are forgotten now.
    pub forgotten: usize,
    /// Waiting applications.
    pub applications: usize,
    /// Used challenges.
    pub challenges: usize,
    /// Activation codes.
    pub codes: usize,
    /// Entries of the log about refusals, of which the newest 10 000 are kept.
    pub events: usize,
    /// Rows that were met whose time is over and that are damaged: they stay, for the operator to look at.
    pub damaged: usize,
    /// Whether of some kind as many went as the limit allows: there may be more.
    pub more: bool,
}

operation! { Purge writes -> Purged, OperatorError; |self, tables, now| {
    Ok(purge(tables, self.limit.clamp(1, LIMIT_MAX).into(), now).await?)
} }

/// [`Purge`] as a part of another transaction.
pub(in crate::store) async fn purge<T: Tables>(
    tables: &mut T,
    limit: usize,
    now: UnixTime,
) -> Result<Purged, Trouble> {
    // A server whose clock is behind may still take what is over here.
    let late = UnixTime::from_secs(now.as_secs().saturating_sub(CLOCKS));
    let mut purged = Purged {
        outcomes: erase::<Answer, _>(tables, over("keep_until", limit, now)).await?,
        applications: erase::<Waiter, _>(tables, over("hold_until", limit, now)).await?,
        challenges: erase::<Spent, _>(tables, over("lapses", limit, late)).await?,
        events: drop_strangers(tables, limit).await?,
        ..Purged::default()
    };
    let look = limit.saturating_mul(LOOKED_AT);
    for key in tables.keys::<Row>(over("confirm_by", look, now)).await? {
        if purged.lost == limit {
            break;
        }
        // An index that was tampered with leads to others.
        let is_over = |row: &Held<Row>| row.confirm_by.is_some_and(|end| end < now);
        if let Some(mut row) = purged.sound(tables.get(key).await, is_over)? {
            lose(tables, &mut row, now).await?;
            purged.lost = purged.lost.saturating_add(1);
        }
    }
    for key in tables.keys::<Row>(over("forget_at", look, now)).await? {
        if purged.forgotten == limit {
            break;
        }
        let is_over = |row: &Held<Row>| row.forget_at.is_some_and(|end| end < now);
        if let Some(row) = purged.sound(tables.get(key).await, is_over)? {
            forget(tables, &row).await?;
            purged.forgotten = purged.forgotten.saturating_add(1);
        }
    }
    for key in tables.keys::<Code>(over("expires", look, late)).await? {
        if purged.codes == limit {
            break;
        }
        let is_over = |code: &Held<Code>| code.is_over(late);
        if let Some(code) = purged.sound(tables.get(key).await, is_over)?
            && !is_claimed(tables, &code, now).await?
        {
            withdraw(tables, &code).await?;
            purged.codes = purged.codes.saturating_add(1);
        }
    }
    let Purged { outcomes, lost, forgotten, applications, challenges, codes, events, .. } = purged;
    purged.more = [outcomes, lost, forgotten, applications, challenges, codes, events].contains(&limit);
    Ok(purged)
}

impl Purged {
    /// A row that can be read, and whose time is over; another one is counted and stays.
    fn sound<E>(
        &mut self,
        row: Result<Option<Held<E>>, Trouble>,
        is_over: impl Fn(&Held<E>) -> bool,
    ) -> Result<Option<Held<E>>, Trouble> {
        match row {
            Ok(Some(row)) if is_over(&row) => return Ok(Some(row)),
            Ok(None) => return Ok(None),
            Err(trouble) if !trouble.is_of_a_row() => return Err(trouble),
            Ok(Some(_)) | Err(_) => {}
        }
        self.damaged = self.damaged.saturating_add(1);
        Ok(None)
    }
}

/// Whether something that was proven by the code in time is pending or waits.
async fn is_claimed<T: Tables>(tables: &mut T, code: &Code, now: UnixTime) -> Result<bool, Trouble> {
    let pending = Query::all().is("code", &code.id).from("confirm_by", now);
    let waiting = Query::all().is("name", &code.name).is("code", &code.id).from("hold_until", now);
    Ok(tables.count::<Row>(pending).await? > 0 || tables.count::<Waiter>(waiting).await? > 0)
}

/// Rows whose time was over before now, the earliest first.
fn over(column: &'static str, limit: usize, now: UnixTime) -> Query {
    // Nothing is over at the beginning of time.
    let limit = if now == UnixTime::default() { 0 } else { limit };
    let before = UnixTime::from_secs(now.as_secs().saturating_sub(1));
    Query::all().until(column, before).earliest(column).at_most(limit)
}

/// Lets the oldest entries go of what anybody can make the log say, where there are too many.
async fn drop_strangers<T: Tables>(tables: &mut T, limit: usize) -> Result<usize, Trouble> {
    let alike = || Query::all().is("kind", &EventKind::Refused);
    let excess = tables.count::<Happened>(alike()).await?.saturating_sub(REFUSALS);
    let limit = limit.min(usize::try_from(excess).unwrap_or(limit));
    if limit == 0 {
        return Ok(0);
    }
    erase::<Happened, _>(tables, alike().at_most(limit)).await
}

/// Lets go of entries of the log, the oldest first. It answers with how many went: again, until none do.
#[derive(Clone, Copy, Debug)]
pub struct PurgeEvents {
    /// Only those before this time.
    pub before: UnixTime,
    /// At most so many, 1 to 1000.
    pub limit: u16,
}

operation! { PurgeEvents writes -> usize, OperatorError; |self, tables, _now| {
    Ok(erase::<Happened, _>(tables, over("at", self.limit.clamp(1, LIMIT_MAX).into(), self.before)).await?)
} }
