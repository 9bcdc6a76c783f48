//! Entitlements that depend on what the client says.

use super::case::{Case, Grant, NOW, in_clause, key};
use super::{ContractViolation, Kept, ensure};
use crate::port::entitlement_store::{
    ConfigurationSerial, Document, Entitlement, EntitlementQuery, UserInformation,
};
use crate::record::Takes;

/// Asks for one user, by one key after the other, as tokens do that hold what they were given last.
struct Asking<'a> {
    case: &'a Case<'a>,
    n: u8,
    held: Option<ConfigurationSerial>,
}

pub(super) fn entitlements_by_place(case: &Case<'_>) -> Kept {
    const RISES: &str =
        "what differs from what was given last has a higher serial, also where it was given before";
    const STAYS: &str = "what was given last keeps its serial";
    let [(here, this), (there, that)] = &case.seeds.places;
    let elsewhere = UserInformation { location: None, ..here.clone() };
    Grant::to(&case.seeds.ann, 1).commit(case)?;
    case.activate(1)?;
    let mut asking = Asking { case, n: 1, held: None };
    let (mut at, mut last) = (here, asking.given(here, Some(this))?);
    for (place, document) in [
        (here, Some(this)),
        (there, Some(that)),
        (there, Some(that)),
        (here, Some(this)),
        (&elsewhere, None),
        (&elsewhere, None),
        (here, Some(this)),
        (there, Some(that)),
    ] {
        let given = asking.given(place, document)?;
        if place == at {
            ensure(given == last, STAYS)?;
        } else {
            ensure(given > last, RISES)?;
        }
        (at, last) = (place, given);
    }

    Grant::to(&case.seeds.ann, 2).taking(Takes::Place(key(1))).commit(case)?;
    case.activate(2)?;
    asking.n = 2;
    let renewed = asking.given(there, Some(that))?;
    ensure(renewed >= last, "a serial is not below the one that a renewed key was given")?;
    let given = asking.given(here, Some(this))?;
    ensure(given > renewed, RISES)
}

/// A store that was not given the entitlements under conditions, because it does not look at what the client says.
pub(super) fn no_entitlement_by_place(case: &Case<'_>) -> Kept {
    Grant::to(&case.seeds.ann, 1).commit(case)?;
    case.activate(1)?;
    let asking = Asking { case, n: 1, held: None };
    case.seeds.places.iter().try_for_each(|(place, _)| {
        let blind = "a store that looks at what the client says keeps the whole contract";
        ensure(asking.ask(place)?.is_none(), blind)
    })
}

impl Asking<'_> {
    fn ask(&self, said: &UserInformation) -> Result<Option<Entitlement>, ContractViolation> {
        let seeds = self.case.seeds;
        let query = EntitlementQuery {
            key_id: key(self.n),
            user_id: seeds.user.clone(),
            access_path: seeds.path.clone(),
            application: seeds.local.clone(),
            information: said.clone(),
            held: self.held,
        };
        self.case.store.entitlement(&query, NOW).map_err(in_clause("entitlement answers"))
    }

    fn given(
        &mut self,
        said: &UserInformation,
        document: Option<&Document>,
    ) -> Result<ConfigurationSerial, ContractViolation> {
        const CHOSEN: &str =
            "a user is given the document for what the client says, and none where there is none";
        let given = self.ask(said)?.ok_or(ContractViolation::Broken(CHOSEN))?;
        ensure(given.document.as_ref() == document, CHOSEN)?;
        self.held = Some(given.serial);
        Ok(given.serial)
    }
}
