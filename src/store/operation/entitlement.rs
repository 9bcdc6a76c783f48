//! Entitlements: setting, revoking, numbering, listing.

use super::list::{List, ListFilter};
use super::{Operation, OperatorError, operation};
use crate::configuration::{ServerConfigurationError, check};
use crate::id::{ApplicationName, UserId};
use crate::message::ConfigurationSerial;
use crate::port::entitlement_store::Document;
use crate::store::entity::{Tables, Versioned};
use crate::store::event::{AuditEvent, AuditEventKind};
use crate::store::rows::EntitlementRow;
use crate::store::rules::{last_serial, moved, next_epoch, next_number, upsert};
use crate::store::tables::{Query, TxError};
use crate::store::{EntitlementCondition, Subject};
use crate::time::UnixTime;
use alloc::string::{String, ToString};

/// Entitles a subject to a document. Returns the entitlement's serial, the next one.
///
/// Fails with [`OperatorError::MediaType`] or [`OperatorError::DocumentTooLong`].
///
/// All users under an access path, and those of them who are in Hartford:
/// ```
/// use halfkey::configuration::UserInformation;
/// use halfkey::port::entitlement_store::Document;
/// use halfkey::store::operation::Entitle;
/// use halfkey::store::{EntitlementCondition, Subject};
/// use halfkey::{AccessPath, ApplicationName};
/// # use halfkey::memory::Store;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, now) = (Store::new(), halfkey::UnixTime::now());
/// let (staff, mail) = (Subject::AccessPath(AccessPath::new("/staff")?), ApplicationName::new("mail")?);
/// let document = |body: &str| Document { media_type: "text/plain".into(), body: body.into() };
/// store.run(&Entitle::new(staff.clone(), mail.clone(), document("server=mail.example")), now)?;
///
/// let hartford = UserInformation { location: Some("Hartford".into()), ..UserInformation::default() };
/// let there = Entitle::new(staff, mail, document("server=hartford.example")).valid_for(86_400);
/// let serial = store.run(&there.when(EntitlementCondition::new(&hartford)?), now)?;
/// println!("tokens are given it under serial {serial:?}");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Entitle {
    /// Subject.
    pub subject: Subject,
    /// Application.
    pub application: ApplicationName,
    /// Condition.
    pub condition: EntitlementCondition,
    /// Document.
    pub document: Document,
    /// Seconds for which the document may be used after each delivery; `None` for no end.
    pub valid_for: Option<u32>,
}

impl Entitle {
    /// Entitles a subject to a document, under no condition and for use without end.
    #[must_use]
    pub fn new(subject: Subject, application: ApplicationName, document: Document) -> Self {
        Self { subject, application, condition: EntitlementCondition::default(), document, valid_for: None }
    }

    /// Sets the seconds for which the document may be used after each delivery.
    #[must_use]
    pub fn valid_for(self, seconds: u32) -> Self {
        Self { valid_for: Some(seconds), ..self }
    }
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
        condition: self.condition.clone(),
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
///
/// A user loses a right that the user's group keeps:
/// ```
/// use halfkey::store::{Subject, operation::RevokeEntitlement};
/// use halfkey::{ApplicationName, UserId};
/// # use halfkey::memory::Store;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, now) = (Store::new(), halfkey::UnixTime::now());
/// let (user, mail) = (Subject::User(UserId::new("alice-7")?), ApplicationName::new("mail")?);
/// store.run(&RevokeEntitlement::new(user, mail), now)?; // the token is told with its next request, or by a push
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RevokeEntitlement {
    /// Subject.
    pub subject: Subject,
    /// Application.
    pub application: ApplicationName,
    /// Condition.
    pub condition: EntitlementCondition,
}

operation! { RevokeEntitlement writes -> ConfigurationSerial, OperatorError; |self, tables, now| {
    set(tables, EntitlementRow {
        subject: self.subject.clone(),
        application: self.application.clone(),
        condition: self.condition.clone(),
        number: 0,
        valid_for: None,
        media_type: None,
        body: None,
        set_at: now,
    }).await
} }

/// Removes a user's own entitlement or revocation. The user's other entitlements, and those of the user's
/// groups and access path, count again, under a new serial; where there are none, the user is entitled to
/// nothing.
///
/// Fails with [`OperatorError::NoSuchEntitlement`] where the user has none of its own under this
/// condition.
#[derive(Clone, Debug)]
pub struct ClearUserEntitlement {
    /// User.
    pub user_id: UserId,
    /// Application.
    pub application: ApplicationName,
    /// Condition.
    pub condition: EntitlementCondition,
}

operation! { ClearUserEntitlement writes -> (), OperatorError; |self, tables, now| {
    clear(tables, &Subject::User(self.user_id.clone()), &self.application, &self.condition, now).await?;
    Ok(moved(tables, &self.user_id).await?)
} }

/// Removes an entitlement or revocation of any subject that is under a condition. Where the condition
/// holds, the subject's others count again, and those of subjects that come after it.
///
/// Fails with [`OperatorError::NoSuchEntitlement`]; and with [`OperatorError::Unconditional`] for one
/// under no condition, which [`ClearUserEntitlement`] removes from a user, and [`RevokeEntitlement`] ends
/// for a group or access path.
#[derive(Clone, Debug)]
pub struct ClearConditionalEntitlement {
    /// Subject.
    pub subject: Subject,
    /// Application.
    pub application: ApplicationName,
    /// Condition.
    pub condition: EntitlementCondition,
}

operation! { ClearConditionalEntitlement writes -> (), OperatorError; |self, tables, now| {
    // Tokens that hold it are given what counts now under a serial of their own.
    if self.condition.is_none() {
        return Err(OperatorError::Unconditional.into());
    }
    clear(tables, &self.subject, &self.application, &self.condition, now).await
} }

async fn clear<T: Tables>(
    tables: &mut T,
    subject: &Subject,
    application: &ApplicationName,
    condition: &EntitlementCondition,
    now: UnixTime,
) -> Result<(), TxError<OperatorError>> {
    let row = find(tables, subject, application, condition).await?;
    tables.delete(&row.ok_or(TxError::Error(OperatorError::NoSuchEntitlement))?).await?;
    Ok(event(AuditEventKind::EntitlementCleared, subject, application, condition).log(tables, now).await?)
}

async fn set<T: Tables>(
    tables: &mut T,
    entitled: EntitlementRow,
) -> Result<ConfigurationSerial, TxError<OperatorError>> {
    let (now, serial) = (entitled.set_at, next_number(tables).await?);
    let ended = entitled.media_type.is_none();
    let row = EntitlementRow { number: serial.number, ..entitled };
    let kind = if ended { AuditEventKind::EntitlementRevoked } else { AuditEventKind::Entitled };
    let event = event(kind, &row.subject, &row.application, &row.condition);
    let before = find(tables, &row.subject, &row.application, &row.condition).await?;
    upsert(tables, before, row).await?;
    AuditEvent { serial: Some(serial), ..event }.log(tables, now).await?;
    Ok(serial)
}

fn event(
    kind: AuditEventKind,
    subject: &Subject,
    application: &ApplicationName,
    condition: &EntitlementCondition,
) -> AuditEvent {
    AuditEvent {
        subject: Some(subject.clone()),
        application: Some(application.clone()),
        condition: Some(condition.clone()).filter(|condition| !condition.is_none()),
        ..AuditEvent::new(kind)
    }
}

async fn find<T: Tables>(
    tables: &mut T,
    subject: &Subject,
    application: &ApplicationName,
    condition: &EntitlementCondition,
) -> Result<Option<Versioned<EntitlementRow>>, TxError> {
    tables.get([subject.to_string(), application.to_string(), condition.to_string()].into()).await
}

/// Implements what all operations on one entitlement have: `new`, for the one under no condition, and
/// `when`.
macro_rules! conditional {
    ($operation:ident $(, $doc:literal ($($field:ident: $type:ty),+))?) => {
        impl $operation {
            $(
                #[doc = $doc]
                #[must_use]
                pub fn new($($field: $type),+) -> Self {
                    Self { $($field,)+ condition: EntitlementCondition::default() }
                }
            )?

            /// Puts it under a condition.
            #[must_use]
            pub fn when(self, condition: EntitlementCondition) -> Self {
                Self { condition, ..self }
            }
        }
    };
}

conditional! { Entitle }
conditional! { RevokeEntitlement, "Revokes a subject's entitlement that is under no condition."
(subject: Subject, application: ApplicationName) }
conditional! { ClearUserEntitlement, "Removes a user's own entitlement that is under no condition."
(user_id: UserId, application: ApplicationName) }
conditional! { ReadEntitlement, "Reads a subject's own document that is under no condition."
(subject: Subject, application: ApplicationName) }

/// Begins a new epoch of serials, which all entitlements are in, and returns it. Run it after restoring
/// a backup; without it, tokens refuse as rolled back whatever is older than what they hold.
///
/// ```
/// use halfkey::store::operation::RaiseEpoch;
/// # use halfkey::memory::Store;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, now) = (Store::new(), halfkey::UnixTime::now());
/// let epoch = store.run(&RaiseEpoch, now)?; // after a backup was restored, before the server starts
/// println!("serials begin with {epoch} from now on");
/// # Ok(()) }
/// ```
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
    /// Condition.
    pub condition: EntitlementCondition,
}

operation! { ReadEntitlement reads -> Option<Document>, OperatorError; |self, tables, _now| {
    let entitled = find(tables, &self.subject, &self.application, &self.condition).await?;
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
    /// Condition, which is this one exactly.
    pub condition: Option<EntitlementCondition>,
}

/// Lists entitlements, by subject, application and condition.
pub type ListEntitlements = List<EntitlementFilter>;

/// An entitlement, without its document's body.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntitlementEntry {
    /// Subject.
    pub subject: Subject,
    /// Application.
    pub application: ApplicationName,
    /// Condition.
    pub condition: EntitlementCondition,
    /// Serial. Under a condition, and for users who have others under conditions, each token is given one
    /// of its own.
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
        if let Some(condition) = &self.condition {
            query = query.is("condition", condition);
        }
        query
    }

    async fn context<T: Tables>(tables: &mut T) -> Result<u32, TxError> {
        Ok(last_serial(tables).await?.epoch)
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
            condition: row.condition,
            serial: ConfigurationSerial { epoch: *epoch, number: row.number },
            valid_for: row.valid_for,
            document: row.media_type.zip(row.body.map(|body| body.len())),
            set_at: row.set_at,
        }))
    }
}
