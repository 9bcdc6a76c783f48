//! The list of requests that wait for the operator.

use super::list::{List, ListFilter};
use crate::id::{TicketId, UserName};
use crate::record::{RequestAnswer, Takes};
use crate::store::entity::Tables;
use crate::store::rows::RequestRow;
use crate::store::tables::{Query, TxError};
use crate::template::Form;
use crate::time::UnixTime;

/// Lists the enrolment requests that wait, by ticket id.
pub type ListRequests = List<RequestFilter>;

/// Filter of [`ListRequests`].
#[derive(Clone, Debug, Default)]
pub struct RequestFilter {
    /// Name that was asked for.
    pub name: Option<UserName>,
    /// True to leave out those that the operator has answered.
    pub undecided: bool,
}

/// A request that waits for the operator, without its ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestEntry {
    /// ID of the ticket with which it began to wait: it stays, where the token comes again and gets other tickets.
    pub ticket_id: TicketId,
    /// User name.
    pub name: UserName,
    /// Form.
    pub form: Form,
    /// Claim of the request's proof.
    pub takes: Option<Takes>,
    /// Time since when it waits.
    pub since: UnixTime,
    /// Time after which it is removed, unless its token comes before.
    pub hold_until: UnixTime,
    /// The operator's answer, which its token has not fetched.
    pub answer: Option<RequestAnswer>,
}

impl From<RequestRow> for RequestEntry {
    fn from(row: RequestRow) -> Self {
        Self {
            takes: row.takes(),
            ticket_id: row.first.unwrap_or(row.ticket_id),
            name: row.name,
            form: row.content.form,
            since: row.since,
            hold_until: row.hold_until,
            answer: row.answer,
        }
    }
}

impl ListFilter for RequestFilter {
    type Entry = RequestEntry;
    type Row = RequestRow;
    type Context = ();

    fn query(&self, now: UnixTime) -> Query {
        let query = Query::all().from("hold_until", now);
        match &self.name {
            Some(name) => query.is("name", name),
            None => query,
        }
    }

    async fn context<T: Tables>(_: &mut T) -> Result<(), TxError> {
        Ok(())
    }

    async fn entry<T: Tables>(
        &self,
        _: &mut T,
        (): &(),
        row: RequestRow,
    ) -> Result<Option<RequestEntry>, TxError> {
        let left_out = self.undecided && row.answer.is_some();
        Ok((!left_out).then(|| row.into()))
    }
}
