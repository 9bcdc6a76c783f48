//! A gate in this process: an acceptor over a store in memory, and a server that echoes.

use halfkey::certificate::{CertificateRequest, IssuerName, TrustAnchor, Validity};
use halfkey::configuration::server::Principal;
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::{Authority, Server, Store};
use halfkey::policy::{Policy, SuiteList};
use halfkey::port::entitlement_store::{Document, EntitlementQuery};
use halfkey::port::{CertificateAuthority, EntitlementStore};
use halfkey::registration::server::{Decision, EnrolmentProof, EnrolmentRequest, Grant};
use halfkey::registration::{ActivationCode, EnrolmentUri, Host};
use halfkey::store::Subject;
use halfkey::store::operation::{Entitle, IssueCode, ListRegistrations, RegistrationEntry};
use halfkey::template::{Field, FieldKind, Template};
use halfkey::tokio::{Acceptor, OffExecutor, ServerHandle, peer_name};
use halfkey::{
    AccessPath, ApplicationName, Secret, ServerName, ServerSettings, SystemRandom, UnixTime, UserName,
};
use halfkey_service::{APPLICATION, Answer, MEDIA_TYPE, Opening, Services};
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

const KEM_KEY: &str = include_str!("../../../../tests/data/test-key-rsa-2048-a.pem");

/// A gate.
pub(crate) struct Gate {
    pub(crate) address: SocketAddr,
    pub(crate) inner: Arc<Inner>,
    anchor: TrustAnchor,
    task: Mutex<Option<JoinHandle<()>>>,
}

pub(crate) struct Inner {
    settings: Mutex<ServerSettings>,
    keys: Arc<Server>,
    store: Arc<Store>,
    policy: Policy,
    /// Set where the operator lets everybody in without a code.
    pub(crate) open: Arc<AtomicBool>,
    controls: Mutex<Vec<(Principal, Opening, ServerHandle)>>,
}

impl Gate {
    pub(crate) async fn new() -> Self {
        Self::with(Policy::default()).await
    }

    pub(crate) async fn with(policy: Policy) -> Self {
        let fields = vec![
            Field::required("name", FieldKind::UserName),
            Field::optional("floor", FieldKind::Integer { min: 0, max: 9 }),
        ];
        Self::asking(policy, fields).await
    }

    /// A gate with this template.
    pub(crate) async fn asking(policy: Policy, fields: Vec<Field>) -> Self {
        let (random, now) = (&mut SystemRandom, UnixTime::now());
        let key = IssuerKey::generate_ed25519(random).unwrap();
        let mut authority = Authority::root(IssuerName::common_name("Issuer").unwrap(), key).unwrap();
        let (name, offer_key) = (ServerName::new("gate.example").unwrap(), OfferKey::generate(random));
        let kem_key = KemPrivateKey::from_pkcs8_pem(KEM_KEY).unwrap();
        let request =
            CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key).unwrap();
        let chain = authority.issue(&request, Validity::lasting(now, 86_400).unwrap(), random).unwrap();
        let settings = ServerSettings::new(name, Template::new(fields).unwrap(), &Secret::random(random));
        let keys = Server::new(&settings, &chain, kem_key, offer_key, SystemRandom).unwrap();
        let inner = Arc::new(Inner {
            settings: settings.into(),
            keys: keys.into(),
            store: Arc::default(),
            policy,
            open: Arc::default(),
            controls: Mutex::default(),
        });
        let anchor = authority.trust_anchor().unwrap();
        let gate = Self { address: "127.0.0.1:0".parse().unwrap(), inner, anchor, task: Mutex::default() };
        let address = gate.start().await;
        Self { address, ..gate }
    }

    /// Begins to serve, where it served before.
    pub(crate) async fn start(&self) -> SocketAddr {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(self.address).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        *self.task.lock().unwrap() = Some(tokio::spawn(Arc::clone(&self.inner).serve(listener)));
        address
    }

    /// Stops as though it were killed: every connection is cut.
    pub(crate) async fn kill(&self) {
        let task = self.task.lock().unwrap().take().unwrap();
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }

    /// Starts again with other settings.
    pub(crate) async fn change(&self, change: impl FnOnce(&mut ServerSettings)) {
        self.kill().await;
        change(&mut self.inner.settings.lock().unwrap());
        self.start().await;
    }

    /// The URI for this user, with an activation code.
    pub(crate) fn uri(&self, user: &str) -> String {
        let (name, code) = (UserName::new(user).unwrap(), ActivationCode::generate(&mut SystemRandom));
        let secret = code.secret(&self.inner.settings().name, &name);
        let issue = IssueCode { name: name.clone(), secret, expires: None };
        self.inner.store.run(&issue, UnixTime::now()).unwrap();
        self.bare_uri().with_code(name, code).reveal().unwrap().to_string()
    }

    pub(crate) fn bare_uri(&self) -> EnrolmentUri {
        let port = NonZeroU16::new(self.address.port()).unwrap();
        let server = self.inner.settings().name;
        EnrolmentUri::at(Host::Address(self.address.ip()), port, server).with_anchor(self.anchor.clone())
    }

    /// Entitles all to these services, from some place or from everywhere, and tells the agents.
    pub(crate) async fn entitle(&self, services: &str, valid_for: Option<u32>) {
        let body = format!("{{\"services\": [{services}]}}").into_bytes();
        let document = Document { media_type: MEDIA_TYPE.into(), body };
        let subject = Subject::AccessPath(AccessPath::new("/staff").unwrap());
        let entitle = Entitle { valid_for, ..Entitle::new(subject, application(), document) };
        self.inner.store.run(&entitle, UnixTime::now()).unwrap();
        let controls = self.inner.controls.lock().unwrap().clone();
        for (principal, opening, handle) in controls {
            if let Some(entitlement) = self.inner.entitlement(&principal, &opening) {
                let _ = handle.push(&application(), &entitlement).await;
            }
        }
    }

    /// The registrations that the store has.
    pub(crate) fn registrations(&self) -> Vec<RegistrationEntry> {
        self.inner.store.run(&ListRegistrations::default(), UnixTime::now()).unwrap().entries
    }

    /// What the agents in control sessions have last said.
    pub(crate) fn openings(&self) -> Vec<Opening> {
        self.inner.controls.lock().unwrap().iter().map(|(_, opening, _)| opening.clone()).collect()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }
}

fn application() -> ApplicationName {
    ApplicationName::new(APPLICATION).unwrap()
}

impl Inner {
    fn settings(&self) -> ServerSettings {
        self.settings.lock().unwrap().clone()
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        let (policy, open) = (self.policy, Arc::clone(&self.open));
        let approval = move |request: &EnrolmentRequest| {
            let access_path = AccessPath::new("/staff").unwrap();
            let waits = matches!(request.proof, EnrolmentProof::None) && !open.load(Ordering::Relaxed);
            if waits {
                return Decision::Wait { retry_after: 1 };
            }
            Decision::Grant(Grant { user_id: None, access_path, policy })
        };
        let store = OffExecutor::shared(Arc::clone(&self.store));
        let acceptor = Acceptor::builder(Arc::new(self.settings()), Arc::clone(&self.keys), store)
            .approval(approval)
            .build();
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (this, acceptor) = (Arc::clone(&self), acceptor.clone());
            connections.spawn(async move { this.connection(acceptor, stream).await });
        }
    }

    async fn connection(self: Arc<Self>, acceptor: Acceptor, stream: TcpStream) -> Option<()> {
        let peer = peer_name(stream.peer_addr().ok()?.ip());
        let mut session = acceptor.accept(stream, peer).await.ok()??;
        let opening = Opening::read(&mut session).await.ok()??;
        let (who, handle) = (session.principal().clone(), session.handle());
        let Some(service) = &opening.service else {
            let id = *session.session_id();
            let enter = |opening| self.controls.lock().unwrap().push((who.clone(), opening, handle.clone()));
            let leave = || self.controls.lock().unwrap().retain(|(_, _, one)| *one.session_id() != id);
            enter(opening.clone());
            let _leave = Leave(leave);
            Answer::Open.write(&mut session).await.ok()?;
            session.flush().await.ok()?;
            while let Ok(Some(opening)) = Opening::read(&mut session).await {
                leave();
                enter(opening);
            }
            return Some(());
        };
        let entitlement = self.entitlement(&who, &opening);
        let document = entitlement.and_then(|entitlement| entitlement.document);
        let services = document.map(|document| Services::read(&document.body).unwrap()).unwrap_or_default();
        let answer = if services.find(service).is_some() { Answer::Open } else { Answer::Refused };
        answer.write(&mut session).await.ok()?;
        if answer == Answer::Open {
            let (mut read, mut write) = tokio::io::split(session);
            tokio::io::copy(&mut read, &mut write).await.ok()?;
            write.shutdown().await.ok()?;
        } else {
            session.shutdown().await.ok()?;
        }
        Some(())
    }

    fn entitlement(
        &self,
        who: &Principal,
        opening: &Opening,
    ) -> Option<halfkey::port::entitlement_store::Entitlement> {
        let (user_id, path) = (who.user_id.clone(), who.access_path.clone());
        let mut query = EntitlementQuery::new(who.key_id, user_id, path, application());
        query.information = opening.information();
        self.store.entitlement(&query, UnixTime::now()).unwrap()
    }
}

struct Leave<F: Fn()>(F);

impl<F: Fn()> Drop for Leave<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
