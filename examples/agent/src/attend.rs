//! The control session with one gate: kept open, whatever happens to the network, the machine or the gate.

use crate::answers::Asker;
use crate::delay::Delay;
use crate::failure::Failure;
use crate::forward::{PATIENCE, said};
use crate::gate::{Gate, Session, Standing};
use crate::report::{GateReport, Link, barred};
use halfkey::configuration::UserInformation;
use halfkey::exchange::Configured;
use halfkey::record::TokenRegistration;
use halfkey::tokio::ConnectError;
use halfkey::{ApplicationName, UnixTime};
use halfkey_service::{APPLICATION, Answer, Opening, OpeningError};
use std::io;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// After which the gate is asked for the list again, also as a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(300);
/// Between two looks at the network and at what is due.
const LOOK: Duration = Duration::from_secs(2);
/// Time for a session from which on it counts as a success.
const STEADY: Duration = Duration::from_secs(10);
/// Pause before a connection that is made anew without a failure.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest time between two attempts at a gate that says that the registration is not active.
const BARRED: Duration = Duration::from_secs(600);
/// Seconds after which an operator is asked again, at the most.
const ASK: u64 = 3600;
/// Between two attempts at a renewal that is due.
const RENEW_AGAIN: Duration = Duration::from_secs(600);

/// Status of a gate.
#[derive(Clone, Debug, Default)]
struct Told {
    link: Link,
    reason: Option<String>,
}

/// The control session with one gate.
pub(crate) struct Attendant {
    gate: Arc<Gate>,
    /// Told when something else did not get through to the gate.
    pub(crate) trouble: Arc<Notify>,
    /// Told when the session is to be made anew.
    pub(crate) again: Notify,
    told: Mutex<Told>,
}

/// Changes that the attendant heeds.
#[derive(Clone)]
pub(crate) struct Heed {
    pub(crate) presence: watch::Receiver<UserInformation>,
    pub(crate) jumps: watch::Receiver<u64>,
}

/// Reason why a control session is left without a failure.
enum Left {
    /// It is to be made anew at once.
    Again(&'static str),
    /// There is none before the operator has decided; number of seconds.
    Waiting(u64),
    /// There is no registration, and none under way.
    Nothing,
}

impl Attendant {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        Self { gate, trouble: Arc::default(), again: Notify::new(), told: Mutex::default() }
    }

    /// Keeps the session open, for ever.
    pub(crate) async fn run(self: Arc<Self>, mut heed: Heed) {
        let (mut delay, mut refused) = (Delay::default(), None);
        loop {
            let begun = Instant::now();
            heed.jumps.borrow_and_update();
            self.tell(Link::Connecting, None);
            let left = Box::pin(self.once(&mut heed)).await;
            self.gate.configured.notify_one();
            if begun.elapsed() > STEADY {
                delay = Delay::default();
            }
            let pause = match left {
                Ok(Left::Again(why)) => {
                    tracing::info!(gate = %self.gate.server, why, "connecting anew");
                    PAUSE
                }
                Ok(Left::Waiting(seconds)) => {
                    self.tell(Link::Waiting, Some(format!("asking again in {seconds} s")));
                    Duration::from_secs(seconds.clamp(1, ASK))
                }
                Ok(Left::Nothing) => {
                    // What the operator has refused is nothing to go on with, and its user is to know.
                    self.tell(
                        Link::Refused,
                        refused.clone().or_else(|| Some("there is no registration".into())),
                    );
                    Duration::from_secs(ASK)
                }
                Err(failure) => {
                    if matches!(failure, Failure::Refused { .. }) {
                        refused = Some(halfkey_common::sentence(&failure));
                    }
                    self.after(&failure, &mut delay)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.again.notified() => delay = Delay::default(),
                _ = heed.jumps.changed() => delay = Delay::default(),
            }
        }
    }

    /// Tells of a failure, and says how long to wait.
    fn after(&self, failure: &Failure, delay: &mut Delay) -> Duration {
        let (link, reason) = match failure {
            Failure::Gate { source: ConnectError::NotActive(status), .. } => (Link::Refused, barred(*status)),
            Failure::Refused { .. } => (Link::Refused, halfkey_common::sentence(failure)),
            failure => (Link::Retrying, halfkey_common::sentence(failure)),
        };
        tracing::warn!(gate = %self.gate.server, reason, "not connected");
        let pause = delay.next();
        // It may be resumed, and nobody needs to know of that within a second.
        let pause = if link == Link::Refused { pause.saturating_mul(10).min(BARRED) } else { pause };
        self.tell(link, Some(reason));
        pause
    }

    fn tell(&self, link: Link, reason: Option<String>) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Told { link, reason };
    }

    async fn once(&self, heed: &mut Heed) -> Result<Left, Failure> {
        let failed = |error| self.gate.failed(error);
        let unfinished = self.gate.go_on().await;
        let registration = self.gate.registration().await.map_err(failed)?;
        let Some(registration) = registration else {
            return Ok(match unfinished? {
                Some(Standing::Waiting(seconds)) => Left::Waiting(seconds),
                Some(Standing::Active(_)) => Left::Again("registered"),
                None => Left::Nothing,
            });
        };
        if let Err(error) = unfinished {
            // Another attempt stands beside the registration.
            tracing::warn!(error = halfkey_common::sentence(&error), "an attempt does not go on");
        }
        if self.renewal(&registration).is_some_and(|due| due <= UnixTime::now()) {
            self.renew().await;
        }
        let stream = self.gate.dial().await.map_err(|error| self.gate.failed(error))?;
        let session = self.gate.open(stream).await.map_err(failed)?;
        self.attend(session, heed).await
    }

    /// When the key is to be renewed: when two thirds of its time are over, or at once where it is not known when it
    /// was made, or it came from another machine. One that was given to another machine is that one's to renew.
    fn renewal(&self, registration: &TokenRegistration) -> Option<UnixTime> {
        let known = self.gate.state.known(&self.gate.server).unwrap_or_default();
        if known.given {
            return None;
        }
        if known.moved {
            return Some(UnixTime::default());
        }
        let lifetime = u64::from(registration.policy.lifetime?);
        let made = known.made_at(&registration.key_id);
        Some(made.map_or_else(UnixTime::default, |made| made.after(lifetime.saturating_sub(lifetime / 3))))
    }

    /// Renews the key; what fails is tried again.
    async fn renew(&self) -> bool {
        match self.gate.renew(Asker::default()).await {
            Ok(Standing::Active(_)) => {
                tracing::info!(gate = %self.gate.server, "the key is renewed");
                true
            }
            Ok(Standing::Waiting(_)) => {
                tracing::info!(gate = %self.gate.server, "the operator is to decide on the renewal");
                false
            }
            Err(error) => {
                let error = halfkey_common::sentence(&error);
                tracing::warn!(gate = %self.gate.server, error, "the key is not renewed");
                false
            }
        }
    }

    async fn attend(&self, mut session: Session, heed: &mut Heed) -> Result<Left, Failure> {
        let lost = |error: io::Error| self.gate.failed(error);
        let information = heed.presence.borrow_and_update().clone();
        self.open(&mut session, &information).await?;
        match timeout(PATIENCE, Answer::read(&mut session)).await {
            Ok(Ok(Answer::Open)) => {}
            Ok(Ok(answer)) => {
                return Err(Failure::Refused { server: self.gate.server.clone(), why: said(answer).into() });
            }
            Ok(Err(error)) => return Err(lost(io_of(error))),
            Err(late) => return Err(lost(late.into())),
        }
        let ends =
            session.with_stream(|stream| Ok::<_, io::Error>((stream.local_addr()?, stream.peer_addr()?)));
        let ends = ends.map_err(lost)?;
        let mut beat = self.ask(&session, information).await?;
        self.tell(Link::Connected, None);
        tracing::info!(gate = %self.gate.server, "connected");
        let mut renewal = self.renewal(session.registration());
        let (mut renewed, mut asked) = (Instant::now(), Instant::now());
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let due = beat.saturating_sub(asked.elapsed());
            let ask = tokio::select! {
                byte = session.read_u8() => {
                    let gone = |error: io::Error| match error.kind() {
                        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the gate has ended the session"),
                        _ => error,
                    };
                    byte.map_err(|error| lost(gone(error)))?;
                    false
                }
                _ = heed.jumps.changed() => return Ok(Left::Again("time has jumped")),
                () = self.again.notified() => return Ok(Left::Again("the key has changed")),
                changed = heed.presence.changed(), if heed.presence.has_changed().is_ok() => {
                    let information = heed.presence.borrow_and_update().clone();
                    if changed.is_ok() {
                        self.open(&mut session, &information).await?;
                    }
                    true
                }
                () = self.trouble.notified(), if asked.elapsed() > LOOK => true,
                () = tokio::time::sleep(due) => true,
                _ = looks.tick() => {
                    if source(ends.1).is_some_and(|source| source != ends.0.ip()) {
                        return Ok(Left::Again("the network has changed"));
                    }
                    if renewal.is_some_and(|due| due <= UnixTime::now()) && renewed <= Instant::now() {
                        if self.renew().await {
                            return Ok(Left::Again("the key has changed"));
                        }
                        renewed = Instant::now().checked_add(RENEW_AGAIN).unwrap_or(renewed);
                        renewal = self.renewal(session.registration());
                    }
                    false
                }
            };
            if ask {
                let information = heed.presence.borrow().clone();
                beat = self.ask(&session, information).await?;
                asked = Instant::now();
            }
        }
    }

    /// Tells the gate where the user is.
    async fn open(&self, session: &mut Session, information: &UserInformation) -> Result<(), Failure> {
        let written = Opening::new(None, information).write(session).await.map_err(io_of);
        written.map_err(|error| self.gate.failed(error))?;
        session.flush().await.map_err(|error| self.gate.failed(error))
    }

    /// Asks for the list, and says after which time to ask again. A gate that does not answer is gone.
    async fn ask(&self, session: &Session, information: UserInformation) -> Result<Duration, Failure> {
        let Ok(application) = ApplicationName::new(APPLICATION) else { return Ok(HEARTBEAT) };
        let handle = session.handle();
        let configured = timeout(PATIENCE, handle.configure(&application, information)).await;
        let configured = configured.map_err(|late| self.gate.failed(io::Error::from(late)))?;
        match configured.map_err(|error| self.gate.failed(error))? {
            Configured::Unchanged | Configured::Installed | Configured::Removed | Configured::Unknown => {}
            other => tracing::warn!(gate = %self.gate.server, ?other, "the list of services is not taken"),
        }
        self.gate.configured.notify_one();
        // When half of the time is over for which the list may be used.
        let left = self.gate.services().await.ok().and_then(|(_, left)| left);
        let half = left.map(|left| Duration::from_millis(left.saturating_mul(500)));
        Ok(half.map_or(HEARTBEAT, |half| half.clamp(PAUSE, HEARTBEAT)))
    }

    /// Reports on the gate.
    pub(crate) async fn report(&self) -> Result<GateReport, Failure> {
        let Told { link, reason } = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(GateReport { link, reason, ..report(&self.gate).await? })
    }
}

/// Reports on a gate, as far as the token and the file know it.
pub(crate) async fn report(gate: &Gate) -> Result<GateReport, Failure> {
    let failed = |error| gate.failed(error);
    let registration = gate.registration().await.map_err(failed)?;
    let waiting = !gate.waiting().await.map_err(failed)?.is_empty();
    let (_, valid_for) = gate.services().await.map_err(failed)?;
    let known = gate.state.known(&gate.server).unwrap_or_default();
    let expires = registration
        .as_ref()
        .and_then(|one| Some(known.made_at(&one.key_id)?.after(one.policy.lifetime?.into()).as_secs()));
    let barred = registration.as_ref().and_then(|one| one.not_active).map(barred);
    let waits = (waiting && registration.is_none()).then(|| "the operator has not decided".to_owned());
    Ok(GateReport {
        server: gate.server.clone(),
        address: known.address,
        link: Link::Off,
        reason: barred.or(waits),
        user_id: registration.as_ref().map(|one| one.user_id.clone()),
        access_path: registration.as_ref().map(|one| one.access_path.clone()),
        key_id: registration.as_ref().map(|one| one.key_id),
        expires,
        valid_for,
        services: Vec::new(),
    })
}

fn io_of(error: OpeningError) -> io::Error {
    match error {
        OpeningError::Stream(error) => error,
        error => io::Error::new(io::ErrorKind::InvalidData, error),
    }
}

/// The address of this machine from which packets to `peer` leave now. None are sent.
fn source(peer: std::net::SocketAddr) -> Option<std::net::IpAddr> {
    let any: std::net::IpAddr = if peer.is_ipv4() {
        std::net::Ipv4Addr::UNSPECIFIED.into()
    } else {
        std::net::Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(peer).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
