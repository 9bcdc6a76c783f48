//! Storing the end of a registration: that it counts, or that its key does not.

use super::form::{Registering, remove_dead};
use super::open::not_active;
use super::reply::{self, Configured, News, TokenReply};
use super::session::OpenSession;
use super::turn::asked;
use super::{State, TokenTurn};
use crate::exchange::asked::Resume;
use crate::id::{ApplicationName, KeyId, Txn};
use crate::moment::Moment;
use crate::port::TokenError;
use crate::port::entitlement_store::Status;
use crate::port::question::{Answered, Derive, Remove, Update};
use crate::record::TokenRegistration;
use crate::registration::token::{AwaitDone, NeedSettle, Settled};
use crate::session::token::Session;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// R5's tag can be compared.
pub(super) fn tagged(need: NeedSettle, answer: Answered<Derive>, moment: Moment) -> TokenTurn {
    let tag = match answer {
        Ok(tag) => tag,
        Err(error) => return reply::failed(error, Some(State::AwaitDone(Box::new(need.into_state())))),
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
        Err(kept) => reply::failed(kept.error, Some(State::AwaitDone(Box::new(kept.state)))),
    }
}

/// R5 is still awaited: what came of it is not stored.
fn still(error: TokenError, before: TokenRegistration) -> TokenTurn {
    reply::failed(error, AwaitDone::again(before).map(|state| State::AwaitDone(Box::new(state))))
}

/// Why a registration is stored.
pub enum UpdateThen {
    /// It has become active by R5. Before, it was this.
    Registered(Box<TokenRegistration>),
    /// A session has said something of it.
    Opened(Box<OpenSession>),
    /// The server has proved a status that is not active; true within a session. It is told also where the token
    /// does not store it.
    NotActive(Status, bool),
    /// A configuration has been dealt with; then the report goes out, if there is one.
    Configured(Box<OpenSession>, ApplicationName, Configured, Option<Vec<u8>>),
}

impl UpdateThen {
    pub(super) fn opened(session: Session, registration: &TokenRegistration) -> Self {
        Self::Opened(Box::new(OpenSession::new(session, registration.key_id)))
    }
}

/// Asks the token to store a registration.
pub(super) fn store(registration: TokenRegistration, then: UpdateThen, moment: Moment) -> TokenTurn {
    asked(Box::new((Update { registration }, then)), moment)
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
            (UpdateThen::Registered(_), Ok(())) => {
                reply::news(News::Registered(Box::new(registration)), None)
            }
            (UpdateThen::Registered(before), Err(error)) => still(error, *before),
            (UpdateThen::Opened(open), Ok(())) => {
                reply::news(News::Opened(Box::new(registration)), Some(State::Open(open)))
            }
            (UpdateThen::Opened(_), Err(error)) => reply::failed(error, None),
            (UpdateThen::NotActive(status, within), _) => not_active(status, within),
            (UpdateThen::Configured(open, application, configured, report), Ok(())) => {
                open.report(application, configured, report)
            }
            (UpdateThen::Configured(open, ..), Err(error)) => reply::failed(error, Some(State::Open(open))),
        }
    }
}

/// Why a key is removed.
pub enum RemoveThen {
    /// R5 says that another registration was first. Before, the registration was this.
    Lost(Txn, Box<TokenRegistration>),
    /// A session says so.
    NotActive,
    /// The server has ended it for good, and another registration with it begins; then these others go.
    Dead(Vec<KeyId>, Box<Registering>),
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
            (RemoveThen::Lost(txn, _), Ok(())) => reply::news(News::Lost { key_id, txn }, None),
            (RemoveThen::Lost(_, before), Err(error)) => still(error, *before),
            (RemoveThen::NotActive, Ok(())) => reply::news(News::NotActive(Status::Lost), None),
            (RemoveThen::Dead(rest, registering), Ok(())) => remove_dead(rest, registering, moment),
            (RemoveThen::NotActive | RemoveThen::Dead(..), Err(error)) => reply::failed(error, None),
        }
    }
}

/// A reply with frames to send and an open session to go on with.
pub(super) fn sent(send: Vec<Vec<u8>>, news: Option<News>, open: Box<OpenSession>) -> TokenTurn {
    reply::done(TokenReply { send, news, next: reply::next(State::Open(open)), ..TokenReply::default() })
}
