//! What an operator asks of a store: each a value, performed in one transaction.

mod batch;
mod code;
mod count;
mod entitlement;
mod group;
mod listing;
mod purge;
mod registration;
mod report;
mod reseal;
mod rollout;

pub use batch::{Batch, BatchError};
pub use code::{CodeEntry, Codes, ExpireCode, IsIssued, IssueCode, WithdrawCode};
pub use count::{Count, Counted};
pub use entitlement::{
    Entitle, EntitlementEntry, EntitlementFilter, Entitlements, Inherit, RaiseEpoch, ReadEntitlement,
    RevokeEntitlement,
};
pub use group::{GroupMember, JoinGroup, LeaveGroup, Members};
pub use listing::{
    Applications, Cursor, EventFilter, Events, Inspect, InspectName, NameEntry, Page, RegistrationEntry,
    RegistrationFilter, Registrations, WaitingEntry,
};
pub(super) use purge::purge;
pub use purge::{Purge, PurgeEvents, Purged};
pub use registration::{Dismiss, Forget, FreeName, Rename, Resume, Revoke, SetExpiry, Suspend};
pub use report::{ReportEntry, ReportFilter, Reports};
pub use reseal::{Reseal, Resealed};
pub use rollout::{Rollout, RolloutEntry};

use super::entity::{Tables, Trouble};
use crate::port::StoreError;
use crate::time::UnixTime;
use thiserror::Error;

/// Most entries of a page, and most rows of a kind that one transaction lets go of or seals anew.
const LIMIT_MAX: u16 = 1000;

/// Something that a store can be asked to do, in one transaction.
///
/// It is a value that every store in this crate performs with its method `run`: all of it, durably, or
/// nothing. What a store may be asked is fixed by this crate.
pub trait Operation: Send + Sync {
    /// What it answers.
    type Answer: Send;
    /// Why it is not done.
    type Error: From<StoreError> + Send;
    /// Whether it may change something.
    #[doc(hidden)]
    const WRITES: bool;
    #[doc(hidden)]
    fn perform<T: Tables>(
        &self,
        tables: &mut T,
        now: UnixTime,
    ) -> impl Future<Output = Result<Self::Answer, Trouble<Self::Error>>> + Send;
}

/// Declares what an operation does.
macro_rules! operation {
    ($name:ident $(<$lifetime:lifetime>)? reads -> $answer:ty, $error:ty; |$self:ident, $tables:ident, $now:ident| $body:block) => {
        $crate::store::operation::operation!(@ $name $(<$lifetime>)?, false, $answer, $error, $self, $tables, $now, $body);
    };
    ($name:ident $(<$lifetime:lifetime>)? writes -> $answer:ty, $error:ty; |$self:ident, $tables:ident, $now:ident| $body:block) => {
        $crate::store::operation::operation!(@ $name $(<$lifetime>)?, true, $answer, $error, $self, $tables, $now, $body);
    };
    (@ $name:ident $(<$lifetime:lifetime>)?, $writes:literal, $answer:ty, $error:ty, $self:ident, $tables:ident, $now:ident, $body:block) => {
        impl Operation for $name $(<$lifetime>)? {
            type Answer = $answer;
            type Error = $error;
            const WRITES: bool = $writes;
            async fn perform<T: Tables>(
                &$self,
                $tables: &mut T,
                $now: UnixTime,
            ) -> Result<$answer, Trouble<$error>> $body
        }
    };
}
pub(crate) use operation;

/// Why a store does not do what its operator asks. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// No registration has this key id.
    #[error("no registration has this key id")]
    NoSuchKey,
    /// No application waits with this ticket.
    #[error("no application waits with this ticket")]
    NoSuchTicket,
    /// There is no unused activation code for this name.
    #[error("there is no unused activation code for this name")]
    NoSuchCode,
    /// Nothing is known of this application for this subject.
    #[error("nothing is known of this application for this subject")]
    NoSuchEntitlement,
    /// The registration is not in a state from which that can be done.
    #[error("the registration is in another state")]
    OtherState,
    /// The name is taken; free it first.
    #[error("the name is taken")]
    NameTaken,
    /// The name is not taken.
    #[error("the name is not taken")]
    NameFree,
    /// A media type that is none, or longer than 127 bytes.
    #[error("the media type is none, or too long")]
    MediaType,
    /// A body over 57 344 bytes.
    #[error("the document is longer than the protocol carries")]
    DocumentTooLong,
    /// The user is in as many groups as one may be in: 64.
    #[error("the user is in too many groups")]
    TooManyGroups,
    /// The store cannot answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Trouble> for Trouble<OperatorError> {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Conflict => Self::Conflict,
            Trouble::Error(error) => Self::Error(error.into()),
        }
    }
}
