// The hidden set-up of the examples in the documentation: an issuer, a server that it certified, and blank
// tokens. They take it in by `include!`, so it names everything from the outside, as a program does.

use halfkey::certificate::{CertificateRequest, IssuerName, TrustAnchors, Validity, VerifiedServer};
use halfkey::driver::{Acceptor, Connector, RegistrationOutcome, peer_name};
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::{Authority, Server, Store};
use halfkey::policy::{Policy, SuiteList};
use halfkey::port::{CertificateAuthority, Token};
use halfkey::record::TokenRegistration;
use halfkey::registration::server::{Decision, EnrolmentRequest, Grant};
use halfkey::registration::token::Credential;
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{AccessPath, Secret, ServerName, ServerSettings, SystemRandom, UnixTime};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

pub type Failure = Box<dyn std::error::Error + Send + Sync>;
pub type Outcome<T = ()> = Result<T, Failure>;

pub struct Setting {
    pub name: ServerName,
    pub settings: Arc<ServerSettings>,
    pub keys: Arc<Server>,
    pub store: Arc<Store>,
    pub anchors: TrustAnchors,
}

/// A key of a server: making one takes a while.
pub fn kem_key() -> Outcome<KemPrivateKey> {
    let pem = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/test-key-rsa-2048-a.pem"));
    Ok(KemPrivateKey::from_pkcs8_pem(pem)?)
}

pub fn authority() -> Outcome<Authority> {
    let key = IssuerKey::generate_ed25519(&mut SystemRandom)?;
    Ok(Authority::root(IssuerName::common_name("Example Issuer")?, key)?)
}

pub fn grant(_: &EnrolmentRequest) -> Decision {
    match AccessPath::new("/staff") {
        Ok(access_path) => Decision::Grant(Grant { user_id: None, access_path, policy: Policy::default() }),
        Err(_) => Decision::Wait { retry_after: 60 },
    }
}

impl Setting {
    pub fn new() -> Outcome<Self> {
        let (mut authority, random) = (authority()?, &mut SystemRandom);
        let (name, offer_key, kem_key) = ("gate.example".parse()?, OfferKey::generate(random), kem_key()?);
        let request = CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key)?;
        let chain = authority.issue(&request, Validity::lasting(UnixTime::now(), 86_400)?, random)?;
        let template = Template::new(vec![Field::required("name", FieldKind::UserName)])?;
        let settings = ServerSettings::new(name.clone(), template, &Secret::random(random));
        let keys = Server::new(&settings, &chain, kem_key, offer_key, SystemRandom)?;
        let anchors = authority.trust_anchor()?.into();
        Ok(Self { name, settings: settings.into(), keys: keys.into(), store: Arc::default(), anchors })
    }

    /// A blank token, unlocked.
    pub fn token(&self) -> Outcome<SoftwareToken> {
        let (pin, random) = ("2468".into(), Box::new(SystemRandom));
        Ok(SoftwareToken::new(self.anchors.clone(), &pin, PinSettings::for_tests(), random)?.0)
    }

    /// A blank token, for a program that has no other.
    pub fn blank(&self) -> SoftwareToken {
        self.token().unwrap_or_else(|error| panic!("{error}"))
    }

    /// A server that grants every request.
    pub fn acceptor(&self) -> Acceptor {
        Acceptor::builder(self.settings.clone(), self.keys.clone(), self.store.clone())
            .approval(grant)
            .build()
    }

    /// Serves connections in the background: every session is an echo.
    pub fn serve(&self) -> Outcome<SocketAddr> {
        serve(self.acceptor())
    }
}

pub fn serve(acceptor: Acceptor) -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let acceptor = acceptor.clone();
            std::thread::spawn(move || -> Outcome {
                let stream = stream?;
                let (peer, reader) = (peer_name(stream.peer_addr()?.ip()), stream.try_clone()?);
                if let Some(session) = acceptor.accept(stream, peer.as_bytes())? {
                    let (mut read, mut write) = session.split(reader);
                    std::io::copy(&mut read, &mut write)?;
                    write.shutdown()?;
                }
                Ok(())
            });
        }
    });
    Ok(address)
}

pub fn register(
    connector: &Connector<impl Token + 'static>,
    server: &ServerName,
    address: SocketAddr,
) -> Outcome<TokenRegistration> {
    let fill =
        |_: &VerifiedServer, form: &Template| Ok((form.fill([("name", "alice".into())])?, Credential::None));
    match connector.register(TcpStream::connect(address)?, server, fill)? {
        RegistrationOutcome::Active(registration) => Ok(registration),
        outcome => Err(format!("{outcome:?}").into()),
    }
}
