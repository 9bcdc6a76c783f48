//! Rules of a store: how registrations are granted, win, lose and are admitted.
//!
//! Each rule is one transaction over [`super::entity::Tables`], and there is no other text of it: the
//! store in memory and those in databases differ only in where their rows are.

mod admit;
mod applicant;
mod commit;
mod confirm;
mod entitle;
mod find;
mod room;

pub(crate) use admit::{Admit, ConfirmAlias};
pub(crate) use applicant::FindApplicant;
pub(crate) use commit::Commit;
pub(crate) use confirm::Confirm;
pub(super) use confirm::{forget, lose, settle, withdraw};
pub(crate) use entitle::{FindEntitlement, TakeReport};
pub(super) use entitle::{counter, current, moved, next_epoch, next_number, reported};
pub(crate) use find::{FindExpected, FindOutcome, FindRegistration};
pub(super) use find::{delete_where, get_by_key, upsert};
