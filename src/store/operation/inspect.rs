//! Inspecting one registration, or one name.

use super::{CodeEntry, Operation, OperatorError, operation};
use crate::id::{AccessPath, KeyId, UserId, UserName};
use crate::policy::{Policy, SuiteId};
use crate::record::Lifecycle;
use crate::store::entity::Tables;
use crate::store::rows::{CodeRow, NameRow, RegistrationRow};
use crate::store::rules::get_by_key;
use crate::store::tables::TxError;
use crate::time::UnixTime;

/// A registration without its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegistrationEntry {
    /// Key ID.
    pub key_id: KeyId,
    /// User identification code (UID).
    pub user_id: UserId,
    /// User name.
    pub name: UserName,
    /// Access control path.
    pub access_path: AccessPath,
    /// Suite of the registration.
    pub suite: SuiteId,
    /// Policy of the key.
    pub policy: Policy,
    /// State, and until when a pending registration must be confirmed.
    pub lifecycle: Lifecycle,
    /// Time at which the key expires.
    pub expires: Option<UnixTime>,
    /// Key ID of the registration that this one renews, or renewed.
    pub renews: Option<KeyId>,
    /// Time at which it was granted, where that was recorded.
    pub granted_at: Option<UnixTime>,
    /// Time at which it became active.
    pub confirmed_at: Option<UnixTime>,
    /// Time at which its key was last proved in a session.
    pub last_seen: Option<UnixTime>,
}

impl From<RegistrationRow> for RegistrationEntry {
    fn from(row: RegistrationRow) -> Self {
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

/// Inspects one registration; the answer is `None` where no registration has this key ID.
#[derive(Clone, Copy, Debug)]
pub struct InspectRegistration(
    /// Key ID.
    pub KeyId,
);

operation! { InspectRegistration reads -> Option<RegistrationEntry>, OperatorError; |self, tables, _now| {
    Ok(get_by_key::<RegistrationRow, _>(tables, &self.0).await?.map(|held| held.row.into()))
} }

/// Inspects a user name: its holder, and the activation code for it.
#[derive(Clone, Debug)]
pub struct InspectName(
    /// User name.
    pub UserName,
);

/// Holder of a name, and the activation code for it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameEntry {
    /// User who holds the name.
    pub taken_by: Option<UserId>,
    /// Unused activation code for the name, expired or not.
    pub code: Option<CodeEntry>,
}

operation! { InspectName reads -> NameEntry, OperatorError; |self, tables, _now| {
    let taken = get_by_key::<NameRow, _>(tables, &self.0).await?;
    let code = get_by_key::<CodeRow, _>(tables, &self.0).await?;
    Ok(NameEntry {
        taken_by: taken.map(|held| held.row.user_id),
        code: code.map(|held| held.row.into()),
    })
} }
