//! A server on a thread for each connection, and tokens that connect to it.

use halfkey::certificate::{CertificateRequest, IssuerName, TrustAnchors, Validity};
use halfkey::configuration::token::{Applying, Instruction};
use halfkey::driver::{Acceptor, Connector, FillError, RegistrationOutcome, ServerSession};
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::{Authority, Server, Store};
use halfkey::policy::{Policy, SuiteList};
use halfkey::port::{CertificateAuthority, Token};
use halfkey::registration::server::{Decision, EnrolmentRequest, Grant};
use halfkey::registration::token::Credential;
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::template::{Field, FieldKind, Form, Template};
use halfkey::{
    AccessPath, ApplicationName, KeyId, Secret, ServerName, ServerSettings, SystemRandom, UnixTime,
};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

pub struct World {
    pub name: ServerName,
    pub store: Arc<Store>,
    pub acceptor: Acceptor,
    pub decision: Arc<Mutex<Decision>>,
    /// Seconds by which the server's clock is ahead.
    pub ahead: Arc<AtomicU64>,
    anchors: TrustAnchors,
}

pub fn grant() -> Decision {
    let access_path = AccessPath::new("/staff").unwrap();
    Decision::Grant(Grant { user_id: None, access_path, policy: Policy::default() })
}

impl World {
    pub fn new() -> Self {
        Self::with(|_| ())
    }

    pub fn with(change: impl FnOnce(&mut ServerSettings)) -> Self {
        let (now, random) = (UnixTime::now(), &mut SystemRandom);
        let issuer = IssuerKey::generate_ed25519(random).unwrap();
        let mut authority = Authority::root(IssuerName::common_name("Issuer").unwrap(), issuer).unwrap();
        let (name, offer_key) = (ServerName::new("gate.example").unwrap(), OfferKey::generate(random));
        let kem_key = KemPrivateKey::from_pkcs8_pem(include_str!("../data/test-key-rsa-2048-a.pem")).unwrap();
        let suites = SuiteList::from_codes([2, 1]).unwrap();
        let request = CertificateRequest::sign(&name, kem_key.public(), &suites, &offer_key).unwrap();
        let chain =
            authority.issue(&request, Validity::new(now, now.after(86_400)).unwrap(), random).unwrap();
        let template = Template::new(vec![Field::required("name", FieldKind::UserName)]).unwrap();
        let mut settings = ServerSettings::new(name.clone(), template, &Secret::new([7; 32]));
        change(&mut settings);
        let keys = Server::new(&settings, &chain, kem_key, offer_key, SystemRandom).unwrap();
        let (store, decision) = (Arc::new(Store::new()), Arc::new(Mutex::new(grant())));
        let (decided, ahead) = (Arc::clone(&decision), Arc::<AtomicU64>::default());
        let clock = Arc::clone(&ahead);
        let acceptor = Acceptor::builder(settings, keys, Arc::clone(&store))
            .approval(move |_: &EnrolmentRequest| decided.lock().unwrap().clone())
            .clock(move || UnixTime::now().after(clock.load(Ordering::Relaxed)))
            .build();
        Self { name, store, acceptor, decision, ahead, anchors: authority.trust_anchor().unwrap().into() }
    }

    pub fn decide(&self, decision: Decision) {
        *self.decision.lock().unwrap() = decision;
    }

    pub fn token(&self) -> SoftwareToken {
        let (pin, quick) = ("2468".into(), PinSettings::for_tests());
        let (mut token, _) =
            SoftwareToken::new(self.anchors.clone(), &pin, quick, Box::new(SystemRandom)).unwrap();
        token.unlock(&pin).unwrap();
        token
    }

    pub fn connector(&self) -> Connector<SoftwareToken> {
        Connector::builder(self.token()).on_configuration(|_, _: &Instruction| Applying::Applied).build()
    }

    /// Connects, with a thread at the other end that does this to the session, if one is opened.
    pub fn connect_with<R: Send + 'static>(
        &self,
        serve: impl FnOnce(ServerSession<UnixStream>) -> R + Send + 'static,
    ) -> (UnixStream, JoinHandle<Option<R>>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let acceptor = self.acceptor.clone();
        let thread = std::thread::spawn(move || acceptor.accept(theirs, b"peer").unwrap().map(serve));
        (ours, thread)
    }

    /// Connects to a server that sends back what it reads, and closes when the token has.
    pub fn connect(&self) -> UnixStream {
        self.connect_with(|mut session| {
            let mut data = Vec::new();
            session.read_to_end(&mut data).unwrap();
            session.write_all(&data).unwrap();
            session.shutdown().unwrap();
        })
        .0
    }

    pub fn register(&self, connector: &Connector<SoftwareToken>) -> KeyId {
        match connector.register(self.connect(), &self.name, fill(Credential::None)).unwrap() {
            RegistrationOutcome::Active(registration) => registration.key_id,
            other => panic!("{other:?}"),
        }
    }
}

pub fn mail() -> ApplicationName {
    ApplicationName::new("mail").unwrap()
}

pub fn fill(
    credential: Credential,
) -> impl FnOnce(&halfkey::certificate::VerifiedServer, &Template) -> Result<(Form, Credential), FillError> {
    |_, template| Ok((template.fill([("name", "Alice".into())])?, credential))
}

pub fn registrations(connector: &Connector<SoftwareToken>) -> Vec<halfkey::record::TokenRegistration> {
    connector.token().registrations().unwrap()
}

/// A stream that is cut once the answer to so many frames is on its way: that answer is lost.
pub struct Cut {
    pub stream: UnixStream,
    pub after: usize,
}

impl Read for Cut {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.after == 0 {
            // Whatever comes is lost; but it has come.
            let _ = self.stream.read(&mut [0; 1])?;
            return Ok(0);
        }
        self.stream.read(out)
    }
}

impl Write for Cut {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.after = self.after.saturating_sub(1);
        self.stream.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// A stream on which somebody puts a spoilt copy before each R3 and R5, or ends it after the first.
pub struct Forged {
    stream: UnixStream,
    come: Vec<u8>,
    cut: bool,
    over: bool,
}

impl Forged {
    pub fn over(stream: UnixStream, cut: bool) -> Self {
        Self { stream, come: Vec::new(), cut, over: false }
    }
}

impl Read for Forged {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.come.is_empty() && !self.over {
            let mut length = [0; 4];
            self.stream.read_exact(&mut length)?;
            let mut frame = vec![0; u32::from_be_bytes(length) as usize];
            self.stream.read_exact(&mut frame)?;
            let mut spoilt = frame.clone();
            *spoilt.last_mut().unwrap() ^= 1;
            let is_answer = matches!(halfkey::wire::message_type(&frame), Ok(3 | 5));
            self.over = is_answer && self.cut;
            let frames = match (is_answer, self.over) {
                (true, true) => vec![spoilt],
                (true, false) => vec![spoilt, frame],
                _ => vec![frame],
            };
            self.come.extend(frames.iter().flat_map(|frame| [&length[..], frame].concat()));
        }
        let length = out.len().min(self.come.len());
        out[..length].copy_from_slice(&self.come[..length]);
        self.come.drain(..length);
        Ok(length)
    }
}

impl Write for Forged {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.stream.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
