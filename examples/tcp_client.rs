//! A token in a file, sealed under its PIN, that registers with `tcp_server` and opens sessions with
//! it. Kill it at any moment and start it again: it goes on where it was.
//!
//! ```text
//! cargo run --example tcp_client -- --dir /tmp/alice --anchor /tmp/gate/anchor.pem --pin 2468 \
//!     register --name alice
//! cargo run --example tcp_client -- --dir /tmp/alice --pin 2468 session
//! cargo run --example tcp_client -- --dir /tmp/alice --pin 2468 configure mail
//! cargo run --example tcp_client -- --dir /tmp/alice --pin 2468 renew --name alice
//! ```
//!
//! The token writes its file within every call that changes it, before the message that rests on
//! the change leaves. So whatever an earlier run left unfinished is on the token, and every command
//! but `status` first goes on with that. `--die after-R2` (or `before-R4` ...) ends the program at
//! that message, for those who want to see it.

mod tcp;

use halfkey::certificate::{Revocation, TrustAnchors};
use halfkey::configuration::token::{Applying, Instruction};
use halfkey::driver::{Client, ClientError, ClientSession, Framed, Incoming, Registering, Transport};
use halfkey::message::UserInformation;
use halfkey::port::Token;
use halfkey::port::entitlement_store::Standing as Word;
use halfkey::record::{Attempt, Registration, Standing};
use halfkey::registration::token::Credential;
use halfkey::registration::{ActivationCode, TokenSideError};
use halfkey::session::token::Options;
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::template::{FieldValue, Form};
use halfkey::wire::message_type;
use halfkey::{Application, KeyId, ServerName, SystemRandom, UnixTime};
use std::io::{self, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tcp::{Arguments, Outcome, hold, replace, run, say};

const USAGE: &str = "\
usage: tcp_client --dir DIR [--anchor FILE] [--server gate.example] [--connect 127.0.0.1:4400]
                  [--pin PIN] COMMAND
    register --name NAME [--department TEXT] [--code ACTIVATION-CODE]
    session [--app APP]    open a session, send a line, and ask for APP's configuration
    configure APP          ask for APP's configuration; it is put into DIR/APP.conf
    renew --name NAME      a new key in the place of the old one
    resume                 go on with what an earlier run left unfinished
    status                 what is on the token
The first run wants --anchor. The PIN may stand in the environment, as HALFKEY_PIN.";

fn main() -> std::process::ExitCode {
    run(|| {
        let values = [
            "--dir",
            "--anchor",
            "--server",
            "--connect",
            "--pin",
            "--name",
            "--department",
            "--code",
            "--app",
            "--die",
        ];
        let arguments = Arguments::read(&values.map(|name| (name, 1)), USAGE)?;
        let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
        let dir = Path::new(arguments.value("--dir").ok_or(USAGE)?);
        let _held = hold(dir)?;
        let mut holder = Holder::open(dir, &arguments)?;
        match words.as_slice() {
            ["register"] => holder.register(&arguments),
            ["session"] => holder.session(arguments.value("--app"), true),
            ["configure", application] => holder.session(Some(application), false),
            ["renew"] => holder.renew(&arguments),
            ["resume"] => holder.resume(),
            ["status"] => holder.status(),
            _ => Err(USAGE.into()),
        }
    })
}

/// A token and the server it is used with.
struct Holder {
    token: SoftwareToken,
    random: SystemRandom,
    dir: PathBuf,
    server: ServerName,
    address: String,
    die: Option<String>,
}

impl Holder {
    fn open(dir: &Path, arguments: &Arguments) -> Outcome<Self> {
        let path = dir.join("token.sealed");
        let pin = arguments.value("--pin").map_or_else(|| std::env::var("HALFKEY_PIN"), |pin| Ok(pin.into()));
        let pin = pin.map_err(|_| "a PIN is wanted: --pin, or HALFKEY_PIN")?;
        if !path.exists() {
            let anchors = TrustAnchors::from_pem(&std::fs::read_to_string(arguments.required("--anchor")?)?)?;
            let random = Box::new(SystemRandom);
            let (mut token, code) = SoftwareToken::new(anchors, &pin, PinSettings::default(), random)?;
            replace(&path, &token.save()).map_err(|code| format!("{}: error {code}", path.display()))?;
            say(format_args!(
                "a blank token; its unblocking code, to be put away: {}",
                code.reveal().as_str()
            ));
        }
        let token = SoftwareToken::load(&std::fs::read(&path)?, Box::new(SystemRandom))?;
        let mut token = token.saved_by(move |bytes| replace(&path, bytes));
        token.unlock(&pin)?;
        Ok(Self {
            token,
            random: SystemRandom,
            dir: dir.into(),
            server: ServerName::new(arguments.value("--server").unwrap_or("gate.example"))?,
            address: arguments.value("--connect").unwrap_or("127.0.0.1:4400").into(),
            die: arguments.value("--die").map(Into::into),
        })
    }

    fn client(&mut self) -> Client<'_> {
        Client::new(&mut self.token, &mut self.random)
    }

    fn connect(&self) -> Outcome<Mortal> {
        let stream =
            TcpStream::connect(&self.address).map_err(|error| format!("{}: {error}", self.address))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_write_timeout(Some(Duration::from_secs(30)))?;
        Ok(Mortal { inner: Framed(stream), die: self.die.clone() })
    }

    /// The registrations with this server, the newest last.
    fn registrations(&self) -> Outcome<Vec<Registration>> {
        let all = self.token.registrations()?;
        Ok(all.into_iter().filter(|one| one.server_name == self.server).collect())
    }

    fn newest(&self) -> Outcome<Registration> {
        self.registrations()?.pop().ok_or_else(|| format!("not registered with {}", self.server).into())
    }

    fn register(&mut self, arguments: &Arguments) -> Outcome {
        self.resume()?;
        if let Some(active) = self.registrations()?.last() {
            say(format_args!("registered already, as {}", active.user_id));
            return Ok(());
        }
        if self.waiting()? {
            return Ok(());
        }
        let credential = match arguments.value("--code") {
            Some(code) => Credential::Activation(ActivationCode::parse(code)?),
            None => Credential::None,
        };
        self.apply(arguments, credential)
    }

    fn renew(&mut self, arguments: &Arguments) -> Outcome {
        self.resume()?;
        let old = self.newest()?.key_id;
        self.apply(arguments, Credential::Renewal(old))
    }

    /// R0 to R5 with a form filled in from the command line.
    fn apply(&mut self, arguments: &Arguments, credential: Credential) -> Outcome {
        let name = FieldValue::from(arguments.required("--name")?);
        let department = arguments.value("--department").map(|text| ("department", FieldValue::from(text)));
        let answers: Vec<_> = [("name", name)].into_iter().chain(department).collect();
        self.run(credential, |template| Ok(template.fill(answers)?))
    }

    fn run(
        &mut self,
        credential: Credential,
        fill: impl FnOnce(&halfkey::template::Template) -> Result<Form, ClientError>,
    ) -> Outcome {
        let (mut link, server) = (self.connect()?, self.server.clone());
        let mut once = Some((fill, credential));
        let registering =
            self.client().register(&mut link, &server, &Revocation::Ignore, &mut |who, form| {
                say(format_args!(
                    "{} is who it says it is, and wants {} field(s)",
                    who.name(),
                    form.fields.len()
                ));
                let (fill, credential) = once.take().ok_or(ClientError::Declined)?;
                Ok((fill(form)?, credential))
            })?;
        self.ended(registering)
    }

    /// Goes on with what an earlier run left unfinished: half a registration, one that waits for the
    /// operator, or one that the server may not have confirmed.
    fn resume(&mut self) -> Outcome {
        for attempt in self.token.attempts()? {
            let now = UnixTime::now();
            match attempt {
                Attempt::Half(half) if half.server_name != self.server => {}
                Attempt::Waiting(waiting) if waiting.server_name != self.server => {}
                Attempt::Half(half) if self.settled(half.renews)? || now > half.deadline => {
                    self.token.give_up(&half.txn)?;
                }
                Attempt::Waiting(waiting) if self.settled(waiting.renews)? || now > waiting.hold_until => {
                    self.token.give_up(&waiting.txn)?;
                }
                Attempt::Waiting(waiting) if now < waiting.retry_at => {}
                Attempt::Waiting(waiting) => {
                    let form = waiting.form.clone();
                    self.run(Credential::Ticket(waiting), |_| Ok(form))?;
                }
                Attempt::Half(half) => {
                    say(format_args!("sending the same R2 again"));
                    let mut link = self.connect()?;
                    match self.client().resume(&mut link, half) {
                        Ok(registering) => self.ended(registering)?,
                        // Nobody vouches for such an answer, so the run is kept until its deadline;
                        // a new one may begin beside it.
                        Err(ClientError::Registration(
                            error @ (TokenSideError::Sealed | TokenSideError::Refusal(_)),
                        )) => say(format_args!("that run leads nowhere now: {error}")),
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
        for joined in self.registrations()? {
            if let Standing::Joined { .. } = joined.standing {
                say(format_args!("sending R4 again"));
                let (mut link, key_id) = (self.connect()?, joined.key_id);
                match self.client().confirm(&mut link, joined) {
                    Ok(registering) => self.ended(registering)?,
                    // After the first session R4 is no longer known; a session settles it as well.
                    Err(ClientError::Registration(TokenSideError::Refusal(_))) => {
                        drop(self.enter(&key_id)?.close()?);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        self.waiting().map(drop)
    }

    /// Whether a run has nothing left to do: another registered, or renewed that key.
    fn settled(&self, renews: Option<KeyId>) -> Outcome<bool> {
        let all = self.registrations()?;
        Ok(renews.map_or(!all.is_empty(), |old| all.iter().all(|one| one.key_id != old)))
    }

    fn waiting(&self) -> Outcome<bool> {
        let of_server = |attempt: &Attempt| match attempt {
            Attempt::Waiting(waiting) if waiting.server_name == self.server => Some(waiting.retry_at),
            _ => None,
        };
        let retry_at = self.token.attempts()?.iter().find_map(of_server);
        if let Some(at) = retry_at {
            say(format_args!("the operator has not decided; ask again in {} s", at.since(UnixTime::now())));
        }
        Ok(retry_at.is_some())
    }

    fn ended(&mut self, registering: Registering) -> Outcome {
        match registering {
            Registering::Active(one) => {
                let path = one.access_path.as_str();
                say(format_args!("registered as {} at {path}, key {}", one.user_id, one.key_id));
            }
            Registering::Waiting(waiting) => {
                let seconds = waiting.retry_at.since(UnixTime::now());
                say(format_args!("the operator has to decide; ask again in {seconds} s"));
            }
            Registering::Refused(why) => return Err(format!("refused: {} {:?}", why.code, why.fields).into()),
            Registering::Lost => return Err("another registration took the name or the code first".into()),
        }
        Ok(())
    }

    /// Opens a session, by the alias or, where the server does not know that any more, by the key id.
    fn enter(&mut self, key_id: &KeyId) -> Outcome<ClientSession<Mortal>> {
        let link = self.connect()?;
        let refused = match self.client().open(link, key_id, &Options::default()) {
            Ok(session) => return Ok(session),
            Err(ClientError::Barred(word)) => return Err(barred(word).into()),
            Err(error @ ClientError::Session(halfkey::session::SessionError::Refused(_))) => error,
            Err(error) => return Err(error.into()),
        };
        say(format_args!("{refused}; by key id, then"));
        let link = self.connect()?;
        Ok(self.client().open(link, key_id, &Options { by_key_id: true, ..Options::default() })?)
    }

    fn session(&mut self, application: Option<&str>, talk: bool) -> Outcome {
        self.resume()?;
        let key_id = self.newest()?.key_id;
        let mut session = self.enter(&key_id)?;
        say(format_args!("session open, each side having proved the key, mode {:?}", session.session().mode));
        let dir = self.dir.clone();
        let mut apply = |application: &Application, instruction: &Instruction| {
            let file = dir.join(format!("{application}.conf"));
            let done = match instruction {
                Instruction::Install(document) => replace(&file, &document.body).is_ok(),
                Instruction::Remove => std::fs::remove_file(&file).is_ok() || !file.exists(),
            };
            if done { Applying::Applied } else { Applying::Failed }
        };
        let mut client = self.client();
        if talk {
            session.send(b"it is me")?;
            if let Incoming::Data(data) = session.receive(&mut client, &mut apply)? {
                say(format_args!("the server says: {}", String::from_utf8_lossy(&data)));
            }
        }
        if let Some(application) = application {
            let application = Application::new(application)?;
            let information = UserInformation { location: None, system: Some(std::env::consts::OS.into()) };
            let configured =
                session.configure(&mut client, &application, &information, &mut apply, &mut |_| {})?;
            say(format_args!("configuration of {application}: {configured:?}"));
        }
        session.close()?;
        Ok(())
    }

    fn status(&self) -> Outcome {
        for attempt in self.token.attempts()? {
            match attempt {
                Attempt::Half(half) => say(format_args!("{}: R2 sent", half.server_name)),
                Attempt::Waiting(waiting) => say(format_args!("{}: waits", waiting.server_name)),
            }
        }
        for one in self.token.registrations()? {
            let standing = if one.standing == Standing::Active { "active" } else { "joined" };
            say(format_args!("{}: {standing}, user {}, key {}", one.server_name, one.user_id, one.key_id));
            for held in &one.configurations {
                let serial = (held.serial.epoch, held.serial.number);
                let what = if held.revoked { "withdrawn" } else { "held" };
                say(format_args!("  {}: {what}, serial {serial:?}", held.application));
            }
        }
        Ok(())
    }
}

fn barred(word: Word) -> &'static str {
    match word {
        Word::Lost => "another registration took the name or the code first",
        Word::Suspended => "the registration is suspended",
        Word::Revoked => "the registration is revoked",
        _ => "the registration has expired",
    }
}

/// A connection that ends the whole program at a message of choice.
struct Mortal {
    inner: Framed<TcpStream>,
    die: Option<String>,
}

impl Mortal {
    fn moment(&self, when: &str, frame: &[u8]) {
        const NAMES: [&str; 12] = ["R0", "R1", "R2", "R3", "R4", "R5", "E0", "", "S0", "S1", "S2", "S3"];
        let name = message_type(frame).ok().and_then(|number| NAMES.get(usize::try_from(number).ok()?));
        if self.die.is_some() && self.die == name.map(|name| format!("{when}-{name}")) {
            let _ = writeln!(io::stderr(), "dying {when} {}", name.unwrap_or(&""));
            std::process::abort();
        }
    }
}

impl Transport for Mortal {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.moment("before", frame);
        self.inner.send(frame)?;
        self.moment("after", frame);
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        let frame = self.inner.receive()?;
        self.moment("after", frame.as_deref().unwrap_or_default());
        Ok(frame)
    }
}
