//! Registration, resumption and confirmation: R0 to R5.

use super::error::TokenExchangeError;
use super::options::RegisterOptions;
use super::reply::{News, TokenReply};
use super::state::{Again, Registering, State};
use super::then::{AbandonThen, AttemptsThen, DeadThen, DeriveThen, Renewing, SaveThen, Ssk1Then};
use super::turn::{self, TokenTurn, abandon, asked};
use crate::exchange::asked::Resume;
use crate::id::{ServerName, Txn};
use crate::moment::Moment;
use crate::port::TokenError;
use crate::port::question::{
    Abandon, Answered, DeriveFromSsk1, EncapsulateSsk1, FindAttempts, FindRegistrations, SaveAttempt,
};
use crate::port::token::JoinRequest;
use crate::record::{InFlight, ProofKey};
use crate::registration::token::{
    self as steps, AwaitDone, AwaitOutcome, NeedEarlier, NeedJoin, NeedSeal, NeedWrap, Rejection,
    RenewalTags, ServerDecision, UnfitGrant,
};
use crate::registration::{Recoverable, TokenRegistrationError};
use crate::secret::Secret;
use crate::step::ErrorReason;
use crate::suite::Suite;
use alloc::boxed::Box;
use alloc::vec::Vec;

pub(super) fn begin(server: ServerName, options: RegisterOptions, moment: Moment) -> TokenTurn {
    asked(AttemptsThen::Lapsed(Registering::new(server, options)), moment)
}

pub(super) fn resume(attempt: InFlight, suites: &[&'static dyn Suite]) -> TokenTurn {
    match steps::resume(attempt, suites) {
        Ok(step) => turn::send(step.send.into_bytes(), State::AwaitOutcome(Box::new(step.next), None)),
        Err(error) => turn::failed(error, None),
    }
}

/// R3. After `restart` the run begins again, once, where the form is at hand.
pub(super) fn outcome(state: AwaitOutcome, again: Again, frame: &[u8], moment: Moment) -> TokenTurn {
    match state.receive_outcome(frame) {
        Ok(need) => asked(Ssk1Then::Outcome(Box::new(need), again), moment),
        Err(Recoverable { state, error: TokenRegistrationError::ErrorMessage(ErrorReason::Restart) }) => {
            match again {
                Some(again) => again.restart(*state.txn(), moment),
                None => still(TokenRegistrationError::ErrorMessage(ErrorReason::Restart), state, None),
            }
        }
        Err(Recoverable { state, error }) => still(error, state, again),
    }
}

/// R5.
pub(super) fn done(state: AwaitDone, frame: &[u8], moment: Moment) -> TokenTurn {
    match state.receive_done(frame) {
        Ok(need) => asked(DeriveThen::Settle(Box::new(need)), moment),
        Err(kept) => turn::failed(kept.error, Some(State::AwaitDone(Box::new(kept.state)))),
    }
}

/// It has cost nothing: R3 is still awaited.
fn still(error: impl Into<TokenExchangeError>, state: AwaitOutcome, again: Again) -> TokenTurn {
    turn::failed(error, Some(State::AwaitOutcome(Box::new(state), again)))
}

impl Resume for AttemptsThen {
    type Question = FindAttempts;
    type Base = Moment;
    type Turn = TokenTurn;

    fn question(&self) -> &Self::Question {
        &FindAttempts
    }

    fn resume(self, moment: Box<Moment>, answer: Answered<Self::Question>) -> TokenTurn {
        let (then, moment) = (self, *moment);
        match (then, answer) {
            (AttemptsThen::Lapsed(registering), Ok(attempts)) => {
                let lapsed = steps::lapsed(attempts, moment.time()).collect();
                abandon_next(lapsed, registering, moment)
            }
            (AttemptsThen::Lapsed(_), Err(error)) => turn::failed(error, None),
            (AttemptsThen::Ticket(ticket, reply), answer) => {
                match answer.ok().and_then(|attempts| steps::made_with(&attempts, &ticket)) {
                    Some(txn) => abandon(txn, AbandonThen::Reply(reply), moment),
                    None => TokenTurn::Done(*reply),
                }
            }
            (AttemptsThen::Refused(ticket, rejection), answer) => {
                match answer.ok().and_then(|attempts| steps::made_with(&attempts, &ticket)) {
                    Some(txn) => abandon(txn, AbandonThen::Refused(rejection), moment),
                    None => rejected(rejection, moment),
                }
            }
        }
    }
}

fn abandon_next(mut lapsed: Vec<Txn>, registering: Box<Registering>, moment: Moment) -> TokenTurn {
    match lapsed.pop() {
        Some(txn) => abandon(txn, AbandonThen::Lapsed(lapsed, registering), moment),
        None => asked(DeadThen(registering), moment),
    }
}

/// SSK1 is made and R2 cannot leave: nothing of the attempt stays with the token.
fn give_up(txn: Txn, error: impl Into<TokenExchangeError>, moment: Moment) -> TokenTurn {
    let reply = TokenReply { news: Some(News::Failed(error.into())), ..TokenReply::default() };
    abandon(txn, AbandonThen::Reply(Box::new(reply)), moment)
}

impl Resume for (Abandon, AbandonThen) {
    type Question = Abandon;
    type Base = Moment;
    type Turn = TokenTurn;

    fn question(&self) -> &Self::Question {
        &self.0
    }

    fn resume(self, moment: Box<Moment>, answer: Answered<Self::Question>) -> TokenTurn {
        let ((_, then), moment) = (self, *moment);
        match (then, answer) {
            (AbandonThen::Reply(reply), _) => TokenTurn::Done(*reply),
            (_, Err(error)) => turn::failed(error, None),
            (AbandonThen::Lapsed(rest, registering), Ok(())) => abandon_next(rest, registering, moment),
            (AbandonThen::Refused(rejection), Ok(())) => rejected(rejection, moment),
            (AbandonThen::Rejected(rejection), Ok(())) => turn::news(News::Rejected(rejection), None),
            (AbandonThen::Replaced(run), Ok(())) => asked(run, moment),
        }
    }
}

impl Resume for Box<(NeedWrap, Again)> {
    type Question = EncapsulateSsk1;
    type Base = Moment;
    type Turn = TokenTurn;

    fn question(&self) -> &Self::Question {
        self.0.wanted()
    }

    fn resume(self, moment: Box<Moment>, answer: Answered<Self::Question>) -> TokenTurn {
        let ((need, again), mut moment) = (*self, *moment);
        let txn = need.wanted().txn;
        match answer {
            Ok(ct) => match need.supply(&ct, &mut moment) {
                Ok(need) => asked(Ssk1Then::Request(Box::new(need), again), moment),
                Err(error) => give_up(txn, error, moment),
            },
            Err(error) => turn::failed(error, None),
        }
    }
}

impl Resume for Ssk1Then {
    type Question = DeriveFromSsk1;
    type Base = Moment;
    type Turn = TokenTurn;

    fn question(&self) -> &Self::Question {
        match self {
            Ssk1Then::Request(need, _) => need.wanted(),
            Ssk1Then::Outcome(need, _) => need.wanted(),
        }
    }

    fn resume(self, moment: Box<Moment>, answer: Answered<Self::Question>) -> TokenTurn {
        let (then, moment) = (self, *moment);
        match (then, answer) {
            (Ssk1Then::Request(need, again), Ok(p_b)) => match need.wanted_for_renewal().cloned() {
                None => seal(*need, again, &p_b, None, moment),
                Some(questions) => {
                    let renewing = Box::new(Renewing { need: *need, again, questions, p_b });
                    asked(DeriveThen::RenewalProof(renewing), moment)
                }
            },
            (Ssk1Then::Request(need, _), Err(error)) => give_up(*need.txn(), error, moment),
            (Ssk1Then::Outcome(need, again), Ok(p_g)) => {
                let used = need.proof_key().clone();
                match need.supply(&p_g, moment.time()) {
                    Ok(decision) => decided(decision, used, moment),
                    Err(kept) => still(kept.error, kept.state, again),
                }
            }
            (Ssk1Then::Outcome(need, again), Err(error)) => still(error, need.into_state(), again),
        }
    }
}

/// R2 is sealed; the attempt is saved before it leaves.
fn seal(
    need: NeedSeal,
    again: Again,
    p_b: &Secret,
    renewal: Option<&RenewalTags>,
    moment: Moment,
) -> TokenTurn {
    let txn = *need.txn();
    match need.supply(p_b, renewal, moment.time()) {
        Ok(need) => asked(SaveThen::Request(Box::new(need), again), moment),
        Err(error) => give_up(txn, error, moment),
    }
}

impl Renewing {
    /// The earlier key has answered.
    pub(super) fn seal(self, proof: Secret, mix: Secret, moment: Moment) -> TokenTurn {
        seal(self.need, self.again, &self.p_b, Some(&RenewalTags { proof, mix }), moment)
    }

    /// The token has no answer about the earlier key.
    pub(super) fn fail(self, error: TokenError, moment: Moment) -> TokenTurn {
        give_up(*self.need.txn(), error, moment)
    }
}

fn decided(decision: ServerDecision, used: ProofKey, moment: Moment) -> TokenTurn {
    match decision {
        ServerDecision::Granted(need) => asked(need, moment),
        ServerDecision::Renewed(need) => asked(need, moment),
        ServerDecision::Unfit(unfit) => refuse(unfit, moment),
        ServerDecision::Wait(need) => asked(SaveThen::Waiting(need), moment),
        ServerDecision::Refused(rejection) => match used {
            ProofKey::Secret(ticket) => asked(AttemptsThen::Refused(ticket, rejection), moment),
            ProofKey::None | ProofKey::Renewal(_) => rejected(rejection, moment),
        },
    }
}

/// The run is over.
fn rejected(rejection: Rejection, moment: Moment) -> TokenTurn {
    abandon(rejection.txn, AbandonThen::Rejected(rejection), moment)
}

impl Resume for Box<NeedEarlier> {
    type Question = FindRegistrations;
    type Base = Moment;
    type Turn = TokenTurn;

    fn question(&self) -> &Self::Question {
        self.wanted()
    }

    fn resume(self, moment: Box<Moment>, answer: Answered<Self::Question>) -> TokenTurn {
        match answer {
            Ok(registrations) => match self.supply(&registrations) {
                Ok(need) => asked(need, *moment),
                Err(unfit) => refuse(unfit, *moment),
            },
            Err(error) => still(error, self.into_state(), None),
        }
    }
}

/// The token does not take the grant: nothing of the attempt stays.
fn refuse(unfit: UnfitGrant, moment: Moment) -> TokenTurn {
    give_up(unfit.txn, TokenRegistrationError::Grant(unfit.error), moment)
}

impl Resume for SaveThen {
    type Question = SaveAttempt;
    type Base = Moment;
    type Turn = TokenTurn;

    fn question(&self) -> &Self::Question {
        match self {
            SaveThen::Request(need, _) => need.wanted(),
            SaveThen::Waiting(need) => need.wanted(),
        }
    }

    fn resume(self, moment: Box<Moment>, answer: Answered<Self::Question>) -> TokenTurn {
        let (then, moment) = (self, *moment);
        match (then, answer) {
            (SaveThen::Request(need, again), Ok(())) => {
                let step = need.supply();
                turn::send(step.send.into_bytes(), State::AwaitOutcome(Box::new(step.next), again))
            }
            (SaveThen::Request(need, _), Err(error)) => give_up(*need.txn(), error, moment),
            (SaveThen::Waiting(need), Ok(())) => {
                let used = need.proof_key().clone();
                let news = News::Waiting(Box::new(need.supply()));
                forget_ticket(used, TokenReply { news: Some(news), ..TokenReply::default() }, moment)
            }
            (SaveThen::Waiting(need), Err(error)) => still(error, need.into_state(), None),
        }
    }
}

/// Abandons the attempt whose ticket this one was made with, then replies.
fn forget_ticket(used: ProofKey, reply: TokenReply, moment: Moment) -> TokenTurn {
    match used {
        ProofKey::Secret(ticket) => asked(AttemptsThen::Ticket(ticket, Box::new(reply)), moment),
        ProofKey::None | ProofKey::Renewal(_) => turn::done(reply),
    }
}

impl Resume for Box<NeedJoin> {
    type Question = JoinRequest;
    type Base = Moment;
    type Turn = TokenTurn;

    fn question(&self) -> &Self::Question {
        self.wanted()
    }

    fn resume(self, moment: Box<Moment>, answer: Answered<Self::Question>) -> TokenTurn {
        let (need, moment) = (self, *moment);
        match answer {
            Ok(tag_c) => {
                let used = need.proof_key().clone();
                let step = need.supply(tag_c);
                let reply = TokenReply {
                    send: alloc::vec![step.send.into_bytes()],
                    next: turn::next(State::AwaitDone(Box::new(step.next))),
                    ..TokenReply::default()
                };
                forget_ticket(used, reply, moment)
            }
            // An R3 with a wrong tag_s is forged, whoever finds out.
            Err(TokenError::WrongProof) => still(TokenRegistrationError::Proof, need.into_state(), None),
            Err(error) => still(error, need.into_state(), None),
        }
    }
}
