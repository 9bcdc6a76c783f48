//! Activation codes: issuing, withdrawing, listing.

use super::list::{List, list};
use super::{Operation, OperatorError, operation};
use crate::id::{CodeId, UserName};
use crate::secret::Secret;
use crate::store::entity::{Tables, Versioned};
use crate::store::event::{AuditEvent, AuditEventKind};
use crate::store::rows::{CodeRow, NameRow, RegistrationRow, RegistrationState};
use crate::store::rules::{get_by_key, settle, withdraw};
use crate::store::tables::{Query, TxError};
use crate::time::UnixTime;
use alloc::vec::Vec;
use subtle::ConstantTimeEq;

/// Issues an activation code for a user name: its holder can register once under the name, and nobody
/// can without a proof. Returns the code's ID.
///
/// An earlier code for the name is withdrawn: pending registrations that it proves are lost, and
/// requests that wait with it are removed.
///
/// Fails with [`OperatorError::NameTaken`].
///
/// ```
/// use halfkey::registration::ActivationCode;
/// use halfkey::store::operation::IssueCode;
/// use halfkey::{ServerName, SystemRandom, UserName};
/// # use halfkey::memory::Store;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, now) = (Store::new(), halfkey::UnixTime::now());
/// let (server, name) = (ServerName::new("gate.example")?, UserName::normalise("Alice")?);
/// let code = ActivationCode::generate(&mut SystemRandom);
/// let secret = code.secret(&server, &name);
/// store.run(&IssueCode { name, secret, expires: Some(now.after(7 * 86_400)) }, now)?;
/// println!("to be sent by letter: {}", code.reveal());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct IssueCode {
    /// User name.
    pub name: UserName,
    /// Secret of the code (A), which [`crate::registration::ActivationCode::secret`] derives.
    pub secret: Secret,
    /// Time after which the code cannot be used; `None` for no end.
    pub expires: Option<UnixTime>,
}

operation! { IssueCode writes -> CodeId, OperatorError; |self, tables, now| {
    if get_by_key::<NameRow, _>(tables, &self.name).await?.is_some() {
        return Err(OperatorError::NameTaken.into());
    }
    if let Some(before) = get_by_key::<CodeRow, _>(tables, &self.name).await? {
        withdraw(tables, &before).await?;
    }
    let id = CodeId(tables.draw());
    let (name, secret) = (self.name.clone(), self.secret.clone());
    tables.insert(CodeRow { name, id, secret, issued_at: now, expires: self.expires }).await?;
    AuditEvent::named(AuditEventKind::CodeIssued, &self.name).log(tables, now).await?;
    Ok(id)
} }

/// Releases a user name, revokes the registrations of its holder under it, and issues an activation code for it:
/// the user registers anew under the name. Returns the code's ID.
///
/// It serves where a token is lost, or where the server was restored from a backup and does not know the key that
/// the token holds. An earlier code for the name is withdrawn, and a name that nobody holds is no error.
///
/// ```
/// use halfkey::registration::ActivationCode;
/// use halfkey::store::operation::Readmit;
/// use halfkey::{ServerName, SystemRandom, UserName};
/// # use halfkey::memory::Store;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, now) = (Store::new(), halfkey::UnixTime::now());
/// let (server, name) = (ServerName::new("gate.example")?, UserName::normalise("Alice")?);
/// let code = ActivationCode::generate(&mut SystemRandom);
/// let secret = code.secret(&server, &name);
/// store.run(&Readmit { name, secret, expires: Some(now.after(86_400)) }, now)?;
/// println!("for Alice, who has lost the token: {}", code.reveal());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Readmit {
    /// User name.
    pub name: UserName,
    /// Secret of the code (A), which [`crate::registration::ActivationCode::secret`] derives.
    pub secret: Secret,
    /// Time after which the code cannot be used; `None` for no end.
    pub expires: Option<UnixTime>,
}

operation! { Readmit writes -> CodeId, OperatorError; |self, tables, now| {
    if let Some(held) = get_by_key::<NameRow, _>(tables, &self.name).await? {
        let named: Vec<Versioned<RegistrationRow>> = tables.select(Query::all().is("name", &self.name)).await?;
        for mut row in named.into_iter().filter(|row| row.user_id == held.user_id) {
            if matches!(row.state, RegistrationState::Active | RegistrationState::Suspended) {
                settle(tables, &mut row, RegistrationState::Revoked).await?;
                AuditEvent::of(AuditEventKind::Revoked, &row).log(tables, now).await?;
            }
        }
        tables.delete(&held).await?;
        let event = AuditEvent::named(AuditEventKind::NameReleased, &self.name);
        AuditEvent { user_id: Some(held.row.user_id), ..event }.log(tables, now).await?;
    }
    let Self { name, secret, expires } = self.clone();
    IssueCode { name, secret, expires }.perform(tables, now).await
} }

/// Tells whether the unused activation code for a name is this one, expired or not.
///
/// It serves a program that wrote a code down, issued it, and does not know whether the store did it.
#[derive(Clone, Debug)]
pub struct CheckCode {
    /// User name.
    pub name: UserName,
    /// Secret of the code (A), which [`crate::registration::ActivationCode::secret`] derives.
    pub secret: Secret,
}

operation! { CheckCode reads -> bool, OperatorError; |self, tables, _now| {
    let code = get_by_key::<CodeRow, _>(tables, &self.name).await?;
    Ok(code.is_some_and(|code| bool::from(code.row.secret.expose().ct_eq(self.secret.expose()))))
} }

/// Withdraws the activation code for a name: pending registrations that it proves are lost, and
/// requests that wait with it are removed.
///
/// Fails with [`OperatorError::NoSuchCode`].
#[derive(Clone, Debug)]
pub struct WithdrawCode(
    /// User name.
    pub UserName,
);

operation! { WithdrawCode writes -> (), OperatorError; |self, tables, now| {
    let code = code(tables, &self.0).await?;
    withdraw(tables, &code).await?;
    Ok(AuditEvent::named(AuditEventKind::CodeWithdrawn, &self.0).log(tables, now).await?)
} }

/// Sets when the activation code for a name expires; `None` for never. A request that was proved in
/// time can be confirmed later.
///
/// Fails with [`OperatorError::NoSuchCode`].
#[derive(Clone, Debug)]
pub struct SetCodeExpiry {
    /// User name.
    pub name: UserName,
    /// Time after which the code cannot be used.
    pub expires: Option<UnixTime>,
}

operation! { SetCodeExpiry writes -> (), OperatorError; |self, tables, now| {
    let mut code = code(tables, &self.name).await?;
    code.expires = self.expires;
    tables.update(&mut code).await?;
    Ok(AuditEvent::named(AuditEventKind::CodeExpirySet, &self.name).log(tables, now).await?)
} }

async fn code<T: Tables>(
    tables: &mut T,
    name: &UserName,
) -> Result<Versioned<CodeRow>, TxError<OperatorError>> {
    get_by_key(tables, name).await?.ok_or(TxError::Error(OperatorError::NoSuchCode))
}

/// Lists the activation codes that have not been used, by name.
pub type ListCodes = List<CodeFilter>;

/// Filter of [`ListCodes`]: it lets every code through.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct CodeFilter {}

/// An activation code that has not been used, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodeEntry {
    /// User name.
    pub name: UserName,
    /// ID of the code.
    pub id: CodeId,
    /// Time at which it was issued.
    pub issued_at: UnixTime,
    /// Time after which it cannot be used.
    pub expires: Option<UnixTime>,
}

impl From<CodeRow> for CodeEntry {
    fn from(code: CodeRow) -> Self {
        Self { name: code.name, id: code.id, issued_at: code.issued_at, expires: code.expires }
    }
}

list! { CodeFilter, CodeRow => CodeEntry; |self, _now| Query::all() }
