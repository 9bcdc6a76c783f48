//! Activation codes: issued, ended, listed.

use super::{Cursor, Operation, OperatorError, Page, operation};
use crate::id::{CodeId, UserName};
use crate::secret::Secret;
use crate::store::entity::{Held, Query, Tables, Trouble};
use crate::store::event::{Event, EventKind};
use crate::store::rows::{Code, Taken};
use crate::store::rules::{by, withdraw};
use crate::time::UnixTime;
use subtle::ConstantTimeEq;

/// Lets whoever has this activation code register once under a name, and nobody without proof.
///
/// A code that was there for the name is withdrawn: pending registrations proven by it lose, and
/// applications that wait with it are forgotten. It answers with the code's id.
///
/// [`OperatorError::NameTaken`].
#[derive(Clone, Debug)]
pub struct IssueCode {
    /// For which name.
    pub name: UserName,
    /// A, which [`crate::registration::ActivationCode::secret`] makes.
    pub secret: Secret,
    /// Until when it may be used; `None` for without end.
    pub expires: Option<UnixTime>,
}

operation! { IssueCode writes -> CodeId, OperatorError; |self, tables, now| {
    if by::<Taken, _>(tables, &self.name).await?.is_some() {
        return Err(OperatorError::NameTaken.into());
    }
    if let Some(before) = by::<Code, _>(tables, &self.name).await? {
        withdraw(tables, &before).await?;
    }
    let id = CodeId(tables.draw());
    let (name, secret) = (self.name.clone(), self.secret.clone());
    tables.insert(Code { name, id, secret, issued_at: now, expires: self.expires }).await?;
    Event::named(EventKind::CodeIssued, &self.name).log(tables, now).await?;
    Ok(id)
} }

/// Tells whether the unused activation code for a name is this one, be its time over or not.
///
/// For who wrote a code down, issued it, and does not know whether the store has heard of it.
#[derive(Clone, Debug)]
pub struct IsIssued {
    /// For which name.
    pub name: UserName,
    /// A, which [`crate::registration::ActivationCode::secret`] makes.
    pub secret: Secret,
}

operation! { IsIssued reads -> bool, OperatorError; |self, tables, _now| {
    let code = by::<Code, _>(tables, &self.name).await?;
    Ok(code.is_some_and(|code| bool::from(code.row.secret.expose().ct_eq(self.secret.expose()))))
} }

/// Withdraws the activation code for a name: pending registrations proven by it lose, and
/// applications that wait with it are forgotten.
///
/// [`OperatorError::NoSuchCode`].
#[derive(Clone, Debug)]
pub struct WithdrawCode(
    /// For which name.
    pub UserName,
);

operation! { WithdrawCode writes -> (), OperatorError; |self, tables, now| {
    let code = code(tables, &self.0).await?;
    withdraw(tables, &code).await?;
    Ok(Event::named(EventKind::CodeWithdrawn, &self.0).log(tables, now).await?)
} }

/// Sets until when the activation code for a name may be used; `None` for without end. Who has
/// proved it in time may confirm later.
///
/// [`OperatorError::NoSuchCode`].
#[derive(Clone, Debug)]
pub struct ExpireCode {
    /// For which name.
    pub name: UserName,
    /// When.
    pub expires: Option<UnixTime>,
}

operation! { ExpireCode writes -> (), OperatorError; |self, tables, now| {
    let mut code = code(tables, &self.name).await?;
    code.expires = self.expires;
    tables.update(&mut code).await?;
    Ok(Event::named(EventKind::CodeExpirySet, &self.name).log(tables, now).await?)
} }

async fn code<T: Tables>(tables: &mut T, name: &UserName) -> Result<Held<Code>, Trouble<OperatorError>> {
    by(tables, name).await?.ok_or(Trouble::Error(OperatorError::NoSuchCode))
}

/// Lists the activation codes that have not been used, by name.
#[derive(Clone, Debug, Default)]
pub struct Codes {
    /// From where on.
    pub after: Option<Cursor>,
    /// At most so many: see [`Page`].
    pub limit: Option<u16>,
}

/// An activation code that has not been used; the code itself is with its user.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodeEntry {
    /// For which name.
    pub name: UserName,
    /// Which code.
    pub id: CodeId,
    /// When it was issued.
    pub issued_at: UnixTime,
    /// Until when it may be used.
    pub expires: Option<UnixTime>,
}

impl From<Code> for CodeEntry {
    fn from(code: Code) -> Self {
        Self { name: code.name, id: code.id, issued_at: code.issued_at, expires: code.expires }
    }
}

operation! { Codes reads -> Page<CodeEntry>, OperatorError; |self, tables, _now| {
    Page::read(tables, Query::all(), self.after.as_ref(), self.limit, |code: Code| code.into()).await
} }
