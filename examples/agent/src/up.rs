//! `halfkey up`: the agent that runs.

use crate::agent::{Agent, choose};
use crate::answers::Asker;
use crate::attend::{Attendant, Heed};
use crate::control::{REQUEST_MAX, Reply, Request, is_ours, read_line};
use crate::delay::watch_jumps;
use crate::failure::Failure;
use crate::gate::{Gate, Standing};
use crate::listen::Listeners;
use crate::presence;
use crate::report::Report;
use halfkey::ServerName;
use halfkey::configuration::UserInformation;
use halfkey::software::SecretString;
use halfkey_common::{ProgramError, sentence};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

/// The most requests at once.
const ASKERS: usize = 8;
/// Time for a request to come.
const PATIENCE: Duration = Duration::from_secs(10);

/// The agent that runs.
struct Running {
    agent: Agent,
    gates: Mutex<BTreeMap<ServerName, Watched>>,
    presence: watch::Receiver<UserInformation>,
    jumps: watch::Receiver<u64>,
    stop: Notify,
}

/// One gate, looked after by two tasks.
#[derive(Clone)]
struct Watched {
    gate: Arc<Gate>,
    attendant: Arc<Attendant>,
    listeners: Arc<Listeners>,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

/// Runs until it is told to stop.
pub(crate) async fn up(agent: Agent, place: presence::Place) -> Result<(), Failure> {
    let system = |error| Failure::file(&agent.place.control(), error);
    agent.place.make_run()?;
    let control = halfkey_service::listen_unix(&agent.place.control()).await.map_err(system)?;
    let hangup = signal(SignalKind::hangup()).map_err(system)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(system)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system)?;
    let (tell_place, presence) = watch::channel(place.information()?);
    let (tell_jumps, jumps) = watch::channel(0);
    let mut tasks = JoinSet::new();
    tasks.spawn(place.watch(tell_place, hangup));
    tasks.spawn(watch_jumps(tell_jumps));
    let servers = agent.servers()?;
    let running = Running { agent, gates: Mutex::default(), presence, jumps, stop: Notify::new() };
    let running = Arc::new(running);
    servers.iter().for_each(|server| running.watch(server));
    tasks.spawn(Arc::clone(&running).serve(control));
    tracing::info!(gates = servers.len(), "running");
    tokio::select! {
        () = running.stop.notified() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    let gates = std::mem::take(&mut *running.gates());
    for watched in gates.into_values() {
        watched.end().await;
    }
    tasks.shutdown().await;
    let _ = fs::remove_file(running.agent.place.control());
    Ok(())
}

impl Watched {
    async fn end(self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        self.listeners.shutdown().await;
    }
}

impl Running {
    fn gates(&self) -> MutexGuard<'_, BTreeMap<ServerName, Watched>> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, server: &ServerName) {
        let gate = self.agent.gate(server);
        let attendant = Arc::new(Attendant::new(Arc::clone(&gate)));
        let (presence, jumps) = (self.presence.clone(), self.jumps.clone());
        let listeners = Arc::new(Listeners::new(
            Arc::clone(&gate),
            self.agent.place.services(),
            presence.clone(),
            Arc::clone(&attendant.trouble),
        ));
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&listeners).run(jumps.clone()));
        tasks.spawn(Arc::clone(&attendant).run(Heed { presence, jumps }));
        let tasks = Arc::new(Mutex::new(tasks));
        self.gates().insert(server.clone(), Watched { gate, attendant, listeners, tasks });
    }

    fn one(&self, server: Option<&ServerName>) -> Result<Watched, Failure> {
        let gates = self.gates();
        let names: BTreeSet<_> = gates.keys().cloned().collect();
        let server = choose(&names, server)?;
        gates.get(&server).cloned().ok_or(Failure::NotRunning)
    }

    /// Answers requests, for ever.
    async fn serve(self: Arc<Self>, control: UnixListener) {
        let (mut asking, places) = (JoinSet::new(), Arc::new(Semaphore::new(ASKERS)));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            while asking.try_join_next().is_some() {}
            match control.accept().await {
                Ok((stream, _)) => {
                    let this = Arc::clone(&self);
                    asking.spawn(async move {
                        let _place = place;
                        if let Err(error) = this.asked(stream).await {
                            tracing::debug!(%error, "a request is not answered");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a request cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    async fn asked(&self, mut stream: UnixStream) -> io::Result<()> {
        if !is_ours(&self.agent.place, &stream)? {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let line = tokio::time::timeout(PATIENCE, read_line(&mut stream, REQUEST_MAX)).await??;
        let request = serde_json::from_slice(&line);
        drop(line);
        let stops = matches!(request, Ok(Request::Stop));
        let reply = match request {
            Ok(request) => Box::pin(self.perform(request)).await,
            Err(error) => Err(Failure::Usage(format!("not a request: {error}"))),
        };
        let reply = reply.unwrap_or_else(|error| Reply::Failed {
            error: sentence(&error),
            code: error.word().into(),
            exit: error.exit() as u8,
        });
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        let written = tokio::time::timeout(PATIENCE, stream.write_all(&line)).await;
        if stops {
            self.stop.notify_one();
        }
        written?
    }

    async fn perform(&self, request: Request) -> Result<Reply, Failure> {
        match request {
            Request::Status => self.status().await,
            Request::Renew { server, set } => self.renew(server.as_ref(), set).await,
            Request::Pin { old, new } => {
                let token = Arc::clone(&self.agent.token);
                let (old, new) = (SecretString::from(old.as_str()), SecretString::from(new.as_str()));
                let changed = tokio::task::spawn_blocking(move || {
                    token.lock().unwrap_or_else(PoisonError::into_inner).change_pin(&old, &new)
                });
                changed.await.map_err(|error| Failure::Control(error.into()))??;
                Ok(Reply::Done { server: None, waiting: None })
            }
            Request::Forget { server } => {
                let watched = self.one(server.as_ref())?;
                watched.gate.forget().await?;
                let server = watched.gate.server.clone();
                self.gates().remove(&server);
                watched.end().await;
                Ok(Reply::Done { server: Some(server), waiting: None })
            }
            Request::Stop => Ok(Reply::Done { server: None, waiting: None }),
        }
    }

    async fn status(&self) -> Result<Reply, Failure> {
        let (mut gates, watched) = (Vec::new(), self.gates().values().cloned().collect::<Vec<_>>());
        for watched in watched {
            let mut report = watched.attendant.report().await?;
            report.services = watched.listeners.report();
            gates.push(report);
        }
        let tries_left = Some(self.agent.token().tries_left());
        Ok(Reply::Status(Report { running: true, tries_left, gates }))
    }

    async fn renew(
        &self,
        server: Option<&ServerName>,
        answers: BTreeMap<String, String>,
    ) -> Result<Reply, Failure> {
        let watched = self.one(server)?;
        let waiting = match watched.gate.renew(Asker { answers, ..Asker::default() }).await? {
            Standing::Active(_) => {
                watched.attendant.again.notify_one();
                None
            }
            Standing::Waiting(seconds) => Some(seconds),
        };
        Ok(Reply::Done { server: Some(watched.gate.server.clone()), waiting })
    }
}
