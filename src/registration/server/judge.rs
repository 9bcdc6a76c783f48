//! Judging an application: proof, name and room, before the operator is asked (patent step 160).

use super::application::{Claim, EnrolmentRequest, OpenedRequest, Read};
use super::decide::{Judged, NeedDecision};
use crate::id::{Digest, UserName};
use crate::message::{FieldFault, Proof};
use crate::port::question::FindApplicant;
use crate::record::{
    Applicant, ApplicantRecord, Lifecycle, ProofId, RequestAnswer, ServerRegistration, Takes,
};
use crate::registration::RejectionCause;
use crate::registration::error::RejectionDraft;
use crate::secret::Secret;
use crate::settings::ServerSettings;
use crate::suite::prf;
use crate::template::{FieldError, Form};
use crate::time::UnixTime;
use crate::transcript::label;
use alloc::boxed::Box;
use alloc::vec::Vec;
use subtle::ConstantTimeEq;

/// Facts about the applicant are needed.
#[must_use]
#[derive(Debug)]
pub struct NeedApplicant {
    read: Box<Read>,
    opened: Option<OpenedRequest>,
    question: FindApplicant,
}

impl NeedApplicant {
    pub(super) fn new(read: Read, opened: Option<OpenedRequest>) -> Self {
        let named = opened.as_ref().and_then(|(body, name)| Some((name.as_ref().ok()?, body.proof.as_ref())));
        let question = FindApplicant { applicant: applicant(named, &read.digest) };
        Self { read: Box::new(read), opened, question }
    }

    /// The question: facts about the applicant ([`EntitlementStore::applicant`](crate::port::EntitlementStore::applicant)).
    #[must_use]
    pub const fn wanted(&self) -> &FindApplicant {
        &self.question
    }

    /// Checks the proof against what is known of the applicant.
    pub fn supply(self, known: ApplicantRecord, settings: &ServerSettings, now: UnixTime) -> Judged {
        let Self { read, opened, question: FindApplicant { applicant } } = self;
        let Some((body, name)) = opened else {
            return Judged::refuse(read, RejectionDraft::new(RejectionCause::Unreadable, None));
        };
        let proven = prove(&read, &applicant, body.proof.as_ref(), &known, settings);
        let name = match name {
            Ok(name) => name,
            Err(faults) => return Judged::refuse(read, form_refusal(&faults)),
        };
        let answer = known.answer;
        let claim = match admit(proven, &body.form, &name, known, settings, now) {
            Err(cause) => return Judged::refuse(read, RejectionDraft::new(cause, Some(&name))),
            Ok(claim) => claim,
        };
        // The answer is to the application behind the ticket, which was proved.
        let ticket = claim.ticket();
        let approved = match answer.filter(|_| ticket.is_some()) {
            Some(RequestAnswer::Refused(code)) => {
                return Judged::refuse(read, RejectionDraft::declined(code, &name, ticket));
            }
            answer => answer.is_some(),
        };
        let (form, proof) = (body.form, claim.proof());
        let application = EnrolmentRequest { name, form, proof, ticket, approved };
        Judged::Ask(NeedDecision { read, application, claim })
    }
}

fn form_refusal(faults: &[(u8, FieldError)]) -> RejectionDraft {
    let field = |(field, error): &(u8, FieldError)| FieldFault { field: *field, problem: error.code() };
    let fields: Vec<FieldFault> = faults.iter().take(16).map(field).collect();
    RejectionDraft {
        fields: (!fields.is_empty()).then_some(fields),
        ..RejectionDraft::new(RejectionCause::Form, None)
    }
}

/// The key that a proof was checked under, if it held.
struct Proven {
    claim: Option<Claim>,
    holds: bool,
    /// Set where the key is a code whose time is over: no claim.
    expired: bool,
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
        None => return Proven { claim: Some(Claim::Open), holds: true, expired: false },
        Some(Proof::Activation(tag)) => {
            let key = known.activation.as_ref().or(known.expired.as_ref());
            let key = key.map_or(&decoy, |activation| &activation.secret);
            (mac(key, label::ACTIVATION_PROOF), tag, known.activation.clone().map(Claim::Activation))
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
    Proven { holds: bool::from(expected.ct_eq(claimed)), claim, expired: known.expired.is_some() }
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
) -> Result<Claim, RejectionCause> {
    let claim = match proven.claim {
        Some(claim) => claim,
        None if !proven.expired => return Err(RejectionCause::UnknownProof),
        None if proven.holds => return Err(RejectionCause::ExpiredCode),
        None => return Err(RejectionCause::WrongProof),
    };
    if !proven.holds {
        return Err(RejectionCause::WrongProof);
    }
    if matches!(claim, Claim::Open) && !settings.open_registration {
        return Err(RejectionCause::ProofNeeded);
    }
    if let Claim::Ticket(waiting, earlier) = &claim {
        let renews = matches!(waiting.takes, Some(Takes::Place(_)));
        if waiting.form != *form || now > waiting.hold_until || renews != earlier.is_some() {
            return Err(RejectionCause::StaleTicket);
        }
    }
    match claim.renews() {
        None if known.name_taken => return Err(RejectionCause::NameTaken),
        Some(earlier) if !renewable(earlier, name, settings, now) => {
            return Err(RejectionCause::NotRenewable);
        }
        _ => {}
    }
    Ok(claim)
}

/// A renewal keeps the name, and needs a key that is active, or expired not long ago.
fn renewable(
    earlier: &ServerRegistration,
    name: &UserName,
    settings: &ServerSettings,
    now: UnixTime,
) -> bool {
    let in_time = earlier.expires.is_none_or(|end| now <= end.after(settings.renewal_grace.into()));
    earlier.lifecycle == Lifecycle::Active && in_time && earlier.name == *name
}

/// Who applies, as a question for the store. A request that did not open asks all the same, for a
/// name that nobody has.
fn applicant(opened: Option<(&UserName, Option<&Proof>)>, digest: &Digest) -> Applicant {
    match opened {
        Some((name, proof)) => Applicant { name: name.clone(), proof: proof.map(proof_id) },
        None => Applicant { name: UserName::hexadecimal(digest), proof: None },
    }
}

const fn proof_id(proof: &Proof) -> ProofId {
    match proof {
        Proof::Activation(_) => ProofId::Activation,
        Proof::Renewal(key_id, _) => ProofId::Renewal(*key_id),
        Proof::Ticket(ticket_id, _) => ProofId::Ticket(*ticket_id),
    }
}
