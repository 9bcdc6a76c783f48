//! A token's loop: register, open sessions, be configured.

use super::Transport;
use crate::certificate::{Revocation, VerifiedServer};
use crate::configuration::TokenSideError as ConfigurationError;
use crate::configuration::token::{
    self as configuration, Applying, AwaitConfiguration, Instruction, Rejection, Verdict,
};
use crate::id::{Application, KeyId, ServerName};
use crate::message::UserInformation;
use crate::port::entitlement_store::Standing;
use crate::port::{Token, TokenError};
use crate::random::RandomSource;
use crate::record::{Half, Registration, Waiting};
use crate::registration::token::{
    AwaitDone, AwaitOutcome, Credential, Opened, Refused, Settled, confirm_again, give_up_lapsed, hello,
    resume,
};
use crate::registration::{Kept, TokenSideError};
use crate::session::token::{Opened as SessionOpened, Options, Session, open};
use crate::session::{ChannelError, Content, Received, SessionError};
use crate::suite::{SUITES, Suite};
use crate::template::{Form, FormError, Template};
use crate::time::UnixTime;
use std::io;
use std::num::NonZeroU32;
use thiserror::Error;
use zeroize::Zeroizing;

/// Why a client's loop ends early. The token has lost nothing: see [`Client::resume`],
/// [`Client::confirm`] and [`Client::open`].
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The transport's.
    #[error("the connection: {0}")]
    Transport(#[from] io::Error),
    /// The peer ended the connection where an answer was due.
    #[error("the connection ended where an answer was due")]
    Ended,
    /// In registration.
    #[error("registration: {0}")]
    Registration(#[from] TokenSideError),
    /// In opening a session.
    #[error("session: {0}")]
    Session(#[from] SessionError),
    /// The server has proved that the key opens no session.
    #[error("the registration stands as {0:?}")]
    Barred(Standing),
    /// In the session's channel.
    #[error("channel: {0}")]
    Channel(#[from] ChannelError),
    /// In configuration.
    #[error("configuration: {0}")]
    Configuration(#[from] ConfigurationError),
    /// The token's.
    #[error("the token: {0}")]
    Token(#[from] TokenError),
    /// The user's: the form.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The user does not want to go on.
    #[error("the user does not want to go on")]
    Declined,
}

impl<S> From<Kept<S>> for ClientError {
    fn from(kept: Kept<S>) -> Self {
        Self::Registration(kept.error)
    }
}

/// Shows the user who asks and for what, and takes the answer.
pub type Fill<'a> = dyn FnMut(&VerifiedServer, &Template) -> Result<(Form, Credential), ClientError> + 'a;

/// How a registration ended for now.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one, and it is moved once")]
pub enum Registering {
    /// Registered, and both sides have proved it.
    Active(Registration),
    /// The operator has not decided: come back with [`Credential::Ticket`].
    Waiting(Waiting),
    /// Refused, authentically.
    Refused(Refused),
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
        revocation: &Revocation<'_>,
        fill: &mut Fill<'_>,
    ) -> Result<Registering, ClientError> {
        give_up_lapsed(self.token, (self.clock)())?;
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
    /// [`ClientError`]; the run is still held, until [`Token::give_up`].
    pub fn resume(&mut self, transport: &mut dyn Transport, half: Half) -> Result<Registering, ClientError> {
        let step = resume(half, self.suites)?;
        transport.send(step.send.as_bytes())?;
        self.await_outcome(transport, step.next)
    }

    fn await_outcome(
        &mut self,
        transport: &mut dyn Transport,
        state: AwaitOutcome,
    ) -> Result<Registering, ClientError> {
        let need = state.receive_outcome(&receive(transport)?)?;
        match need.supply_from(self.token, (self.clock)())? {
            Opened::Granted(need) => {
                let step = need.supply_from(self.token)?;
                transport.send(step.send.as_bytes())?;
                self.await_done(transport, step.next)
            }
            Opened::Wait(need) => Ok(Registering::Waiting(need.supply_from(self.token)?)),
            Opened::Refused(refused) => {
                self.token.give_up(&refused.txn)?;
                Ok(Registering::Refused(refused))
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
        registration: Registration,
    ) -> Result<Registering, ClientError> {
        match confirm_again(registration.clone()) {
            None => Ok(Registering::Active(registration)),
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
    ) -> Result<Registering, ClientError> {
        let need = state.receive_done(&receive(transport)?)?;
        Ok(match need.supply_from(self.token)? {
            Settled::Done(registration) => Registering::Active(registration),
            Settled::Lost { .. } => Registering::Lost,
        })
    }

    /// Opens a session with a registration's key: S0 to S3 (patent steps 300 to 350). A joined
    /// registration becomes active by it, a lost one is removed.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Barred`] when the server has proved to say so.
    pub fn open<T: Transport>(
        &mut self,
        mut transport: T,
        key_id: &KeyId,
        options: &Options,
    ) -> Result<ClientSession<T>, ClientError> {
        let mut registration = find(self.token, key_id)?;
        let step = open(&registration, options)?;
        transport.send(step.send.as_bytes())?;
        let need = step.next.receive_challenge(&receive(&mut transport)?, self.random)?;
        let step = need.supply_from(self.token)?;
        transport.send(step.send.as_bytes())?;
        let need = step.next.receive_accept(&receive(&mut transport)?)?;
        match need.supply_from(self.token)? {
            SessionOpened::Session(session) => {
                session.note(&mut registration);
                self.token.update(&registration)?;
                Ok(ClientSession { session, transport, key_id: *key_id, requests: 0 })
            }
            SessionOpened::Barred(standing) => {
                if standing == Standing::Lost {
                    self.token.remove(key_id)?;
                }
                Err(ClientError::Barred(standing))
            }
        }
    }
}

fn receive(transport: &mut dyn Transport) -> Result<Vec<u8>, ClientError> {
    transport.receive()?.ok_or(ClientError::Ended)
}

fn find(token: &dyn Token, key_id: &KeyId) -> Result<Registration, ClientError> {
    let found = token.registrations()?.into_iter().find(|registration| registration.key_id == *key_id);
    Ok(found.ok_or(TokenError::NoSuchKey)?)
}

/// An open session over its transport.
#[derive(Debug)]
pub struct ClientSession<T> {
    session: Session,
    transport: T,
    key_id: KeyId,
    requests: u32,
}

/// What the server sends in a session.
#[derive(Debug)]
pub enum Incoming {
    /// Application data.
    Data(Zeroizing<Vec<u8>>),
    /// A configuration unasked; it has been dealt with.
    Configuration(Configured),
    /// The server has closed its side.
    Closed,
}

/// What became of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Configured {
    /// What was held is right.
    Unchanged,
    /// A new document is in force.
    Installed,
    /// The entitlement ended, and the document is gone.
    Removed,
    /// The client system could not apply it; the last good one is in force.
    Failed,
    /// It was refused: a rollback, or two contents under one serial.
    Refused(Rejection),
    /// The server knows nothing of the application.
    Unknown,
}

impl<T: Transport> ClientSession<T> {
    /// The session itself, with its channel's exporter and name.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Sends application data, renewing the key when it is due.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn send(&mut self, data: &[u8]) -> Result<(), ClientError> {
        self.send_as(Content::Data, data)
    }

    fn send_as(&mut self, content: Content, data: &[u8]) -> Result<(), ClientError> {
        let channel = &mut self.session.channel;
        let record = match channel.seal(content, data) {
            Err(ChannelError::RekeyNeeded) => {
                self.transport.send(&channel.rekey()?)?;
                channel.seal(content, data)?
            }
            sealed => sealed?,
        };
        Ok(self.transport.send(&record)?)
    }

    /// Asks for the configuration of an application, has `apply` put it in force, and reports back:
    /// C0 to C2 (patent steps 360 to 390). Data that comes meanwhile goes to `data`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn configure(
        &mut self,
        client: &mut Client<'_>,
        application: &Application,
        information: &UserInformation,
        apply: &mut dyn FnMut(&Application, &Instruction) -> Applying,
        data: &mut dyn FnMut(&[u8]),
    ) -> Result<Configured, ClientError> {
        self.requests = self.requests.saturating_add(1);
        let id = NonZeroU32::new(self.requests).unwrap_or(NonZeroU32::MIN);
        let registration = find(client.token, &self.key_id)?;
        let step = configuration::request(&registration, application, information, id, (client.clock)())?;
        self.send_as(Content::Configuration, step.send.as_bytes())?;
        let mut state: AwaitConfiguration = step.next;
        loop {
            match self.next_record()? {
                Received::Data(bytes) => data(&bytes),
                Received::Configuration(bytes) => {
                    let registration = find(client.token, &self.key_id)?;
                    let received = state.receive(&bytes, &registration, (client.clock)())?;
                    let configured = self.settle(client, &registration, received.verdict, apply)?;
                    match received.waiting {
                        Some(waiting) => state = waiting,
                        None => return Ok(configured),
                    }
                }
                Received::Closed => return Err(ClientError::Ended),
                Received::Rekeyed => {}
            }
        }
    }

    /// Receives what the server sends; a configuration sent unasked goes to `apply`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn receive(
        &mut self,
        client: &mut Client<'_>,
        apply: &mut dyn FnMut(&Application, &Instruction) -> Applying,
    ) -> Result<Incoming, ClientError> {
        loop {
            match self.next_record()? {
                Received::Data(bytes) => return Ok(Incoming::Data(bytes)),
                Received::Closed => return Ok(Incoming::Closed),
                Received::Rekeyed => {}
                Received::Configuration(bytes) => {
                    let registration = find(client.token, &self.key_id)?;
                    let verdict = configuration::receive_push(&bytes, &registration, (client.clock)())?;
                    return self.settle(client, &registration, verdict, apply).map(Incoming::Configuration);
                }
            }
        }
    }

    fn next_record(&mut self) -> Result<Received, ClientError> {
        match self.transport.receive()? {
            Some(record) => Ok(self.session.channel.open(&record)?),
            None => Err(self.session.channel.finish().err().map_or(ClientError::Ended, ClientError::Channel)),
        }
    }

    /// Stores what came of a configuration, then says so to the server.
    fn settle(
        &mut self,
        client: &mut Client<'_>,
        registration: &Registration,
        verdict: Verdict,
        apply: &mut dyn FnMut(&Application, &Instruction) -> Applying,
    ) -> Result<Configured, ClientError> {
        match verdict {
            Verdict::Unchanged(step) => {
                client.token.update(&step.next)?;
                self.send_as(Content::Configuration, step.send.as_bytes())?;
                Ok(Configured::Unchanged)
            }
            Verdict::Refused(step) => {
                self.send_as(Content::Configuration, step.send.as_bytes())?;
                Ok(Configured::Refused(step.next))
            }
            Verdict::Unknown(record) => {
                client.token.update(&record)?;
                Ok(Configured::Unknown)
            }
            Verdict::Apply(need) => {
                let done = apply(need.application(), need.wanted());
                let configured = match (done, need.wanted()) {
                    (Applying::Failed, _) => Configured::Failed,
                    (Applying::Applied, Instruction::Install(_)) => Configured::Installed,
                    (Applying::Applied, Instruction::Remove) => Configured::Removed,
                };
                let step = need.supply(done, registration)?;
                client.token.update(&step.next)?;
                self.send_as(Content::Configuration, step.send.as_bytes())?;
                Ok(configured)
            }
        }
    }

    /// Closes the session, authentically, and hands the transport back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn close(mut self) -> Result<T, ClientError> {
        let record = self.session.channel.close()?;
        self.transport.send(&record)?;
        Ok(self.transport)
    }
}
