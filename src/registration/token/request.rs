//! R2: SSK1 under P_u, and the form under SSK1 (patent steps 110 to 130).

use super::Credential;
use super::facts::OfferFacts;
use crate::id::{Digest, KeyId, TicketId, Txn, UserName};
use crate::message::{Proof, Request, RequestBody, RequestCore};
use crate::port::question::{Derive, DeriveFromSsk1, EncapsulateSsk1, SaveAttempt};
use crate::port::{Token, TokenError};
use crate::random::RandomSource;
use crate::record::{Attempt, InFlight, ProofKey, Waiting};
use crate::registration::{MAX_FORM, RESEND_SECS, TokenRegistrationError, padding};
use crate::schedule::{Envelope, KeyUse, Ssk1Use, binder};
use crate::secret::Secret;
use crate::step::Step;
use crate::suite::Suite;
use crate::template::Form;
use crate::time::{Period, UnixTime};
use crate::transcript::{Item, label, transcript};
use crate::wire::{self, Bytes, Frame, Message};
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// Maker of the proof in R2.
#[derive(Debug)]
pub(super) enum ProofMaker {
    None,
    Activation(Secret),
    Renewal(KeyId),
    Ticket { id: TicketId, ticket: Secret, renews: Option<KeyId>, replaces: Option<KeyId> },
}

/// The token is to make SSK1 and encapsulate it to P_u (patent steps 110 and 120).
#[must_use]
#[derive(Debug)]
pub struct NeedWrap {
    question: EncapsulateSsk1,
    facts: OfferFacts,
    form: Form,
    proof: ProofMaker,
}

impl NeedWrap {
    pub(super) fn new(facts: OfferFacts, form: Form, proof: ProofMaker) -> Self {
        let question = EncapsulateSsk1 {
            txn: facts.txn,
            suite: facts.suite.id(),
            server_key: facts.server.kem_key().clone(),
        };
        Self { question, facts, form, proof }
    }

    /// The question: SSK1, encapsulated to P_u.
    #[must_use]
    pub const fn wanted(&self) -> &EncapsulateSsk1 {
        &self.question
    }

    /// Takes SSK1's ciphertext, and draws the ephemeral secret.
    ///
    /// # Errors
    /// [`TokenRegistrationError::NotWanted`] for a ciphertext of a wrong length;
    /// [`TokenRegistrationError::Bounds`] when the server's ephemeral key is none.
    pub fn supply(
        self,
        ct: &[u8],
        random: &mut dyn RandomSource,
    ) -> Result<NeedSeal, TokenRegistrationError> {
        let Self { facts, form, proof, .. } = self;
        if ct.len() != facts.server.kem_key().ciphertext_len() {
            return Err(TokenRegistrationError::NotWanted);
        }
        let (ct_e, ss_e) =
            facts.suite.kem().encapsulate(&facts.pk_e, random).map_err(|_| TokenRegistrationError::Bounds)?;
        let core = wire::encode(&RequestCore {
            txn: facts.txn,
            offer_id: facts.offer_id,
            cookie: Bytes(&facts.cookie),
            ct: Bytes(ct),
            ct_e: Bytes(&ct_e),
        });
        let th_b = transcript(facts.suite, b"request", [Item::Transcript(&facts.th_o), Item::Message(&core)]);
        let question = DeriveFromSsk1 { txn: facts.txn, ssk1_use: Ssk1Use::Request, transcript: th_b };
        let renewal = match &proof {
            ProofMaker::Renewal(key_id) => Some(RenewalQuestions::new(*key_id, th_b)),
            _ => None,
        };
        Ok(NeedSeal { question, renewal, facts, form, proof, core, ss_e })
    }
}

/// The token is to derive p_B, and for a renewal to prove its earlier key.
#[must_use]
#[derive(Debug)]
pub struct NeedSeal {
    question: DeriveFromSsk1,
    renewal: Option<RenewalQuestions>,
    facts: OfferFacts,
    form: Form,
    proof: ProofMaker,
    core: Vec<u8>,
    ss_e: Secret,
}

/// The two uses of an earlier key that its renewal needs, over thB.
#[derive(Clone, Debug)]
pub struct RenewalQuestions {
    /// The proof ([`KeyUse::Renew`]).
    pub proof: Derive,
    /// The binder, for a ticket ([`KeyUse::Binder`]).
    pub binder: Derive,
}

impl RenewalQuestions {
    const fn new(key_id: KeyId, th_b: Digest) -> Self {
        Self {
            proof: Derive { key_id, key_use: KeyUse::Renew(th_b) },
            binder: Derive { key_id, key_use: KeyUse::Binder(th_b) },
        }
    }
}

/// The answers of an earlier key to [`RenewalQuestions`].
#[derive(Clone, Debug)]
pub struct RenewalTags {
    /// The proof.
    pub proof: Secret,
    /// The binder, for a ticket.
    pub mix: Secret,
}

impl NeedSeal {
    /// The question: p_B of this attempt.
    #[must_use]
    pub const fn wanted(&self) -> &DeriveFromSsk1 {
        &self.question
    }

    /// Two more questions, for a renewal: what the earlier key says.
    #[must_use]
    pub const fn wanted_for_renewal(&self) -> Option<&RenewalQuestions> {
        self.renewal.as_ref()
    }

    /// The attempt, whose SSK1 the token has made already.
    #[must_use]
    pub const fn txn(&self) -> &Txn {
        &self.question.txn
    }

    /// Takes p_B and, for a renewal, the earlier key's answers; seals the form.
    ///
    /// # Errors
    /// [`TokenRegistrationError::NotWanted`] when the earlier key's answers are missing.
    pub fn supply(
        self,
        p_b: &Secret,
        renewal: Option<&RenewalTags>,
        now: UnixTime,
    ) -> Result<NeedHold, TokenRegistrationError> {
        let Self {
            question: DeriveFromSsk1 { transcript: th_b, .. }, facts, form, proof, core, ss_e, ..
        } = self;
        let suite = facts.suite;
        let tag = |key: &Secret, label: &[u8]| suite.mac(key, &[label, &[0], th_b.as_bytes()]);
        let (tag, mixed, proof_key) = match &proof {
            ProofMaker::None => ([0; 32], Secret::absent(), ProofKey::None),
            ProofMaker::Activation(a) => {
                (tag(a, label::ACTIVATION_PROOF), binder(suite, a, &th_b), ProofKey::Secret(a.clone()))
            }
            ProofMaker::Ticket { ticket, .. } => (
                tag(ticket, label::TICKET_PROOF),
                binder(suite, ticket, &th_b),
                ProofKey::Secret(ticket.clone()),
            ),
            ProofMaker::Renewal(key_id) => {
                let answers = renewal.ok_or(TokenRegistrationError::NotWanted)?;
                (*answers.proof.expose(), answers.mix.clone(), ProofKey::Renewal(*key_id))
            }
        };
        let body = RequestBody { form, proof: proof.claim(tag) };
        let padded = padding::pad(&Zeroizing::new(wire::encode(&body)), MAX_FORM)
            .ok_or(TokenRegistrationError::FormTooLong)?;
        let envelope = Envelope::new(suite, Ssk1Use::Request, th_b, p_b, &ss_e);
        let (ticket, ticket_id) = envelope.ticket(&mixed);
        let sealed = envelope.seal(padded);
        let request = Request { core: Bytes(&core), sealed: Bytes(&sealed) }.encode();
        Ok(NeedHold::new(
            suite,
            InFlight {
                txn: facts.txn,
                suite: suite.id(),
                offered: facts.offered,
                server_name: facts.server.name().clone(),
                certificate: facts.server.leaf_hash(),
                certificate_end: facts.server.not_after(),
                anchor: facts.anchor,
                request: request.into_bytes(),
                transcript: th_b,
                ss_e,
                proof_key,
                renews: proof.renews(),
                replaces: proof.replaces().or(facts.replaces),
                form: body.form,
                ticket: (TicketId(ticket_id), ticket),
                outcome_size: facts.outcome_size,
                resend: Period::new(now, RESEND_SECS),
            },
        ))
    }
}

impl ProofMaker {
    /// Makes the proof's maker, and checks that it goes with the form and that both fit into R2.
    pub(super) fn of(
        facts: &OfferFacts,
        form: &Form,
        name: &UserName,
        credential: Credential,
    ) -> Result<Self, TokenRegistrationError> {
        let proof = match credential {
            Credential::None => Self::None,
            Credential::Activation(code) => Self::Activation(code.secret(facts.server.name(), name)),
            Credential::Renewal(key_id) => Self::Renewal(key_id),
            Credential::Ticket(waiting)
                if waiting.form != *form || waiting.server_name != *facts.server.name() =>
            {
                return Err(TokenRegistrationError::TicketForm);
            }
            Credential::Ticket(waiting) => {
                let Waiting { ticket_id: id, ticket, renews, replaces, .. } = waiting;
                Self::Ticket { id, ticket, renews, replaces }
            }
        };
        // A proof of the same length stands in for the one to come.
        let body = RequestBody { form: form.clone(), proof: proof.claim([0; 32]) };
        match padding::pad(&Zeroizing::new(wire::encode(&body)), MAX_FORM) {
            Some(_) => Ok(proof),
            None => Err(TokenRegistrationError::FormTooLong),
        }
    }

    const fn renews(&self) -> Option<KeyId> {
        match self {
            Self::Renewal(key_id) => Some(*key_id),
            Self::Ticket { renews, .. } => *renews,
            Self::None | Self::Activation(_) => None,
        }
    }

    const fn replaces(&self) -> Option<KeyId> {
        match self {
            Self::Ticket { replaces, .. } => *replaces,
            Self::None | Self::Activation(_) | Self::Renewal(_) => None,
        }
    }

    const fn claim(&self, tag: [u8; 32]) -> Option<Proof> {
        match self {
            Self::None => None,
            Self::Activation(_) => Some(Proof::Activation(tag)),
            Self::Renewal(key_id) => Some(Proof::Renewal(*key_id, tag)),
            Self::Ticket { id, .. } => Some(Proof::Ticket(*id, tag)),
        }
    }
}

/// The token is to keep the resume record, before R2 leaves.
#[must_use]
#[derive(Debug)]
pub struct NeedHold {
    question: SaveAttempt,
    next: AwaitOutcome,
}

impl NeedHold {
    fn new(suite: &'static dyn Suite, half: InFlight) -> Self {
        let question = SaveAttempt { attempt: Attempt::InFlight(half.clone()) };
        Self { question, next: AwaitOutcome { suite, half } }
    }

    /// The attempt to save.
    #[must_use]
    pub const fn wanted(&self) -> &SaveAttempt {
        &self.question
    }

    /// The attempt, whose SSK1 the token has made already.
    #[must_use]
    pub const fn txn(&self) -> &Txn {
        self.next.txn()
    }

    /// Takes note that the attempt is saved: R2 may leave.
    pub fn supply(self) -> Step<Request<'static>, AwaitOutcome> {
        Step { send: self.next.request(), next: self.next }
    }
}

/// Goes on, after a crash or a lost R3, with what the token held: send the same R2 again.
///
/// # Errors
/// [`TokenError::UnknownSuite`] when `suites` lacks the run's.
pub fn resume(
    half: InFlight,
    suites: &[&'static dyn Suite],
) -> Result<Step<Request<'static>, AwaitOutcome>, TokenRegistrationError> {
    let suite = suites.iter().copied().find(|suite| suite.id() == half.suite);
    let suite = suite.ok_or(TokenRegistrationError::Token(TokenError::UnknownSuite))?;
    let next = AwaitOutcome { suite, half };
    Ok(Step { send: next.request(), next })
}

/// Gives up every run whose deadline has passed, and every ticket that the server has forgotten by
/// now. Call it before a new run: a token has room for so many, and whoever keeps answers from it
/// could fill it.
///
/// # Errors
/// The token's.
pub fn abandon_lapsed(token: &mut dyn Token, now: UnixTime) -> Result<(), TokenError> {
    lapsed(token.attempts()?, now).try_for_each(|txn| token.abandon(&txn))
}

/// The attempts whose time is over.
pub(crate) fn lapsed(attempts: Vec<Attempt>, now: UnixTime) -> impl Iterator<Item = Txn> {
    let is_over = move |attempt: &Attempt| {
        let (Attempt::InFlight(InFlight { resend: period, .. })
        | Attempt::Waiting(Waiting { hold: period, .. })) = attempt;
        period.is_over(now)
    };
    attempts.into_iter().filter(is_over).map(|attempt| *attempt.txn())
}

/// R2 is out; R3 is awaited. Send the same R2 again until [`AwaitOutcome::resend`] is over.
#[must_use]
#[derive(Debug)]
pub struct AwaitOutcome {
    pub(super) suite: &'static dyn Suite,
    pub(super) half: InFlight,
}

impl AwaitOutcome {
    /// R2, to send again.
    #[must_use]
    pub fn request(&self) -> Frame<Request<'static>> {
        Frame::stored(self.half.request.clone())
    }

    /// Time for which to send R2 again; then give up, with [`Token::abandon`].
    #[must_use]
    pub const fn resend(&self) -> Period {
        self.half.resend
    }

    /// The run.
    #[must_use]
    pub const fn txn(&self) -> &Txn {
        &self.half.txn
    }
}
