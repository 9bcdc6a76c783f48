//! Changing registrations and names.

use super::{Operation, OperatorError, operation};
use crate::id::{KeyId, UserId, UserName};
use crate::store::UniqueNames;
use crate::store::entity::{Tables, Versioned};
use crate::store::event::{AuditEvent, AuditEventKind};
use crate::store::rows::{CodeRow, NameRow, RegistrationRow, RegistrationState, RequestRow};
use crate::store::rules::{forget, get_by_key, lose, settle, withdraw};
use crate::store::tables::{Query, TxError};
use crate::time::UnixTime;

async fn row<T: Tables>(
    tables: &mut T,
    key_id: &KeyId,
) -> Result<Versioned<RegistrationRow>, TxError<OperatorError>> {
    get_by_key(tables, key_id).await?.ok_or(TxError::Error(OperatorError::NoSuchKey))
}

async fn pass<T: Tables>(
    tables: &mut T,
    key_id: &KeyId,
    (from, to): (RegistrationState, RegistrationState),
    kind: AuditEventKind,
    now: UnixTime,
) -> Result<(), TxError<OperatorError>> {
    let mut row = row(tables, key_id).await?;
    if row.state != from {
        return Err(OperatorError::OtherState.into());
    }
    settle(tables, &mut row, to).await?;
    Ok(AuditEvent::of(kind, &row).log(tables, now).await?)
}

/// Suspends an active registration.
///
/// Fails with [`OperatorError::NoSuchKey`], or [`OperatorError::OtherState`] where it is not active.
///
/// ```
/// use halfkey::KeyId;
/// use halfkey::store::OperatorError;
/// use halfkey::store::operation::{Resume, Suspend};
/// # use halfkey::memory::Store;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, now) = (Store::new(), halfkey::UnixTime::now());
/// let key_id: KeyId = "8676c8f4dd3b4a0fb3c8a1d2e0f91b77".parse()?;
/// match store.run(&Suspend(key_id), now) {
///     Ok(()) => store.run(&Resume(key_id), now)?,
///     Err(OperatorError::NoSuchKey) => println!("{key_id} is no key of this store"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Suspend(
    /// Key ID.
    pub KeyId,
);

operation! { Suspend writes -> (), OperatorError; |self, tables, now| {
    pass(tables, &self.0, (RegistrationState::Active, RegistrationState::Suspended), AuditEventKind::Suspended, now).await
} }

/// Makes a suspended registration active again.
///
/// Fails with [`OperatorError::NoSuchKey`], or [`OperatorError::OtherState`] where it is not suspended.
#[derive(Clone, Copy, Debug)]
pub struct Resume(
    /// Key ID.
    pub KeyId,
);

operation! { Resume writes -> (), OperatorError; |self, tables, now| {
    pass(tables, &self.0, (RegistrationState::Suspended, RegistrationState::Active), AuditEventKind::Resumed, now).await
} }

/// Revokes a registration for good, in whatever state it is. Its name stays taken.
///
/// Fails with [`OperatorError::NoSuchKey`].
///
/// All keys of a user whose token was stolen:
/// ```
/// use halfkey::UserName;
/// use halfkey::store::operation::{ListRegistrations, RegistrationFilter, Revoke};
/// # use halfkey::memory::Store;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, now) = (Store::new(), halfkey::UnixTime::now());
/// let name = Some(UserName::normalise("Alice")?);
/// let list = ListRegistrations::of(RegistrationFilter { name, ..RegistrationFilter::default() });
/// for entry in store.run(&list, now)?.entries {
///     store.run(&Revoke(entry.key_id), now)?; // `Acceptor::end_sessions` ends what is open
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Revoke(
    /// Key ID.
    pub KeyId,
);

operation! { Revoke writes -> (), OperatorError; |self, tables, now| {
    let mut row = row(tables, &self.0).await?;
    row.forget_at = None;
    settle(tables, &mut row, RegistrationState::Revoked).await?;
    Ok(AuditEvent::of(AuditEventKind::Revoked, &row).log(tables, now).await?)
} }

/// Sets when a registration expires; `None` for never. Its token is not told before a session is
/// refused.
///
/// Fails with [`OperatorError::NoSuchKey`].
#[derive(Clone, Copy, Debug)]
pub struct SetExpiry {
    /// Key ID.
    pub key_id: KeyId,
    /// Time at which the registration expires.
    pub expires: Option<UnixTime>,
}

operation! { SetExpiry writes -> (), OperatorError; |self, tables, now| {
    let mut row = row(tables, &self.key_id).await?;
    row.expires = self.expires;
    tables.update(&mut row).await?;
    Ok(AuditEvent::of(AuditEventKind::ExpirySet, &row).log(tables, now).await?)
} }

/// Gives an active or suspended registration another name, which must not be taken, nor kept for the
/// holder of an activation code. The old name is released. The token is not told: its user renews it
/// under the new name. A pending renewal under the old name is lost, and a waiting one is removed.
///
/// Fails with [`OperatorError::NoSuchKey`], [`OperatorError::OtherState`] or
/// [`OperatorError::NameTaken`].
#[derive(Clone, Debug)]
pub struct Rename {
    /// Key ID.
    pub key_id: KeyId,
    /// New name.
    pub name: UserName,
}

operation! { Rename writes -> (), OperatorError; |self, tables, now| {
    let mut row = row(tables, &self.key_id).await?;
    if !matches!(row.state, RegistrationState::Active | RegistrationState::Suspended) {
        return Err(OperatorError::OtherState.into());
    }
    if row.name == self.name {
        return Ok(());
    }
    let code: Option<Versioned<CodeRow>> = get_by_key(tables, &self.name).await?;
    let promised = code.as_ref().is_some_and(|code| !code.is_over(now));
    if promised || get_by_key::<NameRow, _>(tables, &self.name).await?.is_some() {
        return Err(OperatorError::NameTaken.into());
    }
    if let Some(over) = code {
        withdraw(tables, &over).await?;
    }
    let held: Option<Versioned<NameRow>> = get_by_key(tables, &row.name).await?;
    let held = held.filter(|held| held.user_id == row.user_id);
    if let Some(held) = &held {
        tables.delete(held).await?;
    }
    // Where names may repeat, this one may never have held its own.
    if held.is_some() || tables.unique() == UniqueNames::Always {
        tables.insert(NameRow { name: self.name.clone(), user_id: row.user_id.clone() }).await?;
    }
    let renewals = Query::all().is("renews", &row.key_id).pending();
    for mut renewal in tables.select::<RegistrationRow>(renewals).await? {
        lose(tables, &mut renewal, now).await?;
    }
    for waiter in tables.select::<RequestRow>(Query::all().is("name", &row.name)).await? {
        if waiter.renews == Some(row.key_id) {
            tables.delete(&waiter).await?;
        }
    }
    row.name = self.name.clone();
    tables.update(&mut row).await?;
    Ok(AuditEvent::of(AuditEventKind::Renamed, &row).log(tables, now).await?)
} }

/// Deletes a registration that is revoked, superseded or lost. Its token is unknown to the server then,
/// and is told nothing more. Its name stays taken.
///
/// Fails with [`OperatorError::NoSuchKey`] or [`OperatorError::OtherState`].
#[derive(Clone, Copy, Debug)]
pub struct DeleteRegistration(
    /// Key ID.
    pub KeyId,
);

operation! { DeleteRegistration writes -> (), OperatorError; |self, tables, now| {
    let row = row(tables, &self.0).await?;
    if !matches!(row.state, RegistrationState::Revoked | RegistrationState::Superseded | RegistrationState::Lost) {
        return Err(OperatorError::OtherState.into());
    }
    forget(tables, &row).await?;
    Ok(AuditEvent::of(AuditEventKind::RegistrationDeleted, &row).log(tables, now).await?)
} }

/// Releases a user name, so that others can register under it. Its holder keeps the registration;
/// revoke that too where it should end.
///
/// Fails with [`OperatorError::NameFree`] where that user does not hold the name.
#[derive(Clone, Debug)]
pub struct ReleaseName {
    /// User name.
    pub name: UserName,
    /// User who holds it. A second run does not take the name from the next holder.
    pub held_by: UserId,
}

operation! { ReleaseName writes -> (), OperatorError; |self, tables, now| {
    let held: Option<Versioned<NameRow>> = get_by_key(tables, &self.name).await?;
    let held = held.filter(|held| held.user_id == self.held_by);
    tables.delete(&held.ok_or(TxError::Error(OperatorError::NameFree))?).await?;
    let event =
        AuditEvent { user_id: Some(self.held_by.clone()), ..AuditEvent::named(AuditEventKind::NameReleased, &self.name) };
    Ok(event.log(tables, now).await?)
} }
