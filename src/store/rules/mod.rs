//! Rules of a store: how registrations are granted, win, lose and are admitted.
//!
//! Each rule is one transaction over [`super::entity::Tables`], and there is no other text of it: the
//! store in memory and those in databases differ only in where their rows are.

mod admit;
mod applicant;
mod choose;
mod commit;
mod confirm;
mod entitle;
mod find;
mod room;
mod serial;

pub(crate) use admit::{Admit, ConfirmAlias};
pub(crate) use applicant::FindApplicant;
pub(crate) use commit::Commit;
pub(crate) use confirm::Confirm;
pub(super) use confirm::{forget, lose, settle, withdraw};
pub(crate) use entitle::{FindEntitlement, FoundEntitlement, GiveEntitlement, TakeReport};
pub(super) use entitle::{reported, standing};
pub(crate) use find::{FindExpected, FindOutcome, FindRegistration};
pub(super) use find::{delete_where, get_by_key, upsert};
pub(super) use serial::{last_serial, moved, next_epoch, next_number};
