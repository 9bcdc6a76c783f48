//! R3: the server's half, or a ticket, or why not (patent steps 190 and 200).

use super::join::{NeedEarlier, NeedJoin, UnfitGrant};
use super::refusal;
use super::request::AwaitOutcome;
use crate::id::{Digest, TicketId, Txn};
use crate::message::{Outcome, OutcomeBody, OutcomeCore};
use crate::port::question::{DeriveFromSsk1, SaveAttempt};
use crate::port::token::JoinRequest;
use crate::record::{Attempt, Progress, ProofKey, TokenRegistration, Waiting};
use crate::registration::{Recoverable, RejectionCode, TokenRegistrationError, padding};
use crate::schedule::{Envelope, Ssk1Use};
use crate::secret::Secret;
use crate::template::FieldError;
use crate::time::{Period, UnixTime};
use crate::transcript::{Item, transcript};
use crate::wire::{self, Message};
use alloc::boxed::Box;
use alloc::vec::Vec;
use subtle::ConstantTimeEq;

impl AwaitOutcome {
    /// R3, still sealed.
    ///
    /// # Errors
    /// [`Recoverable`] holds the state: a message that is not the answer costs nothing; go on waiting and
    /// resending. After [`TokenRegistrationError::ErrorMessage`] with `restart` the offer has lapsed: begin anew.
    pub fn receive_outcome(self, bytes: &[u8]) -> Result<NeedOpen, Recoverable<Self>> {
        match self.read(bytes) {
            Ok(read) => {
                let txn = self.half.txn;
                let question = DeriveFromSsk1 { txn, ssk1_use: Ssk1Use::Outcome, transcript: read.th_g };
                Ok(NeedOpen { question, state: self, read })
            }
            Err(error) => Err(Recoverable { state: self, error }),
        }
    }

    fn read(&self, bytes: &[u8]) -> Result<Read, TokenRegistrationError> {
        refusal(bytes)?;
        let outcome = Outcome::decode(bytes)?;
        let core: OutcomeCore<'_> = outcome.read_core()?;
        if core.txn != self.half.txn {
            return Err(TokenRegistrationError::WrongRun);
        }
        if core.sealed.len() != usize::from(self.half.outcome_size).saturating_add(16) {
            return Err(TokenRegistrationError::Sealed);
        }
        let items = [
            Item::Transcript(&self.half.transcript),
            Item::Message(&self.half.request),
            Item::Fresh(&core.salt_g),
        ];
        let th_g = transcript(self.suite, b"outcome", items);
        let th_j = transcript(self.suite, b"join", [Item::Transcript(&th_g), Item::Message(outcome.core.0)]);
        Ok(Read { th_g, th_j, sealed: core.sealed.to_vec(), tag_s: outcome.tag_s })
    }
}

#[derive(Debug)]
struct Read {
    th_g: Digest,
    th_j: Digest,
    sealed: Vec<u8>,
    tag_s: [u8; 32],
}

/// The token is to derive p_G, which opens R3.
#[must_use]
#[derive(Debug)]
pub struct NeedOpen {
    question: DeriveFromSsk1,
    state: AwaitOutcome,
    read: Read,
}

impl NeedOpen {
    /// The question: p_G of this attempt.
    #[must_use]
    pub const fn wanted(&self) -> &DeriveFromSsk1 {
        &self.question
    }

    /// The key whose proof R2 carried: the ticket of an earlier attempt, perhaps, which a refusal uses up.
    #[must_use]
    pub const fn proof_key(&self) -> &ProofKey {
        &self.state.half.proof_key
    }

    /// The state before R3 came: to go on waiting, where the token has no answer.
    pub fn into_state(self) -> AwaitOutcome {
        self.state
    }

    /// Opens R3.
    ///
    /// # Errors
    /// [`Recoverable`] holds the state: an R3 that does not open was not made by the server, or was
    /// changed; go on waiting.
    pub fn supply(self, p_g: &Secret, now: UnixTime) -> Result<ServerDecision, Recoverable<AwaitOutcome>> {
        let Self { state, read, .. } = self;
        let (suite, half) = (state.suite, &state.half);
        let envelope = Envelope::new(suite, Ssk1Use::Outcome, read.th_g, p_g, &half.ss_e);
        let body =
            envelope.open(read.sealed).map_err(|_| TokenRegistrationError::Sealed).and_then(|padded| {
                let text = padding::unpad(&padded).ok_or(TokenRegistrationError::Sealed)?;
                Ok(wire::decode::<OutcomeBody>(text, "R3 Outcome.body", text.len())?)
            });
        let body = match body {
            Ok(body) => body,
            Err(error) => return Err(Recoverable { state, error }),
        };
        Ok(match body {
            OutcomeBody::Granted { user_id, ssk2, key_id, alias, access_path, policy, confirm_by } => {
                let policy = match policy.within(&half.offered) {
                    Ok(policy) => policy,
                    Err(error) => return Ok(ServerDecision::Unfit(UnfitGrant { txn: half.txn, error })),
                };
                let registration = TokenRegistration {
                    key_id,
                    server_name: half.server_name.clone(),
                    certificate: half.certificate,
                    certificate_end: half.certificate_end,
                    anchor: half.anchor,
                    user_id,
                    access_path,
                    suite: half.suite,
                    policy,
                    alias: Some(alias),
                    progress: Progress::Joined {
                        txn: half.txn,
                        transcript: read.th_j,
                        tag_c: [0; 32],
                        confirm: Period::new(now, confirm_by.into()),
                    },
                    supersedes: half.supersedes(),
                    configurations: Vec::new(),
                    clock_floor: UnixTime::default(),
                    not_active: None,
                };
                let question = JoinRequest {
                    txn: half.txn,
                    suite: half.suite,
                    ssk2,
                    transcript: read.th_j,
                    ss_e: half.ss_e.clone(),
                    proof_key: half.proof_key.clone(),
                    tag_s: read.tag_s,
                    registration,
                };
                let renews = half.renews;
                let need = Box::new(NeedJoin::new(question, state));
                match renews {
                    Some(key_id) => ServerDecision::Renewed(Box::new(NeedEarlier::new(key_id, need))),
                    None => ServerDecision::Granted(need),
                }
            }
            OutcomeBody::Wait { retry_after, hold_until } => {
                let (ticket_id, ticket): &(TicketId, Secret) = &half.ticket;
                let waiting = Waiting {
                    txn: half.txn,
                    server_name: half.server_name.clone(),
                    ticket_id: *ticket_id,
                    ticket: ticket.clone(),
                    form: half.form.clone(),
                    renews: half.renews,
                    replaces: half.replaces,
                    retry: Period::new(now, retry_after.into()),
                    hold: Period::new(now, hold_until.into()),
                };
                let question = SaveAttempt { attempt: Attempt::Waiting(waiting.clone()) };
                ServerDecision::Wait(Box::new(NeedWait { question, waiting, state }))
            }
            OutcomeBody::Refused { code, fields } => {
                let place = |fault: &crate::message::FieldFault| {
                    FieldError::from_code(fault.problem).map(|problem| (usize::from(fault.field), problem))
                };
                ServerDecision::Refused(Rejection {
                    txn: half.txn,
                    code: RejectionCode::from_code(code),
                    fields: fields.iter().flatten().filter_map(place).collect(),
                })
            }
        })
    }
}

/// Decision in R3, authentic: it opened under SSK1.
#[must_use]
#[derive(Debug)]
pub enum ServerDecision {
    /// The registration is granted; the token is to join the halves.
    Granted(Box<NeedJoin>),
    /// A renewal is granted; it is to be compared with the earlier registration, before the join.
    Renewed(Box<NeedEarlier>),
    /// Granted, and not as the token may take it.
    Unfit(UnfitGrant),
    /// The operator has not decided; the token is to keep a ticket.
    Wait(Box<NeedWait>),
    /// Refused.
    Refused(Rejection),
}

/// The token is to keep a ticket; the run is over.
#[must_use]
#[derive(Debug)]
pub struct NeedWait {
    question: SaveAttempt,
    waiting: Waiting,
    state: AwaitOutcome,
}

impl NeedWait {
    /// What to keep ([`Token::save_attempt`](crate::port::Token::save_attempt)), for [`super::Credential::Ticket`] later. It takes the place of
    /// the ticket that this run used, if it used one: that run may be given up.
    #[must_use]
    pub const fn wanted(&self) -> &SaveAttempt {
        &self.question
    }

    /// The key whose proof R2 carried: the ticket of an earlier attempt, perhaps.
    #[must_use]
    pub const fn proof_key(&self) -> &ProofKey {
        &self.state.half.proof_key
    }

    /// The state before R3 came: to go on waiting, where the token does not save the ticket.
    pub fn into_state(self) -> AwaitOutcome {
        self.state
    }

    /// It is kept.
    pub fn supply(self) -> Waiting {
        self.waiting
    }
}

/// The waiting attempt whose ticket this is.
pub(crate) fn made_with(attempts: &[Attempt], ticket: &Secret) -> Option<Txn> {
    attempts.iter().find_map(|attempt| match attempt {
        Attempt::Waiting(waiting) if bool::from(waiting.ticket.ct_eq(ticket)) => Some(waiting.txn),
        _ => None,
    })
}

/// The server refuses, authentically. Give the run up with [`Token::abandon`](crate::port::Token::abandon), and before
/// it the waiting attempt whose ticket it used, if it used one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The run.
    pub txn: Txn,
    /// Why.
    pub code: RejectionCode,
    /// The places of the fields at fault, and what is wrong with each.
    pub fields: Vec<(usize, FieldError)>,
}
