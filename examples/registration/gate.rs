//! An authentication server (20 in the patent's figure 1) over TCP, and its files.

use super::cast::{Clock, Result, secret_bytes};
use halfkey::certificate::Chain;
use halfkey::driver::{Acceptor, ServerEnd, WriteHalf, peer_name};
use halfkey::key::{KemPrivateKey, OfferKey};
use halfkey::memory::{Server, Store};
use halfkey::policy::Policy;
use halfkey::port::EntitlementStore;
use halfkey::port::entitlement_store::{ConfigurationSerial, Document, EntitlementQuery};
use halfkey::registration::server::{Decision, EnrolmentRequest, Grant};
use halfkey::store::operation::Entitle;
use halfkey::store::{Operation, OperatorError, Subject};
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{AccessPath, ApplicationName, KeyId, Secret, ServerName, ServerSettings, SystemRandom, UserId};
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Files of a server: everything that it needs after a restart.
#[derive(Clone)]
pub struct Files {
    /// Name in its certificate.
    pub certified: String,
    /// Name that it announces; an honest server announces its certified name.
    pub name: String,
    /// P_r and the key that signs offers (PKCS#8), and the certificate: PEM.
    pub kem_key: String,
    pub offer_key: String,
    pub chain: String,
    /// The secret that the server's replicas share, and the key of the store's file.
    pub master: [u8; 32],
    pub store_key: [u8; 32],
    /// File of the store, rewritten by each transaction.
    pub store: Arc<Mutex<Vec<u8>>>,
    /// True if users may register without an activation code.
    pub open_registration: bool,
}

impl Files {
    pub fn new(name: &str, kem_key: &KemPrivateKey, offer_key: &OfferKey, chain: &Chain) -> Result<Self> {
        let store_key = secret_bytes();
        let store = Store::new().save(&Secret::new(store_key), &mut SystemRandom);
        Ok(Self {
            certified: name.into(),
            name: name.into(),
            kem_key: kem_key.to_pkcs8_pem()?.to_string(),
            offer_key: offer_key.to_pkcs8_pem()?.to_string(),
            chain: chain.to_pem()?,
            master: secret_bytes(),
            store_key,
            store: Arc::new(Mutex::new(store)),
            open_registration: true,
        })
    }

    /// A copy of the disk as it is now.
    pub fn backup(&self) -> Self {
        Self { store: Arc::new(Mutex::new(lock(&self.store).clone())), ..self.clone() }
    }

    fn settings(&self) -> Result<ServerSettings> {
        let template = Template::new(vec![
            Field::required("name", FieldKind::UserName).labelled("Your name"),
            Field::optional("branch", FieldKind::Text { max_len: 64 }).labelled("Your branch"),
            Field::required("terms", FieldKind::Boolean).labelled("I accept the terms"),
        ])?;
        let name = ServerName::new(&self.name)?;
        let mut settings = ServerSettings::new(name, template, &Secret::new(self.master));
        settings.open_registration = self.open_registration;
        Ok(settings)
    }

    fn server(&self, settings: &ServerSettings) -> Result<Server> {
        let kem_key = KemPrivateKey::from_pkcs8_pem(&self.kem_key)?;
        let offer_key = OfferKey::from_pkcs8_pem(&self.offer_key)?;
        let chain = Chain::from_pem(&self.chain)?;
        // The keys do as they are certified, whatever name the server plays.
        let mut certified = settings.clone();
        certified.name = ServerName::new(&self.certified)?;
        Ok(Server::new(&certified, &chain, kem_key, offer_key, SystemRandom)?)
    }

    /// The store in the file, which writes to the file from now on.
    fn store(&self) -> Result<Store> {
        let key = Secret::new(self.store_key);
        let store = Store::load(&lock(&self.store), &key)?;
        let file = self.store.clone();
        Ok(store.saved_by(key, Box::new(SystemRandom), move |bytes| {
            *lock(&file) = bytes.to_vec();
            Ok(())
        }))
    }
}

/// A running server. Dropping it is pulling its plug.
pub struct Gate {
    pub address: SocketAddr,
    pub files: Files,
    pub inside: Arc<Inside>,
    accepting: Option<JoinHandle<()>>,
}

/// State that the threads share.
pub struct Inside {
    pub settings: Arc<ServerSettings>,
    pub store: Arc<Store>,
    pub clock: Clock,
    acceptor: Acceptor,
    lines: Mutex<Vec<Arc<Line>>>,
    over: AtomicBool,
}

/// One connection, shared by the thread that reads from it and the threads that push.
struct Line {
    stream: TcpStream,
    session: Mutex<Option<Pushing>>,
}

/// The writing half of a session, and whose it is.
struct Pushing {
    writer: WriteHalf<TcpStream, ServerEnd>,
    key_id: KeyId,
    user_id: UserId,
    access_path: AccessPath,
}

impl Gate {
    /// Starts a server from its files, for the first time or again.
    pub fn start(files: Files) -> Result<Self> {
        let settings = Arc::new(files.settings()?);
        let (store, clock) = (Arc::new(files.store()?), Clock::default());
        let told = clock.clone();
        let acceptor = Acceptor::builder(settings.clone(), files.server(&settings)?, store.clone())
            .approval(grant)
            .clock(move || told.now())
            .build();
        let (lines, over) = (Mutex::default(), AtomicBool::new(false));
        let inside = Arc::new(Inside { settings, store, clock, acceptor, lines, over });
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let accepting = thread::spawn({
            let inside = inside.clone();
            move || inside.accept(&listener)
        });
        Ok(Self { address, files, inside, accepting: Some(accepting) })
    }

    /// Pulls the plug and starts again from the files.
    pub fn restart(self) -> Result<Self> {
        let files = self.files.clone();
        drop(self);
        Self::start(files)
    }

    pub fn name(&self) -> &ServerName {
        &self.inside.settings.name
    }

    pub fn store(&self) -> &Store {
        &self.inside.store
    }

    /// Runs an operation of the operator.
    pub fn run<O: Operation<Error = OperatorError>>(&self, operation: &O) -> Result<O::Answer> {
        Ok(self.inside.store.run(operation, self.inside.clock.now())?)
    }

    /// The operator entitles all customers to something in an application.
    pub fn entitle(&self, application: &ApplicationName, text: &str) -> Result<ConfigurationSerial> {
        let customers = Subject::AccessPath(AccessPath::new(CUSTOMERS)?);
        let document = Document { media_type: "text/plain".into(), body: text.into() };
        let application = application.clone();
        self.run(&Entitle::new(customers, application, document))
    }

    /// Sends an application's configuration to everybody who is in a session now.
    pub fn push(&self, application: &ApplicationName) -> Result<()> {
        let lines: Vec<Arc<Line>> = lock(&self.inside.lines).clone();
        for line in lines {
            let mut session = lock(&line.session);
            let Some(session) = session.as_mut() else { continue };
            let query = EntitlementQuery::new(
                session.key_id,
                session.user_id.clone(),
                session.access_path.clone(),
                application.clone(),
            );
            let now = self.inside.clock.now();
            let Some(entitlement) = self.store().entitlement(&query, now)? else { continue };
            session.writer.push(application, &entitlement)?;
        }
        Ok(())
    }
}

/// Where the entitlements of this server's users begin: the patent's access control path.
pub const CUSTOMERS: &str = "/customers";

impl Drop for Gate {
    fn drop(&mut self) {
        self.inside.over.store(true, Ordering::SeqCst);
        for line in lock(&self.inside.lines).iter() {
            let _ = line.stream.shutdown(Shutdown::Both);
        }
        // The listener waits for a call: this is it.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(5));
        self.accepting.take().map(JoinHandle::join);
    }
}

impl Inside {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        while let Ok((stream, peer)) = listener.accept() {
            if self.over.load(Ordering::SeqCst) {
                break;
            }
            let line = Arc::new(Line { stream, session: Mutex::default() });
            lock(&self.lines).push(line.clone());
            let inside = self.clone();
            thread::spawn(move || {
                // The peer's address without its port: a token that calls again is the same peer. A
                // connection that breaks is no event.
                let _ = inside.talk(&line, peer_name(peer.ip()).as_bytes());
                let _ = line.stream.shutdown(Shutdown::Both);
                lock(&inside.lines).retain(|other| !Arc::ptr_eq(other, &line));
            });
        }
    }

    /// One connection: registrations, then perhaps a session, in which configurations are asked for and
    /// pushed.
    fn talk(&self, line: &Line, peer: &[u8]) -> io::Result<()> {
        line.stream.set_nodelay(true)?;
        let Some(session) = self.acceptor.accept(line.stream.try_clone()?, peer)? else { return Ok(()) };
        let Some(whose) = session.established() else { return Ok(()) };
        let (key_id, user_id, access_path) = (whose.key_id, whose.user_id.clone(), whose.access_path.clone());
        let (mut reader, writer) = session.split(line.stream.try_clone()?);
        *lock(&line.session) = Some(Pushing { writer, key_id, user_id, access_path });
        // Requests and reports are answered while reading; the token sends nothing else.
        io::copy(&mut reader, &mut io::sink())?;
        lock(&line.session).take().map_or(Ok(()), |mut session| session.writer.shutdown())
    }
}

/// The operator grants everything; users come in below `/customers`.
fn grant(_: &EnrolmentRequest) -> Decision {
    match AccessPath::new(CUSTOMERS) {
        Ok(access_path) => Decision::Grant(Grant { user_id: None, access_path, policy: Policy::default() }),
        Err(_) => Decision::Refuse(halfkey::registration::RejectionCode::Declined),
    }
}

pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
