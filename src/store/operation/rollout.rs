//! How far a configuration has come.

use super::{Cursor, Operation, OperatorError, Page, operation};
use crate::id::{ApplicationName, KeyId, UserId, UserName};
use crate::message::ConfigurationSerial;
use crate::port::entitlement_store::ReportResult;
use crate::store::entity::{Query, Tables, Trouble};
use crate::store::rows::{Row, State};
use crate::store::rules::{current, reported};
use crate::time::UnixTime;

/// Lists, by key id, the active registrations that are or were entitled to something in an application,
/// and how far each has come with it, also those that have never reported.
///
/// A page is made of as many active registrations as its limit says, and is the shorter the more of
/// them are entitled to nothing there; the list goes on as long as there is a cursor.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// In which application.
    pub application: ApplicationName,
    /// From where on.
    pub after: Option<Cursor>,
    /// At most so many: see [`Page`].
    pub limit: Option<u16>,
}

/// What a registration has applied of what it is entitled to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RolloutEntry {
    /// The key.
    pub key_id: KeyId,
    /// Whose it is.
    pub user_id: UserId,
    /// Under which name.
    pub name: UserName,
    /// The serial of what the user is entitled to now; the document may be none.
    pub current: ConfigurationSerial,
    /// The highest serial applied.
    pub applied: Option<ConfigurationSerial>,
    /// What became of the configuration last reported on, and when that was reported; `None` before
    /// the first report.
    pub reported: Option<(ReportResult, UnixTime)>,
    /// When the key was last proved in a session.
    pub last_seen: Option<UnixTime>,
}

impl RolloutEntry {
    /// Whether what the user is entitled to now is still to be applied.
    pub fn is_outdated(&self) -> bool {
        self.applied.is_none_or(|applied| applied < self.current)
    }
}

operation! { Rollout reads -> Page<RolloutEntry>, OperatorError; |self, tables, _now| {
    let query = Query::all().is("state", &State::Active);
    let page = Page::read(tables, query, self.after.as_ref(), self.limit, |row: Row| row).await?;
    let (mut page, rows) = page.emptied();
    for row in rows {
        page.take(Cursor::of(&row), entry(tables, row, &self.application).await)?;
    }
    Ok(page)
} }

async fn entry<T: Tables>(
    tables: &mut T,
    row: Row,
    application: &ApplicationName,
) -> Result<Option<RolloutEntry>, Trouble> {
    let reported = reported(tables, &row.key_id, application).await?;
    let current = match current(tables, &row.user_id, &row.access_path, application).await? {
        Some((serial, entitled)) if entitled.is_some() || reported.is_some() => serial,
        _ => return Ok(None),
    };
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
