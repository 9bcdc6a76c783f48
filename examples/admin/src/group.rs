//! Groups of users, who are entitled together.

use crate::failure::Failure;
use crate::paging::Paging;
use halfkey::store::operation::{JoinGroup, LeaveGroup, ListMembers, MemberEntry, MemberFilter};
use halfkey::{Group, UnixTime, UserId};
use halfkey_common::Output;
use halfkey_common::output::Entry;
use halfkey_common::store::Store;
use halfkey_common::time::written;
use serde::Serialize;

/// What is done with groups.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Takes a user into a group.
    Join(Membership),
    /// Takes a user out of a group.
    Leave(Membership),
    /// Lists who is in which group.
    List {
        /// Of this group.
        #[arg(long)]
        group: Option<Group>,
        /// Of this user.
        #[arg(long, value_name = "USER_ID")]
        user: Option<UserId>,
        #[command(flatten)]
        paging: Paging,
    },
}

/// Who, and where.
#[derive(clap::Args)]
pub(crate) struct Membership {
    /// The user.
    user_id: UserId,
    /// The group.
    group: Group,
}

#[derive(Serialize)]
pub(crate) struct Shown {
    group: String,
    user_id: String,
    since: String,
}

impl Entry for Shown {
    const COLUMNS: &'static [&'static str] = &["group", "user_id", "since"];
}

impl From<MemberEntry> for Shown {
    fn from(member: MemberEntry) -> Self {
        let (group, user_id) = (member.group.to_string(), member.user_id.to_string());
        Self { group, user_id, since: written(member.since) }
    }
}

#[derive(Serialize)]
struct Done {
    group: String,
    user_id: String,
    done: &'static str,
}

impl Membership {
    fn tell(&self, done: &'static str, out: &mut Output) -> Result<(), Failure> {
        let Self { user_id, group } = self;
        let object = Done { group: group.to_string(), user_id: user_id.to_string(), done };
        Ok(out.done(&object, &format!("{user_id} {done} {group}"))?)
    }
}

impl Command {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        let now = UnixTime::now();
        match self {
            Self::Join(who) => {
                store.run(&JoinGroup { user_id: who.user_id.clone(), group: who.group.clone() }, now)?;
                who.tell("joined", out)
            }
            Self::Leave(who) => {
                store.run(&LeaveGroup { user_id: who.user_id.clone(), group: who.group.clone() }, now)?;
                who.tell("left", out)
            }
            Self::List { group, user, paging } => {
                let page = |after, limit| {
                    store.run(
                        &ListMembers {
                            filter: MemberFilter { group: group.clone(), user_id: user.clone() },
                            after,
                            limit,
                        },
                        now,
                    )
                };
                paging.list(out, page, |member| Ok(Some(Shown::from(member))))
            }
        }
    }
}
