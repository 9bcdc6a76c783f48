//! A server in memory, tokens for it, and ways between them.

use halfkey::certificate::{CertificateRequest, IssuerName, TrustAnchors, Validity};
use halfkey::driver::{Observer, RegistrationOutcome};
use halfkey::exchange::{RequestKind, ServerEvent};
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::{Authority, Server, Store};
use halfkey::policy::{Policy, SuiteList};
use halfkey::port::CertificateAuthority;
use halfkey::record::TokenRegistration;
use halfkey::registration::server::{Decision, EnrolmentRequest, Grant};
use halfkey::registration::token::Credential;
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::store::operation::{ListRegistrations, RegistrationEntry};
use halfkey::template::{Field, FieldKind, Form, Template};
use halfkey::tokio::{
    AcceptError, Acceptor, AcceptorBuilder, ClientSession, Connector, ConnectorBuilder, FillError, Limits,
    OffExecutor, ServerSession,
};
use halfkey::{AccessPath, Secret, ServerName, ServerSettings, SystemRandom, UnixTime};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::task::JoinHandle;

pub(crate) const PIN: &str = "2468";

/// The events that a server has told, and what it admits.
#[derive(Clone, Default)]
pub(crate) struct Log {
    pub(crate) events: Arc<Mutex<Vec<String>>>,
    pub(crate) refuses: Arc<Mutex<Option<RequestKind>>>,
}

impl Log {
    pub(crate) fn has(&self, event: &str) -> bool {
        self.events.lock().unwrap().iter().any(|told| told.starts_with(event))
    }
}

impl Observer for Log {
    fn admits(&self, _: &[u8], kind: RequestKind) -> bool {
        *self.refuses.lock().unwrap() != Some(kind)
    }

    fn event(&self, _: &[u8], event: &ServerEvent) {
        self.events.lock().unwrap().push(format!("{event:?}"));
    }
}

pub(crate) struct World {
    pub(crate) acceptor: Acceptor,
    pub(crate) store: Arc<Store>,
    pub(crate) name: ServerName,
    pub(crate) anchors: TrustAnchors,
    pub(crate) log: Log,
}

pub(crate) fn grant(_: &EnrolmentRequest) -> Decision {
    let access_path = AccessPath::new("/staff").unwrap();
    Decision::Grant(Grant { user_id: None, access_path, policy: Policy::default() })
}

/// The parts of a server: settings, keys and what tokens trust.
pub(crate) fn parts() -> (ServerSettings, Server, TrustAnchors) {
    parts_of("gate.example")
}

fn parts_of(name: &str) -> (ServerSettings, Server, TrustAnchors) {
    let (random, now) = (&mut SystemRandom, UnixTime::now());
    let key = IssuerKey::generate_ed25519(random).unwrap();
    let mut authority = Authority::root(IssuerName::common_name("Issuer").unwrap(), key).unwrap();
    let (name, offer_key) = (ServerName::new(name).unwrap(), OfferKey::generate(random));
    let kem_key = KemPrivateKey::from_pkcs8_pem(include_str!("../data/test-key-rsa-2048-a.pem")).unwrap();
    let request = CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key).unwrap();
    let chain = authority.issue(&request, Validity::new(now, now.after(86_400)).unwrap(), random).unwrap();
    let template = Template::new(vec![Field::required("name", FieldKind::UserName)]).unwrap();
    let settings = ServerSettings::new(name, template, &Secret::new([0x5E; Secret::LEN]));
    let keys = Server::new(&settings, &chain, kem_key, offer_key, SystemRandom).unwrap();
    (settings, keys, authority.trust_anchor().unwrap().into())
}

pub(crate) fn token(anchors: TrustAnchors) -> SoftwareToken {
    let random = Box::new(SystemRandom);
    let made = SoftwareToken::new(anchors, &PIN.into(), PinSettings::for_tests(), random);
    let (mut token, _) = made.unwrap();
    token.unlock(&PIN.into()).unwrap();
    token
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default(), |builder| builder.approval(grant))
    }

    pub(crate) fn with(limits: Limits, build: impl FnOnce(AcceptorBuilder) -> AcceptorBuilder) -> Self {
        Self::set(|_| (), limits, build)
    }

    pub(crate) fn named(name: &str) -> Self {
        Self::make(parts_of(name), Limits::default(), |builder| builder.approval(grant))
    }

    pub(crate) fn set(
        change: impl FnOnce(&mut ServerSettings),
        limits: Limits,
        build: impl FnOnce(AcceptorBuilder) -> AcceptorBuilder,
    ) -> Self {
        let mut parts = parts();
        change(&mut parts.0);
        Self::make(parts, limits, build)
    }

    fn make(
        (settings, keys, anchors): (ServerSettings, Server, TrustAnchors),
        limits: Limits,
        build: impl FnOnce(AcceptorBuilder) -> AcceptorBuilder,
    ) -> Self {
        let (store, log, name) = (Arc::new(Store::new()), Log::default(), settings.name.clone());
        let builder = Acceptor::builder(settings, keys, OffExecutor::shared(Arc::clone(&store)));
        let acceptor = build(builder.observer(log.clone()).limits(limits)).build();
        Self { acceptor, store, name, anchors, log }
    }

    pub(crate) fn builder(&self) -> ConnectorBuilder<SoftwareToken> {
        Connector::builder(token(self.anchors.clone()))
    }

    pub(crate) fn connector(&self) -> Connector<SoftwareToken> {
        self.builder().build()
    }

    /// A way to the server, which serves it in a task of its own.
    pub(crate) fn connect(&self) -> (DuplexStream, Served<DuplexStream>) {
        let (near, far) = duplex(4096);
        (near, self.serve(far))
    }

    pub(crate) fn serve<S>(&self, stream: S) -> Served<S>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let acceptor = self.acceptor.clone();
        tokio::spawn(async move { acceptor.accept(stream, "peer").await })
    }

    pub(crate) async fn register(&self, connector: &Connector<SoftwareToken>) -> TokenRegistration {
        self.register_as(connector, "alice").await
    }

    pub(crate) async fn register_as(
        &self,
        connector: &Connector<SoftwareToken>,
        name: &'static str,
    ) -> TokenRegistration {
        let (stream, served) = self.connect();
        let fill = move |_, template: Template| async move {
            Ok((template.fill([("name", name.into())])?, Credential::None))
        };
        let outcome = connector.register(stream, &self.name, fill).await.unwrap();
        let RegistrationOutcome::Active(registration) = outcome else { panic!("{outcome:?}") };
        assert!(served.await.unwrap().unwrap().is_none());
        registration
    }

    /// Two ends of a session.
    pub(crate) async fn session(&self) -> (ClientSession<DuplexStream>, ServerSession<DuplexStream>) {
        let connector = self.connector();
        let registration = self.register(&connector).await;
        self.open(&connector, &registration).await
    }

    pub(crate) async fn open(
        &self,
        connector: &Connector<SoftwareToken>,
        registration: &TokenRegistration,
    ) -> (ClientSession<DuplexStream>, ServerSession<DuplexStream>) {
        let (stream, served) = self.connect();
        let client = connector.open(stream, &registration.key_id).await.unwrap();
        (client, served.await.unwrap().unwrap().unwrap())
    }

    pub(crate) fn registrations(&self) -> Vec<RegistrationEntry> {
        self.store.run(&ListRegistrations::default(), UnixTime::now()).unwrap().entries
    }
}

pub(crate) type Served<S> = JoinHandle<Result<Option<ServerSession<S>>, AcceptError>>;

pub(crate) async fn fill(
    _: halfkey::certificate::VerifiedServer,
    template: Template,
) -> Result<(Form, Credential), FillError> {
    Ok((template.fill([("name", "alice".into())])?, Credential::None))
}
