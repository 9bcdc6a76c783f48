//! The people of the story and their possessions: an issuer, users with tokens, clocks.

use super::gate::{Files, lock};
use super::narrator::Narrator;
use super::wire::Tap;
use halfkey::certificate::{
    CertificateRequest, IssuerName, Revocation, RevocationList, Validity, VerifiedServer,
};
use halfkey::configuration::UserInformation;
use halfkey::configuration::token::{Applying, Instruction};
use halfkey::driver::{ClientSession, Configured, ConnectError, Connector, RegistrationOutcome};
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::Authority;
use halfkey::policy::SuiteList;
use halfkey::port::{CertificateAuthority, Token};
use halfkey::record::{Attempt, InFlight, TokenRegistration};
use halfkey::registration::token::Credential;
use halfkey::software::{PinSettings, SoftwareToken, UnblockingCode};
use halfkey::template::{Form, FormError, Template};
use halfkey::{ApplicationName, RandomSource, ServerName, SystemRandom, UnixTime};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

pub const PIN: &str = "2468";
const YEAR: u64 = 365 * 86_400;

/// A clock that can be put forward or back.
#[derive(Clone, Default)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    pub fn now(&self) -> UnixTime {
        let now = UnixTime::now().as_secs();
        UnixTime::from_secs(now.saturating_add_signed(self.0.load(Ordering::Relaxed)))
    }

    pub fn put(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

/// The RSA keys, which take a while to make: the issuer's and one for each of two servers.
pub struct Keys {
    pub issuer: IssuerKey,
    pub servers: [KemPrivateKey; 2],
}

impl Keys {
    /// Makes the keys in a separate thread while `progress` is shown.
    pub fn make(progress: impl Fn(&str, Duration, bool)) -> Result<Self> {
        const BITS: usize = KemPrivateKey::DEFAULT_BITS;
        let what = format!("making three RSA keys of {BITS} bits");
        let started = Instant::now();
        let work = thread::spawn(|| {
            let server = || KemPrivateKey::generate(BITS, &mut SystemRandom);
            let issuer = IssuerKey::generate_rsa(BITS, &mut SystemRandom)?;
            Ok::<_, halfkey::key::KeyError>(Self { issuer, servers: [server()?, server()?] })
        });
        while !work.is_finished() {
            progress(&what, started.elapsed(), false);
            thread::sleep(Duration::from_millis(100));
        }
        progress(&what, started.elapsed(), true);
        Ok(work.join().map_err(|_| "the thread that makes the keys failed")??)
    }
}

/// The token issuer and certification authority (35 in the patent's figure 1).
pub struct Issuer(pub Authority);

impl Issuer {
    pub fn new(key: IssuerKey) -> Result<Self> {
        Ok(Self(Authority::root(IssuerName::common_name("Example Token Issuer")?, key)?))
    }

    /// Certifies a server's keys (step 70), and gives all that the server keeps in files.
    pub fn certify(&mut self, name: &str, kem_key: &KemPrivateKey) -> Result<Files> {
        let random = &mut SystemRandom;
        let offer_key = OfferKey::generate(random);
        let server = ServerName::new(name)?;
        let request = CertificateRequest::sign(&server, kem_key.public(), &SuiteList::all(), &offer_key)?;
        let yesterday = UnixTime::from_secs(UnixTime::now().as_secs() - 86_400);
        let chain = self.0.issue(&request, Validity::new(yesterday, yesterday.after(YEAR))?, random)?;
        Files::new(name, kem_key, &offer_key, &chain)
    }

    /// A blank token (step 60), and the code that unblocks it.
    pub fn blank_token(&self, settings: PinSettings) -> Result<(SoftwareToken, UnblockingCode)> {
        let anchors = self.0.trust_anchor()?.into();
        let (mut token, code) = SoftwareToken::new(anchors, &PIN.into(), settings, Box::new(SystemRandom))?;
        token.lock();
        Ok((token, code))
    }
}

/// A user with a token: everything on the left side of the network.
pub struct User {
    pub name: &'static str,
    token: Arc<Mutex<SoftwareToken>>,
    pub clock: Clock,
    /// The issuer's list of revoked certificates, if the user has got one.
    pub revoked: Option<RevocationList>,
    /// The configuration in force.
    applied: Arc<Mutex<String>>,
    pub narrator: Narrator,
}

/// Session on the user's side.
pub type Session = ClientSession<Tap>;

type Registered = std::result::Result<RegistrationOutcome, ConnectError>;

impl User {
    pub fn new(name: &'static str, token: SoftwareToken, narrator: &Narrator) -> Self {
        Self {
            name,
            token: Arc::new(Mutex::new(token)),
            clock: Clock::default(),
            revoked: None,
            applied: Arc::default(),
            narrator: narrator.clone(),
        }
    }

    pub fn token(&self) -> MutexGuard<'_, SoftwareToken> {
        lock(&self.token)
    }

    /// The configuration in force.
    pub fn applied(&self) -> String {
        lock(&self.applied).clone()
    }

    /// Token, clock and client system, for the library.
    fn connector(&self) -> Connector<SoftwareToken> {
        let (clock, applied) = (self.clock.clone(), self.applied.clone());
        let demanded = |list: &RevocationList| Revocation::lists([list.as_der()], Default::default());
        Connector::builder_shared(self.token.clone())
            .clock(move || clock.now())
            .revocation(self.revoked.as_ref().map_or(Revocation::Ignore, demanded))
            .on_configuration(move |_, instruction| apply(instruction, &mut lock(&applied)))
            .build()
    }

    /// Steps 80 to 200.
    pub fn register(&self, line: Tap, server: &ServerName, credential: Credential) -> Registered {
        let (name, narrator) = (self.name, &self.narrator);
        let fill = |_: &VerifiedServer, template: &Template| {
            narrator.act("90", "token", "checks the certificate with P_i: issuer, name, dates, purpose");
            narrator.act("90", "token", "checks the offer's signature, and only then shows the form");
            narrator.act("100", "user", "sees who asks, and fills in: name, branch, terms");
            Ok((filled_in(template, name)?, credential))
        };
        self.connector().register(line, server, fill)
    }

    /// Sends R2 again.
    pub fn resume(&self, line: Tap, half: InFlight) -> Registered {
        self.connector().resume(line, half)
    }

    /// Sends R4 again.
    pub fn confirm(&self, line: Tap, joined: TokenRegistration) -> Registered {
        self.connector().confirm(line, joined)
    }

    /// Steps 300 to 350.
    pub fn open(&self, line: Tap, with: &TokenRegistration) -> std::result::Result<Session, ConnectError> {
        self.connector().open(line, &with.key_id)
    }

    /// Steps 360 to 390.
    pub fn configure(&self, session: &mut Session, application: &ApplicationName) -> Result<Configured> {
        let information = UserInformation {
            location: Some("Hartford".into()),
            system: Some("branch terminal 4".into()),
            ..UserInformation::default()
        };
        Ok(session.configure(application, information)?)
    }

    /// The registration with a server.
    pub fn registration(&self, server: &ServerName) -> Result<TokenRegistration> {
        let all = self.token().registrations()?;
        Ok(all
            .into_iter()
            .find(|one| one.server_name == *server)
            .ok_or("no such registration on the token")?)
    }

    /// Returns the attempt, if there is one.
    pub fn in_flight(&self) -> Result<Option<InFlight>> {
        let half = |attempt| match attempt {
            Attempt::InFlight(half) => Some(half),
            Attempt::Waiting(_) => None,
        };
        Ok(self.token().attempts()?.into_iter().find_map(half))
    }
}

fn filled_in(template: &Template, name: &str) -> std::result::Result<Form, FormError> {
    template.fill([("name", name.into()), ("branch", "Main Street".into()), ("terms", true.into())])
}

fn apply(instruction: &Instruction, applied: &mut String) -> Applying {
    *applied = match instruction {
        Instruction::Install(document) => String::from_utf8_lossy(&document.body).into_owned(),
        Instruction::Remove => String::new(),
    };
    Applying::Applied
}

/// 32 random bytes.
pub fn secret_bytes() -> [u8; 32] {
    let mut bytes = [0; 32];
    SystemRandom.fill(&mut bytes);
    bytes
}
