//! An authentication server on a TCP port, whose state is in files: kill it at any moment and start
//! it again.
//!
//! ```text
//! cargo run --example issuer -- --dir /tmp/issuer init
//! cargo run --example tcp_server -- --dir /tmp/gate --request
//! cargo run --example issuer -- --dir /tmp/issuer certify /tmp/gate/request.pem /tmp/chain.pem
//! cargo run --example tcp_server -- --dir /tmp/gate --certificate /tmp/chain.pem
//! cargo run --example tcp_server -- --dir /tmp/gate
//! cargo run --example tcp_client -- --dir /tmp/alice --anchor /tmp/issuer/anchor.pem --pin 2468 \
//!     register --name alice
//! ```
//!
//! Frames on the wire are `u32 length ‖ message`, as PROTOCOL.md says. Keys lie in `DIR` as PEM, readable to their
//! owner alone. The issuer's private key is not among them: `issuer` keeps it in a directory of its own, on another
//! machine in earnest, and only the request and the certificate chain pass between the two.
//!
//! The store is one sealed file in `DIR`. Built with `--features sqlite`, the server takes one in a file of SQLite
//! instead (`--db`), which the program `admin` makes and looks after while the server runs.

#[path = "tcp/kept.rs"]
mod kept;
mod tcp;

use halfkey::certificate::Chain;
use halfkey::driver::{Acceptor, Approval, Framed, Observer, ServerSession, Transport, peer_name};
use halfkey::exchange::{RequestKind, ServerEvent};
use halfkey::policy::{Modes, Policy};
use halfkey::port::entitlement_store::Document;
use halfkey::registration::ActivationCode;
use halfkey::registration::server::{Decision, EnrolmentRequest, Grant};
use halfkey::server_files::{Ready, ServerFiles};
use halfkey::store::Subject;
use halfkey::store::operation::{
    Entitle, IssueCode, ListRegistrations, ListRequests, RequestFilter, Revoke, RevokeEntitlement,
};
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{
    AccessPath, ApplicationName, ErrorReason, ServerName, ServerSettings, SystemRandom, UnixTime, UserName,
};
use kept::Kept;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tcp::link::Patient;
use tcp::{Arguments, Outcome, hold, run, say};

const USAGE: &str = "\
usage: tcp_server --dir DIR [--listen 127.0.0.1:4400] [--name gate.example]
    --request           make the keys and DIR/request.pem, for the issuer, and end
    --certificate FILE  take the issuer's answer, the first one or a renewed one, and end
    --db FILE --key-file FILE [--other-key-file FILE]...
                        a store in SQLite, with its storage key, and one it had before or is to have
    --activation NAME   print a code with which NAME can register, good once
    --closed            register nobody without a code
    --psk               allow sessions in mode psk too, which are not forward secret
    --wait              tell every applicant to come back once before granting
    --entitle APP FILE  entitle everybody to the document in FILE, under a new serial
    --withdraw APP      entitle nobody to anything in APP any more
    --revoke WHO        end registrations: a user's name, user id or key id";

/// Most connections at once, in all and from one address.
const MOST: (usize, usize) = (256, 32);
/// Greatest silence, and greatest duration, of a connection.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(120), Duration::from_secs(1800));
/// Most offers and requests in a second from one address.
const MOST_WORK: u32 = 100;

fn main() -> std::process::ExitCode {
    run(|| {
        let options = [
            ("--dir", 1),
            ("--listen", 1),
            ("--name", 1),
            ("--request", 0),
            ("--certificate", 1),
            ("--db", 1),
            ("--key-file", 1),
            ("--other-key-file", 1),
            ("--activation", 1),
            ("--closed", 0),
            ("--psk", 0),
            ("--wait", 0),
            ("--entitle", 2),
            ("--withdraw", 1),
            ("--revoke", 1),
        ];
        let arguments = Arguments::read(&options, USAGE)?;
        let dir = Path::new(arguments.value("--dir").ok_or(USAGE)?);
        let _held = hold(dir)?;
        let name = ServerName::normalise(arguments.value("--name").unwrap_or("gate.example"))?;
        say(format_args!("reading or making keys; an RSA key of 2048 bits may take a few seconds ..."));
        let files = ServerFiles::load_or_create_sized(dir, &name, 2048, &mut SystemRandom)?;
        if arguments.has("--request") {
            say(format_args!("{} is for the issuer", dir.join("request.pem").display()));
            return Ok(());
        }
        if let Some(file) = arguments.value("--certificate") {
            return install(files, file);
        }
        let ServerFiles::Ready(files) = files else {
            let request = dir.join("request.pem");
            return Err(format!(
                "no certificate yet: have an issuer answer {}, and give the answer by --certificate",
                request.display()
            )
            .into());
        };
        if let Some(why) = files.expired(UnixTime::now()) {
            say(format_args!("nobody can register: {why}"));
        }
        let gate = Arc::new(Gate::open(dir, &arguments, &files)?);
        gate.operate(&arguments)?;
        let listener = TcpListener::bind(arguments.value("--listen").unwrap_or("127.0.0.1:4400"))?;
        say(format_args!("{} listens on {}", gate.settings.name, listener.local_addr()?));
        loop {
            match listener.accept() {
                Ok((stream, address)) => gate.admit(stream, peer_name(address.ip())),
                Err(error) => {
                    // Out of file descriptors, say: let some connections end.
                    say(format_args!("accept: {error}"));
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
        }
    })
}

/// The server and all it stands on.
struct Gate {
    settings: Arc<ServerSettings>,
    store: Kept,
    acceptor: Acceptor,
    crowd: Mutex<HashMap<String, usize>>,
}

/// Requests of each address within a second.
#[derive(Default)]
struct Second {
    began: Option<Instant>,
    done: HashMap<Vec<u8>, u32>,
}

impl Gate {
    /// Everything from the files in `dir`. A store that is not there yet is made.
    fn open(dir: &Path, arguments: &Arguments, files: &Ready) -> Outcome<Self> {
        let template = Template::new(vec![
            Field::required("name", FieldKind::UserName).labelled("User name"),
            Field::optional("department", FieldKind::Text { max_len: 64 }).labelled("Department"),
        ])?;
        let mut settings = files.settings(template);
        settings.open_registration = !arguments.has("--closed");
        if arguments.has("--psk") {
            settings.policy.modes = Modes::all();
        }
        let server = files.server(&settings, SystemRandom)?;
        let store = Kept::open(dir, arguments, files)?;
        let settings = Arc::new(settings);
        let operator =
            Operator { wait: arguments.has("--wait"), store: store.clone(), policy: settings.policy };
        let acceptor = store
            .acceptor(Arc::clone(&settings), server)
            .approval(operator)
            .observer(Door::default())
            .build();
        Ok(Self { settings, store, acceptor, crowd: Mutex::default() })
    }

    /// Options of the operator on the command line.
    fn operate(&self, arguments: &Arguments) -> Outcome {
        for name in arguments.all("--activation").flatten() {
            let name = UserName::normalise(name)?;
            let code = ActivationCode::generate(&mut SystemRandom);
            let secret = code.secret(&self.settings.name, &name);
            self.store.run(&IssueCode { name: name.clone(), secret, expires: None })?;
            say(format_args!("activation code for {}: {}", name.as_str(), code.reveal()));
        }
        for entitled in arguments.all("--entitle") {
            let [application, file] = entitled else { continue };
            let document = Document { media_type: "text/plain".into(), body: std::fs::read(file)? };
            let (subject, application) = (staff()?, ApplicationName::new(application)?);
            self.store.run(&Entitle::new(subject, application, document))?;
        }
        for application in arguments.all("--withdraw").flatten() {
            let (subject, application) = (staff()?, ApplicationName::new(application)?);
            self.store.run(&RevokeEntitlement::new(subject, application))?;
        }
        for who in arguments.all("--revoke").flatten() {
            self.revoke(who)?;
        }
        Ok(())
    }

    fn revoke(&self, who: &str) -> Outcome {
        let mut list = ListRegistrations::default();
        loop {
            let page = self.store.run(&list)?;
            let meant = page.entries.iter().filter(|one| {
                one.name.as_str() == who || one.user_id.as_str() == who || one.key_id.to_string() == who
            });
            for one in meant {
                self.store.run(&Revoke(one.key_id))?;
                say(format_args!("revoked {} of {}", one.key_id, one.name.as_str()));
            }
            let Some(next) = page.next else { return Ok(()) };
            list.after = Some(next);
        }
    }

    /// Serves a connection in a thread of its own, if there is room for it.
    fn admit(self: &Arc<Self>, stream: TcpStream, peer: String) {
        let mut crowd = lock(&self.crowd);
        let (all, own) = (crowd.values().sum::<usize>(), crowd.get(&peer).copied().unwrap_or(0));
        if all >= MOST.0 || own >= MOST.1 {
            // It may not listen, and nothing waits for that: a few bytes fit into the socket's buffer.
            let _ = stream.set_nonblocking(true);
            let _ = Framed(&stream).send(ErrorReason::Busy.frame().as_bytes());
            return say(format_args!("{peer}: too many connections"));
        }
        let place = Place { gate: Arc::clone(self), peer: peer.clone() };
        crowd.insert(peer.clone(), own.saturating_add(1));
        drop(crowd);
        let served = std::thread::Builder::new().spawn(move || {
            let place = place;
            place.gate.serve(stream, &place.peer);
        });
        if let Err(error) = served {
            say(format_args!("{peer}: no thread: {error}"));
        }
    }

    fn serve(&self, stream: TcpStream, peer: &str) {
        let _ = stream.set_nodelay(true);
        let stream = Patient::new(stream, PATIENCE.0, PATIENCE.1);
        let served = self.acceptor.accept(stream, peer.as_bytes());
        if let Err(error) = served.and_then(|session| session.map_or(Ok(()), echo)) {
            say(format_args!("{peer}: {error}"));
        }
    }
}

/// Says back what it is told, until the token has enough.
fn echo(mut session: ServerSession<Patient>) -> io::Result<()> {
    let mut told = vec![0; 16 * 1024];
    loop {
        let length = session.read(&mut told)?;
        if length == 0 {
            return session.shutdown();
        }
        session.write_all(told.get(..length).unwrap_or_default())?;
        session.flush()?;
    }
}

/// The operator, who grants everything, or has everybody come back once before.
struct Operator {
    wait: bool,
    store: Kept,
    policy: Policy,
}

impl Approval for Operator {
    fn decide(&self, applicant: &EnrolmentRequest) -> Decision {
        let same = ListRequests::of(RequestFilter {
            name: Some(applicant.name.clone()),
            ..RequestFilter::default()
        });
        let waited = || self.store.run(&same).is_ok_and(|page| !page.entries.is_empty());
        if self.wait && !waited() {
            return Decision::Wait { retry_after: 1 };
        }
        let Ok(Subject::AccessPath(access_path)) = staff() else {
            return Decision::Refuse(halfkey::registration::RejectionCode::Declined);
        };
        Decision::Grant(Grant { user_id: None, access_path, policy: self.policy })
    }
}

/// Everybody's entitlements begin in one place here.
fn staff() -> Outcome<Subject> {
    Ok(Subject::AccessPath(AccessPath::new("/staff")?))
}

/// Takes the issuer's answer to the request: the first certificate, or one that follows it.
fn install(files: ServerFiles, file: &str) -> Outcome {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let chain = Chain::from_pem(&text)?;
    match files {
        ServerFiles::Uncertified(files) => drop(files.install(&chain)?),
        ServerFiles::Ready(mut files) => files.install_next(&chain)?,
    }
    say(format_args!(
        "the certificate is good from {} to {}",
        chain.leaf().not_before(),
        chain.leaf().not_after()
    ));
    Ok(())
}

/// The limiter and the log.
#[derive(Default)]
struct Door {
    work: Mutex<Second>,
}

impl Observer for Door {
    /// So many in a second, then `busy`.
    fn admits(&self, peer: &[u8], _work: RequestKind) -> bool {
        let mut work = lock(&self.work);
        if work.began.is_none_or(|began| began.elapsed() > Duration::from_secs(1)) {
            *work = Second { began: Some(Instant::now()), done: HashMap::new() };
        }
        let done = work.done.entry(peer.to_vec()).or_default();
        *done = done.saturating_add(1);
        *done <= MOST_WORK
    }

    fn event(&self, peer: &[u8], event: &ServerEvent) {
        say(format_args!("{}: {event:?}", String::from_utf8_lossy(peer)));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection's place among those that are served, given back when it ends, however it ends.
struct Place {
    gate: Arc<Gate>,
    peer: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut crowd = lock(&self.gate.crowd);
        match crowd.get_mut(&self.peer) {
            Some(own) if *own > 1 => *own = own.saturating_sub(1),
            _ => drop(crowd.remove(&self.peer)),
        }
    }
}
