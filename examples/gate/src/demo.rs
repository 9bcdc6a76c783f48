//! Everything on the loopback interface in one command: issuer, gate, two application servers and an agent.

use crate::{Config, Gate, Plan, Upstream, init};
use halfkey::certificate::TrustAnchors;
use halfkey::configuration::UserInformation;
use halfkey::port::entitlement_store::Document;
use halfkey::record::TokenRegistration;
use halfkey::registration::ActivationCode;
use halfkey::registration::token::Credential;
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::store::operation::{Entitle, IssueCode, Revoke};
use halfkey::store::{StorageKeys, Subject};
use halfkey::template::{FieldValue, Template};
use halfkey::tokio::{ClientSession, ConnectError, Connector, FillError, RegistrationOutcome};
use halfkey::{ApplicationName, KeyId, ServerName, SystemRandom, UnixTime, UserName, sqlite};
use halfkey_common::file::Readers;
use halfkey_common::{Program, key_file};
use halfkey_service::{APPLICATION, Answer, MEDIA_TYPE, Opening, Service, ServiceName, Services};
use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Within which a change of the operator's has to take effect.
const TWO_SECONDS: Duration = Duration::from_secs(2);
const PIN: &str = "2468";

/// Shows everything, and says what happens through `say`.
///
/// # Errors
/// Anything that is not as it should be.
pub async fn demo(program: Program, dir: &Path, say: impl Fn(&str)) -> Outcome {
    say("An issuer certifies the gate. Its key stays with it: neither gate nor agent has it.");
    let name = ServerName::new("gate.example")?;
    // An RSA key of 2048 bits here, so that nobody waits for it.
    let listen = (std::net::Ipv4Addr::LOCALHOST, 0).into();
    let made = init(&Plan { directory: dir.join("demo"), name: name.clone(), listen, rsa_bits: 2048 })?;
    let anchors = TrustAnchors::from_pem(&std::fs::read_to_string(&made.anchor)?)?;

    say("The operator entitles all staff to the wiki, and issues a code for alice.");
    let key = key_file::read(program, &made.key, Readers::Owner)?;
    let store = sqlite::Store::open(&made.store, StorageKeys::new(key))?;
    entitle(&store, &["wiki"])?;
    let (user, code) = (UserName::normalise("alice")?, ActivationCode::generate(&mut SystemRandom));
    let secret = code.secret(&name, &user);
    store.run(&IssueCode { name: user.clone(), secret, expires: None }, UnixTime::now())?;

    say("Two application servers listen, a wiki and a payroll. Neither knows of halfkey.");
    let (wiki, payroll) = (application("wiki").await?, application("payroll").await?);

    say("The gate listens in front of them.");
    let mut config = Config::read(&made.config)?;
    config.operator.listen = None;
    let service = |address: SocketAddr| {
        let upstream = Upstream::Http { address: address.to_string() };
        crate::Service { upstream, connect: TWO_SECONDS }
    };
    config.services =
        BTreeMap::from([("wiki".parse()?, service(wiki)), ("payroll".parse()?, service(payroll))]);
    let again = config.clone();
    let gate = Gate::begin(config, program, None, move || Ok(again.clone())).await?;
    let address = *gate.addresses().first().ok_or("the gate has no address")?;

    say("An agent with a blank token, which knows the issuer's public key alone, enrols with the code.");
    let (lists, mut listed) = mpsc::unbounded_channel();
    let agent = Agent::enrol(address, &name, anchors, (user, code), lists).await?;
    say(&format!("It is registered: the server calls its key {}.", agent.key_id));

    let control = agent.control().await?;
    expect(next(&mut listed).await? == ["wiki"], "the agent is told of the wiki, and of nothing else")?;
    say("It is configured: there is a wiki.");
    let page = agent.get("wiki").await?;
    expect(page.contains("wiki") && page.contains("halfkey-name: alice"), "the wiki knows who is there")?;
    say("It reaches the wiki, which is told by the gate that this is alice.");
    expect(agent.reach("payroll").await?.is_err(), "the payroll is refused")?;
    say("It asks for the payroll, and is refused.");

    say("The operator entitles staff to the payroll, too.");
    let began = Instant::now();
    entitle(&store, &["wiki", "payroll"])?;
    expect(next(&mut listed).await? == ["wiki", "payroll"], "the agent is told of both")?;
    expect(began.elapsed() < TWO_SECONDS, "it is told within two seconds")?;
    expect(agent.get("payroll").await?.contains("payroll"), "the payroll is reached")?;
    say(&format!("The agent was told {} ms later, and reaches it.", began.elapsed().as_millis()));

    say("The operator takes the payroll away while a connection to it is open.");
    let mut open = agent.reach("payroll").await?.map_err(|answer| format!("refused: {answer:?}"))?;
    let began = Instant::now();
    entitle(&store, &["wiki"])?;
    let ended = tokio::time::timeout(TWO_SECONDS, open.read_u8()).await;
    expect(matches!(ended, Ok(Err(_))), "the connection is cut within two seconds")?;
    expect(next(&mut listed).await? == ["wiki"], "the agent is told of the wiki alone")?;
    say(&format!("The connection was cut {} ms later; the wiki goes on.", began.elapsed().as_millis()));
    agent.get("wiki").await?;

    say("The operator revokes alice's key.");
    let began = Instant::now();
    store.run(&Revoke(agent.key_id), UnixTime::now())?;
    tokio::time::timeout(TWO_SECONDS, control.ended()).await.map_err(|_| "the session is still open")??;
    say(&format!("Her session ended {} ms later.", began.elapsed().as_millis()));
    let out = agent.connect().await;
    expect(matches!(out, Err(ConnectError::NotActive(_))), "no session is opened any more")?;
    say("She is out: the gate proves to her token that the key is revoked, and opens no session.");
    gate.stop().await;
    Ok(())
}

fn expect(holds: bool, what: &str) -> Outcome {
    if holds { Ok(()) } else { Err(format!("it does not hold that {what}").into()) }
}

async fn next(listed: &mut mpsc::UnboundedReceiver<Vec<String>>) -> Outcome<Vec<String>> {
    let list = tokio::time::timeout(TWO_SECONDS.saturating_mul(2), listed.recv()).await;
    Ok(list.map_err(|_| "the agent is told nothing")?.ok_or("the agent is gone")?)
}

/// Entitles all staff to these services.
fn entitle(store: &sqlite::Store, names: &[&str]) -> Outcome {
    let services =
        names.iter().map(|name| Ok(Service { name: name.parse()?, listen: format!("unix:{name}").parse()? }));
    let list = Services { services: services.collect::<Outcome<_>>()? };
    let document = Document { media_type: MEDIA_TYPE.into(), body: serde_json::to_vec(&list)? };
    let subject = Subject::AccessPath(halfkey::AccessPath::new("/staff")?);
    store.run(&Entitle::new(subject, ApplicationName::new(APPLICATION)?, document), UnixTime::now())?;
    Ok(())
}

/// An application server: answers each request with its own name and what it was told of the user.
async fn application(name: &'static str) -> Outcome<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(name, stream));
        }
    });
    Ok(address)
}

async fn answer(name: &'static str, stream: TcpStream) -> Outcome {
    let mut stream = BufReader::new(stream);
    let mut text = format!("This is the {name}.\n");
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if line.trim_end().is_empty() {
            break;
        }
        if line.to_ascii_lowercase().starts_with("halfkey-") {
            text.push_str(&line);
        }
    }
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", text.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(text.as_bytes()).await?;
    Ok(stream.shutdown().await?)
}

/// Agent of the demonstration: a token, and the gate's address.
struct Agent {
    connector: Connector<SoftwareToken>,
    address: SocketAddr,
    key_id: KeyId,
}

/// An open control session, which somebody reads: so what the gate sends unasked arrives.
struct Control(tokio::task::JoinHandle<std::io::Result<usize>>);

impl Agent {
    async fn enrol(
        address: SocketAddr,
        server: &ServerName,
        anchors: TrustAnchors,
        (user, code): (UserName, ActivationCode),
        lists: mpsc::UnboundedSender<Vec<String>>,
    ) -> Outcome<Self> {
        let pin = PIN.into();
        let (mut token, _) =
            SoftwareToken::new(anchors, &pin, PinSettings::default(), Box::new(SystemRandom))?;
        token.unlock(&pin)?;
        let connector = Connector::builder(token).on_configuration(move |_, instruction| {
            use halfkey::configuration::token::{Applying, Instruction};
            let Instruction::Install(document) = instruction else { return Applying::Failed };
            let Ok(list) = Services::read(&document.body) else { return Applying::Failed };
            let names = list.services.into_iter().map(|service| service.name.to_string()).collect();
            if lists.send(names).is_ok() { Applying::Applied } else { Applying::Failed }
        });
        let connector = connector.build();
        let fill = move |_, blank: Template| async move {
            let form = blank.fill([("name", FieldValue::from(user.as_str()))])?;
            Ok::<_, FillError>((form, Credential::Activation(code)))
        };
        let stream = TcpStream::connect(address).await?;
        let RegistrationOutcome::Active(TokenRegistration { key_id, .. }) =
            connector.register(stream, server, fill).await?
        else {
            return Err("the agent is not registered".into());
        };
        Ok(Self { connector, address, key_id })
    }

    async fn connect(&self) -> Result<ClientSession<TcpStream>, ConnectError> {
        let stream = TcpStream::connect(self.address).await?;
        self.connector.open(stream, &self.key_id).await
    }

    async fn control(&self) -> Outcome<Control> {
        let mut session = self.connect().await?;
        Opening::default().write(&mut session).await?;
        session.flush().await?;
        expect(Answer::read(&mut session).await? == Answer::Open, "the control session is opened")?;
        let handle = session.handle();
        let reads = tokio::spawn(async move { session.read_to_end(&mut Vec::new()).await });
        handle.configure(&ApplicationName::new(APPLICATION)?, UserInformation::default()).await?;
        Ok(Control(reads))
    }

    /// Opens a connection to a service, or gives the gate's answer.
    async fn reach(&self, service: &str) -> Outcome<Result<ClientSession<TcpStream>, Answer>> {
        let service: ServiceName = service.parse()?;
        let mut session = self.connect().await?;
        Opening::new(Some(service), &UserInformation::default()).write(&mut session).await?;
        session.flush().await?;
        let answer = Answer::read(&mut session).await?;
        Ok(if answer == Answer::Open { Ok(session) } else { Err(answer) })
    }

    async fn get(&self, service: &str) -> Outcome<String> {
        let mut session = self.reach(service).await?.map_err(|answer| format!("{service}: {answer:?}"))?;
        session
            .write_all(b"GET / HTTP/1.1\r\nHost: wiki\r\nhalfkey-name: mallory\r\nConnection: close\r\n\r\n")
            .await?;
        session.flush().await?;
        let mut page = String::new();
        session.read_to_string(&mut page).await?;
        expect(!page.contains("mallory"), "what a client says of itself is not passed on")?;
        Ok(page)
    }
}

impl Control {
    /// Waits for the gate to end the session.
    async fn ended(self) -> Outcome {
        expect(self.0.await?.is_err(), "the session is ended and not only closed")
    }
}
