//! One server and a token, between them frames in memory, and a clock that stands still.

use halfkey::certificate::{CertificateRequest, Chain, IssuerName, TrustAnchors, Validity};
use halfkey::configuration::token::Applying;
use halfkey::exchange::{
    DeviceTurn, News, RegisterOptions, ServerExchange, ServerReply, ServerTurn, TokenExchange, TokenReply,
    TokenTurn,
};
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::{Authority, Server, ServerKeyError, Store};
use halfkey::policy::{Policy, SuiteList};
use halfkey::port::question::TokenQuestion;
use halfkey::port::{CertificateAuthority, EntitlementStore, Token, TokenError};
use halfkey::record::{Attempt, TokenRegistration};
use halfkey::registration::server::{Decision, Grant};
use halfkey::registration::token::Credential;
use halfkey::session::token::Options;
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::store::Operation;
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{AccessPath, Moment, RandomSource, Secret, ServerName, ServerSettings, SystemRandom, UnixTime};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

pub const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

pub fn moment() -> Moment {
    Moment::at(NOW)
}

pub struct World {
    pub settings: Arc<ServerSettings>,
    pub keys: Server,
    pub store: Store,
    /// A store in a file, in the place of the other.
    #[cfg(feature = "sqlite")]
    pub file: Option<halfkey::sqlite::Store>,
    pub decision: Mutex<Decision>,
    pub anchors: TrustAnchors,
    /// Seconds by which the server's clock is ahead of [`NOW`]; one that is behind wraps around.
    pub ahead: AtomicU64,
    /// True while the store does not answer.
    pub down: AtomicBool,
    pub authority: Mutex<Authority>,
    pub chain: Chain,
}

fn kem_key() -> KemPrivateKey {
    KemPrivateKey::from_pkcs8_pem(include_str!("../data/test-key-rsa-2048-a.pem")).unwrap()
}

pub fn grant() -> Decision {
    let access_path = AccessPath::new("/staff").unwrap();
    Decision::Grant(Grant { user_id: None, access_path, policy: Policy::default() })
}

impl World {
    pub fn new() -> Self {
        Self::with_random(SystemRandom)
    }

    /// A world in which the server's keys are drawn from this source.
    pub fn with_random(server: impl RandomSource + Send + 'static) -> Self {
        let random = &mut SystemRandom;
        let issuer = IssuerKey::generate_ed25519(random).unwrap();
        let mut authority = Authority::root(IssuerName::common_name("Issuer").unwrap(), issuer).unwrap();
        let (name, offer_key) = (ServerName::new("gate.example").unwrap(), OfferKey::generate(random));
        let kem_key = kem_key();
        let suites = SuiteList::from_codes([2, 1]).unwrap();
        let request = CertificateRequest::sign(&name, kem_key.public(), &suites, &offer_key).unwrap();
        let from = UnixTime::from_secs(NOW.as_secs() - 60);
        let chain =
            authority.issue(&request, Validity::new(from, from.after(86_400)).unwrap(), random).unwrap();
        let template = Template::new(vec![Field::required("name", FieldKind::UserName)]).unwrap();
        let settings = ServerSettings::new(name, template, &Secret::new([7; 32]));
        Self {
            keys: Server::new(&settings, &chain, kem_key, offer_key, server).unwrap(),
            settings: Arc::new(settings),
            store: Store::new(),
            #[cfg(feature = "sqlite")]
            file: None,
            decision: Mutex::new(grant()),
            ahead: AtomicU64::new(0),
            down: AtomicBool::new(false),
            anchors: authority.trust_anchor().unwrap().into(),
            authority: Mutex::new(authority),
            chain,
        }
    }

    /// The server's moment.
    pub fn moment(&self) -> Moment {
        Moment::at(self.time())
    }

    /// The server's time.
    pub fn time(&self) -> UnixTime {
        UnixTime::from_secs(NOW.as_secs().wrapping_add(self.ahead.load(Ordering::Relaxed)))
    }

    /// Has the authority certify the server for this time, with another offer key.
    pub fn certify(&self, validity: Validity) -> Result<(), ServerKeyError> {
        let random = &mut SystemRandom;
        let offer_key = OfferKey::generate(random);
        let suites = SuiteList::from_codes([2, 1]).unwrap();
        let request =
            CertificateRequest::sign(&self.name(), kem_key().public(), &suites, &offer_key).unwrap();
        let chain = self.authority.lock().unwrap().issue(&request, validity, random).unwrap();
        self.keys.add_certificate(&chain, kem_key(), offer_key, self.time())
    }

    /// Performs an operator's operation, at the server's time.
    pub fn run<O: Operation>(&self, operation: &O) -> Result<O::Answer, O::Error> {
        #[cfg(feature = "sqlite")]
        if let Some(file) = &self.file {
            return file.run(operation, self.time());
        }
        self.store.run(operation, self.time())
    }

    fn port(&self) -> &dyn EntitlementStore {
        #[cfg(feature = "sqlite")]
        if let Some(file) = &self.file {
            return file;
        }
        &self.store
    }

    pub fn decide(&self, decision: Decision) {
        *self.decision.lock().unwrap() = decision;
    }

    pub fn name(&self) -> ServerName {
        self.settings.name.clone()
    }

    pub fn token(&self) -> SoftwareToken {
        self.token_with(self.anchors.clone())
    }

    pub fn token_with(&self, anchors: TrustAnchors) -> SoftwareToken {
        let (pin, quick) = ("2468".into(), PinSettings::for_tests());
        let (mut token, _) = SoftwareToken::new(anchors, &pin, quick, Box::new(SystemRandom)).unwrap();
        token.unlock(&pin).unwrap();
        token
    }

    pub fn connection(&self) -> Peer<'_> {
        let exchange = ServerExchange::new(Arc::clone(&self.settings), b"peer");
        Peer { world: self, exchange: Some(exchange), frames: VecDeque::new() }
    }

    /// A connection to a server that keeps no challenges.
    pub fn stateless(&self) -> Peer<'_> {
        let exchange = ServerExchange::stateless(Arc::clone(&self.settings));
        Peer { world: self, exchange: Some(exchange), frames: VecDeque::new() }
    }

    pub fn register(&self) -> TokenTurn {
        TokenExchange::register(self.name(), RegisterOptions::default(), moment())
    }
}

/// The server's end of a connection.
pub struct Peer<'w> {
    pub world: &'w World,
    pub exchange: Option<ServerExchange>,
    /// Frames on their way to the token.
    pub frames: VecDeque<Vec<u8>>,
}

impl Peer<'_> {
    pub fn take(&mut self, frame: &[u8]) {
        let reply = self.receive(frame);
        drop(reply);
    }

    /// Takes a frame, and gives what came of it besides frames.
    pub fn receive(&mut self, frame: &[u8]) -> ServerReply {
        let exchange = self.exchange.take().expect("the server is there");
        self.play(exchange.receive(frame, self.world.moment()))
    }

    /// Ends the session from the server's side.
    pub fn end(&mut self) -> ServerReply {
        let exchange = self.exchange.take().expect("the server is there");
        self.play(exchange.end(self.world.moment()))
    }

    pub fn check(&mut self) -> ServerReply {
        let exchange = self.exchange.take().expect("the server is there");
        self.play(exchange.check(self.world.moment()))
    }

    pub fn play(&mut self, mut turn: ServerTurn) -> ServerReply {
        let (World { keys, decision, .. }, store) = (self.world, self.world.port());
        let mut reply = loop {
            turn = match turn {
                ServerTurn::Store(need) if self.world.down.load(Ordering::Relaxed) => need.refuse(),
                ServerTurn::Store(need) => need.ask(store),
                ServerTurn::Keys(need) => need.ask(keys),
                ServerTurn::Operator(need) => need.supply(decision.lock().unwrap().clone()),
                ServerTurn::Done(reply) => break reply,
            };
        };
        self.frames.extend(core::mem::take(&mut reply.send));
        self.exchange = reply.next.take();
        reply
    }

    /// Application data of the server's.
    pub fn send(&mut self, data: &[u8]) {
        let records = self.exchange.as_mut().unwrap().send(data).unwrap();
        self.frames.extend(records);
    }

    pub fn close(&mut self) {
        let records = self.exchange.as_mut().unwrap().close().unwrap();
        self.frames.extend(records);
    }

    pub fn push(&mut self, text: &str, number: u64) {
        let exchange = self.exchange.as_mut().unwrap();
        let records = exchange.push(&application(), &entitlement(text, number), NOW).unwrap();
        self.frames.extend(records);
    }

    pub fn pop(&mut self) -> Vec<u8> {
        self.frames.pop_front().expect("the server has answered")
    }
}

pub fn application() -> halfkey::ApplicationName {
    halfkey::ApplicationName::new("mail").unwrap()
}

fn entitlement(text: &str, number: u64) -> halfkey::port::entitlement_store::Entitlement {
    halfkey::port::entitlement_store::Entitlement {
        serial: halfkey::message::ConfigurationSerial { epoch: 0, number },
        valid_for: None,
        document: Some(halfkey::port::entitlement_store::Document {
            media_type: "text/plain".into(),
            body: text.into(),
        }),
        last_applied: None,
    }
}

/// Looks at each question before it is answered.
pub type Watch = Box<dyn FnMut(&DeviceTurn)>;

/// What plays the token's, the user's and the client system's parts, and keeps a log of the turns.
pub struct Hands {
    pub token: SoftwareToken,
    pub user: String,
    pub credential: Option<Credential>,
    pub applying: Applying,
    pub log: Vec<String>,
    /// The question that the token fails to answer, counted from now.
    pub failing: Option<usize>,
    /// The token's time.
    pub clock: UnixTime,
    /// Sees each question to the token before it is asked.
    pub watch: Option<Watch>,
}

impl Hands {
    pub fn new(world: &World) -> Self {
        Self {
            token: world.token(),
            user: "Alice".into(),
            credential: None,
            applying: Applying::Applied,
            log: Vec::new(),
            failing: None,
            clock: NOW,
            watch: None,
        }
    }

    /// Plays turns until the exchange waits for the server, or is over.
    pub fn play(&mut self, mut turn: TokenTurn) -> TokenReply {
        loop {
            turn = match turn {
                TokenTurn::Done(reply) => return reply,
                TokenTurn::Device(need) => {
                    let question = format!("{need:?}");
                    self.log.push(question.split(['(']).next().unwrap().to_owned());
                    if let Some(watch) = &mut self.watch {
                        watch(&need);
                    }
                    match &mut self.failing {
                        Some(0) => {
                            self.failing = None;
                            fail(need)
                        }
                        Some(rest) => {
                            *rest -= 1;
                            need.ask(&mut self.token)
                        }
                        None => need.ask(&mut self.token),
                    }
                }
                TokenTurn::User(need) => {
                    self.log.push("user".into());
                    let form = need.wanted().1.fill([("name", self.user.as_str().into())]).unwrap();
                    need.supply(form, self.credential.take().unwrap_or(Credential::None)).unwrap()
                }
                TokenTurn::Client(need) => {
                    self.log.push("client".into());
                    need.supply(self.applying)
                }
            }
        }
    }

    /// Talks to the server until there is news.
    pub fn talk(&mut self, turn: TokenTurn, peer: &mut Peer<'_>) -> (News, Option<TokenExchange>) {
        let mut reply = self.play(turn);
        loop {
            for frame in &reply.send {
                peer.take(frame);
            }
            match (reply.news, reply.next) {
                (Some(news), next) => return (news, next),
                (None, next) => {
                    let next = next.expect("without news, something is awaited");
                    reply = self.play(next.receive(&peer.pop(), Moment::at(self.clock)));
                }
            }
        }
    }

    pub fn register(&mut self, world: &World) -> TokenRegistration {
        match self.talk(world.register(), &mut world.connection()).0 {
            News::Registered(registration) => *registration,
            news => panic!("{news:?}"),
        }
    }

    pub fn open<'w>(&mut self, world: &'w World) -> (TokenExchange, Peer<'w>) {
        let key_id = self.token.registrations().unwrap()[0].key_id;
        let mut peer = world.connection();
        let turn = TokenExchange::open(key_id, Options::default(), moment());
        match self.talk(turn, &mut peer) {
            (News::Opened(_), Some(exchange)) => (exchange, peer),
            other => panic!("{other:?}"),
        }
    }

    /// Finishes what is under way, and leaves one active registration.
    pub fn recover(&mut self, world: &World) {
        for attempt in self.token.attempts().unwrap() {
            if let Attempt::InFlight(attempt) = attempt {
                let turn = TokenExchange::resume(attempt, halfkey::suite::SUITES, moment());
                let news = self.talk(turn, &mut world.connection()).0;
                assert!(matches!(news, News::Registered(_)), "{news:?}");
            }
        }
        for registration in self.token.registrations().unwrap() {
            let news = self.talk(TokenExchange::confirm(registration, moment()), &mut world.connection()).0;
            assert!(matches!(news, News::Registered(_)), "{news:?}");
        }
    }
}

fn failed<Q: TokenQuestion>(_: &Q) -> Result<Q::Answer, TokenError> {
    Err(TokenError::Device(1))
}

fn fail(need: DeviceTurn) -> TokenTurn {
    macro_rules! each {
        ($($name:ident),*) => {
            match need {
                $(DeviceTurn::$name(asked) => {
                    let answer = failed(asked.wanted());
                    asked.supply(answer)
                })*
            }
        };
    }
    each!(
        Anchors,
        Encapsulate,
        DeriveFromSsk1,
        Derive,
        SaveAttempt,
        Attempts,
        Abandon,
        Earlier,
        Join,
        Registrations,
        DeadKeys,
        Update,
        Remove
    )
}
