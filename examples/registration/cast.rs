//! The people of the story and their possessions: an issuer, users with tokens, clocks.

use super::gate::Files;
use super::narrator::Narrator;
use super::wire::Tap;
use halfkey::certificate::{
    CertificateRequest, IssuerName, Revocation, RevocationList, Validity, VerifiedServer,
};
use halfkey::configuration::token::{Applying, Instruction};
use halfkey::driver::{Client, ClientError, ClientSession, Configured, RegistrationOutcome};
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::Authority;
use halfkey::message::UserInformation;
use halfkey::policy::SuiteList;
use halfkey::port::{CertificateAuthority, Token};
use halfkey::record::{Attempt, InFlight, TokenRegistration};
use halfkey::registration::token::Credential;
use halfkey::session::token::Options;
use halfkey::software::{PinSettings, SoftwareToken, UnblockingCode};
use halfkey::template::{Form, FormError, Template};
use halfkey::{ApplicationName, RandomSource, ServerName, SystemRandom, UnixTime};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
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
    pub token: SoftwareToken,
    pub clock: Clock,
    /// The issuer's list of revoked certificates, if the user has got one.
    pub revoked: Option<RevocationList>,
    pub narrator: Narrator,
}

/// Session on the user's side.
pub type Session = ClientSession<Tap>;

impl User {
    pub fn new(name: &'static str, token: SoftwareToken, narrator: &Narrator) -> Self {
        Self { name, token, clock: Clock::default(), revoked: None, narrator: narrator.clone() }
    }

    /// Lends token and clock to the library's client.
    fn client<R>(&mut self, act: impl FnOnce(&mut Client<'_>) -> R) -> R {
        let clock = || self.clock.now();
        let random = &mut SystemRandom;
        let mut client = Client::new(&mut self.token, random);
        client.clock = &clock;
        act(&mut client)
    }

    /// Steps 80 to 200.
    pub fn register(
        &mut self,
        mut line: Tap,
        server: &ServerName,
        credential: Credential,
    ) -> std::result::Result<RegistrationOutcome, ClientError> {
        let (name, narrator) = (self.name, self.narrator.clone());
        let mut credential = Some(credential);
        let mut fill = |_: &VerifiedServer, template: &Template| {
            narrator.act("90", "token", "checks the certificate with P_i: issuer, name, dates, purpose");
            narrator.act("90", "token", "checks the offer's signature, and only then shows the form");
            narrator.act("100", "user", "sees who asks, and fills in: name, branch, terms");
            Ok((filled_in(template, name)?, credential.take().unwrap_or(Credential::None)))
        };
        let demanded = |list: &RevocationList| Revocation::lists([list.as_der()], Default::default());
        let revocation = self.revoked.as_ref().map_or(Revocation::Ignore, demanded);
        self.client(|client| client.register(&mut line, server, &revocation, &mut fill))
    }

    /// Sends R2 again.
    pub fn resume(
        &mut self,
        mut line: Tap,
        half: InFlight,
    ) -> std::result::Result<RegistrationOutcome, ClientError> {
        self.client(|client| client.resume(&mut line, half))
    }

    /// Sends R4 again.
    pub fn confirm(
        &mut self,
        mut line: Tap,
        joined: TokenRegistration,
    ) -> std::result::Result<RegistrationOutcome, ClientError> {
        self.client(|client| client.confirm(&mut line, joined))
    }

    /// Steps 300 to 350.
    pub fn open(&mut self, line: Tap, with: &TokenRegistration) -> std::result::Result<Session, ClientError> {
        self.open_as(line, with, &Options::default())
    }

    /// Steps 300 to 350 under the key's own name, for a server that has forgotten the alias: such sessions
    /// can be linked, so the token uses it only when told to.
    pub fn open_by_key_id(
        &mut self,
        line: Tap,
        with: &TokenRegistration,
    ) -> std::result::Result<Session, ClientError> {
        self.open_as(line, with, &Options { by_key_id: true, ..Options::default() })
    }

    fn open_as(
        &mut self,
        line: Tap,
        with: &TokenRegistration,
        options: &Options,
    ) -> std::result::Result<Session, ClientError> {
        self.client(|client| client.open(line, &with.key_id, options))
    }

    /// Steps 360 to 390; the text of the document goes to `applied`.
    pub fn configure(
        &mut self,
        session: &mut Session,
        application: &ApplicationName,
        applied: &mut String,
    ) -> std::result::Result<Configured, ClientError> {
        let information =
            UserInformation { location: Some("Hartford".into()), system: Some("branch terminal 4".into()) };
        let mut apply = |_: &ApplicationName, instruction: &Instruction| apply(instruction, applied);
        self.client(|client| session.configure(client, application, &information, &mut apply, &mut |_| {}))
    }

    /// Waits for a push of the server.
    pub fn listen(&mut self, session: &mut Session, applied: &mut String) -> Result<()> {
        let mut apply = |_: &ApplicationName, instruction: &Instruction| apply(instruction, applied);
        self.client(|client| session.receive(client, &mut apply))?;
        Ok(())
    }

    /// The registration with a server.
    pub fn registration(&self, server: &ServerName) -> Result<TokenRegistration> {
        let all = self.token.registrations()?;
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
        Ok(self.token.attempts()?.into_iter().find_map(half))
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
