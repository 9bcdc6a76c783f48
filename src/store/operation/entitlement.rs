//! Entitlements: setting, revoking, numbering, listing.

use super::list::{List, ListFilter};
use super::{Operation, OperatorError, operation};
use crate::configuration::{ServerConfigurationError, check};
use crate::id::{ApplicationName, UserId};
use crate::message::ConfigurationSerial;
use crate::port::entitlement_store::Document;
use crate::store::Subject;
use crate::store::entity::{Tables, Versioned};
use crate::store::event::{AuditEvent, AuditEventKind};
use crate::store::rows::EntitlementRow;
use crate::store::rules::{counter, moved, next_epoch, next_number, upsert};
use crate::store::tables::{Query, TxError};
use crate::time::UnixTime;
use alloc::string::{String, ToString};

/// Entitles a subject to a document. Returns the entitlement's serial, the next one.
///
/// Fails with [`OperatorError::MediaType`] or [`OperatorError::DocumentTooLong`].
#[derive(Clone, Debug)]
pub struct Entitle {
    /// Subject.
    pub subject: Subject,
    /// Application.
    pub application: ApplicationName,
    /// Document.
    pub document: Document,
    /// Seconds for which the document may be used after each delivery; `None` for no end.
    pub valid_for: Option<u32>,
}

operation! { Entitle writes -> ConfigurationSerial, OperatorError; |self, tables, now| {
    check(&self.document).map_err(|error| match error {
        ServerConfigurationError::BodyTooLong(_) => OperatorError::DocumentTooLong,
        _ => OperatorError::MediaType,
    })?;
    let Document { media_type, body } = &self.document;
    set(tables, EntitlementRow {
        subject: self.subject.clone(),
        application: self.application.clone(),
        number: 0,
        valid_for: self.valid_for,
        media_type: Some(media_type.clone()),
        body: Some(body.clone()),
        set_at: now,
    }).await
} }

/// Revokes a subject's entitlement, also before there is one. Returns the revocation's serial, the next
/// one. A user's own revocation counts before the entitlements of the user's groups and access path,
/// until [`ClearUserEntitlement`].
#[derive(Clone, Debug)]
pub struct RevokeEntitlement {
    /// Subject.
    pub subject: Subject,
    /// Application.
    pub application: ApplicationName,
}

operation! { RevokeEntitlement writes -> ConfigurationSerial, OperatorError; |self, tables, now| {
    set(tables, EntitlementRow {
        subject: self.subject.clone(),
        application: self.application.clone(),
        number: 0,
        valid_for: None,
        media_type: None,
        body: None,
        set_at: now,
    }).await
} }

/// Removes a user's own entitlement or revocation. The entitlements of the user's groups and access
/// path count again, under a new serial; where there are none, the user is entitled to nothing.
///
/// Fails with [`OperatorError::NoSuchEntitlement`] where the user has none of its own.
#[derive(Clone, Debug)]
pub struct ClearUserEntitlement {
    /// User.
    pub user_id: UserId,
    /// Application.
    pub application: ApplicationName,
}

operation! { ClearUserEntitlement writes -> (), OperatorError; |self, tables, now| {
    let subject = Subject::User(self.user_id.clone());
    let own = find(tables, &subject, &self.application).await?;
    tables.delete(&own.ok_or(TxError::Error(OperatorError::NoSuchEntitlement))?).await?;
    moved(tables, &self.user_id).await?;
    let (subject, application) = (Some(subject), Some(self.application.clone()));
    let event = AuditEvent { subject, application, ..AuditEvent::new(AuditEventKind::EntitlementCleared) };
    Ok(event.log(tables, now).await?)
} }

async fn set<T: Tables>(
    tables: &mut T,
    entitled: EntitlementRow,
) -> Result<ConfigurationSerial, TxError<OperatorError>> {
    let (now, serial) = (entitled.set_at, next_number(tables).await?);
    let ended = entitled.media_type.is_none();
    let row = EntitlementRow { number: serial.number, ..entitled };
    let event = AuditEvent {
        subject: Some(row.subject.clone()),
        application: Some(row.application.clone()),
        serial: Some(serial),
        ..AuditEvent::new(if ended { AuditEventKind::EntitlementRevoked } else { AuditEventKind::Entitled })
    };
    let before = find(tables, &row.subject, &row.application).await?;
    upsert(tables, before, row).await?;
    event.log(tables, now).await?;
    Ok(serial)
}

async fn find<T: Tables>(
    tables: &mut T,
    subject: &Subject,
    application: &ApplicationName,
) -> Result<Option<Versioned<EntitlementRow>>, TxError> {
    tables.get([subject.to_string(), application.to_string()].into()).await
}

/// Begins a new epoch of serials, which all entitlements are in, and returns it. Run it after restoring
/// a backup; without it, tokens refuse as rolled back whatever is older than what they hold.
#[derive(Clone, Copy, Debug)]
pub struct RaiseEpoch;

operation! { RaiseEpoch writes -> u32, OperatorError; |self, tables, now| {
    let epoch = next_epoch(tables).await?;
    AuditEvent::new(AuditEventKind::EpochRaised).log(tables, now).await?;
    Ok(epoch)
} }

/// Reads a subject's own document for an application; `None` where its entitlement was revoked.
///
/// Fails with [`OperatorError::NoSuchEntitlement`].
#[derive(Clone, Debug)]
pub struct ReadEntitlement {
    /// Subject.
    pub subject: Subject,
    /// Application.
    pub application: ApplicationName,
}

operation! { ReadEntitlement reads -> Option<Document>, OperatorError; |self, tables, _now| {
    let entitled = find(tables, &self.subject, &self.application).await?;
    let entitled = entitled.ok_or(TxError::Error(OperatorError::NoSuchEntitlement))?;
    Ok(entitled.row.document())
} }

/// Filter of [`ListEntitlements`]: all conditions that are given hold.
#[derive(Clone, Debug, Default)]
pub struct EntitlementFilter {
    /// Subject.
    pub subject: Option<Subject>,
    /// Application.
    pub application: Option<ApplicationName>,
}

/// Lists entitlements, by subject and application.
pub type ListEntitlements = List<EntitlementFilter>;

/// An entitlement, without its document's body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntitlementEntry {
    /// Subject.
    pub subject: Subject,
    /// Application.
    pub application: ApplicationName,
    /// Serial.
    pub serial: ConfigurationSerial,
    /// Seconds for which the document may be used after each delivery.
    pub valid_for: Option<u32>,
    /// Media type of the document, and length of its body in bytes; `None` where the entitlement was
    /// revoked.
    pub document: Option<(String, usize)>,
    /// Time at which it was set.
    pub set_at: UnixTime,
}

impl ListFilter for EntitlementFilter {
    type Entry = EntitlementEntry;
    type Row = EntitlementRow;
    /// Epoch of serials.
    type Context = u32;

    fn query(&self, _: UnixTime) -> Query {
        let mut query = Query::all();
        if let Some(subject) = &self.subject {
            query = query.is("subject", subject);
        }
        if let Some(application) = &self.application {
            query = query.is("application", application);
        }
        query
    }

    async fn context<T: Tables>(tables: &mut T) -> Result<u32, TxError> {
        Ok(counter(tables).await?.map_or(0, |counter| counter.epoch))
    }

    async fn entry<T: Tables>(
        &self,
        _: &mut T,
        epoch: &u32,
        row: EntitlementRow,
    ) -> Result<Option<EntitlementEntry>, TxError> {
        Ok(Some(EntitlementEntry {
            subject: row.subject,
            application: row.application,
            serial: ConfigurationSerial { epoch: *epoch, number: row.number },
            valid_for: row.valid_for,
            document: row.media_type.zip(row.body.map(|body| body.len())),
            set_at: row.set_at,
        }))
    }
}
