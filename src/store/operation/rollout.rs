//! Progress of a configuration.

use super::list::{List, ListFilter};
use crate::id::{ApplicationName, KeyId, UserId, UserName};
use crate::message::ConfigurationSerial;
use crate::port::entitlement_store::ReportResult;
use crate::store::entity::Tables;
use crate::store::rows::{RegistrationRow, RegistrationState};
use crate::store::rules::{reported, standing};
use crate::store::tables::{Query, TxError};
use crate::time::UnixTime;

/// Lists the active registrations that are or were entitled to a document for an application, by key
/// ID, and the progress of each, also of those that have never reported.
///
/// A page looks at as many active registrations as its limit says, and leaves out those that are not
/// entitled: the list goes on as long as there is a cursor.
pub type ListRollout = List<RolloutFilter>;

/// Filter of [`ListRollout`].
#[derive(Clone, Debug)]
pub struct RolloutFilter {
    /// Application.
    pub application: ApplicationName,
}

/// Progress of a registration with its entitlement.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RolloutEntry {
    /// Key ID.
    pub key_id: KeyId,
    /// User ID.
    pub user_id: UserId,
    /// User name.
    pub name: UserName,
    /// Serial of the user's entitlement now, which may be a revocation; the next serial where it gets its
    /// own only when the token asks. Of entitlements under conditions, that is one for the place where the
    /// token last was, as far as is known.
    pub current: ConfigurationSerial,
    /// Highest serial that was applied.
    pub applied: Option<ConfigurationSerial>,
    /// Result and time of the last report; `None` before the first.
    pub reported: Option<(ReportResult, UnixTime)>,
    /// Time at which the key was last proved in a session.
    pub last_seen: Option<UnixTime>,
}

impl RolloutEntry {
    /// Tells whether the user's entitlement is still to be applied.
    pub fn is_outdated(&self) -> bool {
        self.applied.is_none_or(|applied| applied < self.current)
    }
}

impl ListFilter for RolloutFilter {
    type Entry = RolloutEntry;
    type Row = RegistrationRow;
    type Context = ();

    fn query(&self, _: UnixTime) -> Query {
        Query::all().is("state", &RegistrationState::Active)
    }

    async fn context<T: Tables>(_: &mut T) -> Result<(), TxError> {
        Ok(())
    }

    async fn entry<T: Tables>(
        &self,
        tables: &mut T,
        (): &(),
        row: RegistrationRow,
    ) -> Result<Option<RolloutEntry>, TxError> {
        entry(tables, row, &self.application).await
    }
}

async fn entry<T: Tables>(
    tables: &mut T,
    row: RegistrationRow,
    application: &ApplicationName,
) -> Result<Option<RolloutEntry>, TxError> {
    let reported = reported(tables, &row.key_id, application).await?;
    let standing = standing(tables, &row, application).await?;
    let known = standing
        .filter(|standing| standing.entitled.is_some() || standing.given.is_some() || reported.is_some());
    let Some(standing) = known else { return Ok(None) };
    let current = standing.current(tables).await?;
    Ok(Some(RolloutEntry {
        key_id: row.key_id,
        user_id: row.user_id,
        name: row.name,
        current,
        applied: reported.as_ref().and_then(|reported| reported.applied()),
        reported: reported.map(|reported| (reported.result, reported.at)),
        last_seen: row.last_seen,
    }))
}
