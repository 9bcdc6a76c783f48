//! Answers of a shared key.

use super::then::DeriveThen;
use super::turn::{TokenTurn, asked};
use super::{open, settle};
use crate::exchange::asked::Resume;
use crate::moment::Moment;
use crate::port::question::{Answered, Derive};
use alloc::boxed::Box;

impl Resume for DeriveThen {
    type Question = Derive;
    type Base = Moment;
    type Turn = TokenTurn;

    fn question(&self) -> &Self::Question {
        match self {
            DeriveThen::RenewalProof(renewing) => &renewing.questions.proof,
            DeriveThen::RenewalBinder(renewing, _) => &renewing.questions.binder,
            DeriveThen::Settle(need) => need.wanted(),
            DeriveThen::Response(need, _) => need.wanted(),
            DeriveThen::Session(need, _) => need.wanted(),
        }
    }

    fn resume(self, moment: Box<Moment>, answer: Answered<Self::Question>) -> TokenTurn {
        let (then, moment) = (self, *moment);
        match (then, answer) {
            (DeriveThen::RenewalProof(renewing), Ok(proof)) => {
                asked(DeriveThen::RenewalBinder(renewing, proof), moment)
            }
            (DeriveThen::RenewalBinder(renewing, proof), Ok(mix)) => renewing.seal(proof, mix, moment),
            (DeriveThen::RenewalProof(renewing) | DeriveThen::RenewalBinder(renewing, _), Err(error)) => {
                renewing.fail(error, moment)
            }
            (DeriveThen::Settle(need), answer) => settle::tagged(*need, answer, moment),
            (DeriveThen::Response(need, opening), answer) => open::respond(*need, opening, answer),
            (DeriveThen::Session(need, opening), answer) => open::seeded(*need, opening, answer, moment),
        }
    }
}
