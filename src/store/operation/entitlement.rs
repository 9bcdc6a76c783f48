//! Entitlements: set, ended, numbered, listed.

use super::{Cursor, Operation, OperatorError, Page, operation};
use crate::configuration::{ServerConfigurationError, check};
use crate::id::{ApplicationName, UserId};
use crate::message::ConfigurationSerial;
use crate::port::entitlement_store::Document;
use crate::store::Subject;
use crate::store::entity::{Held, Query, Tables, Trouble};
use crate::store::event::{Event, EventKind};
use crate::store::rows::Entitled;
use crate::store::rules::{counter, moved, next_epoch, next_number, put};
use crate::time::UnixTime;
use alloc::string::{String, ToString};
use alloc::vec;

/// Entitles a subject to a document, under the next serial, with which it answers.
///
/// [`OperatorError::MediaType`] or [`OperatorError::DocumentTooLong`].
#[derive(Clone, Debug)]
pub struct Entitle {
    /// Whom.
    pub subject: Subject,
    /// In which application.
    pub application: ApplicationName,
    /// To what.
    pub document: Document,
    /// Seconds for which it may be used after each delivery; `None` for without end.
    pub valid_for: Option<u32>,
}

operation! { Entitle writes -> ConfigurationSerial, OperatorError; |self, tables, now| {
    check(&self.document).map_err(|error| match error {
        ServerConfigurationError::BodyTooLong(_) => OperatorError::DocumentTooLong,
        _ => OperatorError::MediaType,
    })?;
    let Document { media_type, body } = &self.document;
    set(tables, Entitled {
        subject: self.subject.clone(),
        application: self.application.clone(),
        number: 0,
        valid_for: self.valid_for,
        media_type: Some(media_type.clone()),
        body: Some(body.clone()),
        set_at: now,
    }).await
} }

/// Entitles a subject to nothing any more, under the next serial, with which it answers. For a user,
/// it holds against what the user's groups and access path are entitled to, until [`Inherit`].
#[derive(Clone, Debug)]
pub struct RevokeEntitlement {
    /// Whom.
    pub subject: Subject,
    /// In which application.
    pub application: ApplicationName,
}

operation! { RevokeEntitlement writes -> ConfigurationSerial, OperatorError; |self, tables, now| {
    set(tables, Entitled {
        subject: self.subject.clone(),
        application: self.application.clone(),
        number: 0,
        valid_for: None,
        media_type: None,
        body: None,
        set_at: now,
    }).await
} }

/// Takes away what a user alone is entitled to, or to nothing: what the user's groups and access path are
/// entitled to holds again, under a serial that is new, or nothing where they are entitled to nothing.
///
/// [`OperatorError::NoSuchEntitlement`] where the user has none alone.
#[derive(Clone, Debug)]
pub struct Inherit {
    /// Who.
    pub user_id: UserId,
    /// In which application.
    pub application: ApplicationName,
}

operation! { Inherit writes -> (), OperatorError; |self, tables, now| {
    let subject = Subject::User(self.user_id.clone());
    let own = find(tables, &subject, &self.application).await?;
    tables.delete(&own.ok_or(Trouble::Error(OperatorError::NoSuchEntitlement))?).await?;
    moved(tables, &self.user_id).await?;
    let (subject, application) = (Some(subject), Some(self.application.clone()));
    let event = Event { subject, application, ..Event::new(EventKind::EntitlementInherited) };
    Ok(event.log(tables, now).await?)
} }

async fn set<T: Tables>(
    tables: &mut T,
    entitled: Entitled,
) -> Result<ConfigurationSerial, Trouble<OperatorError>> {
    let (now, serial) = (entitled.set_at, next_number(tables).await?);
    let ended = entitled.media_type.is_none();
    let row = Entitled { number: serial.number, ..entitled };
    let event = Event {
        subject: Some(row.subject.clone()),
        application: Some(row.application.clone()),
        serial: Some(serial),
        ..Event::new(if ended { EventKind::EntitlementRevoked } else { EventKind::Entitled })
    };
    let before = find(tables, &row.subject, &row.application).await?;
    put(tables, before, row).await?;
    event.log(tables, now).await?;
    Ok(serial)
}

async fn find<T: Tables>(
    tables: &mut T,
    subject: &Subject,
    application: &ApplicationName,
) -> Result<Option<Held<Entitled>>, Trouble> {
    tables.get(vec![subject.to_string(), application.to_string()]).await
}

/// Begins a new epoch of serials, with all entitlements in it, and answers with it: to be done after
/// restoring a backup, lest tokens refuse as rolled back what is older than what they hold.
#[derive(Clone, Copy, Debug)]
pub struct RaiseEpoch;

operation! { RaiseEpoch writes -> u32, OperatorError; |self, tables, now| {
    let epoch = next_epoch(tables).await?;
    Event::new(EventKind::EpochRaised).log(tables, now).await?;
    Ok(epoch)
} }

/// Shows what one subject itself is entitled to in one application.
///
/// [`OperatorError::NoSuchEntitlement`].
#[derive(Clone, Debug)]
pub struct ReadEntitlement {
    /// Whose.
    pub subject: Subject,
    /// In which application.
    pub application: ApplicationName,
}

operation! { ReadEntitlement reads -> Option<Document>, OperatorError; |self, tables, _now| {
    let entitled = find(tables, &self.subject, &self.application).await?;
    let entitled = entitled.ok_or(Trouble::Error(OperatorError::NoSuchEntitlement))?;
    Ok(entitled.row.document())
} }

/// Which entitlements are wanted: those of which all that is given holds.
#[derive(Clone, Debug, Default)]
pub struct EntitlementFilter {
    /// Of this subject.
    pub subject: Option<Subject>,
    /// In this application.
    pub application: Option<ApplicationName>,
}

/// Lists entitlements, by subject and application.
#[derive(Clone, Debug, Default)]
pub struct Entitlements {
    /// Which.
    pub filter: EntitlementFilter,
    /// From where on.
    pub after: Option<Cursor>,
    /// At most so many: see [`Page`].
    pub limit: Option<u16>,
}

/// An entitlement, without its document's body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntitlementEntry {
    /// Whose.
    pub subject: Subject,
    /// In which application.
    pub application: ApplicationName,
    /// Its serial.
    pub serial: ConfigurationSerial,
    /// Seconds for which it may be used.
    pub valid_for: Option<u32>,
    /// The document's media type, and the length of its body in bytes; `None` where the subject is
    /// entitled to nothing any more.
    pub document: Option<(String, usize)>,
    /// When it was set.
    pub set_at: UnixTime,
}

operation! { Entitlements reads -> Page<EntitlementEntry>, OperatorError; |self, tables, _now| {
    let mut query = Query::all();
    if let Some(subject) = &self.filter.subject {
        query = query.is("subject", subject);
    }
    if let Some(application) = &self.filter.application {
        query = query.is("application", application);
    }
    let epoch = counter(tables).await?.map_or(0, |counter| counter.epoch);
    Page::read(tables, query, self.after.as_ref(), self.limit, |row: Entitled| EntitlementEntry {
        subject: row.subject,
        application: row.application,
        serial: ConfigurationSerial { epoch, number: row.number },
        valid_for: row.valid_for,
        document: row.media_type.zip(row.body.map(|body| body.len())),
        set_at: row.set_at,
    }).await
} }
