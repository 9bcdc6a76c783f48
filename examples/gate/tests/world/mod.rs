//! A gate with everything around it, and an agent made of the library alone.

use halfkey::certificate::TrustAnchors;
use halfkey::configuration::UserInformation;
use halfkey::configuration::token::{Applying, Instruction};
use halfkey::port::Token;
use halfkey::port::entitlement_store::Document;
use halfkey::record::{Attempt, TokenRegistration};
use halfkey::registration::token::Credential;
use halfkey::registration::{ActivationCode, RejectionCode};
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::store::operation::{Entitle, IssueCode};
use halfkey::store::{EntitlementCondition, Operation, StorageKeys, Subject};
use halfkey::template::Template;
use halfkey::tokio::{ClientSession, ConnectError, Connector, FillError, RegistrationOutcome};
use halfkey::{ApplicationName, KeyId, ServerName, SystemRandom, UnixTime, UserName, sqlite};
use halfkey_common::file::Readers;
use halfkey_common::{Program, key_file};
use halfkey_gate::{Config, Gate, Plan, Service, Upstream, init};
use halfkey_service::{APPLICATION, Answer, MEDIA_TYPE, Opening, Service as Listed, Services};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const PROGRAM: Program = Program { name: "test", json: false };
/// Within which a change takes effect.
pub(crate) const SOON: Duration = Duration::from_secs(2);

/// A gate, its store in another handle, and where its configuration is.
pub(crate) struct World {
    pub(crate) gate: Gate,
    pub(crate) store: sqlite::Store,
    pub(crate) config: Arc<Mutex<Config>>,
    pub(crate) address: SocketAddr,
    pub(crate) anchors: TrustAnchors,
    pub(crate) name: ServerName,
}

/// An installation that was made once for all tests of this program: making an RSA key takes a while.
fn made() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let directory = scratch();
        let (name, listen) = (ServerName::new("gate.example").unwrap(), (Ipv4Addr::LOCALHOST, 0).into());
        init(&Plan { directory: directory.clone(), name, listen, rsa_bits: 2048 }).unwrap();
        directory
    })
}

fn scratch() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("halfkey-gate-test-{}-{number}", std::process::id()))
}

/// Copies a directory with its modes.
fn copy(from: &Path, to: &Path) {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

impl World {
    /// A gate with these services.
    pub(crate) async fn with(services: &[(&str, Upstream)]) -> Self {
        Self::configured(services, |_| ()).await
    }

    /// A gate with these services, and a configuration that is changed before.
    pub(crate) async fn configured(services: &[(&str, Upstream)], change: impl FnOnce(&mut Config)) -> Self {
        let directory = scratch();
        copy(made(), &directory);
        let mut config = Config::read(&directory.join("gate.toml")).unwrap();
        config.operator.listen = Some((Ipv4Addr::LOCALHOST, 0).into());
        config.limits.drain = 1;
        config.services = list(services);
        change(&mut config);
        let config = Arc::new(Mutex::new(config));
        let again = Arc::clone(&config);
        let first = config.lock().unwrap().clone();
        let key = key_file::read(PROGRAM, &directory.join("gate/storage.key"), Readers::Owner).unwrap();
        let store = sqlite::Store::open(directory.join("gate/store.db"), StorageKeys::new(key)).unwrap();
        let reread = move || Ok(again.lock().unwrap().clone());
        let gate = Gate::begin(first, PROGRAM, None, reread).await.unwrap();
        let anchors = std::fs::read_to_string(directory.join("issuer/anchor.pem")).unwrap();
        Self {
            address: gate.addresses()[0],
            anchors: TrustAnchors::from_pem(&anchors).unwrap(),
            name: ServerName::new("gate.example").unwrap(),
            gate,
            store,
            config,
        }
    }

    pub(crate) fn run<O: Operation>(&self, operation: &O) -> O::Answer
    where
        O::Error: std::fmt::Debug,
    {
        self.store.run(operation, UnixTime::now()).unwrap()
    }

    /// Entitles all staff to these services, where `at` is where they are, if that matters.
    pub(crate) fn entitle(&self, services: &[&str], at: Option<&str>) {
        let listed = |name: &&str| Listed {
            name: name.parse().unwrap(),
            listen: format!("unix:{name}").parse().unwrap(),
        };
        let list = Services { services: services.iter().map(listed).collect() };
        let document = Document { media_type: MEDIA_TYPE.into(), body: serde_json::to_vec(&list).unwrap() };
        let subject = Subject::AccessPath(halfkey::AccessPath::new("/staff").unwrap());
        let mut entitle = Entitle::new(subject, ApplicationName::new(APPLICATION).unwrap(), document);
        if let Some(at) = at {
            let information = UserInformation { location: Some(at.into()), ..UserInformation::default() };
            entitle = entitle.when(EntitlementCondition::new(&information).unwrap());
        }
        self.run(&entitle);
    }

    fn token(&self) -> SoftwareToken {
        let pin = "2468".into();
        let (random, settings) = (Box::new(SystemRandom), PinSettings::for_tests());
        let (mut token, _) = SoftwareToken::new(self.anchors.clone(), &pin, settings, random).unwrap();
        token.unlock(&pin).unwrap();
        token
    }

    /// Answer to an applicant without a code.
    pub(crate) async fn strangers(&self, name: &str) -> RejectionCode {
        let RegistrationOutcome::Refused(rejection) = self.stranger().apply(name).await else {
            panic!("not refused")
        };
        rejection.code
    }

    /// Somebody with a token and without a code.
    pub(crate) fn stranger(&self) -> Stranger {
        let connector = Connector::builder(self.token()).build();
        Stranger { connector, address: self.address, server: self.name.clone() }
    }

    /// An agent that has registered by a code.
    pub(crate) async fn agent(&self, name: &str) -> Agent {
        let (user, code) = (UserName::normalise(name).unwrap(), ActivationCode::generate(&mut SystemRandom));
        let secret = code.secret(&self.name, &user);
        self.run(&IssueCode { name: user.clone(), secret, expires: None });
        let token = self.token();
        let lists = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&lists);
        let connector = Connector::builder(token).on_configuration(move |_, instruction| {
            let names = match instruction {
                Instruction::Install(document) => {
                    let list = Services::read(&document.body).unwrap().services;
                    list.into_iter().map(|service| service.name.to_string()).collect()
                }
                Instruction::Remove => Vec::new(),
            };
            told.lock().unwrap().push(names);
            Applying::Applied
        });
        let connector = connector.build();
        let fill = move |_, blank: Template| async move {
            let form = blank.fill([("name", user.as_str().into())])?;
            Ok::<_, FillError>((form, Credential::Activation(code)))
        };
        let stream = TcpStream::connect(self.address).await.unwrap();
        let outcome = connector.register(stream, &self.name, fill).await.unwrap();
        let RegistrationOutcome::Active(TokenRegistration { key_id, .. }) = outcome else {
            panic!("{outcome:?}")
        };
        Agent { connector, address: self.address, key_id, lists, location: None }
    }
}

/// Somebody with a token and without a code.
pub(crate) struct Stranger {
    connector: Connector<SoftwareToken>,
    address: SocketAddr,
    server: ServerName,
}

impl Stranger {
    /// Applies under a name; who waits already comes with the ticket.
    pub(crate) async fn apply(&self, name: &str) -> RegistrationOutcome {
        let attempts = self.connector.with_token(|token| token.attempts()).await.unwrap().unwrap();
        let waiting = attempts.into_iter().find_map(|attempt| match attempt {
            Attempt::Waiting(waiting) => Some(waiting),
            Attempt::InFlight(_) => None,
        });
        let name = name.to_owned();
        let fill = move |_, blank: Template| async move {
            Ok::<_, FillError>(match waiting {
                Some(waiting) => (waiting.form.clone(), Credential::Ticket(waiting)),
                None => (blank.fill([("name", name.as_str().into())])?, Credential::None),
            })
        };
        let stream = TcpStream::connect(self.address).await.unwrap();
        self.connector.register(stream, &self.server, fill).await.unwrap()
    }
}

/// Services of a configuration.
pub(crate) fn list(
    services: &[(&str, Upstream)],
) -> std::collections::BTreeMap<halfkey_service::ServiceName, Service> {
    let service = |upstream: &Upstream| Service { upstream: upstream.clone(), connect: SOON };
    services.iter().map(|(name, upstream)| (name.parse().unwrap(), service(upstream))).collect()
}

/// An agent made of the library alone.
pub(crate) struct Agent {
    pub(crate) connector: Connector<SoftwareToken>,
    pub(crate) address: SocketAddr,
    pub(crate) key_id: KeyId,
    pub(crate) lists: Arc<Mutex<Vec<Vec<String>>>>,
    pub(crate) location: Option<String>,
}

pub(crate) type Session = ClientSession<TcpStream>;

impl Agent {
    pub(crate) async fn connect(&self) -> Result<Session, ConnectError> {
        let stream = TcpStream::connect(self.address).await?;
        self.connector.open(stream, &self.key_id).await
    }

    fn information(&self) -> UserInformation {
        UserInformation { location: self.location.clone(), ..UserInformation::default() }
    }

    /// Opens a connection to a service, or gives the gate's answer.
    pub(crate) async fn reach(&self, service: &str) -> Result<Session, Answer> {
        let mut session = self.connect().await.unwrap();
        let opening = Opening::new(Some(service.parse().unwrap()), &self.information());
        opening.write(&mut session).await.unwrap();
        session.flush().await.unwrap();
        match Answer::read(&mut session).await.unwrap() {
            Answer::Open => Ok(session),
            answer => Err(answer),
        }
    }

    /// Sends text to a service, ends it, and gives all that comes back.
    pub(crate) async fn exchange(&self, service: &str, text: &str) -> String {
        let mut session = self.reach(service).await.unwrap();
        session.write_all(text.as_bytes()).await.unwrap();
        session.shutdown().await.unwrap();
        let mut answer = String::new();
        session.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Opens a control session, and goes on reading it: whoever does not read is told nothing.
    pub(crate) async fn control(&self) -> Control {
        let mut session = self.connect().await.unwrap();
        Opening::new(None, &self.information()).write(&mut session).await.unwrap();
        session.flush().await.unwrap();
        assert_eq!(Answer::read(&mut session).await.unwrap(), Answer::Open);
        let handle = session.handle();
        let (mut read, write) = session.into_split();
        let reads = tokio::spawn(async move { read.read_to_end(&mut Vec::new()).await });
        handle.configure(&ApplicationName::new(APPLICATION).unwrap(), self.information()).await.unwrap();
        Control { reads, write }
    }

    /// Waits until the last list that the agent was told is this one.
    pub(crate) async fn told(&self, services: &[&str]) {
        let told = async {
            while self.lists.lock().unwrap().last().is_none_or(|last| last != services) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let within = tokio::time::timeout(SOON, told).await;
        assert!(within.is_ok(), "told {:?} and not {services:?}", self.lists.lock().unwrap());
    }
}

pub(crate) struct Control {
    pub(crate) reads: tokio::task::JoinHandle<std::io::Result<usize>>,
    pub(crate) write: halfkey::tokio::OwnedWriteHalf<TcpStream, halfkey::tokio::TokenEnd>,
}

/// An application server that says back what it is told, after `greeting`.
pub(crate) async fn echo(greeting: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.write_all(greeting.as_bytes()).await?;
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await?;
                write.shutdown().await
            });
        }
    });
    address
}

/// An application server that speaks HTTP: answers with the request's own headers as its body, and echoes those of
/// the identity as headers.
pub(crate) async fn mirror() -> SocketAddr {
    use axum::http::HeaderMap;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = |headers: HeaderMap| async move {
        let lines =
            headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap_or("?")));
        let body = lines.collect::<String>();
        let echoed = headers.into_iter().filter(|(name, _)| {
            name.as_ref().is_some_and(|name| name.as_str().replace('_', "-").starts_with("halfkey-"))
        });
        let mut echo = HeaderMap::new();
        echo.extend(echoed);
        (echo, body)
    };
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

pub(crate) fn tcp(address: SocketAddr) -> Upstream {
    Upstream::Tcp { address: address.to_string(), proxy_protocol: false }
}
