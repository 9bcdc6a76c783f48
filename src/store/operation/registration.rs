//! What an operator does with registrations, names and waiting applications.

use super::{Operation, OperatorError, operation};
use crate::id::{KeyId, TicketId, UserId, UserName};
use crate::store::UniqueNames;
use crate::store::entity::{Held, Query, Tables, Trouble};
use crate::store::event::{Event, EventKind};
use crate::store::rows::{Code, Row, State, Taken, Waiter};
use crate::store::rules::{by, forget, lose, settle, withdraw};
use crate::time::UnixTime;

async fn row<T: Tables>(tables: &mut T, key_id: &KeyId) -> Result<Held<Row>, Trouble<OperatorError>> {
    by(tables, key_id).await?.ok_or(Trouble::Error(OperatorError::NoSuchKey))
}

async fn pass<T: Tables>(
    tables: &mut T,
    key_id: &KeyId,
    (from, to): (State, State),
    kind: EventKind,
    now: UnixTime,
) -> Result<(), Trouble<OperatorError>> {
    let mut row = row(tables, key_id).await?;
    if row.state != from {
        return Err(OperatorError::OtherState.into());
    }
    settle(tables, &mut row, to).await?;
    Ok(Event::of(kind, &row).log(tables, now).await?)
}

/// Puts an active registration on hold.
///
/// [`OperatorError::NoSuchKey`], or [`OperatorError::OtherState`] where it is not active.
#[derive(Clone, Copy, Debug)]
pub struct Suspend(
    /// Which.
    pub KeyId,
);

operation! { Suspend writes -> (), OperatorError; |self, tables, now| {
    pass(tables, &self.0, (State::Active, State::Suspended), EventKind::Suspended, now).await
} }

/// Makes a suspended registration active again.
///
/// [`OperatorError::NoSuchKey`], or [`OperatorError::OtherState`] where it is not suspended.
#[derive(Clone, Copy, Debug)]
pub struct Resume(
    /// Which.
    pub KeyId,
);

operation! { Resume writes -> (), OperatorError; |self, tables, now| {
    pass(tables, &self.0, (State::Suspended, State::Active), EventKind::Resumed, now).await
} }

/// Ends a registration for good, whatever its state. Its name stays taken.
///
/// [`OperatorError::NoSuchKey`].
#[derive(Clone, Copy, Debug)]
pub struct Revoke(
    /// Which.
    pub KeyId,
);

operation! { Revoke writes -> (), OperatorError; |self, tables, now| {
    let mut row = row(tables, &self.0).await?;
    row.forget_at = None;
    settle(tables, &mut row, State::Revoked).await?;
    Ok(Event::of(EventKind::Revoked, &row).log(tables, now).await?)
} }

/// Sets when a registration expires; `None` for never. Its token is not told: it sees its session
/// refused.
///
/// [`OperatorError::NoSuchKey`].
#[derive(Clone, Copy, Debug)]
pub struct SetExpiry {
    /// Which.
    pub key_id: KeyId,
    /// When.
    pub expires: Option<UnixTime>,
}

operation! { SetExpiry writes -> (), OperatorError; |self, tables, now| {
    let mut row = row(tables, &self.key_id).await?;
    row.expires = self.expires;
    tables.update(&mut row).await?;
    Ok(Event::of(EventKind::ExpirySet, &row).log(tables, now).await?)
} }

/// Gives an active or suspended registration another name, which must be free and promised to
/// nobody by an activation code. The old name is free then. The token is not told: whoever renews it
/// gives the new name. A renewal under the old name that is pending is lost, and one that waits is
/// dismissed.
///
/// [`OperatorError::NoSuchKey`], [`OperatorError::OtherState`] or [`OperatorError::NameTaken`].
#[derive(Clone, Debug)]
pub struct Rename {
    /// Which.
    pub key_id: KeyId,
    /// The new name.
    pub name: UserName,
}

operation! { Rename writes -> (), OperatorError; |self, tables, now| {
    let mut row = row(tables, &self.key_id).await?;
    if !matches!(row.state, State::Active | State::Suspended) {
        return Err(OperatorError::OtherState.into());
    }
    if row.name == self.name {
        return Ok(());
    }
    let code: Option<Held<Code>> = by(tables, &self.name).await?;
    let promised = code.as_ref().is_some_and(|code| !code.is_over(now));
    if promised || by::<Taken, _>(tables, &self.name).await?.is_some() {
        return Err(OperatorError::NameTaken.into());
    }
    if let Some(over) = code {
        withdraw(tables, &over).await?;
    }
    let held: Option<Held<Taken>> = by(tables, &row.name).await?;
    let held = held.filter(|held| held.user_id == row.user_id);
    if let Some(held) = &held {
        tables.delete(held).await?;
    }
    // Where names may repeat, this one may never have held its own.
    if held.is_some() || tables.unique() == UniqueNames::Always {
        tables.insert(Taken { name: self.name.clone(), user_id: row.user_id.clone() }).await?;
    }
    let renewals = Query::all().is("renews", &row.key_id).pending();
    for mut renewal in tables.select::<Row>(renewals).await? {
        lose(tables, &mut renewal, now).await?;
    }
    for waiter in tables.select::<Waiter>(Query::all().is("name", &row.name)).await? {
        if waiter.renews == Some(row.key_id) {
            tables.delete(&waiter).await?;
        }
    }
    row.name = self.name.clone();
    tables.update(&mut row).await?;
    Ok(Event::of(EventKind::Renamed, &row).log(tables, now).await?)
} }

/// Erases a registration that is revoked, superseded or lost. Its token is then a stranger and learns
/// nothing any more; its name stays taken.
///
/// [`OperatorError::NoSuchKey`], or [`OperatorError::OtherState`].
#[derive(Clone, Copy, Debug)]
pub struct Forget(
    /// Which.
    pub KeyId,
);

operation! { Forget writes -> (), OperatorError; |self, tables, now| {
    let row = row(tables, &self.0).await?;
    if !matches!(row.state, State::Revoked | State::Superseded | State::Lost) {
        return Err(OperatorError::OtherState.into());
    }
    forget(tables, &row).await?;
    Ok(Event::of(EventKind::Forgotten, &row).log(tables, now).await?)
} }

/// Lets others register under a name. Whoever held it keeps the registration; revoke it too where
/// that is not meant.
///
/// [`OperatorError::NameFree`] where that user does not hold it.
#[derive(Clone, Debug)]
pub struct FreeName {
    /// Which.
    pub name: UserName,
    /// Who holds it: so that asking twice does not take it from whoever came next.
    pub held_by: UserId,
}

operation! { FreeName writes -> (), OperatorError; |self, tables, now| {
    let held: Option<Held<Taken>> = by(tables, &self.name).await?;
    let held = held.filter(|held| held.user_id == self.held_by);
    tables.delete(&held.ok_or(Trouble::Error(OperatorError::NameFree))?).await?;
    let event =
        Event { user_id: Some(self.held_by.clone()), ..Event::named(EventKind::NameFreed, &self.name) };
    Ok(event.log(tables, now).await?)
} }

/// Forgets an application that waits. Its ticket is then refused like an unknown one.
///
/// [`OperatorError::NoSuchTicket`].
#[derive(Clone, Copy, Debug)]
pub struct Dismiss(
    /// Which.
    pub TicketId,
);

operation! { Dismiss writes -> (), OperatorError; |self, tables, now| {
    let waiter: Option<Held<Waiter>> = by(tables, &self.0).await?;
    let waiter = waiter.filter(|waiter| now <= waiter.hold_until);
    let waiter = waiter.ok_or(Trouble::Error(OperatorError::NoSuchTicket))?;
    tables.delete(&waiter).await?;
    Ok(Event::named(EventKind::Dismissed, &waiter.name).log(tables, now).await?)
} }
