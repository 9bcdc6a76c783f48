//! A world to test in: an issuer, certified servers, tokens, and a clock that stands still until told.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]
use halfkey::policy::SuiteList;

#[path = "../support/client.rs"]
pub mod client;
#[path = "../support/gateway.rs"]
pub mod gateway;

use gateway::{Connection, Gateway, Observer};
use halfkey::certificate::{CertificateRequest, IssuerName, TrustAnchors, Validity};
use halfkey::driver::Transport;
use halfkey::exchange::ServerEvent;
use halfkey::key::{IssuerKey, OfferKey};
use halfkey::memory::{Authority, Server, Store};
use halfkey::policy::Policy;
use halfkey::port::CertificateAuthority;
use halfkey::registration::ActivationCode;
use halfkey::registration::server::{Decision, EnrolmentRequest, Grant};
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::store::Operation;
use halfkey::store::operation::{
    Cursor, IssueCode, ListRegistrations, ListRequests, Page, RegistrationEntry, RequestEntry,
};
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{AccessPath, Secret, ServerName, ServerSettings, UnixTime, UserName};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;

#[path = "../support/mod.rs"]
mod support;

pub use support::{Counting, START, kem_key};

pub const PIN: &str = "2468";

pub fn name(text: &str) -> ServerName {
    ServerName::new(text).unwrap()
}

pub struct Issuer {
    pub authority: Authority,
}

impl Issuer {
    pub fn new(seed: u8) -> Self {
        let key = IssuerKey::generate_ed25519(&mut Counting::new(seed)).unwrap();
        Self { authority: Authority::root(IssuerName::common_name("Issuer").unwrap(), key).unwrap() }
    }

    pub fn anchors(&self) -> TrustAnchors {
        self.authority.trust_anchor().unwrap().into()
    }

    pub fn server(&mut self, name: &ServerName, which: usize, suites: &[u16]) -> Server {
        let random = &mut Counting::new(10 + which as u8);
        let (kem_key, offer_key) = (kem_key(which), OfferKey::generate(random));
        let suites = SuiteList::from_codes(suites.iter().copied()).unwrap();
        let request = CertificateRequest::sign(name, kem_key.public(), &suites, &offer_key).unwrap();
        let from = UnixTime::from_secs(START - 3600);
        let validity = Validity::new(from, from.after(365 * 86_400)).unwrap();
        let chain = self.authority.issue(&request, validity, random).unwrap();
        let settings = ServerSettings::new(name.clone(), template(), &Secret::absent());
        Server::new(&settings, &chain, kem_key, offer_key, Counting::new(20 + which as u8)).unwrap()
    }
}

pub fn template() -> Template {
    Template::new(vec![
        Field::required("name", FieldKind::UserName),
        Field::optional("department", FieldKind::Text { max_len: 64 }),
        Field::required("terms", FieldKind::Boolean),
    ])
    .unwrap()
}

pub fn settings(server: &str) -> ServerSettings {
    ServerSettings::new(name(server), template(), &Secret::new([0x5E; 32]))
}

pub fn grant() -> Decision {
    Decision::Grant(Grant {
        user_id: None,
        access_path: AccessPath::new("/staff").unwrap(),
        policy: Policy::default(),
    })
}

pub fn token(anchors: TrustAnchors, seed: u8) -> SoftwareToken {
    let random = Box::new(Counting::new(seed));
    let (mut token, _) = SoftwareToken::new(anchors, &PIN.into(), PinSettings::for_tests(), random).unwrap();
    token.unlock(&PIN.into()).unwrap();
    token
}

/// One server, and all it stands on.
pub struct World {
    pub clock: Cell<u64>,
    pub settings: ServerSettings,
    pub server: Server,
    pub store: Store,
    pub decision: RefCell<Decision>,
    pub events: RefCell<Vec<ServerEvent>>,
    pub random: RefCell<Counting>,
}

impl World {
    pub fn new(issuer: &mut Issuer, server: &str, which: usize) -> Self {
        let settings = settings(server);
        let server = issuer.server(&settings.name, which, &[2, 1]);
        Self {
            clock: Cell::new(START),
            settings,
            server,
            store: Store::new(),
            decision: RefCell::new(grant()),
            events: RefCell::default(),
            random: RefCell::new(Counting::new(30 + which as u8)),
        }
    }

    pub fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.clock.get())
    }

    pub fn pass(&self, seconds: u64) {
        self.clock.set(self.clock.get() + seconds);
    }

    /// Runs an operation of the operator, which must succeed.
    pub fn run<O: Operation<Error: Debug>>(&self, operation: &O) -> O::Answer {
        self.store.run(operation, self.now()).unwrap()
    }

    pub fn invite(&self, name: &UserName, code: &ActivationCode) {
        let secret = code.secret(&self.settings.name, name);
        self.run(&IssueCode { name: name.clone(), secret, expires: None });
    }

    pub fn registrations(&self) -> Vec<RegistrationEntry> {
        every(|after| self.run(&ListRegistrations { after, ..ListRegistrations::default() }))
    }

    pub fn waiting(&self) -> Vec<RequestEntry> {
        every(|after| self.run(&ListRequests { after, ..ListRequests::default() }))
    }

    pub fn link(&self) -> Link<'_> {
        Link {
            world: self,
            connection: Connection::new(b"peer"),
            replies: VecDeque::new(),
            tamper: Box::new(|_, _| {}),
            count: 0,
            log: Vec::new(),
        }
    }

    pub fn handle(&self, connection: &mut Connection, frame: &[u8]) -> Vec<Vec<u8>> {
        let approval = |_: &EnrolmentRequest| self.decision.borrow().clone();
        let gateway = Gateway {
            settings: &self.settings,
            server: &self.server,
            store: &self.store,
            approval: &approval,
            observer: self,
        };
        connection.handle(&gateway, frame, self.now(), &mut *self.random.borrow_mut()).send
    }

    pub fn last_event(&self) -> String {
        format!("{:?}", self.events.borrow().last().unwrap())
    }
}

impl Observer for World {
    fn event(&self, _peer: &[u8], event: &ServerEvent) {
        self.events.borrow_mut().push(event.clone());
    }
}

/// The whole of a list, page after page.
pub fn every<T>(mut read: impl FnMut(Option<Cursor>) -> Page<T>) -> Vec<T> {
    let Page { mut entries, mut next, damaged } = read(None);
    assert_eq!(damaged, []);
    while next.is_some() {
        let page = read(next);
        entries.extend(page.entries);
        next = page.next;
    }
    entries
}

/// Direction of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    Up,
    Down,
}

type Tamper<'w> = Box<dyn FnMut((Way, usize), &mut Vec<Vec<u8>>) + 'w>;

/// A connection to a world, over a link that somebody may tamper with: frames are numbered from 0,
/// up and down together, and each may be removed, changed or doubled.
pub struct Link<'w> {
    pub world: &'w World,
    pub connection: Connection,
    pub replies: VecDeque<Vec<u8>>,
    pub tamper: Tamper<'w>,
    pub count: usize,
    pub log: Vec<(Way, Vec<u8>)>,
}

impl<'w> Link<'w> {
    pub fn tampered(mut self, tamper: impl FnMut((Way, usize), &mut Vec<Vec<u8>>) + 'w) -> Self {
        self.tamper = Box::new(tamper);
        self
    }

    /// Loses the frame with this number.
    pub fn losing(self, lost: usize) -> Self {
        self.tampered(move |(_, at), frames| {
            if at == lost {
                frames.clear();
            }
        })
    }

    fn pass(&mut self, way: Way, frame: &[u8]) -> Vec<Vec<u8>> {
        self.log.push((way, frame.to_vec()));
        let mut frames = vec![frame.to_vec()];
        (self.tamper)((way, self.count), &mut frames);
        self.count += 1;
        frames
    }
}

impl Transport for Link<'_> {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        for frame in self.pass(Way::Up, frame) {
            for reply in self.world.handle(&mut self.connection, &frame) {
                let passed = self.pass(Way::Down, &reply);
                self.replies.extend(passed);
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.replies.pop_front())
    }
}
