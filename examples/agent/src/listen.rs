//! Listeners for the services in force, and the connections that come in there.

use crate::forward::carry;
use crate::gate::Gate;
use crate::report::ServiceReport;
use halfkey::configuration::UserInformation;
use halfkey_service::{Listen, Service, ServiceName};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

/// The most connections to one service at once.
const CONNECTIONS: usize = 1024;
/// Pause after the operating system has failed to accept.
const PAUSE: Duration = Duration::from_millis(100);
/// After which a list is looked at again in any case.
const LOOK: Duration = Duration::from_secs(30);
/// After which a listener that could not be opened is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// The listeners of a gate's services.
pub(crate) struct Listeners {
    gate: Arc<Gate>,
    directory: PathBuf,
    presence: watch::Receiver<UserInformation>,
    /// Told when a connection does not come about.
    trouble: Arc<Notify>,
    open: Mutex<BTreeMap<ServiceName, Open>>,
}

/// One listener. It and its connections end when this is dropped.
struct Open {
    listen: Listen,
    at: Result<String, String>,
    connections: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl Listeners {
    pub(crate) fn new(
        gate: Arc<Gate>,
        directory: PathBuf,
        presence: watch::Receiver<UserInformation>,
        trouble: Arc<Notify>,
    ) -> Self {
        Self { gate, directory, presence, trouble, open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<ServiceName, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the listeners as the list in force has them, for ever.
    pub(crate) async fn run(self: Arc<Self>, mut jumps: watch::Receiver<u64>) {
        loop {
            let left = match self.gate.services().await {
                Ok((services, left)) => {
                    let whole = self.reconcile(services.services).await;
                    let left = left.map_or(LOOK, |left| Duration::from_secs(left.saturating_add(1)));
                    if whole { left.min(LOOK) } else { left.min(AGAIN) }
                }
                Err(error) => {
                    tracing::warn!(error = halfkey_common::sentence(&error), "the token does not answer");
                    AGAIN
                }
            };
            tokio::select! {
                () = self.gate.configured.notified() => {}
                () = tokio::time::sleep(left) => {}
                _ = jumps.changed() => {}
            }
        }
    }

    /// Opens what is new, closes what is gone. Returns false where something could not be opened.
    async fn reconcile(self: &Arc<Self>, services: Vec<Service>) -> bool {
        let mut wanted: BTreeMap<_, _> =
            services.into_iter().map(|service| (service.name, service.listen)).collect();
        let gone = {
            let mut open = self.open();
            let (stay, gone): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut *open)
                .into_iter()
                .partition(|(name, open)| open.at.is_ok() && wanted.get(name) == Some(&open.listen));
            *open = stay;
            wanted.retain(|name, _| !open.contains_key(name));
            gone
        };
        for (name, gone) in gone {
            self.close(&name, gone).await;
        }
        let mut whole = true;
        for (name, listen) in wanted {
            let open = self.listen(name.clone(), listen).await;
            whole &= open.at.is_ok();
            self.open().insert(name, open);
        }
        whole
    }

    async fn close(&self, name: &ServiceName, mut gone: Open) {
        gone.tasks.shutdown().await;
        if let (Listen::Unix(socket), Ok(_)) = (&gone.listen, &gone.at) {
            let _ = std::fs::remove_file(self.directory.join(socket.as_str()));
        }
        if gone.at.is_ok() {
            tracing::info!(service = %name, "no more listening");
        }
    }

    /// Closes all.
    pub(crate) async fn shutdown(&self) {
        let gone = std::mem::take(&mut *self.open());
        for (name, gone) in gone {
            self.close(&name, gone).await;
        }
    }

    async fn listen(self: &Arc<Self>, name: ServiceName, listen: Listen) -> Open {
        let connections = Arc::<AtomicUsize>::default();
        let (bound, mut tasks) = (bind(&listen, &self.directory).await, JoinSet::new());
        let at = match bound {
            Ok((listener, at)) => {
                tracing::info!(service = %name, %at, "listening");
                let accepting = Arc::clone(self).accept(name, listener, Arc::clone(&connections));
                tasks.spawn(accepting);
                Ok(at)
            }
            Err(error) => {
                tracing::warn!(service = %name, %listen, %error, "cannot be listened on");
                Err(error.to_string())
            }
        };
        Open { listen, at, connections, tasks }
    }

    async fn accept(self: Arc<Self>, name: ServiceName, listener: Listener, count: Arc<AtomicUsize>) {
        let (mut carried, places) = (JoinSet::new(), Arc::new(Semaphore::new(CONNECTIONS)));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            while carried.try_join_next().is_some() {}
            match listener.accept().await {
                Ok(local) => {
                    let (this, name, count) = (Arc::clone(&self), name.clone(), Counted::new(&count));
                    carried.spawn(async move {
                        let (_place, _count) = (place, count);
                        match local {
                            Local::Tcp(mut local) => {
                                if !this.carry(&name, &mut local).await {
                                    // What was cut off must not look like its end.
                                    let _ = socket2::SockRef::from(&local).set_linger(Some(Duration::ZERO));
                                }
                            }
                            Local::Unix(mut local) => drop(this.carry(&name, &mut local).await),
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(service = %name, %error, "a connection cannot be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Returns false where the connection was cut off.
    async fn carry(&self, name: &ServiceName, local: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> bool {
        let information = self.presence.borrow().clone();
        match carry(&self.gate, name, &information, local).await {
            Ok((sent, received)) => {
                tracing::debug!(service = %name, sent, received, "a connection has ended")
            }
            Err(error) => {
                if error.is_gates() {
                    self.trouble.notify_one();
                }
                tracing::warn!(service = %name, error = halfkey_common::sentence(&error), "a connection is cut off");
                return false;
            }
        }
        true
    }

    /// Reports on the listeners.
    pub(crate) fn report(&self) -> Vec<ServiceReport> {
        let open = self.open();
        let reported = open.iter().map(|(name, open)| ServiceReport {
            name: name.clone(),
            listen: open.at.clone().unwrap_or_else(|_| open.listen.to_string()),
            error: open.at.clone().err(),
            connections: open.connections.load(Ordering::Relaxed),
        });
        reported.collect()
    }
}

struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

enum Local {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Listener {
    async fn accept(&self) -> io::Result<Local> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Local::Tcp(stream))
            }
            Self::Unix(listener) => Ok(Local::Unix(listener.accept().await?.0)),
        }
    }
}

/// Opens a listener, and says where.
async fn bind(listen: &Listen, directory: &Path) -> io::Result<(Listener, String)> {
    match listen {
        Listen::Tcp(address) => {
            let listener = halfkey_service::listen(*address)?;
            let at = listener.local_addr()?.to_string();
            Ok((Listener::Tcp(listener), at))
        }
        Listen::Unix(name) => {
            let path = directory.join(name.as_str());
            let listener = halfkey_service::listen_unix(&path).await?;
            Ok((Listener::Unix(listener), path.display().to_string()))
        }
    }
}
