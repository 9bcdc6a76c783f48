//! What has expired goes.

use super::{Operation, OperatorError, operation};
use crate::store::entity::{Entity, Held, Query, Tables, Trouble};
use crate::store::rows::{Answer, Code, Happened, Row, Spent, Waiter};
use crate::store::rules::{forget, lose, withdraw};
use crate::time::UnixTime;
use alloc::vec::Vec;

/// Lets go of what has expired: stored R3s, pending registrations (they are lost), lost ones (they
/// are forgotten), waiting applications, used challenges, and activation codes whose time is over,
/// with which none is pending or waits. It answers with what went.
///
/// Nothing that has expired counts for anything before it is purged, so when it is done, and how
/// often, is a matter of room alone.
#[derive(Clone, Copy, Debug)]
pub struct Purge {
    /// At most so many of each kind, and one at least, so that no transaction grows without bound.
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
    /// Whether the limit was met: there may be more.
    pub more: bool,
}

operation! { Purge writes -> Purged, OperatorError; |self, tables, now| {
    Ok(purge(tables, self.limit.max(1).into(), now).await?)
} }

/// [`Purge`] as a part of another transaction.
pub(in crate::store) async fn purge<T: Tables>(
    tables: &mut T,
    limit: usize,
    now: UnixTime,
) -> Result<Purged, Trouble> {
    let mut purged = Purged {
        outcomes: drop_over::<Answer, _>(tables, "keep_until", limit, now).await?,
        applications: drop_over::<Waiter, _>(tables, "hold_until", limit, now).await?,
        challenges: drop_over::<Spent, _>(tables, "lapses", limit, now).await?,
        ..Purged::default()
    };
    for mut row in over::<Row, _>(tables, "confirm_by", limit, now).await? {
        lose(tables, &mut row, now).await?;
        purged.lost = purged.lost.saturating_add(1);
    }
    for row in over::<Row, _>(tables, "forget_at", limit, now).await? {
        forget(tables, &row).await?;
        purged.forgotten = purged.forgotten.saturating_add(1);
    }
    for code in over::<Code, _>(tables, "expires", limit, now).await? {
        if !is_claimed(tables, &code, now).await? {
            withdraw(tables, &code).await?;
            purged.codes = purged.codes.saturating_add(1);
        }
    }
    let Purged { outcomes, lost, forgotten, applications, challenges, codes, .. } = purged;
    purged.more = [outcomes, lost, forgotten, applications, challenges, codes].contains(&limit);
    Ok(purged)
}

/// Whether something that was proven by the code in time is pending or waits.
async fn is_claimed<T: Tables>(tables: &mut T, code: &Code, now: UnixTime) -> Result<bool, Trouble> {
    let pending = Query::all().is("code", &code.id).from("confirm_by", now);
    if tables.count::<Row>(pending).await? > 0 {
        return Ok(true);
    }
    let waiting = Query::all().is("name", &code.name).from("hold_until", now);
    Ok(tables.select::<Waiter>(waiting).await?.iter().any(|waiter| waiter.code == Some(code.id)))
}

/// Rows whose time was over before now.
async fn over<E: Entity, T: Tables>(
    tables: &mut T,
    column: &'static str,
    limit: usize,
    now: UnixTime,
) -> Result<Vec<Held<E>>, Trouble> {
    let Some(before) = now.as_secs().checked_sub(1) else { return Ok(Vec::new()) };
    let over = Query::all().until(column, UnixTime::from_secs(before));
    tables.select(over.earliest(column).at_most(limit)).await
}

async fn drop_over<E: Entity, T: Tables>(
    tables: &mut T,
    column: &'static str,
    limit: usize,
    now: UnixTime,
) -> Result<usize, Trouble> {
    let over: Vec<Held<E>> = over(tables, column, limit, now).await?;
    for row in &over {
        tables.delete(row).await?;
    }
    Ok(over.len())
}

/// Lets go of entries of the log, the oldest first. It answers with how many went.
#[derive(Clone, Copy, Debug)]
pub struct PurgeEvents {
    /// Only those before this time.
    pub before: UnixTime,
    /// At most so many.
    pub limit: u16,
}

operation! { PurgeEvents writes -> usize, OperatorError; |self, tables, _now| {
    Ok(drop_over::<Happened, _>(tables, "at", self.limit.into(), self.before).await?)
} }
