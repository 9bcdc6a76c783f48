//! A user with a token, and a link to a world through whatever store and authentication server.

use crate::common::client::{Client, ClientError, RegistrationOutcome};
use crate::common::gateway::{Approval, Gateway};
use crate::common::{Counting, Issuer, World, grant, token};
use crate::supply::*;
use halfkey::certificate::{Revocation, VerifiedServer};
use halfkey::driver::Transport;
use halfkey::port::{AuthServer, EntitlementStore, Token};
use halfkey::record::{InFlight, Lifecycle, Progress, TokenRegistration};
use halfkey::registration::server::EnrolmentRequest;
use halfkey::registration::token::{
    AwaitOutcome, Credential, NeedForm, ServerDecision, Settled, hello, resume,
};
use halfkey::registration::{Recoverable, TokenRegistrationError};
use halfkey::session::token::Options;
use halfkey::software::SoftwareToken;
use halfkey::suite::{SUITES, Suite, X25519};
use halfkey::template::{FieldValue, Form, Template};
use halfkey::wire::{Message, message_type};
use halfkey::{ErrorReason, UserName};
use std::collections::VecDeque;
use std::io;

pub(crate) static SMALL: &[&dyn Suite] = &[&X25519];

pub(crate) fn setting() -> (Issuer, World) {
    let mut issuer = Issuer::new(1);
    let world = World::new(&mut issuer, "gate.example", 0);
    (issuer, world)
}

pub(crate) fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

pub(crate) fn form(template: &Template, user: &str) -> Form {
    template.fill([("name", FieldValue::from(user)), ("terms", true.into())]).unwrap()
}

/// Returns the rows of a store, sorted.
pub(crate) fn states(world: &World) -> Vec<Lifecycle> {
    let mut states: Vec<_> = world.registrations().into_iter().map(|row| row.lifecycle).collect();
    states.sort_by_key(|state| format!("{state:?}"));
    states
}

pub(crate) fn active(world: &World) -> usize {
    states(world).iter().filter(|state| **state == Lifecycle::Active).count()
}

/// Answers a registration message as a server with the given ports.
pub(crate) fn answer_through(
    world: &World,
    server: &dyn AuthServer,
    store: &dyn EntitlementStore,
    peer: &[u8],
    frame: &[u8],
) -> Vec<u8> {
    let approval = |_: &EnrolmentRequest| world.decision.borrow().clone();
    let settings = &world.settings;
    let gateway = Gateway { settings, server, store, approval: &approval, observer: world };
    gateway.answer(peer, frame, world.now(), &mut *world.random.borrow_mut())
}

pub(crate) fn answer(world: &World, frame: &[u8]) -> Vec<u8> {
    answer_through(world, &world.server, &world.store, b"peer", frame)
}

pub(crate) fn refusal(frame: &[u8]) -> Option<ErrorReason> {
    ErrorReason::read(frame)
}

pub(crate) fn is<'b, M: Message<'b>>(frame: &[u8]) -> bool {
    message_type(frame) == Ok(M::TYPE)
}

/// A transport that is a function from a frame to the frames that come back.
pub(crate) struct Wire<F> {
    pub(crate) respond: F,
    pub(crate) replies: VecDeque<Vec<u8>>,
}

pub(crate) fn wire<F: FnMut(&[u8]) -> Vec<Vec<u8>>>(respond: F) -> Wire<F> {
    Wire { respond, replies: VecDeque::new() }
}

impl<F: FnMut(&[u8]) -> Vec<Vec<u8>>> Transport for Wire<F> {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.replies.extend((self.respond)(frame));
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.replies.pop_front())
    }
}

pub(crate) struct Applicant<T = SoftwareToken> {
    pub(crate) token: T,
    pub(crate) random: Counting,
    pub(crate) suites: &'static [&'static dyn Suite],
}

/// A run up to R2.
pub(crate) struct Applied {
    pub(crate) r0: Vec<u8>,
    pub(crate) r1: Vec<u8>,
    pub(crate) r2: Vec<u8>,
    pub(crate) half: InFlight,
}

impl Applicant {
    pub(crate) fn new(issuer: &Issuer, seed: u8) -> Self {
        Self::with(token(issuer.anchors(), seed), seed)
    }
}

impl<T: Token> Applicant<T> {
    pub(crate) fn with(token: T, seed: u8) -> Self {
        Self { token, random: Counting::new(seed.wrapping_add(100)), suites: SUITES }
    }

    pub(crate) fn client<R>(&mut self, world: &World, act: impl FnOnce(&mut Client<'_>) -> R) -> R {
        let clock = || world.now();
        let mut client = Client::new(&mut self.token, &mut self.random);
        client.clock = &clock;
        client.suites = self.suites;
        act(&mut client)
    }

    pub(crate) fn register_over(
        &mut self,
        world: &World,
        transport: &mut dyn Transport,
        user: &str,
        credential: Credential,
    ) -> Result<RegistrationOutcome, ClientError> {
        let mut credential = Some(credential);
        let mut fill =
            |_: &VerifiedServer, template: &Template| Ok((form(template, user), credential.take().unwrap()));
        self.client(world, |client| {
            client.register(transport, &world.settings.name, &Revocation::Ignore, &mut fill)
        })
    }

    /// Registers with a server whose operator decides so.
    pub(crate) fn register_where(
        &mut self,
        world: &World,
        user: &str,
        credential: Credential,
        approval: &dyn Approval,
    ) -> RegistrationOutcome {
        let World { settings, server, store, .. } = world;
        let gateway = Gateway { settings, server, store, approval, observer: &() };
        let respond =
            |frame: &[u8]| vec![gateway.answer(b"peer", frame, world.now(), &mut *world.random.borrow_mut())];
        self.register_over(world, &mut wire(respond), user, credential).unwrap()
    }

    pub(crate) fn register(
        &mut self,
        world: &World,
        user: &str,
        credential: Credential,
    ) -> RegistrationOutcome {
        self.register_over(world, &mut world.link(), user, credential).unwrap()
    }

    pub(crate) fn registered(&mut self, world: &World, user: &str) -> TokenRegistration {
        match self.register(world, user, Credential::None) {
            RegistrationOutcome::Active(registration) => registration,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn session(
        &mut self,
        world: &World,
        registration: &TokenRegistration,
    ) -> Result<(), ClientError> {
        self.client(world, |client| {
            client.open(world.link(), &registration.key_id, &Options::default())?.close().map(drop)
        })
    }

    /// R0, R1, and the state that wants the form.
    pub(crate) fn offered(&mut self, world: &World) -> (Vec<u8>, Vec<u8>, NeedForm) {
        let step = hello(world.settings.name.clone(), self.suites, &mut self.random).unwrap();
        let r0 = step.send.into_bytes();
        let r1 = answer(world, &r0);
        let anchors = self.token.anchors().unwrap();
        let need = step.next.receive_offer(&r1, &anchors, &Revocation::Ignore, world.now()).unwrap();
        (r0, r1, need)
    }

    /// A run up to R2, held by the token and not yet sent.
    pub(crate) fn applied(&mut self, world: &World, user: &str, credential: Credential) -> Applied {
        let (r0, r1, need) = self.offered(world);
        let form = form(need.wanted(), user);
        let need = need.supply(form, credential).unwrap().supply_from(&mut self.token, &mut self.random);
        let need = need.unwrap().supply_from(&mut self.token, world.now()).unwrap();
        let halfkey::record::Attempt::InFlight(half) = need.wanted().attempt.clone() else {
            panic!("no half")
        };
        let step = need.supply_from(&mut self.token).unwrap();
        Applied { r0, r1, r2: step.send.into_bytes(), half }
    }

    /// Gives an R3 to the token, and returns the result.
    pub(crate) fn opens(
        &mut self,
        world: &World,
        half: &InFlight,
        r3: &[u8],
    ) -> Result<ServerDecision, Recoverable<AwaitOutcome>> {
        let state = resume(half.clone(), self.suites).unwrap().next;
        state.receive_outcome(r3)?.supply_from(&mut self.token, world.now())
    }

    /// The error of an R3 that is none for this run; the token keeps its state.
    pub(crate) fn refuses(&mut self, world: &World, half: &InFlight, r3: &[u8]) -> TokenRegistrationError {
        let kept = match self.opens(world, half, r3) {
            Err(kept) => kept,
            Ok(ServerDecision::Granted(need)) => need.supply_from(&mut self.token).unwrap_err(),
            Ok(other) => panic!("{other:?}"),
        };
        assert_eq!(*kept.state.txn(), half.txn);
        kept.error
    }

    /// Goes on from R2 to the end, honestly.
    pub(crate) fn completes(&mut self, world: &World, applied: &Applied) -> TokenRegistration {
        let r3 = answer(world, &applied.r2);
        self.completes_with(world, &applied.half, &r3)
    }

    pub(crate) fn completes_with(&mut self, world: &World, half: &InFlight, r3: &[u8]) -> TokenRegistration {
        let ServerDecision::Granted(need) = self.opens(world, half, r3).unwrap() else {
            panic!("not granted")
        };
        let step = need.supply_from(&mut self.token).unwrap();
        let r5 = answer(world, step.send.as_bytes());
        match step.next.receive_done(&r5).unwrap().supply_from(&mut self.token).unwrap() {
            Settled::Done(registration) => registration,
            other => panic!("{other:?}"),
        }
    }

    /// Both sides hold one active registration, the same, and nothing else is under way.
    pub(crate) fn settled(&self, world: &World) {
        let held = self.token.registrations().unwrap();
        let rows = world.registrations();
        let live: Vec<_> = rows.iter().filter(|row| row.lifecycle == Lifecycle::Active).collect();
        assert_eq!((held.len(), live.len()), (1, 1), "{held:?} {:?}", states(world));
        assert_eq!((held[0].key_id, held[0].progress), (live[0].key_id, Progress::Active));
        assert_eq!((&held[0].user_id, held[0].policy), (&live[0].user_id, live[0].policy));
        assert!(self.token.attempts().unwrap().is_empty());
    }
}

/// A world that makes applicants wait, or grants.
pub(crate) fn decide(world: &World, wait: bool) {
    let waits = halfkey::registration::server::Decision::Wait { retry_after: 60 };
    *world.decision.borrow_mut() = if wait { waits } else { grant() };
}
