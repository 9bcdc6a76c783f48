//! Storing the end of a registration: that it counts, or that its key does not.

use super::form::remove_dead;
use super::open::not_active;
use super::reply::News;
use super::state::{OpenSession, State};
use super::then::{RemoveThen, UpdateThen};
use super::turn::{self, TokenTurn, asked, store};
use crate::exchange::asked::Resume;
use crate::moment::Moment;
use crate::port::TokenError;
use crate::port::entitlement_store::Status;
use crate::port::question::{Answered, Derive, Remove, Update};
use crate::record::TokenRegistration;
use crate::registration::token::{AwaitDone, NeedSettle, Settled};
use alloc::boxed::Box;

/// R5's tag can be compared.
pub(super) fn tagged(need: NeedSettle, answer: Answered<Derive>, moment: Moment) -> TokenTurn {
    let tag = match answer {
        Ok(tag) => tag,
        Err(error) => return turn::failed(error, Some(State::AwaitDone(Box::new(need.into_state())))),
    };
    let before = need.state().registration().clone();
    match need.supply(&tag) {
        Ok(Settled::Done(registration)) => {
            let then = UpdateThen::Registered(Box::new(before));
            store(registration, then, moment)
        }
        Ok(Settled::Lost { key_id, txn }) => {
            let then = RemoveThen::Lost(txn, Box::new(before));
            asked((Remove { key_id }, then), moment)
        }
        Err(kept) => turn::failed(kept.error, Some(State::AwaitDone(Box::new(kept.state)))),
    }
}

impl OpenSession {
    /// Gives the session out.
    pub(super) fn opened(self: Box<Self>, registration: TokenRegistration) -> TokenTurn {
        turn::news(News::Opened(Box::new(registration)), Some(State::Open(self)))
    }
}

/// R5 is still awaited: what came of it is not stored.
fn still(error: TokenError, before: TokenRegistration) -> TokenTurn {
    turn::failed(error, AwaitDone::again(before).map(|state| State::AwaitDone(Box::new(state))))
}

impl Resume for Box<(Update, UpdateThen)> {
    type Question = Update;
    type Base = Moment;
    type Turn = TokenTurn;

    fn question(&self) -> &Self::Question {
        &self.0
    }

    fn resume(self, _: Box<Moment>, answer: Answered<Self::Question>) -> TokenTurn {
        let then = self;
        let (Update { registration }, then) = *then;
        match (then, answer) {
            (UpdateThen::Registered(_), Ok(())) => turn::news(News::Registered(Box::new(registration)), None),
            (UpdateThen::Registered(before), Err(error)) => still(error, *before),
            (UpdateThen::Opened(open), Ok(())) => open.opened(registration),
            (UpdateThen::Opened(_), Err(error)) => turn::failed(error, None),
            (UpdateThen::NotActive(status, within), _) => not_active(status, within),
            (UpdateThen::Configured(open, application, configured, report), Ok(())) => {
                open.report(application, configured, report)
            }
            (UpdateThen::Configured(open, ..), Err(error)) => turn::failed(error, Some(State::Open(open))),
        }
    }
}

impl Resume for (Remove, RemoveThen) {
    type Question = Remove;
    type Base = Moment;
    type Turn = TokenTurn;

    fn question(&self) -> &Self::Question {
        &self.0
    }

    fn resume(self, moment: Box<Moment>, answer: Answered<Self::Question>) -> TokenTurn {
        let ((Remove { key_id }, then), moment) = (self, *moment);
        match (then, answer) {
            (RemoveThen::Lost(txn, _), Ok(())) => turn::news(News::Lost { key_id, txn }, None),
            (RemoveThen::Lost(_, before), Err(error)) => still(error, *before),
            (RemoveThen::NotActive, Ok(())) => turn::news(News::NotActive(Status::Lost), None),
            (RemoveThen::Dead(rest, registering), Ok(())) => remove_dead(rest, registering, moment),
            (RemoveThen::NotActive | RemoveThen::Dead(..), Err(error)) => turn::failed(error, None),
        }
    }
}
