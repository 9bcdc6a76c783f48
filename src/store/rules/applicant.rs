//! Looking up an applicant.

use super::find::get_by_key;
use crate::id::KeyId;
use crate::port::StoreError;
use crate::record::{Activation, Applicant, ApplicantRecord, ProofId, ServerRegistration};
use crate::store::entity::{Tables, Versioned};
use crate::store::operation::{Operation, operation};
use crate::store::rows::{CodeRow, NameRow, RegistrationRow, RequestRow};
use crate::store::tables::TxError;
use crate::time::UnixTime;
use alloc::boxed::Box;

/// [`crate::port::EntitlementStore::applicant`].
pub(crate) struct FindApplicant<'a>(pub(crate) &'a Applicant);

operation! { FindApplicant<'_> reads -> ApplicantRecord, StoreError; |self, tables, now| {
    let Applicant { name, proof } = self.0;
    let code: Option<Versioned<CodeRow>> = get_by_key(tables, name).await?;
    let (code, expired) = match code {
        Some(code) if code.is_over(now) => (None, Some(code)),
        code => (code, None),
    };
    let taken = get_by_key::<NameRow, _>(tables, name).await?.is_some();
    let mut record = ApplicantRecord {
        name_taken: taken || (proof.is_none() && code.is_some()),
        ..ApplicantRecord::default()
    };
    match proof {
        None => {}
        Some(ProofId::Activation) => {
            let activation = |code: Versioned<CodeRow>| Activation { id: code.id, secret: code.row.secret };
            (record.activation, record.expired) = (code.map(activation), expired.map(activation));
        }
        Some(ProofId::Renewal(key_id)) => record.earlier = earlier(tables, key_id).await?,
        Some(ProofId::Ticket(ticket_id)) => {
            let waiter: Option<Versioned<RequestRow>> = get_by_key(tables, ticket_id).await?;
            if let Some(waiter) = waiter.filter(|waiter| now <= waiter.hold_until) {
                if let Some(key_id) = &waiter.renews {
                    record.earlier = earlier(tables, key_id).await?;
                }
                record.answer = waiter.answer;
                record.waiting = Some(Box::new(waiter.row.application()));
            }
        }
    }
    Ok(record)
} }

async fn earlier<T: Tables>(
    tables: &mut T,
    key_id: &KeyId,
) -> Result<Option<Box<ServerRegistration>>, TxError> {
    let row: Option<Versioned<RegistrationRow>> = get_by_key(tables, key_id).await?;
    Ok(row.map(|row| Box::new(row.row.registered())))
}
