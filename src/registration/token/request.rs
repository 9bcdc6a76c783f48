//! R2: SSK1 under P_u, and the form under SSK1 (patent steps 110 to 130).

use super::Credential;
use super::facts::OfferFacts;
use crate::id::{Digest, KeyId, TicketId, Txn, UserName};
use crate::key::KemPublicKey;
use crate::message::{Proof, Request, RequestBody, RequestCore};
use crate::policy::SuiteId;
use crate::port::{Token, TokenError};
use crate::random::RandomSource;
use crate::record::{Attempt, InFlight, ProofKey, Waiting};
use crate::registration::{MAX_FORM, RESEND_SECS, TokenRegistrationError, padding};
use crate::schedule::{Envelope, KeyUse, Ssk1Use, binder};
use crate::secret::Secret;
use crate::step::Step;
use crate::suite::Suite;
use crate::template::Form;
use crate::time::UnixTime;
use crate::transcript::{Item, label, transcript};
use crate::wire::{self, Bytes, Frame, Message};
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// What the proof in R2 is made with.
#[derive(Debug)]
enum ProofMaker {
    None,
    Activation(Secret),
    Renewal(KeyId),
    Ticket { id: TicketId, ticket: Secret, renews: Option<KeyId> },
}

/// The token is to make SSK1 and encapsulate it to P_u (patent steps 110 and 120).
#[must_use]
#[derive(Debug)]
pub struct NeedWrap {
    facts: OfferFacts,
    form: Form,
    proof: ProofMaker,
}

impl NeedWrap {
    pub(super) fn new(
        facts: OfferFacts,
        form: Form,
        name: &UserName,
        credential: Credential,
    ) -> Result<Self, TokenRegistrationError> {
        let proof = match credential {
            Credential::None => ProofMaker::None,
            Credential::Activation(code) => ProofMaker::Activation(code.secret(facts.server.name(), name)),
            Credential::Renewal(key_id) => ProofMaker::Renewal(key_id),
            Credential::Ticket(waiting)
                if waiting.form != form || waiting.server_name != *facts.server.name() =>
            {
                return Err(TokenRegistrationError::TicketForm);
            }
            Credential::Ticket(waiting) => {
                ProofMaker::Ticket { id: waiting.ticket_id, ticket: waiting.ticket, renews: waiting.renews }
            }
        };
        // A proof of the same length stands in for the one to come.
        let body = RequestBody { form, proof: proof.claim([0; 32]) };
        if padding::pad(&Zeroizing::new(wire::encode(&body)), MAX_FORM).is_none() {
            return Err(TokenRegistrationError::FormTooLong);
        }
        Ok(Self { facts, form: body.form, proof })
    }

    /// For which run, in which suite, and to which P_u.
    #[must_use]
    pub fn wanted(&self) -> (&Txn, SuiteId, &KemPublicKey) {
        (&self.facts.txn, self.facts.suite.id(), self.facts.server.kem_key())
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
        let Self { facts, form, proof } = self;
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
        Ok(NeedSeal { facts, form, proof, core, ss_e, th_b })
    }

    /// Asks the token.
    ///
    /// # Errors
    /// [`TokenRegistrationError`], the token's among them.
    pub fn supply_from(
        self,
        token: &mut dyn Token,
        random: &mut dyn RandomSource,
    ) -> Result<NeedSeal, TokenRegistrationError> {
        let (txn, suite, server_key) = self.wanted();
        let ct = token.wrap(txn, suite, server_key)?;
        self.supply(&ct, random)
    }
}

/// The token is to derive p_B, and for a renewal to prove its earlier key.
#[must_use]
#[derive(Debug)]
pub struct NeedSeal {
    facts: OfferFacts,
    form: Form,
    proof: ProofMaker,
    core: Vec<u8>,
    ss_e: Secret,
    th_b: Digest,
}

/// What an earlier key says for its renewal: the answers to [`KeyUse::Renew`] and
/// [`KeyUse::Binder`].
#[derive(Clone, Debug)]
pub struct RenewalTags {
    /// The proof.
    pub proof: Secret,
    /// The mix, for a ticket.
    pub mix: Secret,
}

impl NeedSeal {
    /// p_B of this run ([`Ssk1Use::Request`]) over this transcript.
    #[must_use]
    pub const fn wanted(&self) -> (&Txn, Ssk1Use, &Digest) {
        (&self.facts.txn, Ssk1Use::Request, &self.th_b)
    }

    /// The earlier key to ask [`KeyUse::Renew`] and [`KeyUse::Binder`] over the same transcript.
    #[must_use]
    pub const fn wanted_of(&self) -> Option<&KeyId> {
        match &self.proof {
            ProofMaker::Renewal(key_id) => Some(key_id),
            _ => None,
        }
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
        let Self { facts, form, proof, core, ss_e, th_b } = self;
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
        Ok(NeedHold {
            suite,
            half: InFlight {
                txn: facts.txn,
                suite: suite.id(),
                server_name: facts.server.name().clone(),
                certificate: facts.server.leaf_hash(),
                anchor: facts.anchor,
                request: request.into_bytes(),
                transcript: th_b,
                ss_e,
                proof_key,
                renews: proof.renews(),
                form: body.form,
                ticket: (TicketId(ticket_id), ticket),
                outcome_size: facts.outcome_size,
                deadline: now.after(RESEND_SECS),
            },
        })
    }

    /// Asks the token.
    ///
    /// # Errors
    /// [`TokenRegistrationError`], the token's among them.
    pub fn supply_from(
        self,
        token: &mut dyn Token,
        now: UnixTime,
    ) -> Result<NeedHold, TokenRegistrationError> {
        let (txn, wanted, th_b) = self.wanted();
        let p_b = token.derive_from_ssk1(txn, wanted, th_b)?;
        let answers = match self.wanted_of() {
            None => None,
            Some(key_id) => Some(RenewalTags {
                proof: token.derive(key_id, &KeyUse::Renew(self.th_b))?,
                mix: token.derive(key_id, &KeyUse::Binder(self.th_b))?,
            }),
        };
        self.supply(&p_b, answers.as_ref(), now)
    }
}

impl ProofMaker {
    const fn renews(&self) -> Option<KeyId> {
        match self {
            Self::Renewal(key_id) => Some(*key_id),
            Self::Ticket { renews, .. } => *renews,
            Self::None | Self::Activation(_) => None,
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
    suite: &'static dyn Suite,
    half: InFlight,
}

impl NeedHold {
    /// What to keep ([`Token::save_attempt`]).
    #[must_use]
    pub fn wanted(&self) -> Attempt {
        Attempt::InFlight(self.half.clone())
    }

    /// It is kept: R2 may leave.
    pub fn supply(self) -> Step<Request<'static>, AwaitOutcome> {
        let next = AwaitOutcome { suite: self.suite, half: self.half };
        Step { send: next.request(), next }
    }

    /// Has the token keep it.
    ///
    /// # Errors
    /// The token's.
    pub fn supply_from(
        self,
        token: &mut dyn Token,
    ) -> Result<Step<Request<'static>, AwaitOutcome>, TokenRegistrationError> {
        token.save_attempt(self.wanted())?;
        Ok(self.supply())
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
    Ok(NeedHold { suite, half }.supply())
}

/// Gives up every run whose deadline has passed, and every ticket that the server has forgotten by
/// now. Call it before a new run: a token has room for so many, and whoever keeps answers from it
/// could fill it.
///
/// # Errors
/// The token's.
pub fn abandon_lapsed(token: &mut dyn Token, now: UnixTime) -> Result<(), TokenError> {
    for attempt in token.attempts()? {
        let (Attempt::InFlight(InFlight { deadline: end, .. })
        | Attempt::Waiting(Waiting { hold_until: end, .. })) = &attempt;
        if *end < now {
            token.abandon(attempt.txn())?;
        }
    }
    Ok(())
}

/// R2 is out; R3 is awaited. Send the same R2 again until [`AwaitOutcome::deadline`].
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

    /// When to give up, with [`Token::abandon`].
    #[must_use]
    pub const fn deadline(&self) -> UnixTime {
        self.half.deadline
    }

    /// The run.
    #[must_use]
    pub const fn txn(&self) -> &Txn {
        &self.half.txn
    }
}
