//! Reports of keys on configurations.

use super::list::{List, ListFilter};
use crate::id::{ApplicationName, KeyId, UserId, UserName};
use crate::message::ConfigurationSerial;
use crate::port::entitlement_store::ReportResult;
use crate::store::entity::{Tables, Versioned};
use crate::store::rows::{RegistrationRow, ReportRow};
use crate::store::rules::{get_by_key, standing};
use crate::store::tables::{Query, TxError};
use crate::time::UnixTime;

/// Filter of [`ListReports`]: all conditions that are given hold.
#[derive(Clone, Debug, Default)]
pub struct ReportFilter {
    /// Key ID.
    pub key_id: Option<KeyId>,
    /// Application.
    pub application: Option<ApplicationName>,
    /// Result.
    pub result: Option<ReportResult>,
}

/// Lists the last report of each key on each application, by key id and application.
pub type ListReports = List<ReportFilter>;

/// The last report of a key on an application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportEntry {
    /// Key ID.
    pub key_id: KeyId,
    /// User ID of the registration.
    pub user_id: Option<UserId>,
    /// User name of the registration.
    pub name: Option<UserName>,
    /// Application.
    pub application: ApplicationName,
    /// Serial of the configuration that was reported on.
    pub serial: ConfigurationSerial,
    /// Result.
    pub result: ReportResult,
    /// Highest serial that was applied.
    pub applied: Option<ConfigurationSerial>,
    /// Serial of the user's entitlement now, as in [`RolloutEntry`](super::RolloutEntry).
    pub current: Option<ConfigurationSerial>,
    /// Time of the report.
    pub at: UnixTime,
}

impl ListFilter for ReportFilter {
    type Entry = ReportEntry;
    type Row = ReportRow;
    type Context = ();

    fn query(&self, _: UnixTime) -> Query {
        let mut query = Query::all();
        if let Some(key_id) = &self.key_id {
            query = query.is("key_id", key_id);
        }
        if let Some(application) = &self.application {
            query = query.is("application", application);
        }
        if let Some(result) = &self.result {
            query = query.is("result", result);
        }
        query
    }

    async fn context<T: Tables>(_: &mut T) -> Result<(), TxError> {
        Ok(())
    }

    async fn entry<T: Tables>(
        &self,
        tables: &mut T,
        (): &(),
        row: ReportRow,
    ) -> Result<Option<ReportEntry>, TxError> {
        entry(tables, row).await.map(Some)
    }
}

async fn entry<T: Tables>(tables: &mut T, reported: ReportRow) -> Result<ReportEntry, TxError> {
    let mut entry = ReportEntry {
        applied: reported.applied(),
        current: None,
        key_id: reported.key_id,
        user_id: None,
        name: None,
        application: reported.application,
        serial: ConfigurationSerial { epoch: reported.epoch, number: reported.number },
        result: reported.result,
        at: reported.at,
    };
    if let Some(Versioned { row, .. }) = get_by_key::<RegistrationRow, _>(tables, &entry.key_id).await? {
        if let Some(standing) = standing(tables, &row, &entry.application).await? {
            entry.current = Some(standing.current(tables).await?);
        }
        (entry.user_id, entry.name) = (Some(row.user_id), Some(row.name));
    }
    Ok(entry)
}
