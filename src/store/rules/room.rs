//! Room for what is pending and what waits: a new row puts the oldest out, and is never refused.
//!
//! Nobody who has no proof keeps another out in this way, and nothing is counted but rows that share a claim
//! or a crowd, of which there are few.

use super::confirm::{forget, lose_until};
use crate::record::PendingLimits;
use crate::store::entity::{Tables, Versioned};
use crate::store::rows::{RegistrationRow, RequestRow};
use crate::store::tables::{Query, TxError};
use crate::time::UnixTime;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Rows without proof up to which all of them are one crowd, so that their limit is exact.
const EXACT: u32 = 1024;
/// Most rows that one new row puts out, where a limit was lowered.
const AT_ONCE: usize = 16;

/// Crowd of a new row without proof: 1, 16 or 256 of them share the limit, each row in one by chance. Rows of
/// one crowd are counted, never all.
pub(super) struct Crowd {
    name: String,
    most: usize,
}

impl Crowd {
    pub(super) fn draw<T: Tables>(tables: &mut T, limits: PendingLimits) -> Self {
        let [drawn, ..] = tables.draw();
        let (name, crowds) = match limits.total {
            0..=EXACT => (String::from("all"), 1),
            1025..=16_384 => (format!("{:x}", drawn & 15), 16),
            _ => (format!("{drawn:02x}"), 256),
        };
        Self { name, most: share(limits.total.div_ceil(crowds)) }
    }

    pub(super) fn name(&self) -> String {
        self.name.clone()
    }
}

/// A limit as a number of rows, of which the new one is one.
fn share(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX).max(1)
}

/// Makes room for a pending registration: the oldest with the same code, key or ticket, or without proof for
/// the same name, is lost; and the oldest of its crowd is forgotten.
pub(super) async fn for_registration<T: Tables>(
    tables: &mut T,
    new: &RegistrationRow,
    crowd: Option<Crowd>,
    limits: PendingLimits,
    now: UnixTime,
) -> Result<(), TxError> {
    let mut claims: Vec<Query> = Vec::new();
    claims.extend(new.code.map(|code| Query::all().is("code", &code)));
    claims.extend(new.renews.map(|earlier| Query::all().is("renews", &earlier)));
    claims.extend(new.ticket.map(|ticket_id| Query::all().is("ticket", &ticket_id)));
    if crowd.is_some() {
        claims.push(Query::all().is("name", &new.name));
    }
    for claim in claims {
        let mut alike: Vec<Versioned<RegistrationRow>> = tables.select(claim.pending()).await?;
        alike.retain(|row| row.is_open() == new.is_open());
        alike.sort_by_key(|row| (row.confirm_by, row.granted_at));
        let excess = alike.len().saturating_add(1).saturating_sub(share(limits.same));
        for mut row in alike.into_iter().take(excess) {
            make_way(tables, &mut row, now).await?;
        }
    }
    let Some(crowd) = crowd else { return Ok(()) };
    let all = || Query::all().is("crowd", &crowd.name);
    let excess = excess(tables.count::<RegistrationRow>(all()).await?, crowd.most);
    if excess > 0 {
        for mut row in tables.select::<RegistrationRow>(all().earliest("confirm_by").at_most(excess)).await? {
            make_way(tables, &mut row, now).await?;
        }
    }
    Ok(())
}

/// One that was proved is lost, and its token is told as long as it might have been confirmed. Of strangers
/// nothing is kept: any number of them may come.
async fn make_way<T: Tables>(
    tables: &mut T,
    row: &mut Versioned<RegistrationRow>,
    now: UnixTime,
) -> Result<(), TxError> {
    if row.is_open() {
        forget(tables, row).await
    } else {
        let until = row.confirm_by.unwrap_or(now);
        lose_until(tables, row, until, now).await
    }
}

/// Makes room for a waiting request in the same way. One that the operator has answered is in nobody's way, and makes
/// none: strangers who come take away neither an approval nor the word of a refusal. The oldest is the one whose token
/// has not come for longest.
pub(super) async fn for_request<T: Tables>(
    tables: &mut T,
    new: &RequestRow,
    crowd: Option<Crowd>,
    limits: PendingLimits,
) -> Result<(), TxError> {
    let mut alike: Vec<Versioned<RequestRow>> = tables.select(Query::all().is("name", &new.name)).await?;
    alike.retain(|row| row.takes() == new.takes() && row.answer.is_none());
    alike.sort_by_key(|row| (row.hold_until, row.since));
    let too_many = alike.len().saturating_add(1).saturating_sub(share(limits.same));
    for row in alike.into_iter().take(too_many) {
        tables.delete(&row).await?;
    }
    let Some(crowd) = crowd else { return Ok(()) };
    let all = || Query::all().is("crowd", &crowd.name);
    let excess = excess(tables.count::<RequestRow>(all()).await?, crowd.most);
    if excess > 0 {
        for row in tables.select::<RequestRow>(all().earliest("hold_until").at_most(excess)).await? {
            tables.delete(&row).await?;
        }
    }
    Ok(())
}

fn excess(count: u64, most: usize) -> usize {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    count.saturating_add(1).saturating_sub(most).min(AT_ONCE)
}
