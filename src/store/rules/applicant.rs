//! Looking up an applicant.

use super::find::get_by_key;
use crate::id::CodeId;
use crate::port::StoreError;
use crate::record::{Activation, Applicant, ApplicantRecord, ProofId, Takes};
use crate::store::entity::{Tables, Versioned};
use crate::store::operation::{Operation, operation};
use crate::store::rows::{CodeRow, NameRow, RegistrationRow, RequestRow};
use crate::store::tables::{Query, TxError};
use crate::time::UnixTime;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// [`crate::port::EntitlementStore::applicant`].
pub(crate) struct FindApplicant<'a>(pub(crate) &'a Applicant);

operation! { FindApplicant<'_> reads -> ApplicantRecord, StoreError; |self, tables, now| {
    let Applicant { name, proof } = self.0;
    let code: Option<Versioned<CodeRow>> = get_by_key(tables, name).await?;
    let code = code.filter(|code| !code.is_over(now));
    let taken = get_by_key::<NameRow, _>(tables, name).await?.is_some();
    let pending = tables.count::<RegistrationRow>(Query::all().from("confirm_by", now)).await?;
    let waiting = tables.count::<RequestRow>(Query::all().from("hold_until", now)).await?;
    let mut record = ApplicantRecord {
        name_taken: taken || (proof.is_none() && code.is_some()),
        pending_total: u32::try_from(pending.saturating_add(waiting)).unwrap_or(u32::MAX),
        ..ApplicantRecord::default()
    };
    let same = match proof {
        None => {
            let rivals = tables.select::<RegistrationRow>(Query::all().is("name", name).from("confirm_by", now)).await?;
            rivals.iter().filter(|row| row.is_open()).count()
        }
        Some(ProofId::Activation) => {
            // Without a code the store is asked as often, so that the time does not show who is
            // invited.
            let id = code.as_ref().map_or_else(|| CodeId(tables.draw()), |code| code.id);
            record.activation = code.map(|code| Activation { id, secret: code.row.secret });
            let rivals = tables.select::<RegistrationRow>(Query::all().is("code", &id).from("confirm_by", now)).await?;
            rivals.len().saturating_add(waits(tables, self.0, Takes::Code(id), now).await?)
        }
        Some(ProofId::Renewal(key_id)) => {
            record.earlier = get_by_key::<RegistrationRow, _>(tables, key_id).await?.map(|row| Box::new(row.row.registered()));
            let rivals = tables.select::<RegistrationRow>(Query::all().is("renews", key_id).from("confirm_by", now)).await?;
            rivals.len().saturating_add(waits(tables, self.0, Takes::Place(*key_id), now).await?)
        }
        Some(ProofId::Ticket(ticket_id)) => {
            let waiter: Option<Versioned<RequestRow>> = get_by_key(tables, ticket_id).await?;
            if let Some(waiter) = waiter.filter(|waiter| now <= waiter.hold_until) {
                if let Some(earlier) = &waiter.renews {
                    record.earlier = get_by_key::<RegistrationRow, _>(tables, earlier).await?.map(|row| Box::new(row.row.registered()));
                }
                record.waiting = Some(Box::new(waiter.row.application()));
            }
            tables.select::<RegistrationRow>(Query::all().is("ticket", ticket_id).from("confirm_by", now)).await?.len()
        }
    };
    record.pending_same = u32::try_from(same).unwrap_or(u32::MAX);
    Ok(record)
} }

/// Counts the requests for the name that wait with this proof.
async fn waits<T: Tables>(
    tables: &mut T,
    applicant: &Applicant,
    takes: Takes,
    now: UnixTime,
) -> Result<usize, TxError> {
    let query = Query::all().is("name", &applicant.name).from("hold_until", now);
    let waiters: Vec<Versioned<RequestRow>> = tables.select(query).await?;
    Ok(waiters.iter().filter(|waiter| waiter.takes() == Some(takes)).count())
}
