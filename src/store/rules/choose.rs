//! Choosing among the entitlements of a user.

use crate::configuration::UserInformation;
use crate::id::{AccessPath, ApplicationName, UserId};
use crate::port::StoreError;
use crate::store::entity::{Tables, Versioned};
use crate::store::rows::{EntitlementRow, MembershipRow};
use crate::store::tables::{Key, Query, TxError};
use crate::store::{EntitlementCondition, Subject};
use alloc::vec::Vec;

/// Choice among the entitlements of a user, for what the client says.
#[derive(Default)]
pub(super) struct Choice {
    /// Entitlement that counts, if there is one.
    pub(super) entitled: Option<Versioned<EntitlementRow>>,
    /// True where another would count, or none, if the client said something else.
    pub(super) varies: bool,
}

/// Chooses the user's own entitlement; else that of the user's groups; else that of the access path. Among
/// those of one kind whose conditions hold, the one with most terms counts, and the newest of several.
pub(super) async fn choose<T: Tables>(
    tables: &mut T,
    user: &UserId,
    path: &AccessPath,
    application: &ApplicationName,
    said: &UserInformation,
) -> Result<Choice, TxError> {
    let mut choice = Choice::default();
    choice.look(tables, &[Subject::User(user.clone())], application, said).await?;
    if choice.entitled.is_none() {
        let members = tables.select::<MembershipRow>(Query::all().is("user_id", user)).await?;
        let groups: Vec<_> =
            members.into_iter().map(|member| Subject::Group(member.row.group_name)).collect();
        choice.look(tables, &groups, application, said).await?;
    }
    if choice.entitled.is_none() {
        choice.look(tables, &[Subject::AccessPath(path.clone())], application, said).await?;
    }
    Ok(choice)
}

impl Choice {
    async fn look<T: Tables>(
        &mut self,
        tables: &mut T,
        subjects: &[Subject],
        application: &ApplicationName,
        said: &UserInformation,
    ) -> Result<(), TxError> {
        // Only the keys of all of them are read: there may be many, with a document each.
        let mut fit: Vec<(usize, Key)> = Vec::new();
        for subject in subjects {
            let of_subject = Query::all().is("subject", subject).is("application", application);
            for key in tables.keys::<EntitlementRow>(of_subject).await? {
                let condition = key.parts().get(2).and_then(|text| text.parse::<EntitlementCondition>().ok());
                let condition = condition.ok_or(TxError::Error(StoreError::Damaged))?;
                self.varies |= !condition.is_none();
                if condition.holds_for(said) {
                    fit.push((condition.terms(), key));
                }
            }
        }
        let most = fit.iter().map(|(terms, _)| *terms).max();
        for (_, key) in fit.into_iter().filter(|(terms, _)| Some(*terms) == most) {
            let found: Option<Versioned<EntitlementRow>> = tables.get(key).await?;
            let both = [self.entitled.take(), found];
            self.entitled = both.into_iter().flatten().max_by_key(|entitled| entitled.number);
        }
        Ok(())
    }
}
