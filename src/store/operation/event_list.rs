//! The list of the log's entries.

use super::list::{List, list};
use crate::id::{KeyId, UserName};
use crate::store::event::{AuditEvent, AuditEventKind};
use crate::store::rows::EventRow;
use crate::store::tables::Query;
use crate::time::UnixTime;

/// Lists the log, oldest first unless told otherwise.
pub type ListEvents = List<EventFilter>;

/// Filter of [`ListEvents`], and the order of the list: all conditions that are given hold.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Kind of event.
    pub kind: Option<AuditEventKind>,
    /// Key ID.
    pub key_id: Option<KeyId>,
    /// User name.
    pub name: Option<UserName>,
    /// Earliest time.
    pub since: Option<UnixTime>,
    /// Latest time.
    pub until: Option<UnixTime>,
    /// True for a list from the newest entry to the oldest.
    pub newest_first: bool,
}

list! { EventFilter, EventRow => AuditEvent; |self, _now| {
    let mut query = Query { backwards: self.newest_first, ..Query::all() };
    if let Some(kind) = &self.kind {
        query = query.is("kind", kind);
    }
    if let Some(key_id) = &self.key_id {
        query = query.is("key_id", key_id);
    }
    if let Some(name) = &self.name {
        query = query.is("name", name);
    }
    if let Some(time) = self.since {
        query = query.from("at", time);
    }
    if let Some(time) = self.until {
        query = query.until("at", time);
    }
    query
} }
