//! The token's side: registration, then sessions with their configurations.
//!
//! ```text
//!            register ─┐ resume ─┐  confirm ─┐           open ─┐
//!   attempts, anchors  │         │           │   registration │
//!                      ▼ R0      ▼ R2        ▼ R4             ▼ S0
//!                 AwaitOffer  AwaitOutcome  AwaitDone   AwaitChallenge ──▶ AwaitAccept ──▶ Open
//!                   R1 │ user   ▲    │ R3    ▲   │ R5      S1   response   S3   seed       records
//!                      └────────┘    └───────┘   ▼                      update, remove
//!             SSK1, p_B, save      p_G, join     tag, update, remove
//! ```
//! Every turn names the one that is to do something: the token ([`TokenTurn::Device`]), the user, who fills
//! the form in, or the client system, which puts a configuration in force. [`TokenTurn::Done`] says what to
//! send; then the next frame of the peer's is awaited. A loop over a link that carries frames:
//! ```
//! use halfkey::exchange::token::{News, TokenExchange, TokenTurn};
//! use halfkey::configuration::token::Applying;
//! use halfkey::{Moment, driver::Transport, port::Token, registration::token::Credential};
//!
//! fn drive(
//!     mut turn: TokenTurn,
//!     token: &mut dyn Token,
//!     link: &mut dyn Transport,
//! ) -> Result<(Option<News>, Option<TokenExchange>), Box<dyn std::error::Error>> {
//!     loop {
//!         turn = match turn {
//!             TokenTurn::Device(need) => need.ask_all(token),
//!             TokenTurn::User(need) => {
//!                 let (_server, template, _expires) = need.wanted();
//!                 let form = template.fill([("name", "Alice".into())])?;
//!                 need.supply_at(form, Credential::None, Moment::now())?
//!             }
//!             TokenTurn::Client(need) => need.supply(Applying::Failed),
//!             TokenTurn::Done(reply) => {
//!                 for frame in &reply.send {
//!                     link.send(frame)?;
//!                 }
//!                 match (reply.news, reply.next) {
//!                     (None, Some(next)) => {
//!                         let frame = link.receive()?.ok_or("the server has hung up")?;
//!                         next.receive(&frame, Moment::now())
//!                     }
//!                     (news, next) => return Ok((news, next)),
//!                 }
//!             }
//!         };
//!     }
//! }
//! # let _ = drive;
//! ```
//! A turn holds the moment that it began with. A form takes people minutes, so it goes on with a moment of its
//! own ([`UserTurn::supply_at`]); where the offer has lapsed meanwhile, another is fetched and the form is kept.

mod derive;
mod error;
mod form;
mod open;
mod options;
mod register;
mod reply;
mod session;
mod settle;
mod state;
mod then;
mod turn;

pub use error::TokenExchangeError;
pub use options::RegisterOptions;
pub use reply::{Configured, News, TokenReply};
pub use state::TokenExchange;
pub use turn::{ClientTurn, DeviceTurn, TokenTurn, UserTurn};

use self::state::{OpenSession, State};
use crate::id::{ApplicationName, KeyId, ServerName};
use crate::message::UserInformation;
use crate::moment::Moment;
use crate::record::{InFlight, TokenRegistration};
use crate::registration::token::confirm_again;
use crate::session::token::{Options, Session};
use crate::session::{ChannelError, Content};
use crate::suite::Suite;
use alloc::boxed::Box;
use alloc::vec::Vec;

impl TokenExchange {
    /// Registers with a server: R0 (patent step 80). Attempts whose time is over are abandoned first.
    pub fn register(server: ServerName, options: RegisterOptions, moment: Moment) -> TokenTurn {
        register::begin(server, options, moment)
    }

    /// Goes on with an attempt whose R3 was lost: R2 again. The token holds it until
    /// [`InFlight::resend`].
    pub fn resume(attempt: InFlight, suites: &[&'static dyn Suite], _moment: Moment) -> TokenTurn {
        register::resume(attempt, suites)
    }

    /// Goes on with a registration whose R5 was lost: R4 again. One that is active stays so, and nothing
    /// is sent.
    pub fn confirm(registration: TokenRegistration, _moment: Moment) -> TokenTurn {
        match confirm_again(registration.clone()) {
            None => turn::news(News::Registered(Box::new(registration)), None),
            Some(step) => turn::send(step.send.into_bytes(), State::AwaitDone(Box::new(step.next))),
        }
    }

    /// Opens a session with a registration's key: S0. A joined registration becomes active by it, a lost
    /// one is removed. After an alias that the server refuses comes the key id, where the policy allows it.
    pub fn open(key_id: KeyId, options: Options, moment: Moment) -> TokenTurn {
        open::begin(key_id, options, moment)
    }

    /// Takes one frame of the server's.
    ///
    /// After [`News::Failed`] with a next exchange, the frame has cost nothing: the awaited one may come yet.
    pub fn receive(self, frame: &[u8], moment: Moment) -> TokenTurn {
        match self.state {
            State::AwaitOffer(state, anchors, registering) => {
                form::offer(*state, &anchors, registering, frame, moment)
            }
            State::AwaitOutcome(state, again) => register::outcome(*state, again, frame, moment),
            State::AwaitDone(state) => register::done(*state, frame, moment),
            State::AwaitChallenge(state, opening) => open::challenge(*state, opening, frame, moment),
            State::AwaitAccept(state, opening) => open::accept(*state, opening, frame, moment),
            State::Open(open) => session::record(open, frame, moment),
        }
    }

    /// Takes one frame, and opens application data where it lies: then [`TokenReply::in_place`] says where. Otherwise it
    /// does what [`TokenExchange::receive`] does. The frame is of no more use, and holds what came in the session: erase
    /// it once that is used.
    pub fn receive_in_place(self, frame: &mut [u8], moment: Moment) -> TokenTurn {
        match self.state {
            State::Open(open) => session::record_in_place(open, frame, moment),
            state => Self { state }.receive(frame, moment),
        }
    }

    /// Asks for the configuration of an application, in an open session: C0 (patent step 370). The answer
    /// comes as [`News::Configured`]; several may be awaited at a time.
    pub fn configure(
        self,
        application: ApplicationName,
        information: UserInformation,
        moment: Moment,
    ) -> TokenTurn {
        match self.state {
            State::Open(open) => session::configure(open, application, information, moment),
            state => turn::failed(ChannelError::Closed, Some(state)),
        }
    }

    /// Seals application data into records to send: one for each 60 000 bytes, and between them those that
    /// renew the key.
    ///
    /// # Errors
    /// The channel's; [`ChannelError::Closed`] where no session is open.
    pub fn send(&mut self, data: &[u8]) -> Result<Vec<Vec<u8>>, ChannelError> {
        self.opened()?.session.channel.seal_records(Content::Data, data)
    }

    /// Seals application data and appends the records to `out`, each as `length(4) ‖ record`.
    ///
    /// # Errors
    /// Those of [`TokenExchange::send`]; then `out` is as it was.
    pub fn seal_into(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChannelError> {
        self.opened()?.session.channel.seal_into(Content::Data, data, out)
    }

    /// Closes this side's direction. The server may go on sending until it closes its own; what it sends is
    /// still received.
    ///
    /// # Errors
    /// The channel's; [`ChannelError::Closed`] where no session is open or this side has closed already.
    pub fn close(&mut self) -> Result<Vec<Vec<u8>>, ChannelError> {
        Ok(alloc::vec![self.opened()?.session.channel.close()?])
    }

    /// Tells whether the end of the connection, which has come, was the server's wish.
    ///
    /// # Errors
    /// [`ChannelError::Truncated`] where the server had not closed, or was to answer;
    /// [`ChannelError::Broken`].
    pub const fn finish(&self) -> Result<(), ChannelError> {
        match self.session() {
            Some(session) => session.channel.finish(),
            None => Err(ChannelError::Truncated),
        }
    }

    /// The open session: its channel, with its id and its exported keys, and its mode.
    #[must_use]
    pub const fn session(&self) -> Option<&Session> {
        match &self.state {
            State::Open(open) => Some(&open.session),
            _ => None,
        }
    }

    /// Tells whether an answer about the application's configuration is awaited.
    #[must_use]
    pub fn is_awaiting(&self, application: &ApplicationName) -> bool {
        matches!(&self.state, State::Open(open) if open.is_awaiting(application))
    }

    fn opened(&mut self) -> Result<&mut OpenSession, ChannelError> {
        match &mut self.state {
            State::Open(open) => Ok(open),
            _ => Err(ChannelError::Closed),
        }
    }
}
