//! A token and the server it is used with: how a client goes on after it was cut short.

use crate::tcp::link::Mortal;
use crate::tcp::{Arguments, Outcome, replace, say};
use halfkey::certificate::{TrustAnchors, VerifiedServer};
use halfkey::configuration::token::{Applying, Instruction};
use halfkey::driver::{ClientSession, ConnectError, Connector, RegisterOptions, RegistrationOutcome};
use halfkey::exchange::TokenExchangeError;
use halfkey::port::Token;
use halfkey::port::entitlement_store::Status as Word;
use halfkey::record::{Attempt, Progress, TokenRegistration};
use halfkey::registration::token::Credential;
use halfkey::registration::{ActivationCode, TokenRegistrationError};
use halfkey::software::{FileError, PinSettings, SecretString, SoftwareToken};
use halfkey::template::{FieldValue, Form, FormError, Template};
use halfkey::{ApplicationName, KeyId, ServerName, SystemRandom, UnixTime};
use std::net::TcpStream;
use std::path::Path;
use std::sync::MutexGuard;
use std::time::Duration;

/// The token's PIN.
pub(crate) fn pin(arguments: &Arguments) -> Outcome<SecretString> {
    let pin = arguments.value("--pin").map_or_else(|| std::env::var("HALFKEY_PIN"), |pin| Ok(pin.into()));
    Ok(pin.map_err(|_| "a PIN is wanted: --pin, or HALFKEY_PIN")?.into())
}

/// A token and the server it is used with.
pub(crate) struct Holder {
    connector: Connector<SoftwareToken>,
    server: ServerName,
    address: String,
    die: Option<String>,
}

impl Holder {
    pub(crate) fn open(dir: &Path, arguments: &Arguments) -> Outcome<Self> {
        let path = dir.join("token.sealed");
        let pin = pin(arguments)?;
        let quick = arguments.has("--quick");
        let settings = if quick { PinSettings::for_tests() } else { PinSettings::default() };
        let token = match SoftwareToken::open(&path, settings, Box::new(SystemRandom)) {
            Ok(mut token) => {
                token.unlock(&pin)?;
                token
            }
            Err(FileError::NotFound) => {
                let anchors = std::fs::read_to_string(arguments.required("--anchor")?)?;
                let anchors = TrustAnchors::from_pem(&anchors)?;
                let random = Box::new(SystemRandom);
                let (token, code) = SoftwareToken::create(&path, anchors, &pin, settings, random)?;
                say(format_args!(
                    "a blank token; its unblocking code, to be put away: {}",
                    code.reveal().as_str()
                ));
                token
            }
            Err(error) => return Err(format!("{}: {error}", path.display()).into()),
        };
        let dir = dir.to_owned();
        let apply = move |application: &ApplicationName, done: &Instruction| install(&dir, application, done);
        Ok(Self {
            connector: Connector::builder(token).on_configuration(apply).build(),
            server: ServerName::normalise(arguments.value("--server").unwrap_or("gate.example"))?,
            address: arguments.value("--connect").unwrap_or("127.0.0.1:4400").into(),
            die: arguments.value("--die").map(Into::into),
        })
    }

    /// The token, under its lock.
    pub(crate) fn token(&self) -> MutexGuard<'_, SoftwareToken> {
        self.connector.token()
    }

    fn connect(&self) -> Outcome<Mortal> {
        let stream =
            TcpStream::connect(&self.address).map_err(|error| format!("{}: {error}", self.address))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_write_timeout(Some(Duration::from_secs(30)))?;
        Ok(Mortal::new(stream, self.die.clone()))
    }

    /// The registrations with this server, the newest last.
    fn registrations(&self) -> Outcome<Vec<TokenRegistration>> {
        let all = self.token().registrations()?;
        Ok(all.into_iter().filter(|one| one.server_name == self.server).collect())
    }

    /// Those of them that the server has not ended, as far as the token knows.
    fn good(&self) -> Outcome<Vec<TokenRegistration>> {
        let good = |one: &TokenRegistration| matches!(one.not_active, None | Some(Word::Suspended));
        Ok(self.registrations()?.into_iter().filter(good).collect())
    }

    pub(crate) fn newest(&self) -> Outcome<TokenRegistration> {
        self.registrations()?.pop().ok_or_else(|| format!("not registered with {}", self.server).into())
    }

    pub(crate) fn register(&self, arguments: &Arguments) -> Outcome {
        if let Some(active) = self.good()?.iter().find(|one| one.progress == Progress::Active) {
            if arguments.has("--replace") {
                // A key that the server refuses cannot be renewed: another proof is wanted.
                let code = ActivationCode::parse(arguments.required("--code")?)?;
                return self.apply(arguments, Credential::Activation(code), Some(active.key_id));
            }
            say(format_args!(
                "registered already, as {}; --replace registers beside that key",
                active.user_id
            ));
            return self.resume();
        }
        self.resume()?;
        if !self.good()?.is_empty() {
            return Ok(());
        }
        if self.waiting()? {
            return Ok(());
        }
        let credential = match arguments.value("--code") {
            Some(code) => Credential::Activation(ActivationCode::parse(code)?),
            None => Credential::None,
        };
        self.apply(arguments, credential, None)
    }

    pub(crate) fn renew(&self, arguments: &Arguments) -> Outcome {
        self.resume()?;
        let old = self.newest()?.key_id;
        self.apply(arguments, Credential::Renewal(old), None)
    }

    /// R0 to R5 with a form filled in from the command line.
    fn apply(&self, arguments: &Arguments, credential: Credential, replaces: Option<KeyId>) -> Outcome {
        let name = FieldValue::from(arguments.required("--name")?);
        let department = arguments.value("--department").map(|text| ("department", FieldValue::from(text)));
        let answers: Vec<_> = [("name", name)].into_iter().chain(department).collect();
        self.run(credential, replaces, |template| template.fill(answers))
    }

    fn run(
        &self,
        credential: Credential,
        replaces: Option<KeyId>,
        fill: impl FnOnce(&Template) -> Result<Form, FormError>,
    ) -> Outcome {
        let filled = |who: &VerifiedServer, form: &Template| {
            say(format_args!(
                "{} is who it says it is, and wants {} field(s)",
                who.name(),
                form.fields.len()
            ));
            Ok((fill(form)?, credential))
        };
        let stream = self.connect()?;
        let options = RegisterOptions { replaces, ..self.connector.options().clone() };
        self.ended(self.connector.register_with(stream, &self.server, options, filled)?)
    }

    /// Goes on with what an earlier run left unfinished: half a registration, one that waits for the
    /// operator, or one that the server may not have confirmed.
    pub(crate) fn resume(&self) -> Outcome {
        let now = UnixTime::now();
        self.abandon(|holder, attempt| {
            let over = match attempt {
                Attempt::InFlight(half) => half.resend.is_over(now),
                Attempt::Waiting(waiting) => waiting.hold.is_over(now),
            };
            Ok(over || holder.settled(renews(attempt))?)
        })?;
        for attempt in self.attempts()? {
            match attempt {
                Attempt::Waiting(waiting) if waiting.retry.left(now) > 0 => {}
                Attempt::Waiting(waiting) => {
                    let form = waiting.form.clone();
                    self.run(Credential::Ticket(waiting), None, |_| Ok(form))?;
                }
                Attempt::InFlight(half) => {
                    say(format_args!("sending the same R2 again"));
                    match self.connector.resume(self.connect()?, half) {
                        Ok(registering) => self.ended(registering)?,
                        // Nobody vouches for such an answer, so the run is kept until its deadline;
                        // a new one may begin beside it.
                        Err(ConnectError::Exchange(TokenExchangeError::Registration(
                            error
                            @ (TokenRegistrationError::Sealed | TokenRegistrationError::ErrorMessage(_)),
                        ))) => say(format_args!("that run leads nowhere now: {error}")),
                        Err(error) => return Err(error.into()),
                    }
                }
            }
        }
        for joined in self.registrations()? {
            if let Progress::Joined { .. } = joined.progress {
                say(format_args!("sending R4 again"));
                let key_id = joined.key_id;
                match self.connector.confirm(self.connect()?, joined) {
                    Ok(registering) => self.ended(registering)?,
                    // After the first session R4 is no longer known; a session settles it as well.
                    Err(ConnectError::Exchange(TokenExchangeError::Registration(
                        TokenRegistrationError::ErrorMessage(_),
                    ))) => {
                        drop(self.enter(&key_id)?.close()?);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        self.waiting().map(drop)
    }

    /// The attempts with this server.
    fn attempts(&self) -> Outcome<Vec<Attempt>> {
        let server = |attempt: &Attempt| match attempt {
            Attempt::InFlight(half) => half.server_name == self.server,
            Attempt::Waiting(waiting) => waiting.server_name == self.server,
        };
        Ok(self.token().attempts()?.into_iter().filter(server).collect())
    }

    fn abandon(&self, wanted: impl Fn(&Self, &Attempt) -> Outcome<bool>) -> Outcome {
        for attempt in self.attempts()? {
            if wanted(self, &attempt)? {
                self.token().abandon(attempt.txn())?;
            }
        }
        Ok(())
    }

    /// Returns true if a run has nothing left to do: another run registered, or renewed that key.
    fn settled(&self, renews: Option<KeyId>) -> Outcome<bool> {
        let all = self.good()?;
        Ok(renews.map_or(!all.is_empty(), |old| all.iter().all(|one| one.key_id != old)))
    }

    fn waiting(&self) -> Outcome<bool> {
        let retry = self.attempts()?.into_iter().find_map(|attempt| match attempt {
            Attempt::Waiting(waiting) => Some(waiting.retry),
            Attempt::InFlight(_) => None,
        });
        if let Some(retry) = retry {
            let seconds = retry.left(UnixTime::now());
            say(format_args!("the operator has not decided; ask again in {seconds} s"));
        }
        Ok(retry.is_some())
    }

    fn ended(&self, registering: RegistrationOutcome) -> Outcome {
        match registering {
            RegistrationOutcome::Active(one) => {
                self.abandon(|holder, attempt| holder.settled(renews(attempt)))?;
                let path = one.access_path.as_str();
                say(format_args!("registered as {} at {path}, key {}", one.user_id, one.key_id));
            }
            RegistrationOutcome::Waiting(waiting) => {
                // It takes the place of the ticket that was used.
                let old =
                    |attempt: &Attempt| *attempt.txn() != waiting.txn && renews(attempt) == waiting.renews;
                self.abandon(|_, attempt| Ok(matches!(attempt, Attempt::Waiting(_)) && old(attempt)))?;
                let seconds = waiting.retry.left(UnixTime::now());
                say(format_args!("the operator has to decide; ask again in {seconds} s"));
            }
            RegistrationOutcome::Refused(why) => {
                return Err(format!("refused: {} {:?}", why.code, why.fields).into());
            }
            RegistrationOutcome::Lost => {
                return Err("another registration took the name or the code first".into());
            }
        }
        Ok(())
    }

    /// Opens a session, by the alias or, where the server does not know that any more, by the key id.
    pub(crate) fn enter(&self, key_id: &KeyId) -> Outcome<ClientSession<Mortal>> {
        match self.connector.open(self.connect()?, key_id) {
            Err(ConnectError::NotActive(word)) => Err(barred(word).into()),
            opened => Ok(opened?),
        }
    }
}

/// Puts a configuration into a file of the directory.
fn install(dir: &Path, application: &ApplicationName, instruction: &Instruction) -> Applying {
    // The server names the application, and a name may be anything: here it names a file.
    let fit = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let file = dir.join(format!("{application}.conf"));
    let done = match instruction {
        _ if !application.as_str().chars().all(fit) => false,
        Instruction::Install(document) => replace(&file, &document.body).is_ok(),
        Instruction::Remove => std::fs::remove_file(&file).is_ok() || !file.exists(),
    };
    if done { Applying::Applied } else { Applying::Failed }
}

/// The earlier key that a run renews.
const fn renews(attempt: &Attempt) -> Option<KeyId> {
    match attempt {
        Attempt::InFlight(half) => half.renews,
        Attempt::Waiting(waiting) => waiting.renews,
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
