//! How much there is of everything.

use super::{Operation, OperatorError, operation};
use crate::store::UniqueNames;
use crate::store::entity::{Entity, Query, Tables, Trouble};
use crate::store::rows::{Code, Entitled, Happened, Member, Row, State, Taken, Waiter};
use crate::store::rules::counter;
use crate::time::UnixTime;

/// Counts what the store holds, expired or not. It looks at every row once, and opens none.
#[derive(Clone, Copy, Debug)]
pub struct Count;

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counted {
    /// Whose name a name is.
    pub unique_names: UniqueNames,
    /// The epoch of serials.
    pub epoch: u32,
    /// Registrations that their tokens have not confirmed.
    pub pending: u64,
    /// Active registrations.
    pub active: u64,
    /// Lost ones.
    pub lost: u64,
    /// Superseded ones.
    pub superseded: u64,
    /// Suspended ones.
    pub suspended: u64,
    /// Revoked ones.
    pub revoked: u64,
    /// Names taken.
    pub names: u64,
    /// Applications that wait for the operator.
    pub waiting: u64,
    /// Activation codes that have not been used.
    pub codes: u64,
    /// Entitlements, of whatever subjects, revoked ones among them.
    pub entitlements: u64,
    /// Memberships of users in groups.
    pub memberships: u64,
    /// Entries of the log.
    pub events: u64,
}

operation! { Count reads -> Counted, OperatorError; |self, tables, _now| {
    Ok(Counted {
        unique_names: tables.unique(),
        epoch: counter(tables).await?.map_or(0, |counter| counter.epoch),
        pending: registrations(tables, State::Pending).await?,
        active: registrations(tables, State::Active).await?,
        lost: registrations(tables, State::Lost).await?,
        superseded: registrations(tables, State::Superseded).await?,
        suspended: registrations(tables, State::Suspended).await?,
        revoked: registrations(tables, State::Revoked).await?,
        names: all::<Taken, _>(tables).await?,
        waiting: all::<Waiter, _>(tables).await?,
        codes: all::<Code, _>(tables).await?,
        entitlements: all::<Entitled, _>(tables).await?,
        memberships: all::<Member, _>(tables).await?,
        events: all::<Happened, _>(tables).await?,
    })
} }

async fn registrations<T: Tables>(tables: &mut T, state: State) -> Result<u64, Trouble> {
    tables.count::<Row>(Query::all().is("state", &state)).await
}

async fn all<E: Entity, T: Tables>(tables: &mut T) -> Result<u64, Trouble> {
    tables.count::<E>(Query::all()).await
}
