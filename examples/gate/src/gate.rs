//! The gate: its parts put together, its listeners, and its end.

use crate::access::Access;
use crate::config::{Config, ConfigError, Granted, Registration};
use crate::observe::Door;
use crate::pages;
use crate::serve::Serving;
use crate::store::{self, Kept, KeptError};
use crate::watch::{self, Watch};
use halfkey::memory::Server;
use halfkey::policy::Policy;
use halfkey::registration::RejectionCode;
use halfkey::registration::server::{Decision, EnrolmentProof, EnrolmentRequest, Grant};
use halfkey::server_files::{Ready, ServerFiles, ServerFilesError};
use halfkey::tokio::{Acceptor, Limits};
use halfkey::{SystemRandom, UnixTime};
use halfkey_common::Program;
use halfkey_common::file::FileError;
use halfkey_common::store::Place;
use halfkey_service::listen;
use metrics_exporter_prometheus::PrometheusHandle;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Days for which entries of the log are kept.
const EVENTS_DAYS: u32 = 90;
/// Between two looks whether all connections have ended, when the gate is stopped.
const LOOK: Duration = Duration::from_millis(50);
/// Time for what is open still to be closed in order after that.
const CLOSING: Duration = Duration::from_secs(1);
/// Seconds after which an applicant who waits for the operator asks again. It costs both sides a registration's
/// arithmetic each time.
const RETRY_SECS: u32 = 15;

/// A gate that does not begin, or ends by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The server's secrets, keys and certificate.
    #[error(transparent)]
    Files(#[from] ServerFilesError),
    /// There is no certificate yet.
    #[error(
        "no certificate yet: have the issuer answer {0}, and put the answer beside it as certificate.pem"
    )]
    Uncertified(PathBuf),
    /// The store.
    #[error(transparent)]
    Store(#[from] KeptError),
    /// A file with a storage key.
    #[error(transparent)]
    Key(#[from] FileError),
    /// A setting of the server.
    #[error(transparent)]
    Settings(#[from] halfkey::SettingsError),
    /// A name.
    #[error(transparent)]
    Name(#[from] halfkey::NameError),
    /// A listener.
    #[error("{0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The operating system.
    #[error("the operating system")]
    System(#[from] io::Error),
}

/// A gate that listens.
pub struct Gate {
    addresses: Vec<SocketAddr>,
    operator: Option<SocketAddr>,
    control: tokio::sync::watch::Sender<Wanted>,
    running: tokio::task::JoinHandle<()>,
}

/// Task of a running gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wanted {
    Serve,
    Reload(u32),
    Stop,
}

impl Gate {
    /// Reads the files of a gate, as [`Gate::begin`] does, and begins nothing.
    ///
    /// # Errors
    /// [`GateError`].
    pub fn files(config: &Config) -> Result<Ready, GateError> {
        match ServerFiles::load_or_create(&config.directory, &config.server.name, &mut SystemRandom)? {
            ServerFiles::Ready(ready) => Ok(ready),
            ServerFiles::Uncertified(_) => Err(GateError::Uncertified(config.directory.join("request.pem"))),
        }
    }

    /// Begins a gate. `reread` reads its configuration anew when it is told to reload.
    ///
    /// # Errors
    /// [`GateError`].
    pub async fn begin(
        config: Config,
        program: Program,
        metrics: Option<PrometheusHandle>,
        reread: impl Fn() -> Result<Config, ConfigError> + Send + 'static,
    ) -> Result<Self, GateError> {
        let keys = store::keys(&config, program)?;
        match config.store.place.clone() {
            Place::File(file) => {
                let store = store::sqlite(&config.path(&file), keys)?;
                Self::over(config, store, metrics, reread).await
            }
            Place::Database(settings) => {
                let store = store::postgres(&config.store, &settings, keys).await?;
                Self::over(config, store, metrics, reread).await
            }
        }
    }

    async fn over<K: Kept>(
        config: Config,
        store: K,
        metrics: Option<PrometheusHandle>,
        reread: impl Fn() -> Result<Config, ConfigError> + Send + 'static,
    ) -> Result<Self, GateError> {
        let files = Self::files(&config)?;
        if let Some(error) = files.expired(UnixTime::now()) {
            tracing::warn!(error = halfkey_common::sentence(&error), "nobody can register");
        }
        let mut options = config.server.clone();
        options.open_registration &=
            matches!(config.registration.grant, Granted::Approved | Granted::Everybody);
        let settings = files.configured(options)?;
        let server = Arc::new(files.server(&settings, SystemRandom)?);
        let door = Arc::new(Door::new(&config.limits));
        let acceptor = Acceptor::builder(settings, Arc::clone(&server), store.clone())
            .approval(approval(&config.registration, config.server.policy))
            .observer(Arc::clone(&door))
            .limits(limits(&config))
            .build();
        let access = Arc::new(Access::new(store.clone())?);
        let serving = Serving {
            acceptor: acceptor.clone(),
            access: Arc::clone(&access),
            services: Arc::new(RwLock::new(Arc::new(config.services.clone()))),
            opening: Duration::from_secs(config.limits.opening),
        };
        let mut listeners = Vec::new();
        for address in &config.listen {
            listeners.push(listen(*address).map_err(|error| GateError::Listen(*address, error))?);
        }
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
        let state = pages::State::new(store.clone(), Arc::clone(&access), Arc::clone(&server), metrics);
        let (mut tasks, mut doors, mut operator) = (JoinSet::new(), JoinSet::new(), None);
        if let Some(address) = config.operator.listen {
            let listener = listen(address).map_err(|error| GateError::Listen(address, error))?;
            operator = Some(listener.local_addr()?);
            tasks.spawn(pages::serve(listener, state.clone()));
        }
        for listener in listeners {
            doors.spawn(accept(listener, serving.clone()));
        }
        tasks.spawn(Watch::new(Arc::clone(&access), store.clone(), acceptor.clone()).run());
        tasks.spawn(watch::purge(store, config.operator.events_days.unwrap_or(EVENTS_DAYS)));
        tasks.spawn(tidy(Arc::clone(&door)));
        let (control, wanted) = tokio::sync::watch::channel(Wanted::Serve);
        let running = Running { acceptor, server, door, services: serving.services, reread, tasks, doors };
        let drain = Duration::from_secs(config.limits.drain);
        let running = tokio::spawn(running.run(wanted, drain, access, state));
        Ok(Self { addresses, operator, control, running })
    }

    /// The addresses that agents connect to.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The operator's address.
    #[must_use]
    pub const fn operator(&self) -> Option<SocketAddr> {
        self.operator
    }

    /// Reads configuration, certificates and services anew. What is no good is told in the log, and nothing changes.
    pub fn reload(&self) {
        self.control.send_modify(|wanted| {
            *wanted = match *wanted {
                Wanted::Reload(count) => Wanted::Reload(count.wrapping_add(1)),
                Wanted::Serve => Wanted::Reload(0),
                Wanted::Stop => Wanted::Stop,
            }
        });
    }

    /// Stops: nobody is let in any more, agents are sent away, connections to services may end by themselves for a while,
    /// and are then cut off.
    pub async fn stop(self) {
        self.control.send_replace(Wanted::Stop);
        let _ = self.running.await;
    }
}

/// A running gate's parts.
struct Running<R> {
    acceptor: Acceptor,
    server: Arc<Server>,
    door: Arc<Door>,
    services: Arc<RwLock<Arc<std::collections::BTreeMap<halfkey_service::ServiceName, crate::Service>>>>,
    reread: R,
    tasks: JoinSet<()>,
    /// Those that let connections in.
    doors: JoinSet<()>,
}

impl<R: Fn() -> Result<Config, ConfigError> + Send + 'static> Running<R> {
    async fn run<K: Kept>(
        mut self,
        mut wanted: tokio::sync::watch::Receiver<Wanted>,
        drain: Duration,
        access: Arc<Access<K>>,
        state: pages::State<K>,
    ) {
        loop {
            let changed = wanted.changed().await;
            let now = *wanted.borrow_and_update();
            match now {
                Wanted::Reload(_) if changed.is_ok() => self.reload(),
                Wanted::Serve if changed.is_ok() => {}
                _ => break,
            }
        }
        state.leaving();
        self.doors.shutdown().await;
        access.send_away();
        let drained = async {
            while access.count().1 > 0 {
                tokio::time::sleep(LOOK).await;
            }
        };
        let _ = tokio::time::timeout(drain, drained).await;
        let left = self.acceptor.shutdown(CLOSING).await;
        tracing::info!(sessions_cut_off = left, "stopped");
        self.tasks.shutdown().await;
    }

    fn reload(&self) {
        match self.reloaded() {
            Ok(()) => tracing::info!("reloaded: certificates, services, limits"),
            Err(error) => tracing::error!(error = halfkey_common::sentence(&error), "not reloaded"),
        }
    }

    fn reloaded(&self) -> Result<(), GateError> {
        let config = (self.reread)()?;
        Gate::files(&config)?.renew(&self.server)?;
        self.door.limit(&config.limits);
        self.acceptor.limit_connections(config.limits.connections, config.limits.connections_per_peer);
        *self.services.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config.services);
        Ok(())
    }
}

fn limits(config: &Config) -> Limits {
    let from = &config.limits;
    let mut limits = Limits::default();
    limits.first_frame = Duration::from_secs(from.first_frame);
    limits.frame = Duration::from_secs(from.frame);
    limits.write = Duration::from_secs(from.write);
    limits.silence = from.silence.map(Duration::from_secs);
    limits.connections = from.connections;
    limits.connections_per_peer = from.connections_per_peer;
    limits
}

/// The operator's answer to whoever asks to be registered. Who has no code is refused before, unless everybody is
/// granted access, or may wait for the operator's approval in the store.
fn approval(
    registration: &Registration,
    policy: Policy,
) -> impl Fn(&EnrolmentRequest) -> Decision + Send + Sync + 'static {
    let Registration { grant, access_path } = registration.clone();
    move |request| {
        let access_path = match (&request.proof, grant) {
            (EnrolmentProof::Renewal(earlier), _) => earlier.access_path.clone(),
            (EnrolmentProof::None, Granted::Approved) if !request.approved => {
                return Decision::Wait { retry_after: RETRY_SECS };
            }
            (_, Granted::Code | Granted::Approved | Granted::Everybody) => access_path.clone(),
            (_, Granted::Nobody) => return Decision::Refuse(RejectionCode::Declined),
        };
        Decision::Grant(Grant { user_id: None, access_path, policy })
    }
}

async fn accept<K: Kept>(listener: TcpListener, serving: Serving<K>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let serving = serving.clone();
                tokio::spawn(async move {
                    if let Err(error) = serving.connection(stream).await {
                        tracing::debug!(%peer, error = halfkey_common::sentence(&error), "a connection ends");
                    }
                });
            }
            // Out of file descriptors, say: let some connections end.
            Err(error) => {
                tracing::error!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Forgets peers that have not come for a while, for ever.
async fn tidy(door: Arc<Door>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(60));
    loop {
        ticks.tick().await;
        door.forget();
    }
}

/// The days for which there is a certificate to be offered.
pub(crate) fn days_left(server: &Server) -> Option<u64> {
    let now = UnixTime::now();
    let until = server.offered_until(now)?;
    Some(until.as_secs().saturating_sub(now.as_secs()) / 86_400)
}
