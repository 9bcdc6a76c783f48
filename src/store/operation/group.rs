//! Groups of users, who are entitled together.

use super::{Cursor, Operation, OperatorError, Page, operation};
use crate::id::{Group, UserId};
use crate::store::Subject;
use crate::store::entity::{Held, Query, Tables, Trouble};
use crate::store::event::{Event, EventKind};
use crate::store::rows::Member;
use crate::store::rules::moved;
use crate::time::UnixTime;
use alloc::string::ToString;
use alloc::vec;

/// Most groups that a user is in: every question for an entitlement looks at all of them.
const GROUPS_MAX: u64 = 64;

/// Takes a user into a group. No error when the user is in it.
///
/// [`OperatorError::TooManyGroups`].
#[derive(Clone, Debug)]
pub struct JoinGroup {
    /// Whom.
    pub user_id: UserId,
    /// Into which.
    pub group: Group,
}

operation! { JoinGroup writes -> (), OperatorError; |self, tables, now| {
    let Self { user_id, group } = self;
    if member(tables, user_id, group).await?.is_some() {
        return Ok(());
    }
    if tables.count::<Member>(Query::all().is("user_id", user_id)).await? >= GROUPS_MAX {
        return Err(OperatorError::TooManyGroups.into());
    }
    tables.insert(Member { group_name: group.clone(), user_id: user_id.clone(), since: now }).await?;
    changed(tables, EventKind::GroupJoined, user_id, group, now).await
} }

/// Takes a user out of a group. No error when the user is not in it.
#[derive(Clone, Debug)]
pub struct LeaveGroup {
    /// Whom.
    pub user_id: UserId,
    /// Out of which.
    pub group: Group,
}

operation! { LeaveGroup writes -> (), OperatorError; |self, tables, now| {
    let Self { user_id, group } = self;
    let Some(member) = member(tables, user_id, group).await? else { return Ok(()) };
    tables.delete(&member).await?;
    changed(tables, EventKind::GroupLeft, user_id, group, now).await
} }

async fn member<T: Tables>(
    tables: &mut T,
    user_id: &UserId,
    group: &Group,
) -> Result<Option<Held<Member>>, Trouble> {
    tables.get(vec![group.to_string(), user_id.to_string()]).await
}

async fn changed<T: Tables>(
    tables: &mut T,
    kind: EventKind,
    user_id: &UserId,
    group: &Group,
    now: UnixTime,
) -> Result<(), Trouble<OperatorError>> {
    moved(tables, user_id).await?;
    let subject = Some(Subject::Group(group.clone()));
    let event = Event { user_id: Some(user_id.clone()), subject, ..Event::new(kind) };
    Ok(event.log(tables, now).await?)
}

/// Lists who is in which group, by group and user.
#[derive(Clone, Debug, Default)]
pub struct Members {
    /// Of this group.
    pub group: Option<Group>,
    /// Of this user.
    pub user_id: Option<UserId>,
    /// From where on.
    pub after: Option<Cursor>,
    /// At most so many: see [`Page`].
    pub limit: Option<u16>,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupMember {
    /// Of which group.
    pub group: Group,
    /// Who.
    pub user_id: UserId,
    /// Since when.
    pub since: UnixTime,
}

operation! { Members reads -> Page<GroupMember>, OperatorError; |self, tables, _now| {
    let mut query = Query::all();
    if let Some(group) = &self.group {
        query = query.is("group_name", group);
    }
    if let Some(user_id) = &self.user_id {
        query = query.is("user_id", user_id);
    }
    Page::read(tables, query, self.after.as_ref(), self.limit, |member: Member| GroupMember {
        group: member.group_name,
        user_id: member.user_id,
        since: member.since,
    }).await
} }
