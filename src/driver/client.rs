//! A token's loop: register, recover, open sessions.

use super::client_session::ClientSession;
use super::{ClientError, Transport};
use crate::certificate::{Revocation, VerifiedServer};
use crate::id::{KeyId, ServerName};
use crate::port::entitlement_store::Status;
use crate::port::{Token, TokenError};
use crate::random::RandomSource;
use crate::record::{self, Attempt, InFlight, TokenRegistration, Waiting};
use crate::registration::TokenRegistrationError;
use crate::registration::token::{
    AwaitDone, AwaitOutcome, Credential, Rejection, ServerDecision, Settled, abandon_lapsed, confirm_again,
    hello, resume,
};
use crate::session::SessionError;
use crate::session::token::{Options, Session, SessionOutcome, open};
use crate::step::ErrorReason;
use crate::suite::{SUITES, Suite};
use crate::template::{Form, Template};
use crate::time::UnixTime;
use std::io;

/// Shows the user who asks and for what, and takes the answer.
pub type Fill<'a> = dyn FnMut(&VerifiedServer, &Template) -> Result<(Form, Credential), ClientError> + 'a;

/// How a registration ended for now.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one, and it is moved once")]
pub enum RegistrationOutcome {
    /// Registered, and both sides have proved it.
    Active(TokenRegistration),
    /// The operator has not decided: come back with [`Credential::Ticket`].
    Waiting(Waiting),
    /// Refused, authentically.
    Refused(Rejection),
    /// Another registration took the name or the code first.
    Lost,
}

/// A token, with what its loops need.
pub struct Client<'a> {
    /// The token.
    pub token: &'a mut dyn Token,
    /// Where randomness comes from.
    pub random: &'a mut dyn RandomSource,
    /// The clock.
    pub clock: &'a dyn Fn() -> UnixTime,
    /// The suites to offer, best first.
    pub suites: &'static [&'static dyn Suite],
}

impl<'a> Client<'a> {
    /// A client with the system's clock and every suite of this crate.
    pub fn new(token: &'a mut dyn Token, random: &'a mut dyn RandomSource) -> Self {
        Self { token, random, clock: &UnixTime::now, suites: SUITES }
    }

    /// Registers with `server_name`: R0 to R5 (patent steps 80 to 200). `fill` shows the user who
    /// asks and for what. Runs whose time is over are given up first.
    ///
    /// # Errors
    /// [`ClientError`]. When the connection breaks after R2, [`Token::attempts`] holds the run: go
    /// on with [`Client::resume`]; after R4, with [`Client::confirm`] or [`Client::open`].
    pub fn register(
        &mut self,
        transport: &mut dyn Transport,
        server_name: &ServerName,
        revocation: &Revocation,
        fill: &mut Fill<'_>,
    ) -> Result<RegistrationOutcome, ClientError> {
        abandon_lapsed(self.token, (self.clock)())?;
        let step = hello(server_name.clone(), self.suites, self.random)?;
        transport.send(step.send.as_bytes())?;
        let need = step.next.receive_offer(
            &receive(transport)?,
            &self.token.anchors()?,
            revocation,
            (self.clock)(),
        )?;
        let (form, credential) = fill(need.server(), need.wanted())?;
        let need = need.supply(form, credential)?.supply_from(self.token, self.random)?;
        let step = need.supply_from(self.token, (self.clock)())?.supply_from(self.token)?;
        transport.send(step.send.as_bytes())?;
        self.await_outcome(transport, step.next)
    }

    /// Goes on with a run whose R3 was lost: sends the same R2 again.
    ///
    /// # Errors
    /// [`ClientError`]; the run is still held, until [`Token::abandon`] or its deadline. After
    /// `restart` the offer is not known any more: give the run up and begin anew.
    pub fn resume(
        &mut self,
        transport: &mut dyn Transport,
        half: InFlight,
    ) -> Result<RegistrationOutcome, ClientError> {
        let step = resume(half, self.suites)?;
        transport.send(step.send.as_bytes())?;
        self.await_outcome(transport, step.next)
    }

    fn await_outcome(
        &mut self,
        transport: &mut dyn Transport,
        state: AwaitOutcome,
    ) -> Result<RegistrationOutcome, ClientError> {
        let need = state.receive_outcome(&receive(transport)?)?;
        match need.supply_from(self.token, (self.clock)())? {
            ServerDecision::Granted(need) => {
                let step = need.supply_from(self.token)?;
                transport.send(step.send.as_bytes())?;
                self.await_done(transport, step.next)
            }
            ServerDecision::Wait(need) => Ok(RegistrationOutcome::Waiting(need.supply_from(self.token)?)),
            ServerDecision::Refused(refused) => {
                self.token.abandon(&refused.txn)?;
                Ok(RegistrationOutcome::Refused(refused))
            }
        }
    }

    /// Sends R4 again for a registration whose R5 was lost; one that is active stays so.
    ///
    /// # Errors
    /// [`ClientError`]; the registration is as it was.
    pub fn confirm(
        &mut self,
        transport: &mut dyn Transport,
        registration: TokenRegistration,
    ) -> Result<RegistrationOutcome, ClientError> {
        match confirm_again(registration.clone()) {
            None => Ok(RegistrationOutcome::Active(registration)),
            Some(step) => {
                transport.send(step.send.as_bytes())?;
                self.await_done(transport, step.next)
            }
        }
    }

    fn await_done(
        &mut self,
        transport: &mut dyn Transport,
        state: AwaitDone,
    ) -> Result<RegistrationOutcome, ClientError> {
        let need = state.receive_done(&receive(transport)?)?;
        Ok(match need.supply_from(self.token)? {
            Settled::Done(registration) => RegistrationOutcome::Active(registration),
            Settled::Lost { .. } => RegistrationOutcome::Lost,
        })
    }

    /// Opens a session with a registration's key: S0 to S3 (patent steps 300 to 350). A joined
    /// registration becomes active by it, a lost one is removed. An alias that is refused is
    /// followed by the key id, where the policy allows that.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::NotActive`] when the server has proved to say so.
    pub fn open<T: Transport>(
        &mut self,
        mut transport: T,
        key_id: &KeyId,
        options: &Options,
    ) -> Result<ClientSession<T>, ClientError> {
        let registration = find(self.token, key_id)?;
        let may_fall_back =
            registration.alias.is_some() && registration.policy.allow_key_id && !options.by_key_id;
        let session = match self.shake_hands(&mut transport, registration.clone(), options) {
            Err(ClientError::Session(SessionError::Refused(ErrorReason::Refused))) if may_fall_back => {
                let by_key_id = Options { by_key_id: true, ..*options };
                self.shake_hands(&mut transport, registration, &by_key_id)?
            }
            shaken => shaken?,
        };
        Ok(ClientSession::new(session, transport, *key_id))
    }

    fn shake_hands(
        &mut self,
        transport: &mut dyn Transport,
        mut registration: TokenRegistration,
        options: &Options,
    ) -> Result<Session, ClientError> {
        let step = open(&registration, options)?;
        transport.send(step.send.as_bytes())?;
        let need = step.next.receive_challenge(&receive(transport)?, self.random)?;
        let step = need.supply_from(self.token)?;
        transport.send(step.send.as_bytes())?;
        let need = step.next.receive_accept(&receive(transport)?)?;
        match need.supply_from(self.token)? {
            SessionOutcome::Session(session) => {
                session.note(&mut registration);
                self.token.update(&registration)?;
                Ok(session)
            }
            SessionOutcome::NotActive(progress) => {
                if progress == Status::Lost {
                    self.token.remove(&registration.key_id)?;
                }
                Err(ClientError::NotActive(progress))
            }
        }
    }

    /// Finishes what a crash or a lost message left open: sends R2 again for each run under way, and
    /// R4, or else opens a session, for each registration that is joined and not active. Runs whose
    /// time is over are given up; applications that wait are left to wait.
    ///
    /// # Errors
    /// [`ClientError`]; what is not finished is still held, and may be recovered later. A run whose
    /// server has lost its ephemeral key gets answers that do not open
    /// ([`TokenRegistrationError::Sealed`]) until its deadline: begin a new one beside it.
    pub fn recover(
        &mut self,
        connect: &mut dyn FnMut(&ServerName) -> io::Result<Box<dyn Transport>>,
    ) -> Result<Vec<RegistrationOutcome>, ClientError> {
        abandon_lapsed(self.token, (self.clock)())?;
        let mut ends = Vec::new();
        for attempt in self.token.attempts()? {
            if let Attempt::InFlight(half) = attempt {
                let mut transport = connect(&half.server_name)?;
                ends.push(self.resume(&mut *transport, half)?);
            }
        }
        for registration in self.token.registrations()? {
            if let record::Progress::Joined { .. } = registration.progress {
                let mut transport = connect(&registration.server_name)?;
                let key_id = registration.key_id;
                ends.push(match self.confirm(&mut *transport, registration) {
                    Err(ClientError::Registration(TokenRegistrationError::ErrorMessage(_))) => {
                        self.settle_by_session(transport, &key_id)?
                    }
                    confirmed => confirmed?,
                });
            }
        }
        Ok(ends)
    }

    /// The first session proves the key as R4 does.
    fn settle_by_session(
        &mut self,
        transport: Box<dyn Transport>,
        key_id: &KeyId,
    ) -> Result<RegistrationOutcome, ClientError> {
        match self.open(transport, key_id, &Options::default()) {
            Ok(session) => {
                session.close()?;
                Ok(RegistrationOutcome::Active(find(self.token, key_id)?))
            }
            Err(ClientError::NotActive(Status::Lost)) => Ok(RegistrationOutcome::Lost),
            Err(error) => Err(error),
        }
    }
}

fn receive(transport: &mut dyn Transport) -> Result<Vec<u8>, ClientError> {
    transport.receive()?.ok_or(ClientError::Ended)
}

pub(super) fn find(token: &dyn Token, key_id: &KeyId) -> Result<TokenRegistration, ClientError> {
    let found = token.registrations()?.into_iter().find(|registration| registration.key_id == *key_id);
    Ok(found.ok_or(TokenError::NoSuchKey)?)
}
