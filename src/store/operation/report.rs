//! Who has applied which configuration.

use super::{Cursor, Operation, OperatorError, Page, operation};
use crate::id::{ApplicationName, KeyId, UserId, UserName};
use crate::message::ConfigurationSerial;
use crate::port::entitlement_store::ReportResult;
use crate::store::entity::{Held, Query, Tables, Trouble};
use crate::store::rows::{Reported, Row};
use crate::store::rules::{by, current};
use crate::time::UnixTime;

/// Which reports are wanted: those of which all that is given holds.
#[derive(Clone, Debug, Default)]
pub struct ReportFilter {
    /// Of this key.
    pub key_id: Option<KeyId>,
    /// On this application.
    pub application: Option<ApplicationName>,
    /// With this result.
    pub result: Option<ReportResult>,
}

/// Lists the last report of each key on each application, by key id and application.
#[derive(Clone, Debug, Default)]
pub struct Reports {
    /// Which.
    pub filter: ReportFilter,
    /// From where on.
    pub after: Option<Cursor>,
    /// At most so many: see [`Page`].
    pub limit: Option<u16>,
}

/// The last report of a key on an application.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReportEntry {
    /// The key.
    pub key_id: KeyId,
    /// Whose it is.
    pub user_id: Option<UserId>,
    /// Under which name.
    pub name: Option<UserName>,
    /// The application.
    pub application: ApplicationName,
    /// The configuration reported on.
    pub serial: ConfigurationSerial,
    /// What became of it.
    pub result: ReportResult,
    /// The highest serial applied.
    pub applied: Option<ConfigurationSerial>,
    /// The serial of what its user is entitled to now.
    pub current: Option<ConfigurationSerial>,
    /// When it was reported.
    pub at: UnixTime,
}

operation! { Reports reads -> Page<ReportEntry>, OperatorError; |self, tables, _now| {
    let mut query = Query::all();
    if let Some(key_id) = &self.filter.key_id {
        query = query.is("key_id", key_id);
    }
    if let Some(application) = &self.filter.application {
        query = query.is("application", application);
    }
    if let Some(result) = &self.filter.result {
        query = query.is("result", result);
    }
    let page = Page::read(tables, query, self.after.as_ref(), self.limit, |row: Reported| row).await?;
    let (mut page, rows) = page.emptied();
    for row in rows {
        page.take(Cursor::of(&row), entry(tables, row).await.map(Some))?;
    }
    Ok(page)
} }

async fn entry<T: Tables>(tables: &mut T, reported: Reported) -> Result<ReportEntry, Trouble> {
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
    if let Some(Held { row, .. }) = by::<Row, _>(tables, &entry.key_id).await? {
        let current = current(tables, &row.user_id, &row.access_path, &entry.application).await?;
        entry.current = current.map(|(serial, _)| serial);
        (entry.user_id, entry.name) = (Some(row.user_id), Some(row.name));
    }
    Ok(entry)
}
