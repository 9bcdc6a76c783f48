//! Tools of the contract's parts.

use super::{ContractViolation, Kept, Seed, ensure};
use crate::id::{AccessPath, Alias, ApplicationName, Digest, KeyId, TicketId, Txn, UserId, UserName};
use crate::message::Address;
use crate::name::NameError;
use crate::policy::{Policy, SuiteId};
use crate::port::entitlement_store::{
    Admission, Admitted, Committed, Confirmed, Document, Status, UserInformation,
};
use crate::port::{EntitlementStore, StoreError};
use crate::record::{
    Applicant, ApplicantRecord, Effect, ExpectedTags, Lifecycle, NewOutcome, NewRegistration, PendingLimits,
    ProofId, RejectionCause, RejectionCode, RejectionRecord, RequestAnswer, ServerRegistration, StoredKeys,
    Takes, WaitingRequest,
};
use crate::secret::Secret;
use crate::template::{FieldValue, Form};
use crate::time::UnixTime;
use alloc::boxed::Box;
use alloc::vec::Vec;

pub(super) const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
pub(super) const DAY: u64 = 86_400;

/// The applications of the seed, by the numbers of their tickets.
pub(super) const APPROVED: u8 = 0xA1;
pub(super) const REFUSED: u8 = 0xA2;

/// The names and things of the story.
pub(super) struct Seeds {
    pub(super) invited: UserName,
    pub(super) code: Secret,
    pub(super) ann: UserName,
    pub(super) user: UserId,
    pub(super) path: AccessPath,
    pub(super) application: ApplicationName,
    pub(super) document: Document,
    pub(super) local: ApplicationName,
    pub(super) places: [(UserInformation, Document); 2],
    pub(super) asked: [NewOutcome; 2],
}

impl Seeds {
    pub(super) fn new() -> Result<Self, ContractViolation> {
        let text = |body: &str| Document { media_type: "text/plain".into(), body: body.into() };
        let said = UserInformation::default();
        let name = |text: &str| {
            UserName::new(text).map_err(|_| ContractViolation::Broken("the names of the contract are names"))
        };
        let (approved, refused) = (waits(APPROVED, &name("approved")?), waits(REFUSED, &name("refused")?));
        let asked = [(APPROVED, approved), (REFUSED, refused)].map(|(n, application)| {
            // Held for long, whatever time it is where they are planted.
            let hold_until = NOW.after(100 * 365 * DAY);
            let application = Box::new(WaitingRequest { hold_until, ..application });
            outcome(n, Effect::Waiting { application, instead_of: None })
        });
        let made = || -> Result<Self, NameError> {
            Ok(Self {
                invited: UserName::new("invited")?,
                code: Secret::new([0xC0; 32]),
                ann: UserName::new("ann")?,
                user: UserId::new("user-1")?,
                path: AccessPath::new("/contract")?,
                application: ApplicationName::new("ledger")?,
                document: text("entitled"),
                local: ApplicationName::new("branch")?,
                places: ["Hartford", "Zürich"].map(|place| {
                    (UserInformation { location: Some(place.into()), ..said.clone() }, text(place))
                }),
                asked,
            })
        };
        made().map_err(|_| ContractViolation::Broken("the names of the contract are names"))
    }

    pub(super) fn seed(&self) -> Seed<'_> {
        let [(here, this), (there, that)] = &self.places;
        let [approved, refused] = &self.asked;
        Seed {
            code: (&self.invited, &self.code),
            entitled: (&self.user, &self.application, &self.document),
            answered: [
                (approved, ticket(APPROVED), RequestAnswer::Approved),
                (refused, ticket(REFUSED), RequestAnswer::Refused(RejectionCode::ProofNeeded)),
            ],
            by_place: (&self.local, [(here, this), (there, that)]),
        }
    }
}

/// One new store, and the story's names.
pub(super) struct Case<'a> {
    pub(super) store: &'a dyn EntitlementStore,
    pub(super) seeds: &'a Seeds,
}

/// The `n`th registration of the story: every id and secret in it is made of `n`.
pub(super) struct Grant<'a> {
    pub(super) n: u8,
    pub(super) name: &'a UserName,
    pub(super) takes: Option<Takes>,
    pub(super) ticket: Option<TicketId>,
    pub(super) expires: Option<UnixTime>,
}

pub(super) const fn key(n: u8) -> KeyId {
    KeyId::new([n; 16])
}
pub(super) const fn alias(n: u8) -> Alias {
    Alias::new([n; 16])
}
pub(super) const fn ticket(n: u8) -> TicketId {
    TicketId::new([n; 16])
}
pub(super) const fn request(n: u8) -> Digest {
    Digest::new([n; 32])
}
pub(super) fn response(n: u8) -> Vec<u8> {
    alloc::vec![n; 1200]
}
fn secret(n: u8, which: u8) -> Secret {
    let mut bytes = [n; 32];
    bytes[0] = which;
    Secret::new(bytes)
}

impl<'a> Grant<'a> {
    pub(super) const fn to(name: &'a UserName, n: u8) -> Self {
        Self { n, name, takes: None, ticket: None, expires: None }
    }

    pub(super) const fn taking(self, takes: Takes) -> Self {
        Self { takes: Some(takes), ..self }
    }

    pub(super) fn expected(n: u8) -> ExpectedTags {
        let txn = Txn::new([n; 16]);
        ExpectedTags { txn, confirm: secret(n, 4), done: secret(n, 5), lost: secret(n, 6) }
    }

    /// The row; a renewal keeps the user id.
    pub(super) fn registered(&self, case: &Case<'_>) -> Result<ServerRegistration, ContractViolation> {
        let first = match self.takes {
            Some(Takes::Place(earlier)) => case.row(&earlier)?.user_id,
            _ => UserId::new(&alloc::format!("user-{}", self.n))
                .map_err(|_| ContractViolation::Broken("the names of the contract are names"))?,
        };
        Ok(ServerRegistration {
            key_id: key(self.n),
            user_id: first,
            name: self.name.clone(),
            access_path: case.seeds.path.clone(),
            suite: SuiteId::XWing,
            policy: Policy::default(),
            lifecycle: Lifecycle::Pending { confirm_by: NOW.after(DAY) },
            expires: self.expires,
            keys: StoredKeys { auth: secret(self.n, 1), derive: secret(self.n, 2), renew: secret(self.n, 3) },
        })
    }

    pub(super) fn outcome(&self, case: &Case<'_>) -> Result<NewOutcome, ContractViolation> {
        let new = NewRegistration {
            registered: self.registered(case)?,
            alias: alias(self.n),
            expected: Self::expected(self.n),
            takes: self.takes,
            ticket: self.ticket,
        };
        Ok(outcome(self.n, Effect::Granted(Box::new(new))))
    }

    pub(super) fn commit(&self, case: &Case<'_>) -> Kept {
        case.commit(self.outcome(case)?, "an outcome for a new request is stored")
    }
}

pub(super) fn outcome(n: u8, effect: Effect) -> NewOutcome {
    let limits = PendingLimits { same: 8, total: 1000 };
    NewOutcome { request: request(n), response: response(n), keep_until: NOW.after(DAY), effect, limits }
}

/// A refusal, whatever for.
pub(super) fn refused() -> Effect {
    let cause = RejectionCause::Declined;
    Effect::Refused(RejectionRecord { cause, code: cause.code(), name: None, ticket: None })
}

impl Case<'_> {
    pub(super) fn commit(&self, outcome: NewOutcome, clause: &'static str) -> Kept {
        let committed = self.store.commit(&outcome, NOW).map_err(in_clause(clause))?;
        ensure(committed == Committed::Stored, clause)
    }

    pub(super) fn confirm(&self, n: u8) -> Result<Confirmed, ContractViolation> {
        self.store.confirm(&key(n), NOW.after(1)).map_err(in_clause("confirm answers"))
    }

    pub(super) fn activate(&self, n: u8) -> Kept {
        ensure(self.confirm(n)? == Confirmed::Active, "the first to be confirmed becomes active")
    }

    pub(super) fn outcome(&self, n: u8, now: UnixTime) -> Result<Option<Vec<u8>>, ContractViolation> {
        self.store.outcome(&request(n), now).map_err(in_clause("outcome answers"))
    }

    pub(super) fn applicant(
        &self,
        name: &UserName,
        proof: Option<ProofId>,
        now: UnixTime,
    ) -> Result<ApplicantRecord, ContractViolation> {
        let applicant = Applicant { name: name.clone(), proof };
        self.store.applicant(&applicant, now).map_err(in_clause("applicant answers"))
    }

    pub(super) fn find(&self, address: &Address) -> Result<Option<ServerRegistration>, ContractViolation> {
        self.store.registration(address, NOW).map_err(in_clause("registration answers"))
    }

    pub(super) fn row(&self, key_id: &KeyId) -> Result<ServerRegistration, ContractViolation> {
        let row = self.find(&Address::Key(*key_id))?;
        row.ok_or(ContractViolation::Broken("a granted registration is found by its key id"))
    }

    pub(super) fn lifecycle(&self, n: u8) -> Result<Lifecycle, ContractViolation> {
        self.row(&key(n)).map(|row| row.lifecycle)
    }

    pub(super) fn admit(&self, admission: Admission, now: UnixTime) -> Result<Admitted, ContractViolation> {
        self.store.admit(&admission, now).map_err(in_clause("admit answers"))
    }

    /// A session of the `n`th key, by key id, a day hence at most.
    pub(super) fn admit_by_key(
        &self,
        n: u8,
        next: Alias,
        now: UnixTime,
    ) -> Result<Admitted, ContractViolation> {
        let address = Address::Key(key(n));
        self.admit(Admission::new(key(n), address, next, None), now)
    }

    pub(super) fn stands(&self, n: u8, now: UnixTime, status: Status, clause: &'static str) -> Kept {
        ensure(self.admit_by_key(n, alias(n ^ 0xF0), now)? == Admitted::As(status), clause)
    }

    pub(super) fn is_known(&self, alias: Alias, n: u8, clause: &'static str) -> Kept {
        let row = self.find(&Address::Alias(alias))?;
        ensure(row.is_some_and(|row| row.key_id == key(n)), clause)
    }
}

pub(super) fn in_clause(clause: &'static str) -> impl FnOnce(StoreError) -> ContractViolation {
    move |error| ContractViolation::Store(clause, error)
}

pub(super) fn application(case: &Case<'_>, n: u8) -> WaitingRequest {
    waits(n, &case.seeds.ann)
}

/// The `n`th application that waits.
pub(super) fn waits(n: u8, name: &UserName) -> WaitingRequest {
    let form = Form(alloc::vec![(0, FieldValue::Text(name.as_str().into()))]);
    WaitingRequest {
        ticket_id: ticket(n),
        ticket: secret(n, 7),
        name: name.clone(),
        form,
        takes: None,
        hold_until: NOW.after(DAY),
    }
}
