//! One gate: registrations with it, and sessions.

use crate::agent::Agent;
use crate::answers::Asker;
use crate::dial::Dialer;
use crate::failure::Failure;
use crate::state::{Made, State};
use halfkey::configuration::token::{Applying, Instruction};
use halfkey::port::{Token, TokenError};
use halfkey::record::{Attempt, Progress, TokenRegistration, Waiting};
use halfkey::registration::token::Credential;
use halfkey::software::SoftwareToken;
use halfkey::tokio::{ClientSession, ConnectError, Connector, RegisterOptions, RegistrationOutcome};
use halfkey::{ApplicationName, KeyId, ServerName, UnixTime};
use halfkey_service::{APPLICATION, MEDIA_TYPE, Services};
use std::future::ready;
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};

/// Sessions that are opened at once where a lost alias can be made up for by the key's id.
const OPENING: usize = 16;

/// A session with a gate.
pub(crate) type Session = ClientSession<TcpStream>;

/// One gate.
pub(crate) struct Gate {
    pub(crate) server: ServerName,
    connector: Connector<SoftwareToken>,
    dialer: Dialer,
    pub(crate) state: Arc<State>,
    /// Told when a configuration has come.
    pub(crate) configured: Arc<Notify>,
    opening: Semaphore,
    alone: Semaphore,
}

/// How a registration stands.
#[derive(Debug)]
pub(crate) enum Standing {
    /// It is there.
    Active(Box<TokenRegistration>),
    /// The operator has not decided; the number of seconds until it is of use to ask.
    Waiting(u64),
}

impl Gate {
    pub(crate) fn new(agent: &Agent, server: ServerName) -> Self {
        let configured = Arc::new(Notify::new());
        let (state, name) = (Arc::clone(&agent.state), server.clone());
        let apply = move |application: &ApplicationName, instruction: &Instruction| {
            apply(&state, &name, application, instruction)
        };
        let come = Arc::clone(&configured);
        Self {
            server,
            connector: Connector::builder_shared(Arc::clone(&agent.token))
                .on_configuration(apply)
                .on_configured(move |_, _| come.notify_one())
                .build(),
            dialer: agent.dialer.clone(),
            state: Arc::clone(&agent.state),
            configured,
            opening: Semaphore::new(OPENING),
            alone: Semaphore::new(1),
        }
    }

    pub(crate) fn failed(&self, error: impl Into<ConnectError>) -> Failure {
        Failure::Gate { server: self.server.clone(), source: error.into() }
    }

    /// Connects to the gate.
    pub(crate) async fn dial(&self) -> io::Result<TcpStream> {
        let known = self.state.known(&self.server).filter(|known| !known.address.is_empty());
        let none = || io::Error::new(io::ErrorKind::NotFound, "its address is not known: enrol again");
        self.dialer.dial(&known.ok_or_else(none)?.address).await
    }

    /// The registrations with this gate, the newest first.
    async fn registrations(&self) -> Result<Vec<TokenRegistration>, ConnectError> {
        let all = self.connector.with_token(|token| token.registrations()).await??;
        Ok(all.into_iter().rev().filter(|one| one.server_name == self.server).collect())
    }

    /// The registration that sessions are opened with: an active one before one that may become active.
    pub(crate) async fn registration(&self) -> Result<Option<TokenRegistration>, ConnectError> {
        let all = self.registrations().await?;
        let active = all.iter().find(|one| one.progress == Progress::Active && !one.is_dead());
        Ok(active.or_else(|| all.first()).cloned())
    }

    /// Registers, with the proof that the user has; and opens the first session.
    pub(crate) async fn enrol(
        &self,
        credential: Credential,
        asker: Asker,
    ) -> Result<(Standing, Option<Session>), Failure> {
        let refused = self.registration().await.map_err(|error| self.failed(error))?;
        let stream = self.dial().await.map_err(|error| self.failed(error))?;
        let (fill, answers) = asker.filler(credential);
        let enrolled = match refused.filter(|one| one.progress == Progress::Active) {
            None => self.connector.enrol(stream, &self.server, fill).await,
            Some(refused) => {
                let replaces = Some(refused.key_id);
                let options = RegisterOptions { replaces, ..self.connector.options().clone() };
                let replacing = self.connector.register_with(stream, &self.server, options, fill);
                replacing.await.map(|outcome| (outcome, None))
            }
        };
        let (outcome, session) = enrolled.map_err(|error| self.failed(error))?;
        let given = answers.given();
        self.state.note(&self.server, |known| known.answers = given)?;
        Ok((self.outcome(outcome)?, session))
    }

    /// Renews the registration's key. What `asker` does not know is answered as before.
    pub(crate) async fn renew(&self, mut asker: Asker) -> Result<Standing, Failure> {
        let mut answers = self.state.known(&self.server).unwrap_or_default().answers;
        answers.append(&mut asker.answers);
        asker.answers = answers;
        let failed = |error| self.failed(error);
        let all = self.registrations().await.map_err(failed)?;
        let none = || Failure::NoSuch(format!("there is no active registration with {}", self.server));
        let old = all.into_iter().find(|one| one.progress == Progress::Active).ok_or_else(none)?;
        let stream = self.dial().await.map_err(|error| self.failed(error))?;
        let (fill, answers) = asker.filler(Credential::Renewal(old.key_id));
        let outcome = self.connector.register(stream, &self.server, fill).await.map_err(failed)?;
        let given = answers.given();
        self.state.note(&self.server, |known| known.answers = given)?;
        self.outcome(outcome)
    }

    /// Goes on with what is unfinished: attempts that were cut short, and requests that wait for the operator.
    pub(crate) async fn go_on(&self) -> Result<Option<Standing>, Failure> {
        let failed = |error| self.failed(error);
        let mut standing = None;
        let ours = |server: ServerName| async move {
            if server == self.server { self.dial().await } else { Err(io::ErrorKind::Unsupported.into()) }
        };
        for end in self.connector.recover(ours).await.map_err(failed)? {
            if end.server_name == self.server {
                standing = Some(self.outcome(end.result.map_err(failed)?)?);
            }
        }
        for waiting in self.waiting().await.map_err(failed)? {
            let left = waiting.retry.left(UnixTime::now());
            standing = Some(if left > 0 { Standing::Waiting(left) } else { self.ask_again(waiting).await? });
        }
        Ok(standing)
    }

    /// Returns the number of attempts that were cut short.
    pub(crate) async fn unfinished(&self) -> Result<usize, ConnectError> {
        let attempts = self.connector.with_token(|token| token.attempts()).await??;
        let ours =
            |attempt: &Attempt| matches!(attempt, Attempt::InFlight(one) if one.server_name == self.server);
        Ok(attempts.iter().filter(|attempt| ours(attempt)).count())
    }

    async fn ask_again(&self, waiting: Waiting) -> Result<Standing, Failure> {
        let stream = self.dial().await.map_err(|error| self.failed(error))?;
        let fill = |_, _| ready(Ok((waiting.form.clone(), Credential::Ticket(waiting))));
        let outcome = self.connector.register(stream, &self.server, fill).await;
        self.outcome(outcome.map_err(|error| self.failed(error))?)
    }

    /// The requests that wait for the operator of this gate.
    pub(crate) async fn waiting(&self) -> Result<Vec<Waiting>, ConnectError> {
        let attempts = self.connector.with_token(|token| token.attempts()).await??;
        let ours = |attempt| match attempt {
            Attempt::Waiting(waiting) if waiting.server_name == self.server => Some(waiting),
            _ => None,
        };
        Ok(attempts.into_iter().filter_map(ours).collect())
    }

    fn outcome(&self, outcome: RegistrationOutcome) -> Result<Standing, Failure> {
        let refused = |why| Failure::Refused { server: self.server.clone(), why };
        match outcome {
            RegistrationOutcome::Active(registration) => {
                let made = Made { key_id: registration.key_id, at: UnixTime::now().as_secs() };
                self.state.note(&self.server, |known| {
                    (known.made, known.moved, known.given) = (Some(made), false, false);
                })?;
                Ok(Standing::Active(Box::new(registration)))
            }
            RegistrationOutcome::Waiting(waiting) => {
                Ok(Standing::Waiting(waiting.retry.left(UnixTime::now())))
            }
            RegistrationOutcome::Refused(why) => Err(refused(format!("the operator refuses: {}", why.code))),
            RegistrationOutcome::Lost => {
                Err(refused("another registration took the name or the code first".into()))
            }
        }
    }

    /// Opens a session over a connection.
    pub(crate) async fn open(&self, stream: TcpStream) -> Result<Session, ConnectError> {
        let registration = self.registration().await?;
        let registration = registration.ok_or(TokenError::NoSuchKey)?;
        // A key that answers to its alias alone has one alias at a time.
        let turn = if registration.policy.allow_key_id { &self.opening } else { &self.alone };
        let _turn = turn.acquire().await.map_err(|_| ConnectError::Ended)?;
        self.connector.open(stream, &self.key_now(registration).await?).await
    }

    /// The alias may have changed meanwhile, but the key has not, unless it was renewed.
    async fn key_now(&self, before: TokenRegistration) -> Result<KeyId, ConnectError> {
        Ok(self.registration().await?.unwrap_or(before).key_id)
    }

    /// The services in force, and the number of seconds for which they are; none for without end.
    pub(crate) async fn services(&self) -> Result<(Services, Option<u64>), ConnectError> {
        let Some(registration) = self.registration().await? else { return Ok((Services::default(), None)) };
        let Ok(application) = ApplicationName::new(APPLICATION) else { return Ok(Default::default()) };
        let now = UnixTime::now();
        let in_force = registration.progress == Progress::Active && registration.not_active.is_none();
        let held = registration.configuration(&application).filter(|_| in_force);
        let held = held.filter(|held| held.in_force(now, registration.clock_floor));
        let known = self.state.known(&self.server);
        let services = held.zip(known).and_then(|(held, known)| {
            let list = Services::read(known.services_of(&held.digest)?.as_bytes()).ok()?;
            Some((list, held.valid.map(|valid| valid.left(now))))
        });
        Ok(services.unwrap_or_default())
    }

    /// Forgets the gate: keys, attempts, address and list.
    pub(crate) async fn forget(&self) -> Result<(), Failure> {
        let server = self.server.clone();
        let removed = self.connector.with_token(move |token| {
            for attempt in token.attempts()? {
                let of = match &attempt {
                    Attempt::InFlight(attempt) => &attempt.server_name,
                    Attempt::Waiting(attempt) => &attempt.server_name,
                };
                if *of == server {
                    token.abandon(attempt.txn())?;
                }
            }
            for registration in token.registrations()? {
                if registration.server_name == server {
                    token.remove(&registration.key_id)?;
                }
            }
            Ok::<_, TokenError>(())
        });
        removed.await.map_err(|error| self.failed(error))??;
        self.state.change(|gates| drop(gates.remove(&self.server)))
    }
}

/// Keeps a list of services that can be used. What is in force is what the token has the digest of.
fn apply(
    state: &State,
    server: &ServerName,
    application: &ApplicationName,
    instruction: &Instruction,
) -> Applying {
    if application.as_str() != APPLICATION {
        return Applying::Failed;
    }
    let body = match instruction {
        Instruction::Remove => None,
        Instruction::Install(document) => {
            let list = String::from_utf8(document.body.clone()).ok();
            match list
                .filter(|list| document.media_type == MEDIA_TYPE && Services::read(list.as_bytes()).is_ok())
            {
                None => return Applying::Failed,
                list => list,
            }
        }
    };
    match state.note(server, |known| known.services = body) {
        Ok(()) => Applying::Applied,
        Err(_) => Applying::Failed,
    }
}
