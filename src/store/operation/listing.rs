//! What an operator looks at, a page at a time.

use super::{CodeEntry, LIMIT_MAX, Operation, OperatorError, operation};
use crate::id::{AccessPath, KeyId, TicketId, UserId, UserName};
use crate::policy::{Policy, SuiteId};
use crate::port::StoreError;
use crate::record::{Lifecycle, Takes};
use crate::store::entity::{Entity, Held, Key, Query, Tables, Test, Trouble};
use crate::store::event::{Event, EventKind};
use crate::store::rows::{Code, Happened, Row, State, Taken, Waiter};
use crate::store::rules::by;
use crate::template::Form;
use crate::time::UnixTime;
use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use core::str::FromStr;

/// Entries of a page where none are asked for.
const PAGE: u16 = 100;

/// A part of a list: 100 entries unless otherwise asked, 1 to 1000.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries, in the list's order.
    pub entries: Vec<T>,
    /// Where the next page begins; `None` at the end. What comes to be before that place between two
    /// pages is not seen.
    pub next: Option<Cursor>,
    /// Rows on this page that cannot be read, or lead to others that cannot: they were changed without
    /// the storage key, or sealed under one that is not at hand.
    pub damaged: Vec<Cursor>,
}

/// A place in a list. It can be written down and read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// No part of a key has a space in it.
    fn at(key: &Key) -> Self {
        Self(key.join(" "))
    }

    /// The place of this row.
    pub(super) fn of(row: &impl Entity) -> Self {
        Self::at(&row.key())
    }

    pub(super) fn within(table: &str, key: &Key) -> Self {
        Self(alloc::format!("{table} {}", key.join(" ")))
    }

    /// The key that a place is written as, or one somewhere in the table.
    pub(super) fn key<E: Entity>(place: &str) -> Key {
        let mut parts: Key = place.splitn(E::KEYS, ' ').map(String::from).collect();
        parts.resize(E::KEYS, String::new());
        parts
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Cursor {
    type Err = Infallible;
    /// Any text is some place in a list.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.into()))
    }
}

impl<T> Page<T> {
    /// What the rows of this page are to be made into, nothing yet.
    pub(super) fn emptied<U>(self) -> (Page<U>, Vec<T>) {
        (Page { entries: Vec::new(), next: self.next, damaged: self.damaged }, self.entries)
    }

    /// Takes what a row and others that it leads to have been made into, if anything. Where one of
    /// those cannot be read, the row counts as damaged.
    pub(super) fn take(&mut self, place: Cursor, made: Result<Option<T>, Trouble>) -> Result<(), Trouble> {
        match made {
            Ok(entry) => self.entries.extend(entry),
            Err(trouble) if trouble.is_of_a_row() => self.damaged.push(place),
            Err(trouble) => return Err(trouble),
        }
        Ok(())
    }

    pub(super) async fn read<E: Entity, S: Tables>(
        tables: &mut S,
        query: Query,
        after: Option<&Cursor>,
        limit: Option<u16>,
        entry: impl Fn(E) -> T + Send + Sync,
    ) -> Result<Self, Trouble<OperatorError>> {
        let limit = usize::from(limit.unwrap_or(PAGE).clamp(1, LIMIT_MAX));
        let after = after.map(|cursor| Cursor::key::<E>(&cursor.0));
        let query = Query { after, ..query };
        match Self::whole(tables, query.clone(), limit, &entry).await {
            Err(Trouble::Error(OperatorError::Store(StoreError::Damaged | StoreError::StorageKey))) => {
                Self::sound(tables, query, limit, &entry).await
            }
            page => page,
        }
    }

    async fn whole<E: Entity, S: Tables>(
        tables: &mut S,
        query: Query,
        limit: usize,
        entry: &(impl Fn(E) -> T + Send + Sync),
    ) -> Result<Self, Trouble<OperatorError>> {
        // One more than wanted tells whether there is a next page.
        let mut rows: Vec<Held<E>> = tables.select(query.at_most(limit.saturating_add(1))).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|last| Cursor::of(&last.row));
        let entries = rows.into_iter().map(|held| entry(held.row)).collect();
        Ok(Self { entries, next, damaged: Vec::new() })
    }

    /// The same row by row, without those that cannot be read.
    async fn sound<E: Entity, S: Tables>(
        tables: &mut S,
        query: Query,
        limit: usize,
        entry: &(impl Fn(E) -> T + Send + Sync),
    ) -> Result<Self, Trouble<OperatorError>> {
        let mut keys = tables.keys::<E>(query.clone().at_most(limit.saturating_add(1))).await?;
        let more = keys.len() > limit;
        keys.truncate(limit);
        let next = keys.last().filter(|_| more).map(Cursor::at);
        let mut page = Self { entries: Vec::new(), next, damaged: Vec::new() };
        for key in keys {
            let place = Cursor::at(&key);
            let made = match tables.get::<E>(key).await {
                Ok(Some(held)) if !query.wants(&held.row) => Err(Trouble::Error(StoreError::Damaged)),
                row => row.map(|held| held.map(|held| entry(held.row))),
            };
            page.take(place, made)?;
        }
        Ok(page)
    }
}

/// A registration as its operator sees it: without its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegistrationEntry {
    /// The key's name.
    pub key_id: KeyId,
    /// The user identification code.
    pub user_id: UserId,
    /// The name.
    pub name: UserName,
    /// The access control path.
    pub access_path: AccessPath,
    /// The suite under which it was made.
    pub suite: SuiteId,
    /// What the key may be used for.
    pub policy: Policy,
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
    /// When the key expires.
    pub expires: Option<UnixTime>,
    /// The key that it replaces, or replaced.
    pub renews: Option<KeyId>,
    /// When it was granted, where that was written down.
    pub granted_at: Option<UnixTime>,
    /// When it became active.
    pub confirmed_at: Option<UnixTime>,
    /// When its key was last proved in a session.
    pub last_seen: Option<UnixTime>,
}

impl From<Row> for RegistrationEntry {
    fn from(row: Row) -> Self {
        Self {
            policy: row.policy(),
            lifecycle: row.lifecycle(),
            key_id: row.key_id,
            user_id: row.user_id,
            name: row.name,
            access_path: row.access_path,
            suite: row.suite,
            expires: row.expires,
            renews: row.renews,
            granted_at: row.granted_at,
            confirmed_at: row.confirmed_at,
            last_seen: row.last_seen,
        }
    }
}

/// Shows one registration; `None` where there is no such key.
#[derive(Clone, Copy, Debug)]
pub struct Inspect(
    /// Which.
    pub KeyId,
);

operation! { Inspect reads -> Option<RegistrationEntry>, OperatorError; |self, tables, _now| {
    Ok(by::<Row, _>(tables, &self.0).await?.map(|held| held.row.into()))
} }

/// Shows what is known of a name: who holds it, and for whom it is kept.
#[derive(Clone, Debug)]
pub struct InspectName(
    /// Which.
    pub UserName,
);

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameEntry {
    /// Who holds it.
    pub taken_by: Option<UserId>,
    /// The unused activation code for it, be its time over or not.
    pub code: Option<CodeEntry>,
}

operation! { InspectName reads -> NameEntry, OperatorError; |self, tables, _now| {
    let taken = by::<Taken, _>(tables, &self.0).await?;
    let code = by::<Code, _>(tables, &self.0).await?;
    Ok(NameEntry {
        taken_by: taken.map(|held| held.row.user_id),
        code: code.map(|held| held.row.into()),
    })
} }

/// Which registrations are wanted: those of which all that is given holds.
#[derive(Clone, Debug, Default)]
pub struct RegistrationFilter {
    /// With this name.
    pub name: Option<UserName>,
    /// With a name that begins so.
    pub name_begins: Option<String>,
    /// Of this user.
    pub user_id: Option<UserId>,
    /// With this access path.
    pub access_path: Option<AccessPath>,
    /// In this state. A pending one whose time is over stays pending until [`super::Purge`].
    pub state: Option<State>,
    /// That expire at this time or before.
    pub expires_by: Option<UnixTime>,
}

impl RegistrationFilter {
    fn query(&self) -> Query {
        let mut query = Query::all();
        if let Some(name) = &self.name {
            query = query.is("name", name);
        }
        if let Some(user_id) = &self.user_id {
            query = query.is("user_id", user_id);
        }
        if let Some(access_path) = &self.access_path {
            query = query.is("access_path", access_path);
        }
        if let Some(state) = &self.state {
            query = query.is("state", state);
        }
        if let Some(time) = self.expires_by {
            query = query.until("expires", time);
        }
        if let Some(begins) = &self.name_begins {
            query = query.and("name", Test::Begins(begins.clone()));
        }
        query
    }
}

/// Lists registrations, by key id.
#[derive(Clone, Debug, Default)]
pub struct Registrations {
    /// Which.
    pub filter: RegistrationFilter,
    /// From where on.
    pub after: Option<Cursor>,
    /// At most so many: see [`Page`].
    pub limit: Option<u16>,
}

operation! { Registrations reads -> Page<RegistrationEntry>, OperatorError; |self, tables, _now| {
    Page::read(tables, self.filter.query(), self.after.as_ref(), self.limit, |row: Row| row.into()).await
} }

/// An application that waits for the operator, without its ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitingEntry {
    /// The ticket's public name.
    pub ticket_id: TicketId,
    /// The name applied for.
    pub name: UserName,
    /// The form.
    pub form: Form,
    /// What its proof lays claim to.
    pub takes: Option<Takes>,
    /// Since when it waits.
    pub since: UnixTime,
    /// When it is forgotten.
    pub hold_until: UnixTime,
}

/// Lists the applications that wait, by ticket id.
#[derive(Clone, Debug, Default)]
pub struct Applications {
    /// For this name.
    pub name: Option<UserName>,
    /// From where on.
    pub after: Option<Cursor>,
    /// At most so many: see [`Page`].
    pub limit: Option<u16>,
}

operation! { Applications reads -> Page<WaitingEntry>, OperatorError; |self, tables, now| {
    let query = Query::all().from("hold_until", now);
    let query = match &self.name {
        Some(name) => query.is("name", name),
        None => query,
    };
    Page::read(tables, query, self.after.as_ref(), self.limit, |waiter: Waiter| WaitingEntry {
        takes: waiter.takes(),
        ticket_id: waiter.ticket_id,
        name: waiter.name,
        form: waiter.content.form,
        since: waiter.since,
        hold_until: waiter.hold_until,
    }).await
} }

/// Which entries of the log are wanted: those of which all that is given holds.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Of this kind.
    pub kind: Option<EventKind>,
    /// Of this key.
    pub key_id: Option<KeyId>,
    /// Of this name.
    pub name: Option<UserName>,
    /// At this time or later.
    pub since: Option<UnixTime>,
    /// At this time or before.
    pub until: Option<UnixTime>,
}

/// Lists the log, oldest first unless told otherwise.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// Which.
    pub filter: EventFilter,
    /// From the newest to the oldest.
    pub newest_first: bool,
    /// From where on.
    pub after: Option<Cursor>,
    /// At most so many: see [`Page`].
    pub limit: Option<u16>,
}

operation! { Events reads -> Page<Event>, OperatorError; |self, tables, _now| {
    let mut query = Query { backwards: self.newest_first, ..Query::all() };
    if let Some(kind) = &self.filter.kind {
        query = query.is("kind", kind);
    }
    if let Some(key_id) = &self.filter.key_id {
        query = query.is("key_id", key_id);
    }
    if let Some(name) = &self.filter.name {
        query = query.is("name", name);
    }
    if let Some(time) = self.filter.since {
        query = query.from("at", time);
    }
    if let Some(time) = self.filter.until {
        query = query.until("at", time);
    }
    Page::read(tables, query, self.after.as_ref(), self.limit, |entry: Happened| entry.into()).await
} }
