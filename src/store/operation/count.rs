//! Numbers of everything that a store holds.

use super::{Operation, OperatorError, operation};
use crate::id::ServerName;
use crate::store::UniqueNames;
use crate::store::entity::{Entity, Tables};
use crate::store::rows::{
    CodeRow, EntitlementRow, EventRow, MembershipRow, NameRow, RegistrationRow, RegistrationState,
    RequestRow, SchemaRow,
};
use crate::store::rules::{get_by_key, last_serial};
use crate::store::tables::{Query, TxError};
use crate::time::UnixTime;
use alloc::string::String;

/// Counts the rows of the store, expired or not. It reads every row once, and opens none.
#[derive(Clone, Copy, Debug)]
pub struct Count;

/// Answer of [`Count`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counted {
    /// Rule for holding a user name.
    pub unique_names: UniqueNames,
    /// Epoch of serials.
    pub epoch: u32,
    /// Registrations that their tokens have not confirmed.
    pub pending: u64,
    /// Active registrations.
    pub active: u64,
    /// Lost registrations.
    pub lost: u64,
    /// Superseded registrations.
    pub superseded: u64,
    /// Suspended registrations.
    pub suspended: u64,
    /// Revoked registrations.
    pub revoked: u64,
    /// Names taken.
    pub names: u64,
    /// Requests that wait for the operator, or with an answer for their tokens.
    pub waiting: u64,
    /// Activation codes that have not been used.
    pub codes: u64,
    /// Entitlements of all kinds of subjects, revoked ones among them.
    pub entitlements: u64,
    /// Memberships of users in groups.
    pub memberships: u64,
    /// Entries of the log.
    pub events: u64,
    /// Name of the server that the store belongs to, if [`super::SetServerName`] has written it down.
    pub server_name: Option<ServerName>,
    /// ID of the storage key that seals rows.
    pub sealing: Option<String>,
    /// ID of a storage key that is to seal rows later, and since when it is announced ([`super::AnnounceKey`]).
    pub announced: Option<(String, UnixTime)>,
}

operation! { Count reads -> Counted, OperatorError; |self, tables, _now| {
    let schema = get_by_key::<SchemaRow, _>(tables, &SchemaRow::ID).await?.map(|schema| schema.row);
    let (sealing, announced, server_name) = schema.map_or((None, None, None), |schema| {
        (schema.sealing, schema.announced.zip(schema.announced_at), schema.server_name)
    });
    Ok(Counted {
        server_name,
        sealing,
        announced,
        unique_names: tables.unique(),
        epoch: last_serial(tables).await?.epoch,
        pending: registrations(tables, RegistrationState::Pending).await?,
        active: registrations(tables, RegistrationState::Active).await?,
        lost: registrations(tables, RegistrationState::Lost).await?,
        superseded: registrations(tables, RegistrationState::Superseded).await?,
        suspended: registrations(tables, RegistrationState::Suspended).await?,
        revoked: registrations(tables, RegistrationState::Revoked).await?,
        names: all::<NameRow, _>(tables).await?,
        waiting: all::<RequestRow, _>(tables).await?,
        codes: all::<CodeRow, _>(tables).await?,
        entitlements: all::<EntitlementRow, _>(tables).await?,
        memberships: all::<MembershipRow, _>(tables).await?,
        events: all::<EventRow, _>(tables).await?,
    })
} }

async fn registrations<T: Tables>(tables: &mut T, state: RegistrationState) -> Result<u64, TxError> {
    tables.count::<RegistrationRow>(Query::all().is("state", &state)).await
}

async fn all<E: Entity, T: Tables>(tables: &mut T) -> Result<u64, TxError> {
    tables.count::<E>(Query::all()).await
}
