//! Operations of a store's operator: each a value, performed in one transaction.
//!
//! ```text
//!   registrations   Suspend Resume Revoke SetExpiry Rename DeleteRegistration
//!                   InspectRegistration ListRegistrations
//!   names           InspectName ReleaseName
//!   requests        DecideRequest ListRequests
//!   codes           IssueCode Readmit CheckCode WithdrawCode SetCodeExpiry ListCodes
//!   entitlements    Entitle RevokeEntitlement ClearUserEntitlement ClearConditionalEntitlement
//!                   ReadEntitlement ListEntitlements RaiseEpoch ListReports ListRollout
//!   groups          JoinGroup LeaveGroup ListMembers
//!   the store       Count ListEvents Purge PurgeEvents AnnounceKey Reseal
//!                   SetServerName Batch
//! ```

mod batch;
mod code;
mod count;
mod entitlement;
mod error;
mod event_list;
mod group;
mod inspect;
mod list;
mod page;
mod perform;
mod purge;
mod registration;
mod registration_list;
mod report;
mod request;
mod request_list;
mod reseal;
mod rollout;
mod server_name;

pub use batch::{Batch, BatchError};
pub use code::{
    CheckCode, CodeEntry, CodeFilter, IssueCode, ListCodes, Readmit, SetCodeExpiry, WithdrawCode,
};
pub use count::{Count, Counted};
pub use entitlement::{
    ClearConditionalEntitlement, ClearUserEntitlement, Entitle, EntitlementEntry, EntitlementFilter,
    ListEntitlements, RaiseEpoch, ReadEntitlement, RevokeEntitlement,
};
pub use error::OperatorError;
pub use event_list::{EventFilter, ListEvents};
pub use group::{JoinGroup, LeaveGroup, ListMembers, MemberEntry, MemberFilter};
pub use inspect::{InspectName, InspectRegistration, NameEntry, RegistrationEntry};
pub use list::{List, ListFilter};
pub use page::{Cursor, Page};
pub use perform::Operation;
pub(crate) use perform::operation;
pub(crate) use purge::CLOCKS;
pub(super) use purge::tidy;
pub use purge::{Purge, PurgeEvents, Purged};
pub use registration::{DeleteRegistration, ReleaseName, Rename, Resume, Revoke, SetExpiry, Suspend};
pub use registration_list::{ListRegistrations, RegistrationFilter};
pub use report::{ListReports, ReportEntry, ReportFilter};
pub use request::DecideRequest;
pub use request_list::{ListRequests, RequestEntry, RequestFilter};
pub use reseal::{AnnounceKey, Reseal, Resealed};
pub use rollout::{ListRollout, RolloutEntry, RolloutFilter};
pub use server_name::SetServerName;
