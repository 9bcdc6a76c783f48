//! Groups of users, which are entitled together.

use super::list::{List, list};
use super::{Operation, OperatorError, operation};
use crate::id::{Group, UserId};
use crate::store::Subject;
use crate::store::entity::{Tables, Versioned};
use crate::store::event::{AuditEvent, AuditEventKind};
use crate::store::rows::MembershipRow;
use crate::store::rules::moved;
use crate::store::tables::{Query, TxError};
use crate::time::UnixTime;
use alloc::string::ToString;

/// Most groups that a user is in: every query for an entitlement reads all of them.
const GROUPS_MAX: u64 = 64;

/// Adds a user to a group. It is no error where the user is a member.
///
/// Fails with [`OperatorError::TooManyGroups`].
///
/// ```
/// use halfkey::store::operation::JoinGroup;
/// use halfkey::{Group, UserId};
/// # use halfkey::memory::Store;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, now) = (Store::new(), halfkey::UnixTime::now());
/// let (user_id, group) = (UserId::new("alice-7")?, Group::new("tellers")?);
/// store.run(&JoinGroup { user_id, group }, now)?; // `Subject::Group` entitles all of them
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct JoinGroup {
    /// User.
    pub user_id: UserId,
    /// Group.
    pub group: Group,
}

operation! { JoinGroup writes -> (), OperatorError; |self, tables, now| {
    let Self { user_id, group } = self;
    if member(tables, user_id, group).await?.is_some() {
        return Ok(());
    }
    if tables.count::<MembershipRow>(Query::all().is("user_id", user_id)).await? >= GROUPS_MAX {
        return Err(OperatorError::TooManyGroups.into());
    }
    tables.insert(MembershipRow { group_name: group.clone(), user_id: user_id.clone(), since: now }).await?;
    changed(tables, AuditEventKind::GroupJoined, user_id, group, now).await
} }

/// Removes a user from a group. It is no error where the user is not a member.
#[derive(Clone, Debug)]
pub struct LeaveGroup {
    /// User.
    pub user_id: UserId,
    /// Group.
    pub group: Group,
}

operation! { LeaveGroup writes -> (), OperatorError; |self, tables, now| {
    let Self { user_id, group } = self;
    let Some(member) = member(tables, user_id, group).await? else { return Ok(()) };
    tables.delete(&member).await?;
    changed(tables, AuditEventKind::GroupLeft, user_id, group, now).await
} }

async fn member<T: Tables>(
    tables: &mut T,
    user_id: &UserId,
    group: &Group,
) -> Result<Option<Versioned<MembershipRow>>, TxError> {
    tables.get([group.to_string(), user_id.to_string()].into()).await
}

async fn changed<T: Tables>(
    tables: &mut T,
    kind: AuditEventKind,
    user_id: &UserId,
    group: &Group,
    now: UnixTime,
) -> Result<(), TxError<OperatorError>> {
    moved(tables, user_id).await?;
    let subject = Some(Subject::Group(group.clone()));
    let event = AuditEvent { user_id: Some(user_id.clone()), subject, ..AuditEvent::new(kind) };
    Ok(event.log(tables, now).await?)
}

/// Lists the members of groups, by group and user.
pub type ListMembers = List<MemberFilter>;

/// Filter of [`ListMembers`]: all conditions that are given hold.
#[derive(Clone, Debug, Default)]
pub struct MemberFilter {
    /// Group.
    pub group: Option<Group>,
    /// User.
    pub user_id: Option<UserId>,
}

/// Member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberEntry {
    /// Group.
    pub group: Group,
    /// User.
    pub user_id: UserId,
    /// Time at which the user joined.
    pub since: UnixTime,
}

impl From<MembershipRow> for MemberEntry {
    fn from(row: MembershipRow) -> Self {
        Self { group: row.group_name, user_id: row.user_id, since: row.since }
    }
}

list! { MemberFilter, MembershipRow => MemberEntry; |self, _now| {
    let mut query = Query::all();
    if let Some(group) = &self.group {
        query = query.is("group_name", group);
    }
    if let Some(user_id) = &self.user_id {
        query = query.is("user_id", user_id);
    }
    query
} }
