//! A registration from page to page: what it has come to, and the task that carries it on.

use crate::agent::Agent;
use crate::answers::{Asker, Person, Question};
use crate::enrol::register;
use crate::failure::Failure;
use crate::gate::Standing;
use halfkey::registration::EnrolmentUri;
use halfkey::{ServerName, UserId};
use halfkey_common::{Exit, ProgramError, sentence};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use zeroize::Zeroizing;

/// Time that an answer to a form waits for what becomes of it, before the page says that it is under way.
const SOON: Duration = Duration::from_secs(3);
/// Longest time between two questions to an operator, and time after which a gate is tried again, in seconds.
const ASK: u64 = 60;

/// Stage of a registration.
#[derive(Debug, Default)]
pub(super) enum Stage {
    /// There is none.
    #[default]
    Nothing,
    /// An invitation is read, and the PIN is wanted; what was wrong with the last one.
    Invited(Option<String>),
    /// Something is under way.
    Working(&'static str),
    /// A new token was made, whose unblocking code is shown until the person goes on.
    Code(Zeroizing<String>),
    /// The gate asks.
    Asking(Box<Question>),
    /// The operator is to decide.
    Waiting(ServerName),
    /// It is there.
    Done(ServerName, UserId),
    /// It did not get through. It may be tried again.
    Failed(String),
}

#[derive(Default)]
struct Inner {
    stage: Stage,
    uri: Option<Arc<EnrolmentUri>>,
    /// Held while it is of use: no other process has the token meanwhile.
    agent: Option<Agent>,
    answers: BTreeMap<String, String>,
    task: Option<AbortHandle>,
    /// Number of the task; an earlier one has nothing to say any more.
    run: u64,
}

/// A registration, or none.
pub(super) struct Flow {
    inner: Mutex<Inner>,
    changed: watch::Sender<()>,
}

impl Flow {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { inner: Mutex::default(), changed: watch::Sender::new(()) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at what it has come to, and at the invitation.
    pub(super) fn look<R>(&self, look: impl FnOnce(&Stage, Option<&EnrolmentUri>) -> R) -> R {
        let inner = self.lock();
        look(&inner.stage, inner.uri.as_deref())
    }

    fn set(&self, run: u64, stage: Stage) {
        let mut inner = self.lock();
        if inner.run == run {
            if matches!(stage, Stage::Done(..)) {
                *inner = Inner { run, ..Inner::default() };
            }
            inner.stage = stage;
        }
        drop(inner);
        self.changed.send_replace(());
    }

    /// Waits until it is not under way, but not for long.
    pub(super) async fn settled(&self) {
        let mut changed = self.changed.subscribe();
        let settled = async {
            while self.look(|stage, _| matches!(stage, Stage::Working(_))) {
                if changed.changed().await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(SOON, settled).await;
    }

    /// Begins with an invitation, in place of whatever was.
    pub(super) fn invite(&self, uri: EnrolmentUri) {
        self.leave();
        let mut inner = self.lock();
        if matches!(inner.stage, Stage::Nothing) {
            (inner.uri, inner.stage) = (Some(Arc::new(uri)), Stage::Invited(None));
        }
    }

    /// Opens or makes the token, off the executor; where one is made, its unblocking code is shown next.
    pub(super) fn open(
        self: &Arc<Self>,
        open: impl FnOnce(&EnrolmentUri) -> Result<(Agent, Option<Zeroizing<String>>), Failure> + Send + 'static,
        failed: impl FnOnce(&Failure) + Send + 'static,
    ) {
        let mut inner = self.lock();
        let (Stage::Invited(_), Some(uri)) = (&inner.stage, inner.uri.clone()) else { return };
        inner.stage = Stage::Working("The token is being opened");
        inner.run = inner.run.wrapping_add(1);
        let (run, this) = (inner.run, Arc::clone(self));
        drop(inner);
        // Never cut short: the unblocking code of a token that was made is known here alone.
        tokio::task::spawn_blocking(move || match open(&uri) {
            Ok((agent, code)) => {
                let mut inner = this.lock();
                inner.agent = Some(agent);
                if let Some(code) = code {
                    drop(inner);
                    this.set(run, Stage::Code(code));
                } else {
                    this.connect(&mut inner);
                }
            }
            Err(failure) => {
                failed(&failure);
                this.set(run, Stage::Invited(Some(sentence(&failure))));
            }
        });
    }

    /// Connects to the gate of the invitation, for the first time or again.
    pub(super) fn go(self: &Arc<Self>) {
        let mut inner = self.lock();
        if matches!(inner.stage, Stage::Code(_) | Stage::Failed(_)) {
            self.connect(&mut inner);
        }
    }

    fn connect(self: &Arc<Self>, inner: &mut Inner) {
        let (Some(uri), Some(agent)) = (inner.uri.clone(), inner.agent.clone()) else { return };
        inner.stage = Stage::Working("The gate is being asked for its certificate");
        self.carry_on(inner, move |this, run| async move { this.register(run, agent, &uri).await });
    }

    /// Goes on with a registration that waits for the operator.
    pub(super) fn resume(self: &Arc<Self>, agent: Agent, server: ServerName) {
        self.take(agent, |this, run, agent| async move {
            this.wait(run, &agent, &server, Ok(Standing::Waiting(0))).await;
        });
    }

    /// Renews a key where the gate asks what it did not ask before.
    pub(super) fn renew(self: &Arc<Self>, agent: Agent, server: ServerName) {
        self.take(agent, |this, run, agent| async move {
            let gate = agent.gate(&server);
            let renew = |person| gate.renew(Asker { person, ..Asker::default() });
            let outcome = this.asked(run, renew).await;
            this.wait(run, &agent, &server, outcome).await;
        });
    }

    fn take<F: Future<Output = ()> + Send + 'static>(
        self: &Arc<Self>,
        agent: Agent,
        with: impl FnOnce(Arc<Self>, u64, Agent) -> F,
    ) {
        self.leave();
        let mut inner = self.lock();
        if !matches!(inner.stage, Stage::Nothing) {
            return;
        }
        inner.stage = Stage::Working("The gate is being asked");
        inner.agent = Some(agent.clone());
        self.carry_on(&mut inner, move |this, run| with(this, run, agent));
    }

    fn carry_on<F: Future<Output = ()> + Send + 'static>(
        self: &Arc<Self>,
        inner: &mut Inner,
        with: impl FnOnce(Arc<Self>, u64) -> F,
    ) {
        inner.run = inner.run.wrapping_add(1);
        let task = tokio::spawn(with(Arc::clone(self), inner.run));
        if let Some(earlier) = inner.task.replace(task.abort_handle()) {
            earlier.abort();
        }
    }

    /// Gives the gate's questions their answers. They are asked again with what is wrong.
    pub(super) fn answer(&self, answers: impl FnOnce(&Question) -> BTreeMap<String, String>) {
        let mut inner = self.lock();
        if !matches!(inner.stage, Stage::Asking(_)) {
            return;
        }
        let working = Stage::Working("The token registers");
        if let Stage::Asking(question) = std::mem::replace(&mut inner.stage, working) {
            let answers = answers(&question);
            inner.answers.clone_from(&answers);
            // Where nobody takes them, the task has its end to tell.
            let _ = question.reply.send(answers);
        }
    }

    /// Leaves it. What a gate was sent is gone on with another time.
    pub(super) fn leave(&self) {
        let mut inner = self.lock();
        let opening = matches!(inner.stage, Stage::Working(_)) && inner.agent.is_none();
        if opening {
            return;
        }
        if let Some(task) = inner.task.take() {
            task.abort();
        }
        *inner = Inner { run: inner.run.wrapping_add(1), ..Inner::default() };
    }

    async fn register(&self, run: u64, agent: Agent, uri: &EnrolmentUri) {
        let answers = self.lock().answers.clone();
        let outcome =
            self.asked(run, |person| register(&agent, uri, Asker { answers, name: None, person })).await;
        self.wait(run, &agent, uri.server(), outcome).await;
    }

    /// Registers with a person who is asked by the page.
    async fn asked<F>(&self, run: u64, register: impl FnOnce(Person) -> F) -> Result<Standing, Failure>
    where
        F: Future<Output = Result<Standing, Failure>>,
    {
        let (page, mut asked) = mpsc::channel(1);
        let mut registering = Box::pin(register(Person::Page(page)));
        loop {
            tokio::select! {
                outcome = &mut registering => return outcome,
                Some(question) = asked.recv() => self.set(run, Stage::Asking(Box::new(question))),
            }
        }
    }

    /// Asks again and again, where the operator is to decide.
    async fn wait(
        &self,
        run: u64,
        agent: &Agent,
        server: &ServerName,
        mut standing: Result<Standing, Failure>,
    ) {
        let gate = agent.gate(server);
        loop {
            let seconds = match standing {
                Ok(Standing::Active(one)) => return self.set(run, Stage::Done(server.clone(), one.user_id)),
                Ok(Standing::Waiting(seconds)) => seconds,
                Err(failure) => return self.set(run, Stage::Failed(sentence(&failure))),
            };
            self.set(run, Stage::Waiting(server.clone()));
            tokio::time::sleep(Duration::from_secs(seconds.clamp(1, ASK))).await;
            standing = match gate.go_on().await {
                Ok(Some(standing)) => Ok(standing),
                Ok(None) => Err(Failure::NoSuch(format!("nothing is unfinished with {server}"))),
                Err(failure) if failure.exit() == Exit::Unavailable => Ok(Standing::Waiting(ASK)),
                Err(failure) => Err(failure),
            };
        }
    }
}
