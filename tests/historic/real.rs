//! The real protocol, with room for an attacker between the steps: a registered token, its server, and
//! each step on its own.

use crate::common::client::{Client, ClientError, Configured, RegistrationOutcome};
use crate::common::{Counting, Issuer, Link, Way, World, name, token};
use crate::supply::*;
use halfkey::certificate::{Revocation, TrustAnchors, VerifiedServer};
use halfkey::configuration::token::{Applying, Instruction};
use halfkey::message::{Address, Hello, Request, UserInformation};
use halfkey::policy::Policy;
use halfkey::port::Token;
use halfkey::port::entitlement_store::Document;
use halfkey::record::{Effect, TokenRegistration};
use halfkey::registration::ServerRegistrationError;
use halfkey::registration::server::{
    self as registration, Decision, Grant, Lookup, NeedApplicant, NeedSecrets,
};
use halfkey::registration::token::{AwaitOffer, AwaitOutcome, Credential, NeedWrap, hello};
use halfkey::session::server::{self, AwaitResponse, Entry, Established};
use halfkey::session::token::{
    self as client, AwaitAccept, AwaitChallenge, Options, Session, SessionOutcome,
};
use halfkey::session::{Channel, ServerSessionError, TokenSessionError};
use halfkey::software::SoftwareToken;
use halfkey::store::Subject;
use halfkey::store::operation::Entitle;
use halfkey::suite::SUITES;
use halfkey::template::{FieldValue, Form, Template};
use halfkey::{AccessPath, ApplicationName, RandomSource, Secret, ServerSettings, Step, UserId};

const PEER: &[u8] = b"192.0.2.7";

pub(crate) fn form(template: &Template, user: &str) -> Form {
    template.fill([("name", FieldValue::from(user)), ("terms", true.into())]).unwrap()
}

pub(crate) fn mail() -> ApplicationName {
    ApplicationName::new("mail").unwrap()
}

/// A token registered with a server, and both of them.
pub(crate) struct Real {
    pub(crate) issuer: Issuer,
    pub(crate) world: World,
    pub(crate) token: SoftwareToken,
    pub(crate) random: Counting,
    pub(crate) registration: TokenRegistration,
}

impl Real {
    pub(crate) fn new() -> Self {
        let mut issuer = Issuer::new(1);
        let world = World::new(&mut issuer, "gate.example", 0);
        let (mut token, mut random) = (token(issuer.anchors(), 7), Counting::new(107));
        let registration = register(&world, &mut token, &mut random, "alice");
        Self { issuer, world, token, random, registration }
    }

    /// Another server that the same issuer certified.
    pub(crate) fn shop(&mut self) -> World {
        let mut shop = World::new(&mut self.issuer, "shop.example", 1);
        shop.settings =
            ServerSettings::new(name("shop.example"), crate::common::template(), &Secret::new([0x5F; 32]));
        shop
    }

    /// S0.
    pub(crate) fn open(&self) -> (Vec<u8>, AwaitChallenge) {
        open(&self.registration)
    }

    /// S0 in, S1 out.
    pub(crate) fn challenge(&self, s0: &[u8]) -> Result<(Vec<u8>, AwaitResponse), ServerSessionError> {
        challenge(&self.world, s0)
    }

    /// S1 in, S2 out.
    pub(crate) fn respond(
        &mut self,
        state: AwaitChallenge,
        s1: &[u8],
    ) -> Result<(Vec<u8>, AwaitAccept), TokenSessionError> {
        let Step { send, next } =
            state.receive_challenge(s1, &mut self.random)?.supply_from(&mut self.token)?;
        Ok((send.into_bytes(), next))
    }

    /// S2 in, S3 out.
    pub(crate) fn accept(
        &self,
        state: AwaitResponse,
        s2: &[u8],
    ) -> Result<(Vec<u8>, Established), ServerSessionError> {
        accept(&self.world, state, s2)
    }

    /// S3 in.
    pub(crate) fn finish(&mut self, state: AwaitAccept, s3: &[u8]) -> Result<Session, TokenSessionError> {
        match state.receive_accept(s3)?.supply_from(&mut self.token)? {
            SessionOutcome::Session(session) => Ok(session),
            SessionOutcome::NotActive(standing) => panic!("{standing:?}"),
        }
    }

    /// S0 to S3 as they passed, and both ends of the channel.
    pub(crate) fn session(&mut self) -> ([Vec<u8>; 4], Channel, Channel) {
        let (s0, token) = self.open();
        let (s1, server) = self.challenge(&s0).unwrap();
        let (s2, token) = self.respond(token, &s1).unwrap();
        let (s3, server) = self.accept(server, &s2).unwrap();
        let session = self.finish(token, &s3).unwrap();
        ([s0, s1, s2, s3], session.channel, server.channel)
    }

    /// Sets the entitlements of users in the server's database.
    pub(crate) fn entitle(&self, body: &[u8]) {
        let document = Document { media_type: "text/plain".into(), body: body.to_vec() };
        let staff = Subject::AccessPath(self.registration.access_path.clone());
        self.world.run(&Entitle::new(staff, mail(), document));
    }

    /// A session with one configuration, over a link that somebody may tamper with: what came of it,
    /// what was put in force, and every frame as it was sent.
    pub(crate) fn configure(&mut self, tamper: impl FnMut((Way, usize), &mut Vec<Vec<u8>>)) -> Configuring {
        let clock = || self.world.now();
        let mut client = Client::new(&mut self.token, &mut self.random);
        client.clock = &clock;
        let mut link: Link<'_> = self.world.link().tampered(tamper);
        let mut installed = Vec::new();
        let mut apply = |_: &ApplicationName, instruction: &Instruction| {
            if let Instruction::Install(document) = instruction {
                installed.push(document.body.clone());
            }
            Applying::Applied
        };
        let outcome =
            client.open(&mut link, &self.registration.key_id, &by_key_id()).and_then(|mut session| {
                session.configure(&mut client, &mail(), &UserInformation::default(), &mut apply, &mut |_| {})
            });
        let frames = link.log.into_iter().map(|(_, frame)| frame).collect();
        Configuring { outcome, installed, frames }
    }
}

/// Outcome of [`Real::configure`].
#[derive(Debug)]
pub(crate) struct Configuring {
    pub(crate) outcome: Result<Configured, ClientError>,
    pub(crate) installed: Vec<Vec<u8>>,
    pub(crate) frames: Vec<Vec<u8>>,
}

/// A whole registration by the driver.
pub(crate) fn register(
    world: &World,
    token: &mut SoftwareToken,
    random: &mut Counting,
    user: &str,
) -> TokenRegistration {
    let clock = || world.now();
    let mut client = Client::new(token, random);
    client.clock = &clock;
    let mut fill = |_: &VerifiedServer, template: &Template| Ok((form(template, user), Credential::None));
    let link = &mut world.link();
    match client.register(link, &world.settings.name, &Revocation::Ignore, &mut fill).unwrap() {
        RegistrationOutcome::Active(registration) => registration,
        other => panic!("{other:?}"),
    }
}

/// By key id and not by alias, so that an attacker may do so as often as he likes.
fn by_key_id() -> Options {
    Options { by_key_id: true, ..Options::default() }
}

pub(crate) fn open(registration: &TokenRegistration) -> (Vec<u8>, AwaitChallenge) {
    let Step { send, next } = client::open(registration, &by_key_id()).unwrap();
    (send.into_bytes(), next)
}

pub(crate) fn challenge(world: &World, s0: &[u8]) -> Result<(Vec<u8>, AwaitResponse), ServerSessionError> {
    let need = server::receive_open(s0, &world.settings)?;
    assert!(matches!(need.wanted().address, Address::Key(_)));
    let Step { send, next } = need.supply_from(&world.store, world.now(), &mut *world.random.borrow_mut())?;
    Ok((send.into_bytes(), next))
}

pub(crate) fn accept(
    world: &World,
    state: AwaitResponse,
    s2: &[u8],
) -> Result<(Vec<u8>, Established), ServerSessionError> {
    let need = state.receive_response(s2, world.now(), &mut *world.random.borrow_mut())?;
    let Step { send, next } = need.supply_from(&world.store, world.now())?;
    match next {
        Entry::Session(session) => Ok((send.into_bytes(), session)),
        Entry::NotActive { status, .. } => panic!("{status:?}"),
    }
}

/// R0 in, R1 out.
pub(crate) fn offer(world: &World, r0: &[u8], random: &mut Counting) -> Vec<u8> {
    let need = registration::receive_hello(r0, &world.settings).unwrap();
    let need = need.supply_from(&world.server, PEER, &world.settings, world.now(), random).unwrap();
    need.supply_from(&world.server).unwrap().into_bytes()
}

/// R0 to `world`, R1, and the form of `user`: SSK1 is to be wrapped next.
pub(crate) fn fill(
    world: &World,
    anchors: &TrustAnchors,
    r0: Step<Hello<'_>, AwaitOffer>,
    user: &str,
    random: &mut Counting,
) -> NeedWrap {
    let r1 = offer(world, r0.send.as_bytes(), random);
    let need = r0.next.receive_offer(&r1, anchors, &Revocation::Ignore, world.now()).unwrap();
    need.supply(form(&world.settings.template, user), Credential::None).unwrap()
}

/// R0 to R2: `user` applies.
pub(crate) fn apply(
    world: &World,
    token: &mut SoftwareToken,
    random: &mut Counting,
    user: &str,
) -> Step<Request<'static>, AwaitOutcome> {
    let r0 = hello(world.settings.name.clone(), SUITES, random).unwrap();
    let need = fill(world, &token.anchors().unwrap(), r0, user, random);
    let need = need.supply_from(token, random).unwrap().supply_from(token, world.now()).unwrap();
    need.supply_from(token).unwrap()
}

/// R2 in: SSK1 is to be recovered.
pub(crate) fn requested(world: &World, r2: &[u8]) -> Result<NeedSecrets, ServerRegistrationError> {
    let need = registration::receive_request(r2).unwrap();
    match need.supply_from(&world.store, PEER, &world.settings, world.now())? {
        Lookup::New(need) => Ok(need),
        Lookup::Before(_) => panic!("answered before"),
    }
}

/// Grants, and returns R3. The first draw of `random` is SSK2, because the user id is given.
pub(crate) fn grant(world: &World, need: NeedApplicant, random: &mut dyn RandomSource) -> Vec<u8> {
    let (settings, now) = (&world.settings, world.now());
    let judged = need.supply_from(&world.store, settings, now).unwrap();
    let grant = |application: &registration::EnrolmentRequest| {
        Decision::Grant(Grant {
            user_id: Some(UserId::new(application.name.as_str()).unwrap()),
            access_path: AccessPath::new("/staff").unwrap(),
            policy: Policy::default(),
        })
    };
    let commit = judged.decide(grant, settings, now, random).unwrap();
    assert!(matches!(commit.wanted().outcome.effect, Effect::Granted(_)));
    commit.supply_from(&world.store, now).unwrap().into_bytes()
}

/// The registrations that a token holds.
pub(crate) fn held(token: &SoftwareToken) -> Vec<TokenRegistration> {
    token.registrations().unwrap()
}
