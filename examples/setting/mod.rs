//! A world for the small examples: an issuer, a certified server, and a wire to it.
#![allow(dead_code, reason = "each example uses its own part")]

use halfkey::certificate::{CertificateRequest, IssuerName, TrustAnchors, Validity, VerifiedServer};
use halfkey::driver::{Acceptor, Connector, RegistrationOutcome, peer_name};
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::{Authority, Server};
use halfkey::policy::{Policy, SuiteList};
use halfkey::port::{CertificateAuthority, EntitlementStore, Token};
use halfkey::record::TokenRegistration;
use halfkey::registration::server::{Decision, EnrolmentRequest, Grant};
use halfkey::registration::token::Credential;
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{AccessPath, Secret, ServerName, ServerSettings, SystemRandom, UnixTime};
use std::error::Error;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

pub(crate) struct Setting {
    pub(crate) settings: Arc<ServerSettings>,
    pub(crate) server: Arc<Server>,
    pub(crate) anchors: TrustAnchors,
}

impl Setting {
    pub(crate) fn new() -> Outcome<Self> {
        let (random, now) = (&mut SystemRandom, UnixTime::now());
        let issuer_key = IssuerKey::generate_ed25519(random)?;
        let mut authority = Authority::root(IssuerName::common_name("Example Issuer")?, issuer_key)?;
        let (name, offer_key) = (ServerName::new("gate.example")?, OfferKey::generate(random));
        let kem_key = KemPrivateKey::generate(2048, random)?;
        let request = CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key)?;
        let chain = authority.issue(&request, Validity::lasting(now, 86_400)?, random)?;
        let template = Template::new(vec![Field::required("name", FieldKind::UserName)])?;
        // Every replica of a server has the same master secret; here there is but one.
        let settings = ServerSettings::new(name, template, &Secret::new([0x5E; Secret::LEN]));
        let server = Server::new(&settings, &chain, kem_key, offer_key, SystemRandom)?;
        let anchors = authority.trust_anchor()?.into();
        Ok(Self { settings: settings.into(), server: server.into(), anchors })
    }

    /// Registers `name`, opens a session, and closes it.
    pub(crate) fn tell(
        &self,
        token: impl Token + 'static,
        store: impl EntitlementStore + 'static,
        name: &str,
    ) -> Outcome<TokenRegistration> {
        let grant =
            Grant { user_id: None, access_path: AccessPath::new("/staff")?, policy: Policy::default() };
        let acceptor = Acceptor::builder(self.settings.clone(), self.server.clone(), store)
            .approval(move |_: &EnrolmentRequest| Decision::Grant(grant.clone()))
            .build();
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let serving = thread::spawn(move || serve(&acceptor, &listener));

        let connector = Connector::builder(token).build();
        let fill = |_: &VerifiedServer, template: &Template| {
            Ok((template.fill([("name", name.into())])?, Credential::None))
        };
        let registered = connector.register(TcpStream::connect(address)?, &self.settings.name, fill)?;
        let RegistrationOutcome::Active(registration) = registered else {
            return Err(format!("{registered:?}").into());
        };
        connector.open(TcpStream::connect(address)?, &registration.key_id)?.close()?;
        serving.join().map_err(|_| "the server has failed")??;
        Ok(registration)
    }
}

/// Serves connections until one has had a session.
fn serve(acceptor: &Acceptor, listener: &TcpListener) -> io::Result<()> {
    loop {
        let (stream, peer) = listener.accept()?;
        if let Some(session) = acceptor.accept(stream, peer_name(peer.ip()).as_bytes())? {
            return session.close().map(drop);
        }
    }
}

pub(crate) fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}
