//! Removing expired rows.

use super::page::LIMIT_MAX;
use super::{Operation, OperatorError, operation};
use crate::store::entity::{Tables, Versioned};
use crate::store::event::AuditEventKind;
use crate::store::rows::{ChallengeRow, CodeRow, EventRow, OutcomeRow, RegistrationRow, RequestRow};
use crate::store::rules::{delete_where, forget, lose, withdraw};
use crate::store::tables::{Query, TxError};
use crate::time::UnixTime;

/// Seconds by which the clocks of servers may differ.
pub(crate) const CLOCKS: u64 = 300;
/// Most refusals in the log: anybody can cause them.
const REFUSALS: u64 = 10_000;
/// Spent challenges that stay although they are over, the latest of them: under a clock that is set back they could be
/// answered again.
const SPENT: u64 = 1024;
/// Rows looked at for each that may be removed: some expired rows stay.
const LOOKED_AT: usize = 8;

/// Removes expired rows: stored R3s, lost registrations, waiting requests, used challenges but the latest 1024, and
/// expired activation codes by which nothing is pending or waits. Pending registrations whose time is over
/// become lost. Returns how many there were.
///
/// An expired row counts for nothing before it is purged, so the time and frequency of a purge matter
/// for space alone.
///
/// Once a day:
/// ```
/// use halfkey::store::operation::Purge;
/// # use halfkey::memory::Store;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, now) = (Store::new(), halfkey::UnixTime::now());
/// loop {
///     let purged = store.run(&Purge { limit: 500 }, now)?;
///     println!("{purged:?}");
///     if !purged.more {
///         break;
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Purge {
    /// Most rows of each kind that are removed, 1 to 1000, so that no transaction grows without bound.
    /// Of codes and registrations eight times as many are looked at, since the earliest may be among
    /// those that stay.
    pub limit: u16,
}

/// Answer of [`Purge`]: numbers of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Purged {
    /// Stored R3s.
    pub outcomes: usize,
    /// Pending registrations that became lost.
    pub lost: usize,
    /// Lost registrations that were removed.
    pub forgotten: usize,
    /// Waiting requests.
    pub applications: usize,
    /// Used challenges.
    pub challenges: usize,
    /// Activation codes.
    pub codes: usize,
    /// Log entries about refusals, of which the newest 10 000 are kept.
    pub events: usize,
    /// Expired rows that are damaged: they stay, for the operator to look at.
    pub damaged: usize,
    /// True where the limit was reached for some kind of row: there may be more.
    pub more: bool,
}

operation! { Purge writes -> Purged, OperatorError; |self, tables, now| {
    let limit = self.limit.clamp(1, LIMIT_MAX).into();
    let mut purged = tidy(tables, limit, now).await?;
    purge_codes(tables, &mut purged, limit, now).await?;
    let Purged { outcomes, lost, forgotten, applications, challenges, codes, events, .. } = purged;
    purged.more = [outcomes, lost, forgotten, applications, challenges, codes, events].contains(&limit);
    Ok(purged)
} }

/// Purges within another transaction what came of applicants. Codes are the operator's: a clock that is ahead for
/// an hour must not take them away for good.
pub(in crate::store) async fn tidy<T: Tables>(
    tables: &mut T,
    limit: usize,
    now: UnixTime,
) -> Result<Purged, TxError> {
    let mut purged = Purged {
        outcomes: delete_where::<OutcomeRow, _>(tables, over("keep_until", limit, now)).await?,
        applications: delete_where::<RequestRow, _>(tables, over("hold_until", limit, now)).await?,
        challenges: drop_spent(tables, SPENT, limit, late(now)).await?,
        events: drop_strangers(tables, REFUSALS, limit, now).await?,
        ..Purged::default()
    };
    let look = limit.saturating_mul(LOOKED_AT);
    for key in tables.keys::<RegistrationRow>(over("confirm_by", look, now)).await? {
        if purged.lost == limit {
            break;
        }
        // An index that was tampered with leads to others.
        let is_over = |row: &Versioned<RegistrationRow>| row.confirm_by.is_some_and(|end| end < now);
        if let Some(mut row) = purged.sound(tables.get(key).await, is_over)? {
            lose(tables, &mut row, now).await?;
            purged.lost = purged.lost.saturating_add(1);
        }
    }
    for key in tables.keys::<RegistrationRow>(over("forget_at", look, now)).await? {
        if purged.forgotten == limit {
            break;
        }
        let is_over = |row: &Versioned<RegistrationRow>| row.forget_at.is_some_and(|end| end < now);
        if let Some(row) = purged.sound(tables.get(key).await, is_over)? {
            forget(tables, &row).await?;
            purged.forgotten = purged.forgotten.saturating_add(1);
        }
    }
    Ok(purged)
}

async fn purge_codes<T: Tables>(
    tables: &mut T,
    purged: &mut Purged,
    limit: usize,
    now: UnixTime,
) -> Result<(), TxError> {
    let (look, late) = (limit.saturating_mul(LOOKED_AT), late(now));
    for key in tables.keys::<CodeRow>(over("expires", look, late)).await? {
        if purged.codes == limit {
            break;
        }
        let is_over = |code: &Versioned<CodeRow>| code.is_over(late);
        if let Some(code) = purged.sound(tables.get(key).await, is_over)?
            && !is_claimed(tables, &code, now).await?
        {
            withdraw(tables, &code).await?;
            purged.codes = purged.codes.saturating_add(1);
        }
    }
    Ok(())
}

/// A server whose clock is behind may still take what is over here.
const fn late(now: UnixTime) -> UnixTime {
    UnixTime::from_secs(now.as_secs().saturating_sub(CLOCKS))
}

impl Purged {
    /// Returns a row that can be read and has expired; counts another one, which stays.
    fn sound<E>(
        &mut self,
        row: Result<Option<Versioned<E>>, TxError>,
        is_over: impl Fn(&Versioned<E>) -> bool,
    ) -> Result<Option<Versioned<E>>, TxError> {
        match row {
            Ok(Some(row)) if is_over(&row) => return Ok(Some(row)),
            Ok(None) => return Ok(None),
            Err(error) if !error.is_of_a_row() => return Err(error),
            Ok(Some(_)) | Err(_) => {}
        }
        self.damaged = self.damaged.saturating_add(1);
        Ok(None)
    }
}

/// Tells whether a registration that the code proved in time is pending, or a request waits with it.
async fn is_claimed<T: Tables>(tables: &mut T, code: &CodeRow, now: UnixTime) -> Result<bool, TxError> {
    let pending = Query::all().is("code", &code.id).from("confirm_by", now);
    let waiting = Query::all().is("name", &code.name).is("code", &code.id).from("hold_until", now);
    Ok(tables.count::<RegistrationRow>(pending).await? > 0 || tables.count::<RequestRow>(waiting).await? > 0)
}

/// Asks for rows that expired before now, the earliest first.
fn over(column: &'static str, limit: usize, now: UnixTime) -> Query {
    // Nothing is over at the beginning of time.
    let limit = if now == UnixTime::default() { 0 } else { limit };
    let before = UnixTime::from_secs(now.as_secs().saturating_sub(1));
    Query::all().until(column, before).earliest(column).at_most(limit)
}

/// Removes spent challenges that are over, the earliest first, and keeps the latest `most`.
async fn drop_spent<T: Tables>(
    tables: &mut T,
    most: u64,
    limit: usize,
    now: UnixTime,
) -> Result<usize, TxError> {
    let over = over("lapses", limit, now);
    let excess = tables.count::<ChallengeRow>(over.clone()).await?.saturating_sub(most);
    match excess_of(excess, limit) {
        0 => Ok(0),
        limit => delete_where::<ChallengeRow, _>(tables, over.at_most(limit)).await,
    }
}

/// Removes refusals from the log, where there are more than `most`: anybody can cause them. Those that a clock has
/// written which was ahead go first, since they would otherwise be the newest for as long as it was; then the oldest.
async fn drop_strangers<T: Tables>(
    tables: &mut T,
    most: u64,
    limit: usize,
    now: UnixTime,
) -> Result<usize, TxError> {
    let alike = || Query::all().is("kind", &AuditEventKind::Refused);
    let excess = tables.count::<EventRow>(alike()).await?.saturating_sub(most);
    let limit = excess_of(excess, limit);
    if limit == 0 {
        return Ok(0);
    }
    let early = alike().from("at", now.after(CLOCKS.saturating_add(1))).at_most(limit);
    let early = delete_where::<EventRow, _>(tables, early).await?;
    let left = limit.saturating_sub(early);
    let oldest = delete_where::<EventRow, _>(tables, alike().at_most(left)).await?;
    Ok(early.saturating_add(oldest))
}

fn excess_of(excess: u64, limit: usize) -> usize {
    usize::try_from(excess).map_or(limit, |excess| excess.min(limit))
}

/// Removes entries of the log, the oldest first. Returns how many there were; run it again until there
/// are none.
#[derive(Clone, Copy, Debug)]
pub struct PurgeEvents {
    /// Time before which entries are removed.
    pub before: UnixTime,
    /// Most entries that are removed, 1 to 1000.
    pub limit: u16,
}

operation! { PurgeEvents writes -> usize, OperatorError; |self, tables, _now| {
    Ok(delete_where::<EventRow, _>(tables, over("at", self.limit.clamp(1, LIMIT_MAX).into(), self.before)).await?)
} }

#[cfg(all(test, feature = "std"))]
mod tests;
