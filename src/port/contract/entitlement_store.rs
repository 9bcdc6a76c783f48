//! The contract of [`EntitlementStore`].

mod answer;
mod case;
mod life;
mod place;
mod session;

use super::{ContractViolation, Kept, ensure, same};
use crate::id::{ApplicationName, TicketId, UserId, UserName};
use crate::port::EntitlementStore;
use crate::port::entitlement_store::{Document, UserInformation};
use crate::record::{NewOutcome, RequestAnswer};
use crate::secret::Secret;
use alloc::boxed::Box;

/// Rows that a store must hold before a part of the contract begins.
#[derive(Clone, Copy, Debug)]
pub struct Seed<'a> {
    /// An activation code's A, for a name.
    pub code: (&'a UserName, &'a Secret),
    /// A document that a user is entitled to in an application, without end.
    pub entitled: (&'a UserId, &'a ApplicationName, &'a Document),
    /// Outcomes that tell applicants to wait, each to be committed; the ticket of each; and the operator's answer, which
    /// the store has from then on ([`DecideRequest`](crate::store::operation::DecideRequest)).
    pub answered: [(&'a NewOutcome, TicketId, RequestAnswer); 2],
    /// Documents that the same user is entitled to in another application, each where the client says
    /// this. A store that does not look at what the client says leaves them out, and runs
    /// [`entitlement_store_without_conditions`].
    pub by_place: (&'a ApplicationName, [(&'a UserInformation, &'a Document); 2]),
}

/// Part of the contract.
type Part = fn(&case::Case<'_>) -> Kept;

/// Parts that every store keeps.
const PARTS: [Part; 16] = [
    life::outcomes_are_kept,
    life::the_first_outcome_counts,
    life::a_grant_is_pending,
    life::confirmation,
    life::one_winner_of_a_name,
    life::one_winner_of_a_code,
    life::one_heir_of_a_key,
    life::too_late,
    life::waiting_applications,
    session::admission,
    session::challenges_are_spent,
    session::aliases,
    session::young_aliases,
    session::entitlements,
    life::the_oldest_makes_way,
    answer::answers_are_kept,
];

/// Runs the contract. `make` gives a new store each time, empty but for the seed, in which a name
/// belongs to the first who becomes active under it.
///
/// # Errors
/// The first clause found broken.
pub fn entitlement_store(
    make: &mut dyn FnMut(&Seed<'_>) -> Box<dyn EntitlementStore>,
) -> Result<(), ContractViolation> {
    run(make, place::entitlements_by_place)
}

/// Runs the contract for a store that gives a user the same wherever the client says to be: all of it but
/// entitlements under conditions, of which nothing is shown. What such a store lacks,
/// [`EntitlementCondition`](crate::store::EntitlementCondition) says.
///
/// # Errors
/// The first clause found broken; also where the store does look at what the client says, since it then has to keep
/// the whole contract.
pub fn entitlement_store_without_conditions(
    make: &mut dyn FnMut(&Seed<'_>) -> Box<dyn EntitlementStore>,
) -> Result<(), ContractViolation> {
    run(make, place::no_entitlement_by_place)
}

fn run(
    make: &mut dyn FnMut(&Seed<'_>) -> Box<dyn EntitlementStore>,
    by_place: Part,
) -> Result<(), ContractViolation> {
    let seeds = case::Seeds::new()?;
    PARTS.into_iter().chain([by_place]).try_for_each(|part| {
        let store = make(&seeds.seed());
        part(&case::Case { store: store.as_ref(), seeds: &seeds })
    })
}
