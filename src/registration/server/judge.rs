//! Judging an application: proof, name, room, and the operator (patent step 160).

use super::grant::{NeedCommit, Ruling};
use super::request::applicant;
use crate::id::{AccessPath, Digest, TicketId, UserId, UserName};
use crate::message::{FieldFault, Proof, RequestBody};
use crate::policy::Policy;
use crate::port::EntitlementStore;
use crate::port::auth_server::Decapsulated;
use crate::random::RandomSource;
use crate::record::{Applicant, ApplicantRecord, Lifecycle, ProofId, Registered, WaitingApplication};
use crate::registration::cookie::Cookie;
use crate::registration::error::Refusing;
use crate::registration::{RefusalCode, ServerSideError};
use crate::schedule::{Envelope, Question, mix};
use crate::secret::Secret;
use crate::settings::ServerSettings;
use crate::suite::{Suite, prf};
use crate::template::{FieldError, Form};
use crate::time::UnixTime;
use crate::transcript::label;
use alloc::boxed::Box;
use alloc::vec::Vec;
use subtle::ConstantTimeEq;

/// An R2 whose cookie held, and what it carried.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) suite: &'static dyn Suite,
    pub(super) cookie: Cookie,
    pub(super) request: Vec<u8>,
    pub(super) digest: Digest,
    pub(super) secrets: Decapsulated,
    pub(super) th_b: Digest,
    pub(super) envelope: Envelope,
}

/// What is known of the applicant is needed.
#[must_use]
#[derive(Debug)]
pub struct NeedApplicant {
    read: Box<Read>,
    opened: Option<Opened>,
    applicant: Applicant,
}

/// An R2 that opened, and the name in its form or what is wrong with it.
pub(super) type Opened = (RequestBody, Result<UserName, Vec<(u8, FieldError)>>);

impl NeedApplicant {
    pub(super) fn new(read: Read, opened: Option<Opened>) -> Self {
        let named = opened.as_ref().and_then(|(body, name)| Some((name.as_ref().ok()?, body.proof.as_ref())));
        let applicant = applicant(named, &read.digest);
        Self { read: Box::new(read), opened, applicant }
    }

    /// Who it is ([`EntitlementStore::applicant`]).
    #[must_use]
    pub const fn wanted(&self) -> &Applicant {
        &self.applicant
    }

    /// Checks the proof against what is known of the applicant.
    pub fn supply(self, known: ApplicantRecord, settings: &ServerSettings, now: UnixTime) -> Judged {
        let Self { read, opened, applicant } = self;
        let Some((body, name)) = opened else {
            return Judged::refuse(read, RefusalCode::Unspecified.into());
        };
        let proven = prove(&read, &applicant, body.proof.as_ref(), &known, settings);
        let name = match name {
            Ok(name) => name,
            Err(faults) => return Judged::refuse(read, form_refusal(&faults)),
        };
        match admit(proven, &body.form, &name, known, settings, now) {
            Err(refusing) => Judged::refuse(read, refusing),
            Ok(claim) => Judged::Ask(NeedDecision {
                read,
                application: Application {
                    name,
                    form: body.form,
                    proof: claim.proof(),
                    ticket: claim.ticket(),
                },
                claim,
            }),
        }
    }

    /// Asks the store.
    ///
    /// # Errors
    /// The store's.
    pub fn supply_from(
        self,
        store: &dyn EntitlementStore,
        settings: &ServerSettings,
        now: UnixTime,
    ) -> Result<Judged, ServerSideError> {
        let known = store.applicant(self.wanted(), now)?;
        Ok(self.supply(known, settings, now))
    }
}

fn form_refusal(faults: &[(u8, FieldError)]) -> Refusing {
    let field = |(field, error): &(u8, FieldError)| FieldFault { field: *field, problem: error.code() };
    let fields: Vec<FieldFault> = faults.iter().take(16).map(field).collect();
    Refusing { code: RefusalCode::Form, fields: (!fields.is_empty()).then_some(fields) }
}

/// The key that a proof was checked under, if it held.
struct Proven {
    claim: Option<Claim>,
    holds: bool,
}

/// Whose expectation the application meets, and with which key.
#[derive(Debug)]
pub(super) enum Claim {
    /// Nobody's.
    Open,
    /// The operator's who sent the code; A.
    Activation(Secret),
    /// Its own earlier one.
    Renewal(Box<Registered>),
    /// The operator's who was asked before; with the earlier registration if it is to be renewed.
    Ticket(Box<WaitingApplication>, Option<Box<Registered>>),
}

impl Claim {
    /// The key whose mix goes into the join, over `transcript`.
    pub(super) fn mix(&self, suite: &dyn Suite, transcript: &Digest) -> Secret {
        match self {
            Self::Open => Secret::absent(),
            Self::Activation(a) => mix(suite, a, transcript),
            Self::Renewal(earlier) => earlier.keys.key_set().answer(suite, &Question::Mix(transcript)),
            Self::Ticket(waiting, _) => mix(suite, &waiting.ticket, transcript),
        }
    }

    /// What the registration takes when it becomes active.
    pub(super) fn takes(&self) -> Option<ProofId> {
        match self {
            Self::Open => None,
            Self::Activation(_) => Some(ProofId::Activation),
            Self::Renewal(earlier) => Some(ProofId::Renewal(earlier.key_id)),
            Self::Ticket(waiting, _) => waiting.proof,
        }
    }

    /// The registration that the new one replaces.
    pub(super) fn renews(&self) -> Option<&Registered> {
        match self {
            Self::Renewal(earlier) | Self::Ticket(_, Some(earlier)) => Some(earlier),
            Self::Open | Self::Activation(_) | Self::Ticket(_, None) => None,
        }
    }

    /// The ticket that is used up.
    pub(super) fn ticket(&self) -> Option<TicketId> {
        match self {
            Self::Ticket(waiting, _) => Some(waiting.ticket_id),
            Self::Open | Self::Activation(_) | Self::Renewal(_) => None,
        }
    }

    fn proof(&self) -> ApplicationProof {
        match self {
            Self::Open => ApplicationProof::None,
            Self::Activation(_) => ApplicationProof::Activation,
            Self::Renewal(earlier) | Self::Ticket(_, Some(earlier)) => {
                ApplicationProof::Renewal(earlier.clone())
            }
            Self::Ticket(waiting, None) => match waiting.proof {
                Some(ProofId::Activation) => ApplicationProof::Activation,
                _ => ApplicationProof::None,
            },
        }
    }
}

/// Checks the one proof, under a made-up key where there is none to check it under.
fn prove(
    read: &Read,
    applicant: &Applicant,
    proof: Option<&Proof>,
    known: &ApplicantRecord,
    settings: &ServerSettings,
) -> Proven {
    let suite = read.suite;
    // Made in any case, so that the time does not tell whether it was needed.
    let decoy =
        prf(suite, &settings.secrets.decoy, b"halfkey/1 no proof key", applicant.name.as_str().as_bytes());
    let mac = |key: &Secret, label: &[u8]| suite.mac(key, &[label, &[0], read.th_b.as_bytes()]);
    let (expected, claimed, claim) = match proof {
        None => return Proven { claim: Some(Claim::Open), holds: true },
        Some(Proof::Activation(tag)) => {
            let key = known.activation.clone();
            let expected = mac(key.as_ref().unwrap_or(&decoy), label::ACTIVATION_PROOF);
            (expected, tag, key.map(Claim::Activation))
        }
        Some(Proof::Renewal(_, tag)) => {
            let key = known.earlier.as_ref().map_or(&decoy, |earlier| &earlier.keys.renew);
            (mac(key, label::RENEW), tag, known.earlier.clone().map(Claim::Renewal))
        }
        Some(Proof::Ticket(_, tag)) => {
            let key = known.waiting.as_ref().map_or(&decoy, |waiting| &waiting.ticket);
            (
                mac(key, label::TICKET_PROOF),
                tag,
                known.waiting.clone().map(|waiting| Claim::Ticket(waiting, known.earlier.clone())),
            )
        }
    };
    Proven { holds: bool::from(expected.ct_eq(claimed)), claim }
}

/// Whether a proven (or open) application may go to the operator. What it says of names and keys,
/// it says only to who has proved to be expected; open registration shows names by its nature.
fn admit(
    proven: Proven,
    form: &Form,
    name: &UserName,
    known: ApplicantRecord,
    settings: &ServerSettings,
    now: UnixTime,
) -> Result<Claim, Refusing> {
    let claim = proven.claim.filter(|_| proven.holds).ok_or(RefusalCode::Unspecified)?;
    if matches!(claim, Claim::Open) && !settings.open_registration {
        return Err(RefusalCode::ProofNeeded.into());
    }
    if let Claim::Ticket(waiting, earlier) = &claim {
        let renews = matches!(waiting.proof, Some(ProofId::Renewal(_)));
        if waiting.form != *form || now > waiting.hold_until || renews != earlier.is_some() {
            return Err(RefusalCode::Unspecified.into());
        }
    }
    match claim.renews() {
        None if known.name_taken => return Err(RefusalCode::NameTaken.into()),
        Some(earlier) if !renewable(earlier, name, settings, now) => {
            return Err(RefusalCode::NotRenewable.into());
        }
        _ => {}
    }
    // Strangers can fill the room there is for strangers, and none that is kept for a code or a key.
    let full = matches!(claim, Claim::Open) && known.pending_total >= settings.pending_total;
    if full || known.pending_same >= settings.pending_same {
        return Err(RefusalCode::TooMany.into());
    }
    Ok(claim)
}

/// A renewal keeps the name, and needs a key that is active, or expired not long ago.
fn renewable(earlier: &Registered, name: &UserName, settings: &ServerSettings, now: UnixTime) -> bool {
    let in_time = earlier.expires.is_none_or(|end| now <= end.after(settings.renewal_grace.into()));
    earlier.lifecycle == Lifecycle::Active && in_time && earlier.name == *name
}

/// What comes of judging.
#[must_use]
#[derive(Debug)]
pub enum Judged {
    /// In order so far: the operator is to decide.
    Ask(NeedDecision),
    /// Refused; R3 will say so.
    Refuse(NeedRefusal),
}

impl Judged {
    const fn refuse(read: Box<Read>, refusing: Refusing) -> Self {
        Self::Refuse(NeedRefusal { read, refusing })
    }

    /// Why it is refused already, for the operator's log; the applicant may learn less.
    #[must_use]
    pub const fn refused(&self) -> Option<RefusalCode> {
        match self {
            Self::Ask(_) => None,
            Self::Refuse(need) => Some(need.refusing.code),
        }
    }

    /// Goes on with what the operator decides; `decide` is called only for an application that is
    /// in order.
    ///
    /// # Errors
    /// [`ServerSideError::Setting`] when the outcome does not fit into `outcome_size`.
    pub fn decide(
        self,
        decide: impl FnOnce(&Application) -> Decision,
        settings: &ServerSettings,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<NeedCommit, ServerSideError> {
        match self {
            Self::Ask(need) => {
                let decision = decide(need.wanted());
                need.supply(decision, settings, now, random)
            }
            Self::Refuse(need) => need.supply(settings, now, random),
        }
    }
}

/// A refusal that is to be sealed like any outcome.
#[must_use]
#[derive(Debug)]
pub struct NeedRefusal {
    read: Box<Read>,
    refusing: Refusing,
}

impl NeedRefusal {
    /// Seals it.
    ///
    /// # Errors
    /// [`ServerSideError::Setting`] when it does not fit into `outcome_size`.
    pub fn supply(
        self,
        settings: &ServerSettings,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<NeedCommit, ServerSideError> {
        NeedCommit::new(*self.read, Ruling::Refuse(self.refusing), settings, now, random)
    }
}

/// An application that is in order, for the operator.
#[derive(Clone, Debug)]
pub struct Application {
    /// The name applied for.
    pub name: UserName,
    /// The form, checked.
    pub form: Form,
    /// Why the applicant should be expected; it has been verified.
    pub proof: ApplicationProof,
    /// The ticket of the waiting application that this one follows up; it has been verified too.
    ///
    /// What the operator has decided on a waiting application is for the holder of its ticket:
    /// anybody may come without one and apply for the same name.
    pub ticket: Option<TicketId>,
}

/// Why an applicant should be expected.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ApplicationProof {
    /// No reason: trust on first use.
    None,
    /// The applicant has the activation code for the name.
    Activation,
    /// The applicant holds this earlier key.
    Renewal(Box<Registered>),
}

/// The operator is to decide.
#[must_use]
#[derive(Debug)]
pub struct NeedDecision {
    read: Box<Read>,
    application: Application,
    claim: Claim,
}

/// What the operator decides.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Decision {
    /// Register.
    Grant(Grant),
    /// Do not.
    Refuse(RefusalCode),
    /// Not yet: ask again after so many seconds.
    Wait {
        /// Seconds.
        retry_after: u32,
    },
}

/// What is granted.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The user identification code (patent step 160); `None` has one drawn. A renewal keeps its
    /// own.
    pub user_id: Option<UserId>,
    /// The access control path (patent step 180).
    pub access_path: AccessPath,
    /// What the key may be used for. A renewal is never weaker than before.
    pub policy: Policy,
}

impl NeedDecision {
    /// What to decide on.
    #[must_use]
    pub const fn wanted(&self) -> &Application {
        &self.application
    }

    /// Takes the decision and seals the outcome.
    ///
    /// # Errors
    /// [`ServerSideError::Setting`] when the outcome does not fit into `outcome_size`.
    pub fn supply(
        self,
        decision: Decision,
        settings: &ServerSettings,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<NeedCommit, ServerSideError> {
        let ruling = match decision {
            Decision::Grant(grant) => Ruling::Grant { grant, name: self.application.name, claim: self.claim },
            Decision::Refuse(code) => Ruling::Refuse(code.into()),
            Decision::Wait { retry_after } => {
                Ruling::Wait { retry_after, application: self.application, claim: self.claim }
            }
        };
        NeedCommit::new(*self.read, ruling, settings, now, random)
    }
}
