//! The list of requests that wait for the operator.

use super::list::{List, list};
use crate::id::{TicketId, UserName};
use crate::record::Takes;
use crate::store::rows::RequestRow;
use crate::store::tables::Query;
use crate::template::Form;
use crate::time::UnixTime;

/// Lists the enrolment requests that wait, by ticket id.
pub type ListRequests = List<RequestFilter>;

/// Filter of [`ListRequests`].
#[derive(Clone, Debug, Default)]
pub struct RequestFilter {
    /// Name that was asked for.
    pub name: Option<UserName>,
}

/// A request that waits for the operator, without its ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestEntry {
    /// Ticket ID.
    pub ticket_id: TicketId,
    /// User name.
    pub name: UserName,
    /// Form.
    pub form: Form,
    /// Claim of the request's proof.
    pub takes: Option<Takes>,
    /// Time since which it waits.
    pub since: UnixTime,
    /// Time after which it is removed.
    pub hold_until: UnixTime,
}

impl From<RequestRow> for RequestEntry {
    fn from(row: RequestRow) -> Self {
        Self {
            takes: row.takes(),
            ticket_id: row.ticket_id,
            name: row.name,
            form: row.content.form,
            since: row.since,
            hold_until: row.hold_until,
        }
    }
}

list! { RequestFilter, RequestRow => RequestEntry; |self, now| {
    let query = Query::all().from("hold_until", now);
    match &self.name {
        Some(name) => query.is("name", name),
        None => query,
    }
} }
