//! A token's open session over its transport.

use super::client::find;
use super::{Client, ClientError, Transport};
use crate::configuration::token::{
    self as configuration, Applying, AwaitConfiguration, Instruction, Verdict,
};
use crate::exchange::Configured;
use crate::id::{ApplicationName, KeyId};
use crate::message::UserInformation;
use crate::record::TokenRegistration;
use crate::session::token::Session;
use crate::session::{ChannelError, Content, OpenedRecord};
use std::num::NonZeroU32;
use zeroize::Zeroizing;

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

impl<T: Transport> ClientSession<T> {
    pub(super) const fn new(session: Session, transport: T, key_id: KeyId) -> Self {
        Self { session, transport, key_id, requests: 0 }
    }

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
        application: &ApplicationName,
        information: &UserInformation,
        apply: &mut dyn FnMut(&ApplicationName, &Instruction) -> Applying,
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
                OpenedRecord::Data(bytes) => data(&bytes),
                OpenedRecord::Configuration(bytes) => {
                    let registration = find(client.token, &self.key_id)?;
                    let received = state.receive(&bytes, &registration, (client.clock)())?;
                    let configured = self.settle(client, &registration, received.verdict, apply)?;
                    match received.waiting {
                        Some(waiting) => state = waiting,
                        None => return Ok(configured),
                    }
                }
                OpenedRecord::Closed => return Err(ClientError::Ended),
                OpenedRecord::Rekeyed => {}
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
        apply: &mut dyn FnMut(&ApplicationName, &Instruction) -> Applying,
    ) -> Result<Incoming, ClientError> {
        loop {
            match self.next_record()? {
                OpenedRecord::Data(bytes) => return Ok(Incoming::Data(bytes)),
                OpenedRecord::Closed => return Ok(Incoming::Closed),
                OpenedRecord::Rekeyed => {}
                OpenedRecord::Configuration(bytes) => {
                    let registration = find(client.token, &self.key_id)?;
                    let verdict = configuration::receive_push(&bytes, &registration, (client.clock)())?;
                    return self.settle(client, &registration, verdict, apply).map(Incoming::Configuration);
                }
            }
        }
    }

    fn next_record(&mut self) -> Result<OpenedRecord, ClientError> {
        match self.transport.receive()? {
            Some(record) => Ok(self.session.channel.open(&record)?),
            None => Err(self.session.channel.finish().err().map_or(ClientError::Ended, ClientError::Channel)),
        }
    }

    /// Stores what came of a configuration, then says so to the server.
    fn settle(
        &mut self,
        client: &mut Client<'_>,
        registration: &TokenRegistration,
        verdict: Verdict,
        apply: &mut dyn FnMut(&ApplicationName, &Instruction) -> Applying,
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

    /// Closes the session, authentically, waits until the server has closed its side too, and hands
    /// the transport back. Then everything sent has arrived, a report (C2) included. What the server
    /// still sends meanwhile is dropped.
    ///
    /// # Errors
    /// [`ClientError`]; [`ChannelError::Truncated`] when the server hangs up without closing.
    pub fn close(mut self) -> Result<T, ClientError> {
        let record = self.session.channel.close()?;
        self.transport.send(&record)?;
        while !matches!(self.next_record()?, OpenedRecord::Closed) {}
        Ok(self.transport)
    }
}
