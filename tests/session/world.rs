//! One token, one server, and the wire between them.

use halfkey::message::{Address, VERSION};
use halfkey::policy::{Mode, Modes, Policy, SuiteId, SuiteList};
use halfkey::port::entitlement_store::{Admission, Admitted, Status};
use halfkey::port::question::Derive;
use halfkey::record::{self, Lifecycle, ServerRegistration, StoredKeys, TokenRegistration};
use halfkey::schedule::KeySet;
use halfkey::session::server::{self, AwaitResponse, Entry, Established};
use halfkey::session::token::{self, AwaitAccept, Options, Session, SessionOutcome};
use halfkey::session::{ServerSessionError, TokenSessionError, park};
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{
    AccessPath, Alias, Digest, KeyId, Secret, ServerName, ServerSettings, Txn, UnixTime, UserId, UserName,
    suite,
};

pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// Different bytes every time, the same in every run (SplitMix64).
pub(crate) struct Dice(pub u64);

impl halfkey::RandomSource for Dice {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *byte = (z ^ (z >> 31)) as u8;
        }
    }
}

pub(crate) fn keys() -> KeySet {
    let key = |byte| Secret::new([byte; 32]);
    KeySet::from_stored(key(0xA1), key(0xA2), key(0xA3), key(0xA4))
}

pub(crate) fn settings() -> ServerSettings {
    settings_named("gate.example", 7)
}

pub(crate) fn settings_named(name: &str, master: u8) -> ServerSettings {
    let template = Template::new(vec![Field::required("name", FieldKind::UserName)]).unwrap();
    ServerSettings::new(ServerName::new(name).unwrap(), template, &Secret::new([master; 32]))
}

/// Both sides' memory of one registration, and how the world goes on.
pub(crate) struct World {
    pub settings: ServerSettings,
    pub registration: TokenRegistration,
    pub registered: ServerRegistration,
    pub status: Status,
    pub options: Options,
    pub dice: Dice,
}

pub(crate) static ONLY_XWING: &[&dyn suite::Suite] = &[&suite::XWING];
pub(crate) static ONLY_X25519: &[&dyn suite::Suite] = &[&suite::X25519];

pub(crate) const ALIAS: Alias = Alias::new([0x5A; 16]);

impl World {
    pub(crate) fn new(suite: SuiteId, mode: Mode) -> Self {
        let policy = Policy {
            modes: Modes::only(mode),
            suites: SuiteList::only(suite),
            lifetime: None,
            allow_key_id: true,
        };
        Self::with_policy(policy)
    }

    pub(crate) fn with_policy(policy: Policy) -> Self {
        let keys = keys();
        let [auth, derive, _, renew] = keys.stored().map(Clone::clone);
        let (key_id, user_id) = (KeyId::new([0x1D; 16]), UserId::new("u-1").unwrap());
        let access_path = AccessPath::new("/branch/7").unwrap();
        let mut settings = settings();
        settings.policy = policy;
        Self {
            registration: TokenRegistration {
                key_id,
                server_name: settings.name.clone(),
                certificate: Digest::new([1; 32]),
                certificate_end: UnixTime::from_secs(4_000_000_000),
                anchor: Digest::new([2; 32]),
                user_id: user_id.clone(),
                access_path: access_path.clone(),
                suite: SuiteId::XWing,
                policy,
                alias: Some(ALIAS),
                progress: record::Progress::Joined {
                    txn: Txn::new([3; 16]),
                    transcript: Digest::new([4; 32]),
                    tag_c: [5; 32],
                    confirm: halfkey::Period::new(NOW, 0),
                },
                supersedes: None,
                configurations: Vec::new(),
                clock_floor: NOW,
                not_active: None,
            },
            registered: ServerRegistration {
                key_id,
                user_id,
                name: UserName::new("ada").unwrap(),
                access_path,
                suite: SuiteId::XWing,
                policy,
                lifecycle: Lifecycle::Active,
                expires: None,
                keys: StoredKeys { auth, derive, renew },
            },
            settings,
            status: Status::Active,
            options: Options::default(),
            dice: Dice(1),
        }
    }

    /// Status in the server's store.
    pub(crate) fn look_up(&self, address: &Address) -> Option<ServerRegistration> {
        let known = [Address::Key(self.registered.key_id), Address::Alias(ALIAS)];
        known.contains(address).then(|| self.registered.clone())
    }

    pub(crate) fn open(&mut self) -> (Vec<u8>, token::AwaitChallenge) {
        let step = token::open(&self.registration, &self.options).unwrap();
        (step.send.into_bytes(), step.next)
    }

    pub(crate) fn challenge(&mut self, s0: &[u8]) -> Result<(Vec<u8>, AwaitResponse), ServerSessionError> {
        let need = server::receive_open(s0, &self.settings)?;
        let registered = self.look_up(&need.wanted().address);
        let step = need.supply(registered, NOW, &mut self.dice)?;
        Ok((step.send.into_bytes(), step.next))
    }

    pub(crate) fn respond(
        &mut self,
        state: token::AwaitChallenge,
        s1: &[u8],
    ) -> Result<(Vec<u8>, AwaitAccept), TokenSessionError> {
        let need = state.receive_challenge(s1, &mut self.dice)?;
        let tag_c = self.ask(need.wanted());
        let step = need.supply(&tag_c);
        Ok((step.send.into_bytes(), step.next))
    }

    pub(crate) fn accept(
        &mut self,
        state: AwaitResponse,
        s2: &[u8],
    ) -> Result<(Vec<u8>, Entry), ServerSessionError> {
        let need = state.receive_response(s2, NOW, &mut self.dice)?;
        let answer = self.admit(&need.wanted().admission);
        let step = need.supply(answer, NOW)?;
        Ok((step.send.into_bytes(), step.next))
    }

    pub(crate) fn finish(&self, state: AwaitAccept, s3: &[u8]) -> Result<SessionOutcome, TokenSessionError> {
        let need = state.receive_accept(s3)?;
        let d = self.ask(need.wanted());
        need.supply(&d)
    }

    pub(crate) fn ask(&self, question: &Derive) -> Secret {
        assert_eq!(question.key_id, self.registration.key_id);
        keys().derive(&suite::XWING, &question.key_use)
    }

    pub(crate) fn admit(&self, admission: &Admission) -> Admitted {
        assert_eq!(admission.key_id, self.registered.key_id);
        Admitted::As(self.status)
    }

    /// One run with somebody on the wire, who sees the number and the bytes of each message.
    pub(crate) fn run(&mut self, mut wire: impl FnMut(usize, &mut Vec<u8>)) -> Run {
        let (mut s0, token) = self.open();
        wire(0, &mut s0);
        let (mut s1, server) = match self.challenge(&s0) {
            Ok(step) => step,
            Err(error) => return Run { server: Err(error), token: None },
        };
        wire(1, &mut s1);
        let (mut s2, token) = match self.respond(token, &s1) {
            Ok(step) => step,
            Err(error) => return Run { server: Err(ServerSessionError::Lapsed), token: Some(Err(error)) },
        };
        wire(2, &mut s2);
        let (mut s3, entry) = match self.accept(server, &s2) {
            Ok(step) => step,
            Err(error) => return Run { server: Err(error), token: None },
        };
        wire(3, &mut s3);
        Run { server: Ok(entry), token: Some(self.finish(token, &s3)) }
    }

    /// One run that nobody disturbs.
    pub(crate) fn session(&mut self) -> (Session, Established) {
        self.run(|_, _| ()).session()
    }

    /// The messages of an undisturbed run.
    pub(crate) fn recording(&mut self) -> [Vec<u8>; 4] {
        let mut seen = [const { Vec::new() }; 4];
        let _ = self.run(|at, bytes| seen[at].clone_from(bytes)).session();
        seen
    }

    /// S0 to S2 of a run whose challenge is parked in the cookie.
    pub(crate) fn cookie_run(&mut self) -> (Vec<u8>, AwaitAccept) {
        let (s0, token) = self.open();
        let need = server::receive_open(&s0, &self.settings).unwrap();
        let registered = self.look_up(&need.wanted().address);
        let s1 = need.supply_with_cookie(registered, NOW, &self.settings, &mut self.dice).unwrap();
        self.respond(token, s1.as_bytes()).unwrap()
    }

    /// Takes a parked challenge up again.
    pub(crate) fn again(
        &self,
        need: park::NeedRegistrationAgain,
    ) -> Result<AwaitResponse, ServerSessionError> {
        let registered = self.look_up(&need.wanted().address);
        need.supply(registered)
    }
}

/// Outcome of a run on each side; `None` if the other side had ended it.
pub(crate) struct Run {
    pub server: Result<Entry, ServerSessionError>,
    pub token: Option<Result<SessionOutcome, TokenSessionError>>,
}

impl Run {
    pub(crate) fn session(self) -> (Session, Established) {
        match (self.token, self.server) {
            (Some(Ok(SessionOutcome::Session(token))), Ok(Entry::Session(server))) => (token, server),
            (token, server) => panic!("{token:?} {server:?}"),
        }
    }

    pub(crate) fn server_is_in(&self) -> bool {
        self.server.is_ok()
    }

    pub(crate) fn token_is_in(&self) -> bool {
        matches!(self.token, Some(Ok(_)))
    }
}

/// `T(name; items)` in suite 1, written down a second time from PROTOCOL.md.
pub(crate) fn by_hand(name: &str, items: &[(u8, &[u8])]) -> Digest {
    let mut bytes = [b"halfkey/1 ", name.as_bytes(), &[0, 0, 1]].concat();
    for (kind, item) in items {
        bytes.push(*kind);
        bytes.extend_from_slice(&(item.len() as u32).to_be_bytes());
        bytes.extend_from_slice(item);
    }
    suite::Suite::hash(&suite::X25519, &[&bytes])
}

/// Every suite with every mode.
pub(crate) fn worlds() -> impl Iterator<Item = World> {
    assert_eq!(VERSION, 1);
    SuiteId::ALL.into_iter().flat_map(|suite| Mode::ALL.map(|mode| World::new(suite, mode)))
}
