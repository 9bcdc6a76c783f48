//! The operator's answer to requests that wait.

use super::{Operation, OperatorError, operation};
use crate::id::TicketId;
use crate::record::{RejectionCause, RejectionCode, RequestAnswer};
use crate::store::entity::{Tables, Versioned};
use crate::store::event::{AuditEvent, AuditEventKind};
use crate::store::rows::{RegistrationRow, RequestRow};
use crate::store::rules::{get_by_key, lose};
use crate::store::tables::{Query, TxError};
use crate::time::UnixTime;

/// Answers a request that waits. Its token learns the answer when it comes with its ticket.
///
/// An approval is told to the one who decides on requests, as
/// [`EnrolmentRequest::approved`](crate::registration::server::EnrolmentRequest::approved); a refusal is applied
/// before, and uses the ticket up. Until its token has fetched it, an answer may be replaced by another, and is kept as
/// long as the request: each time that the token comes and is told to wait, it is held for as long again. What was
/// granted to a request that is refused now, and is not confirmed yet, is lost.
///
/// Fails with [`OperatorError::NoSuchTicket`], also where the request has led to a registration.
///
/// ```
/// use halfkey::record::{RejectionCode, RequestAnswer};
/// use halfkey::store::operation::{DecideRequest, ListRequests};
/// # use halfkey::memory::Store;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, now) = (Store::new(), halfkey::UnixTime::now());
/// for entry in store.run(&ListRequests::default(), now)?.entries {
///     let known = entry.name.as_str().ends_with("@example.com");
///     let refused = RequestAnswer::Refused(RejectionCode::Declined);
///     let answer = if known { RequestAnswer::Approved } else { refused };
///     store.run(&DecideRequest { ticket_id: entry.ticket_id, answer }, now)?;
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DecideRequest {
    /// Ticket ID: that of the list, or that of the ticket which the token has now.
    pub ticket_id: TicketId,
    /// Answer.
    pub answer: RequestAnswer,
}

operation! { DecideRequest writes -> (), OperatorError; |self, tables, now| {
    let waiter = find(tables, &self.ticket_id).await?.filter(|waiter| now <= waiter.hold_until);
    let mut waiter = waiter.ok_or(TxError::Error(OperatorError::NoSuchTicket))?;
    if waiter.answer == Some(self.answer) {
        return Ok(());
    }
    // Who has an answer belongs to no crowd of strangers any more.
    (waiter.answer, waiter.crowd) = (Some(self.answer), None);
    tables.update(&mut waiter).await?;
    let event = match self.answer {
        RequestAnswer::Approved => AuditEvent::named(AuditEventKind::RequestApproved, &waiter.name),
        RequestAnswer::Refused(code) => {
            let granted = Query::all().is("ticket", &waiter.ticket_id).pending();
            for mut granted in tables.select::<RegistrationRow>(granted).await? {
                lose(tables, &mut granted, now).await?;
            }
            let named = AuditEvent::named(AuditEventKind::RequestRefused, &waiter.name);
            AuditEvent { cause: cause(code), ..named }
        }
    };
    Ok(event.log(tables, now).await?)
} }

/// Finds a request by its ticket, or by the one with which it began to wait.
async fn find<T: Tables>(
    tables: &mut T,
    ticket_id: &TicketId,
) -> Result<Option<Versioned<RequestRow>>, TxError> {
    if let Some(waiter) = get_by_key(tables, ticket_id).await? {
        return Ok(Some(waiter));
    }
    Ok(tables.select(Query::all().is("first", ticket_id).at_most(1)).await?.pop())
}

/// Returns the cause that a code stands for in the log.
const fn cause(code: RejectionCode) -> Option<RejectionCause> {
    match code {
        RejectionCode::Unspecified => None,
        RejectionCode::Form => Some(RejectionCause::Form),
        RejectionCode::NameTaken => Some(RejectionCause::NameTaken),
        RejectionCode::Declined => Some(RejectionCause::Declined),
        RejectionCode::ProofNeeded => Some(RejectionCause::ProofNeeded),
        RejectionCode::TooMany => Some(RejectionCause::TooMany),
        RejectionCode::NotRenewable => Some(RejectionCause::NotRenewable),
    }
}
