//! Turns: what is to be done next, and who is to do it.

use super::error::TokenExchangeError;
use super::reply::{News, TokenReply};
use super::state::{Again, OpenSession, Registering, State, TokenExchange};
use super::then::{
    AbandonThen, AttemptsThen, DeadThen, DeriveThen, RegistrationThen, RemoveThen, SaveThen, Ssk1Then,
    UpdateThen,
};
use crate::configuration::token::NeedApply;
use crate::exchange::asked::{Asked, Resume};
use crate::id::Txn;
use crate::moment::Moment;
use crate::port::Token;
use crate::port::question::{Abandon, Remove, TokenQuestion, Update};
use crate::record::TokenRegistration;
use crate::registration::token::{NeedEarlier, NeedForm, NeedJoin, NeedWrap};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// The next thing to do on the token's side, by the hand that does it.
#[must_use = "the exchange goes on with the turn"]
#[derive(Debug)]
pub enum TokenTurn {
    /// The token is to answer a question.
    Device(DeviceTurn),
    /// The user is to fill the form in.
    User(UserTurn),
    /// The client system is to put a configuration in force.
    Client(ClientTurn),
    /// The turn is over: send, and wait for the server.
    Done(TokenReply),
}

macro_rules! device_turn {
    ($($(#[$doc:meta])* $name:ident($need:ty);)*) => {
        /// The token is to answer a question: [`DeviceTurn::ask`], or, for a token that is asked in another
        /// way, `wanted` and `supply` of the variant's content.
        #[must_use = "the exchange goes on with the answer"]
        #[derive(Debug)]
        pub enum DeviceTurn {
            $($(#[$doc])* $name(Asked<$need>),)*
        }

        impl DeviceTurn {
            /// Asks the token this one question, and goes on with the answer.
            pub fn ask(self, token: &mut dyn Token) -> TokenTurn {
                match self {
                    $(Self::$name(asked) => {
                        let answer = asked.wanted().ask(token);
                        asked.supply(answer)
                    })*
                }
            }
        }

        $(impl From<Asked<$need>> for TokenTurn {
            fn from(asked: Asked<$need>) -> Self {
                Self::Device(DeviceTurn::$name(asked))
            }
        })*
    };
}

device_turn! {
    /// The trust anchors.
    Anchors(Box<Registering>);
    /// SSK1, encapsulated to P_u.
    Encapsulate(Box<(NeedWrap, Again)>);
    /// p_B or p_G.
    DeriveFromSsk1(Ssk1Then);
    /// A use of a shared key.
    Derive(DeriveThen);
    /// An attempt to save.
    SaveAttempt(SaveThen);
    /// The attempts that the token holds.
    Attempts(AttemptsThen);
    /// An attempt to abandon.
    Abandon((Abandon, AbandonThen));
    /// The registrations on the token, to compare a renewal with the key that it renews.
    Earlier(Box<NeedEarlier>);
    /// The join.
    Join(Box<NeedJoin>);
    /// The registrations on the token.
    Registrations(RegistrationThen);
    /// The registrations on the token, before another.
    DeadKeys(DeadThen);
    /// A registration to store.
    Update(Box<(Update, UpdateThen)>);
    /// A key to erase.
    Remove((Remove, RemoveThen));
}

impl DeviceTurn {
    /// Asks the token until somebody else is to do something.
    ///
    /// Questions that follow each other belong together: a registration is read, changed and stored. Where
    /// several exchanges share a token, ask them all under one lock, as this does.
    pub fn ask_all(self, token: &mut dyn Token) -> TokenTurn {
        let mut turn = self.ask(token);
        loop {
            match turn {
                TokenTurn::Device(next) => turn = next.ask(token),
                turn => return turn,
            }
        }
    }
}

/// The user is to fill the form in.
#[must_use = "the exchange goes on with the form"]
pub struct UserTurn {
    pub(super) need: Box<NeedForm>,
    pub(super) registering: Box<Registering>,
    pub(super) moment: Moment,
}

impl fmt::Debug for UserTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserTurn(..)")
    }
}

/// The client system is to put a configuration in force.
#[must_use = "the exchange goes on with what was done"]
pub struct ClientTurn {
    pub(super) open: Box<OpenSession>,
    pub(super) need: Box<NeedApply>,
    pub(super) moment: Moment,
}

impl fmt::Debug for ClientTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientTurn(..)")
    }
}

/// Stops at a question for the token.
pub(super) fn asked<N>(need: N, moment: Moment) -> TokenTurn
where
    N: Resume<Base = Moment>,
    TokenTurn: From<Asked<N>>,
{
    Asked { need, base: Box::new(moment) }.into()
}

/// Asks the token to store a registration.
pub(super) fn store(registration: TokenRegistration, then: UpdateThen, moment: Moment) -> TokenTurn {
    asked(Box::new((Update { registration }, then)), moment)
}

/// Asks the token to abandon an attempt.
pub(super) fn abandon(txn: Txn, then: AbandonThen, moment: Moment) -> TokenTurn {
    asked((Abandon { txn }, then), moment)
}

/// Sends a frame and waits.
pub(super) fn send(frame: Vec<u8>, state: State) -> TokenTurn {
    done(TokenReply { send: alloc::vec![frame], next: next(state), ..TokenReply::default() })
}

/// Tells news; without a state the exchange is over.
pub(super) fn news(news: News, state: Option<State>) -> TokenTurn {
    done(TokenReply { news: Some(news), next: state.and_then(next), ..TokenReply::default() })
}

/// Does not get on; with a state nothing has been lost by it.
pub(super) fn failed(error: impl Into<TokenExchangeError>, state: Option<State>) -> TokenTurn {
    news(News::Failed(error.into()), state)
}

/// Ends the turn.
pub(super) fn done(reply: TokenReply) -> TokenTurn {
    TokenTurn::Done(reply)
}

/// The exchange to go on with.
pub(super) const fn next(state: State) -> Option<TokenExchange> {
    Some(TokenExchange { state })
}

/// Sends frames in an open session, which goes on.
pub(super) fn sent(send: Vec<Vec<u8>>, news: Option<News>, open: Box<OpenSession>) -> TokenTurn {
    done(TokenReply { send, news, next: next(State::Open(open)), ..TokenReply::default() })
}
