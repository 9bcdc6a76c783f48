//! Turns: what is to be done next, and who is to do it.

use super::TokenReply;
use super::derive::DeriveThen;
use super::form::{Again, DeadThen, Registering, UserTurn};
use super::open::RegistrationThen;
use super::register::{AbandonThen, AttemptsThen, SaveThen, Ssk1Then};
use super::session::ClientTurn;
use super::settle::{RemoveThen, UpdateThen};
use crate::exchange::Asked;
use crate::exchange::asked::Resume;
use crate::moment::Moment;
use crate::port::Token;
use crate::port::question::{Abandon, Remove, TokenQuestion, Update};
use crate::registration::token::{NeedEarlier, NeedJoin, NeedWrap};
use alloc::boxed::Box;

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

/// Stops at a question for the token.
pub(super) fn asked<N>(need: N, moment: Moment) -> TokenTurn
where
    N: Resume<Base = Moment>,
    TokenTurn: From<Asked<N>>,
{
    Asked { need, base: Box::new(moment) }.into()
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
