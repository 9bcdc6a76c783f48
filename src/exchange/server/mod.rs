//! The server's machine: registrations, then perhaps a session, on one conversation.
//!
//! ```text
//!            R0 ─ OfferMaterial ─ Sign ─▶ R1
//!   Idle     R2 ─ Outcome ─ Decapsulate ─ Applicant ─ Operator ─ Commit ─▶ R3        Idle
//!            R4 ─ Expected ─ Confirm ─▶ R5
//!            S0 ─ Registration ─▶ S1                                                 Challenged
//!   Challenged, or Idle where challenges are stateless
//!            S2 ─ (ParkedRegistration) ─ Admit ─▶ S3                                 Open
//!   Open     record ─ (Standing) ─ (ConfirmAlias) ─ data, or C0 ─ Entitlement ─ (Regression) ─▶ C1,
//!                                      or C2 ─ Report, or the peer's close           Open
//!            time, the operator ─ Standing ─▶ Status                                 over, or Open
//! ```
//! Whatever is refused is answered with E0, and the reason is an event for the operator alone.

mod answer;
mod event;
mod live;
mod question;
mod record;
mod standing;
mod state;
mod turn;

pub use event::{RequestKind, ServerEvent};
pub use state::ServerExchange;
pub use turn::{KeysTurn, OperatorTurn, ServerReply, ServerTurn, StoreTurn};

use crate::configuration::ServerConfigurationError;
use crate::id::ApplicationName;
use crate::message::{Confirm, Hello, Open, Request, Response};
use crate::moment::Moment;
use crate::port::entitlement_store::Entitlement;
use crate::registration::ServerRegistrationError;
use crate::registration::server::{NeedCommit, receive_confirm, receive_hello, receive_request};
use crate::session::park::resume_from_response;
use crate::session::server::{AwaitResponse, Established, receive_open};
use crate::session::{ChannelError, Content, ServerSessionError};
use crate::settings::ServerSettings;
use crate::time::UnixTime;
use crate::wire::{Message, Problem, WireError, message_type};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use live::Live;
use question::Parked;
use state::{Base, State};

impl ServerExchange {
    /// A new conversation over a stream. `peer` is a name for the sender on this transport, at most 64 bytes, such
    /// as an address without its port: an offer is good for that peer alone.
    pub fn new(settings: Arc<ServerSettings>, peer: &[u8]) -> Self {
        Self { settings, peer: peer.into(), stateless: false, state: State::Idle }
    }

    /// A new conversation whose challenges travel in S1 and come back in S2, so that any machine with equal
    /// settings can take S2: for transports of one request and one answer. There R2 may come from another
    /// address than R0 did, so an offer is good for whoever has it; where the transport gives its senders
    /// names that stay the same, add [`ServerExchange::for_peer`].
    pub fn stateless(settings: Arc<ServerSettings>) -> Self {
        Self { stateless: true, ..Self::new(settings, &[]) }
    }

    /// Makes offers good for this peer alone, or with an empty name for whoever has them. An offer that was made
    /// with one name is unknown under another.
    pub fn for_peer(self, peer: &[u8]) -> Self {
        Self { peer: peer.into(), ..self }
    }

    /// Takes one frame: a message, or in a session a record.
    pub fn receive(mut self, frame: &[u8], moment: Moment) -> ServerTurn {
        let state = core::mem::take(&mut self.state);
        let base = Box::new(Base { exchange: self, moment, events: Vec::new() });
        match state {
            State::Idle => base.message(frame),
            State::Challenged(state) => base.response(*state, frame),
            State::Open(live) => base.record(live, frame),
        }
    }

    /// Takes one frame, and opens application data where it lies, if nothing has to be asked before it is given out:
    /// then [`ServerReply::in_place`] says where. Otherwise it does what [`ServerExchange::receive`] does. The frame is
    /// of no more use, and holds what came in the session: erase it once that is used.
    pub fn receive_in_place(mut self, frame: &mut [u8], moment: Moment) -> ServerTurn {
        match core::mem::take(&mut self.state) {
            State::Open(live) => {
                Box::new(Base { exchange: self, moment, events: Vec::new() }).record_in_place(live, frame)
            }
            state => Self { state, ..self }.receive(frame, moment),
        }
    }

    /// Seals application data for the session: one frame for each 60 000 bytes, with a change of keys
    /// between them where it is due.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] where no session is open or this side has closed it; another [`ChannelError`].
    pub fn send(&mut self, data: &[u8]) -> Result<Vec<Vec<u8>>, ChannelError> {
        self.live()?.session.channel.seal_records(Content::Data, data)
    }

    /// Appends application data for the session to `out`: frames as [`ServerExchange::send`] gives them, each
    /// after its length in four bytes.
    ///
    /// # Errors
    /// Those of [`ServerExchange::send`]; then `out` is as it was.
    pub fn seal_into(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), ChannelError> {
        self.live()?.session.channel.seal_into(Content::Data, data, out)
    }

    /// Sends a configuration unasked (patent step 390), in an open session.
    ///
    /// # Errors
    /// [`ServerConfigurationError`] for a document that does not fit; [`ServerConfigurationError::Channel`]
    /// where no session is open.
    pub fn push(
        &mut self,
        application: &ApplicationName,
        entitlement: &Entitlement,
        now: UnixTime,
    ) -> Result<Vec<Vec<u8>>, ServerConfigurationError> {
        self.live()?.push(application, entitlement, now)
    }

    /// Closes this side's direction of the session: the frame that says so. The peer may go on sending.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] where there is nothing to close.
    pub fn close(&mut self) -> Result<Vec<Vec<u8>>, ChannelError> {
        Ok(vec![self.live()?.session.channel.close()?])
    }

    /// Tells, once the connection has ended, whether the peer had closed its direction before.
    ///
    /// # Errors
    /// [`ChannelError::Truncated`] when the session was cut off.
    pub const fn finish(&self) -> Result<(), ChannelError> {
        match &self.state {
            State::Open(live) => live.session.channel.finish(),
            State::Idle | State::Challenged(_) => Ok(()),
        }
    }

    /// The open session: whose it is, its name and its exporter.
    #[must_use]
    pub const fn session(&self) -> Option<&Established> {
        match &self.state {
            State::Open(live) => Some(&live.session),
            State::Idle | State::Challenged(_) => None,
        }
    }

    fn live(&mut self) -> Result<&mut Live, ChannelError> {
        match &mut self.state {
            State::Open(live) => Ok(live),
            State::Idle | State::Challenged(_) => Err(ChannelError::Closed),
        }
    }
}

impl Base {
    /// A message outside a session: the one place that says what is dispatched where.
    fn message(self: Box<Self>, frame: &[u8]) -> ServerTurn {
        let settings = Arc::clone(&self.exchange.settings);
        match message_type(frame) {
            Ok(Hello::TYPE) => match receive_hello(frame, &settings) {
                Ok(need) => self.ask(need),
                Err(error) => self.registration_failed(error),
            },
            Ok(Request::TYPE) => match receive_request(frame) {
                Ok(need) => self.ask(Box::new(need)),
                Err(error) => self.registration_failed(error),
            },
            Ok(Confirm::TYPE) => match receive_confirm(frame) {
                Ok(need) => self.ask(need),
                Err(error) => self.registration_failed(error),
            },
            Ok(Open::TYPE) => match receive_open(frame, &settings) {
                Ok(need) => self.ask(Box::new(need)),
                Err(error) => self.session_failed(error),
            },
            Ok(Response::TYPE) if self.exchange.stateless => {
                match resume_from_response(frame, &settings, self.moment.time()) {
                    Ok(need) => self.ask(Box::new(Parked { need, response: frame.to_vec() })),
                    Err(error) => self.session_failed(error),
                }
            }
            Ok(_) => self.registration_failed(
                WireError { message: "message", field: "type", problem: Problem::WrongType }.into(),
            ),
            Err(error) => self.registration_failed(error.into()),
        }
    }

    fn response(mut self: Box<Self>, state: AwaitResponse, frame: &[u8]) -> ServerTurn {
        let now = self.moment.time();
        match state.receive_response(frame, now, &mut self.moment) {
            Ok(need) => {
                let need = need.keep_alias(self.exchange.settings.alias_age);
                self.ask(Box::new(need))
            }
            Err(error) => self.session_failed(error),
        }
    }

    /// An outcome, on its way to the store.
    fn commit(self: Box<Self>, need: Result<NeedCommit, ServerRegistrationError>) -> ServerTurn {
        match need {
            Ok(need) => self.ask(need),
            Err(error) => self.registration_failed(error),
        }
    }

    fn registration_failed(self: Box<Self>, error: ServerRegistrationError) -> ServerTurn {
        let refusal = error.refusal().frame().into_bytes();
        self.idle(Some(ServerEvent::RegistrationFailed(error)), refusal)
    }

    fn session_failed(self: Box<Self>, error: ServerSessionError) -> ServerTurn {
        let refusal = error.refusal().frame().into_bytes();
        self.idle(Some(ServerEvent::SessionFailed(error)), refusal)
    }

    /// Answers, and waits for another message.
    fn idle(self: Box<Self>, event: Option<ServerEvent>, frame: Vec<u8>) -> ServerTurn {
        self.done(event, State::Idle, vec![frame])
    }

    #[allow(clippy::boxed_local, reason = "a turn's base is in a box all the way")]
    fn done(mut self: Box<Self>, event: Option<ServerEvent>, state: State, send: Vec<Vec<u8>>) -> ServerTurn {
        self.events.extend(event);
        self.exchange.state = state;
        ServerTurn::Done(ServerReply {
            send,
            events: self.events,
            next: Some(self.exchange),
            ..ServerReply::default()
        })
    }

    /// Ends the conversation.
    #[allow(clippy::boxed_local, reason = "a turn's base is in a box all the way")]
    fn over(mut self: Box<Self>, event: Option<ServerEvent>, send: Vec<Vec<u8>>) -> ServerTurn {
        self.events.extend(event);
        ServerTurn::Done(ServerReply { send, events: self.events, ..ServerReply::default() })
    }
}
