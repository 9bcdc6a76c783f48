//! A server over any store, and tokens that talk to it.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use super::common::{Counting, Issuer, grant, settings};
use super::keeper::Keeper;
use crate::common::client::{Client, ClientError, Configured, RegistrationOutcome};
use crate::common::gateway::{Connection, Gateway};
use halfkey::certificate::{Revocation, TrustAnchors, VerifiedServer};
use halfkey::configuration::token::{Applying, Instruction};
use halfkey::driver::Transport;
use halfkey::memory::Server;
use halfkey::message::UserInformation;
use halfkey::port::EntitlementStore;
use halfkey::record::TokenRegistration;
use halfkey::registration::server::{Decision, EnrolmentRequest};
use halfkey::registration::token::Credential;
use halfkey::session::token::Options;
use halfkey::template::Template;
use halfkey::{ApplicationName, ServerSettings, UnixTime};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;

/// All of a server but its store.
pub struct Gate {
    pub settings: ServerSettings,
    pub server: Server,
    pub anchors: TrustAnchors,
    pub decision: RefCell<Decision>,
    pub now: Cell<UnixTime>,
    random: RefCell<Counting>,
}

impl Gate {
    /// Of another seed come other keys.
    pub fn new(now: UnixTime, seed: u8) -> Self {
        let mut issuer = Issuer::new(1);
        let settings = settings("gate.example");
        let server = issuer.server(&settings.name, 0, &[2, 1]);
        let (decision, random) = (RefCell::new(grant()), RefCell::new(Counting::new(seed)));
        Self { settings, server, anchors: issuer.anchors(), decision, now: Cell::new(now), random }
    }

    /// A connection, on which only so many of the token's frames arrive.
    pub fn line<'g>(&'g self, store: &'g dyn EntitlementStore, frames: usize) -> Line<'g> {
        Line { gate: self, store, connection: Connection::new(b"peer"), replies: VecDeque::new(), frames }
    }

    /// A holder of a token, with whom nothing gets lost.
    pub fn holder<'g>(&'g self, store: &'g dyn EntitlementStore, token: &'g mut Keeper) -> Holder<'g> {
        let random = Counting::new(self.now.get().as_secs().to_le_bytes()[0]);
        Holder { gate: self, store, token, frames: usize::MAX, random }
    }
}

pub struct Line<'g> {
    gate: &'g Gate,
    store: &'g dyn EntitlementStore,
    connection: Connection,
    replies: VecDeque<Vec<u8>>,
    frames: usize,
}

impl Transport for Line<'_> {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        match self.frames.checked_sub(1) {
            Some(left) => self.frames = left,
            None => return Ok(()),
        }
        let Gate { settings, server, decision, now, random, .. } = self.gate;
        let approval = |_: &EnrolmentRequest| decision.borrow().clone();
        let (store, observer) = (self.store, &());
        let gateway = Gateway { settings, server, store, approval: &approval, observer };
        self.replies
            .extend(self.connection.handle(&gateway, frame, now.get(), &mut *random.borrow_mut()).send);
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.replies.pop_front())
    }
}

pub struct Holder<'g> {
    gate: &'g Gate,
    store: &'g dyn EntitlementStore,
    pub token: &'g mut Keeper,
    /// How many of its frames arrive on each connection.
    pub frames: usize,
    random: Counting,
}

impl Holder<'_> {
    pub fn with<R>(&mut self, act: impl FnOnce(&mut Client<'_>, Line<'_>) -> R) -> R {
        let clock = || self.gate.now.get();
        let mut client = Client::new(self.token, &mut self.random);
        client.clock = &clock;
        act(&mut client, self.gate.line(self.store, self.frames))
    }

    pub fn register(
        &mut self,
        user: &str,
        credential: Credential,
    ) -> Result<RegistrationOutcome, ClientError> {
        let (name, mut credential) = (self.gate.settings.name.clone(), Some(credential));
        let mut fill = |_: &VerifiedServer, template: &Template| {
            let form = template.fill([("name", user.into()), ("terms", true.into())]).unwrap();
            Ok((form, credential.take().unwrap()))
        };
        self.with(|client, mut line| client.register(&mut line, &name, &Revocation::Ignore, &mut fill))
    }

    pub fn registered(&mut self, user: &str, credential: Credential) -> TokenRegistration {
        match self.register(user, credential).unwrap() {
            RegistrationOutcome::Active(registration) => registration,
            other => panic!("{other:?}"),
        }
    }

    /// Opens a session, and closes it.
    pub fn session(&mut self) -> Result<(), ClientError> {
        let key_id = self.token.only().key_id;
        self.with(|client, line| client.open(line, &key_id, &Options::default())?.close().map(drop))
    }

    /// Asks for a configuration, and applies what comes.
    pub fn configure(&mut self, application: &ApplicationName) -> Result<Configured, ClientError> {
        self.configure_at(application, &UserInformation::default(), &mut |_| {})
    }

    /// The same from a place; what is applied is shown to `seen`.
    pub fn configure_at(
        &mut self,
        application: &ApplicationName,
        information: &UserInformation,
        seen: &mut dyn FnMut(&Instruction),
    ) -> Result<Configured, ClientError> {
        let key_id = self.token.only().key_id;
        self.with(|client, line| {
            let mut session = client.open(line, &key_id, &Options::default())?;
            let mut apply = |_: &ApplicationName, instruction: &Instruction| {
                seen(instruction);
                Applying::Applied
            };
            let configured = session.configure(client, application, information, &mut apply, &mut |_| {})?;
            session.close()?;
            Ok(configured)
        })
    }
}
