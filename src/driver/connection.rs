//! One connection to a server: registration messages, then perhaps a session.

use super::Gateway;
use crate::configuration::ServerConfigurationError as ConfigurationError;
use crate::configuration::server::{self as configuration, AwaitApplied, Principal};
use crate::exchange::{RequestKind, ServerEvent};
use crate::id::ApplicationName;
use crate::message::{ConfigRequest, Open};
use crate::port::entitlement_store::Entitlement;
use crate::port::question::StoreQuestion;
use crate::random::RandomSource;
use crate::session::server::{AwaitResponse, Entry, Established, receive_open};
use crate::session::{ChannelError, Content, OpenedRecord, SessionError};
use crate::step::{ErrorReason, Step};
use crate::time::UnixTime;
use crate::wire::{self, Message};
use zeroize::Zeroizing;

/// One connection to a server: registration messages, then perhaps a session.
#[must_use]
#[derive(Debug)]
pub struct Connection {
    peer: Vec<u8>,
    state: State,
}

#[derive(Debug)]
enum State {
    Idle,
    Challenged(Box<AwaitResponse>),
    Open(Box<Live>),
    Over,
}

#[derive(Debug)]
struct Live {
    session: Established,
    principal: Principal,
    /// Configurations whose C2 has not come; a peer that never answers keeps no more than these.
    awaited: Vec<AwaitApplied>,
}

const MAX_AWAITED: usize = 64;

/// What came of a frame.
#[derive(Debug, Default)]
pub struct Handled {
    /// Frames to send, in order.
    pub send: Vec<Vec<u8>>,
    /// Application data that came in the session.
    pub data: Option<Zeroizing<Vec<u8>>>,
    /// The connection is over: send what there is to send and hang up.
    pub over: bool,
}

impl Connection {
    /// A new connection; `peer` is whatever names the sender on this transport, at most 64 bytes: an
    /// address without its port, say, so that a token that reconnects is still the same peer.
    pub fn new(peer: &[u8]) -> Self {
        Self { peer: peer.to_vec(), state: State::Idle }
    }

    /// Takes one frame.
    pub fn handle(
        &mut self,
        gateway: &Gateway<'_>,
        frame: &[u8],
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Handled {
        match core::mem::replace(&mut self.state, State::Over) {
            State::Over => Handled { over: true, ..Handled::default() },
            State::Open(live) => self.record(gateway, live, frame, now),
            State::Challenged(state) => {
                let accepted = state.receive_response(frame, now, random);
                let accepted = accepted.and_then(|need| {
                    let admitted = need.wanted().ask(gateway.store, now)?;
                    need.supply(admitted, now)
                });
                self.accepted(gateway, accepted)
            }
            State::Idle if wire::message_type(frame) == Ok(Open::TYPE) => {
                if !gateway.observer.admits(&self.peer, RequestKind::Session) {
                    self.state = State::Idle;
                    let busy = ErrorReason::Busy.frame().into_bytes();
                    return Handled { send: vec![busy], ..Handled::default() };
                }
                let challenged = receive_open(frame, gateway.settings).and_then(|need| {
                    let registered = need.wanted().ask(gateway.store, now)?;
                    need.supply(registered, now, random)
                });
                match challenged {
                    Ok(step) => {
                        self.state = State::Challenged(Box::new(step.next));
                        Handled { send: vec![step.send.into_bytes()], ..Handled::default() }
                    }
                    Err(error) => self.refused(gateway, error),
                }
            }
            State::Idle => {
                self.state = State::Idle;
                Handled { send: vec![gateway.answer(&self.peer, frame, now, random)], ..Handled::default() }
            }
        }
    }

    /// Sends a configuration unasked; nothing where no session is open.
    ///
    /// # Errors
    /// [`ConfigurationError`] for a document that does not fit.
    pub fn push(
        &mut self,
        gateway: &Gateway<'_>,
        application: &ApplicationName,
        entitlement: &Entitlement,
        now: UnixTime,
    ) -> Result<Handled, ConfigurationError> {
        let State::Open(mut live) = core::mem::replace(&mut self.state, State::Over) else {
            return Ok(Handled::default());
        };
        match configuration::push(&live.principal, application, entitlement, now) {
            Ok(step) => {
                live.awaits(step.next);
                Ok(self.seal(gateway, live, Content::Configuration, step.send.as_bytes()))
            }
            Err(error) => {
                self.state = State::Open(live);
                Err(error)
            }
        }
    }

    /// Sends application data; nothing where no session is open.
    pub fn send(&mut self, gateway: &Gateway<'_>, data: &[u8]) -> Handled {
        match core::mem::replace(&mut self.state, State::Over) {
            State::Open(live) => self.seal(gateway, live, Content::Data, data),
            state => {
                self.state = state;
                Handled::default()
            }
        }
    }

    /// The open session, if there is one.
    #[must_use]
    pub fn session(&self) -> Option<&Established> {
        match &self.state {
            State::Open(live) => Some(&live.session),
            _ => None,
        }
    }

    fn refused(&mut self, gateway: &Gateway<'_>, error: SessionError) -> Handled {
        self.state = State::Idle;
        gateway.observer.event(&self.peer, &ServerEvent::SessionFailed(error.clone()));
        Handled { send: vec![error.refusal().frame().into_bytes()], ..Handled::default() }
    }

    fn accepted(
        &mut self,
        gateway: &Gateway<'_>,
        accepted: Result<Step<crate::message::Accept<'static>, Entry>, SessionError>,
    ) -> Handled {
        let step = match accepted {
            Ok(step) => step,
            Err(error) => return self.refused(gateway, error),
        };
        let send = vec![step.send.into_bytes()];
        match step.next {
            Entry::Session(session) => {
                gateway.observer.event(&self.peer, &ServerEvent::Opened(session.key_id));
                let principal = Principal {
                    key_id: session.key_id,
                    user_id: session.user_id.clone(),
                    access_path: session.access_path.clone(),
                    server_name: gateway.settings.name.clone(),
                };
                self.state = State::Open(Box::new(Live { session, principal, awaited: Vec::new() }));
                Handled { send, ..Handled::default() }
            }
            Entry::NotActive { key_id, status } => {
                gateway.observer.event(&self.peer, &ServerEvent::NotActive(key_id, status));
                Handled { send, over: true, ..Handled::default() }
            }
        }
    }

    fn record(&mut self, gateway: &Gateway<'_>, mut live: Box<Live>, frame: &[u8], now: UnixTime) -> Handled {
        let received = match live.session.channel.open(frame) {
            Ok(received) => received,
            Err(error) => return self.broken(gateway, error),
        };
        if let Some((key_id, address)) = live.session.heard() {
            // Forgetting older aliases late costs nothing: the next session does it.
            let _ = gateway.store.confirm_alias(&key_id, &address, now);
        }
        match received {
            OpenedRecord::Data(data) => {
                self.state = State::Open(live);
                Handled { data: Some(data), ..Handled::default() }
            }
            OpenedRecord::Rekeyed => {
                self.state = State::Open(live);
                Handled::default()
            }
            OpenedRecord::Closed => {
                let close = live.session.channel.close();
                Handled { send: close.into_iter().collect(), over: true, ..Handled::default() }
            }
            OpenedRecord::Configuration(message) => {
                match live.configuration(gateway, &self.peer, &message, now) {
                    Ok(None) => {
                        self.state = State::Open(live);
                        Handled::default()
                    }
                    Ok(Some(answer)) => self.seal(gateway, live, Content::Configuration, &answer),
                    Err(error) => {
                        gateway.observer.event(&self.peer, &ServerEvent::ConfigurationFailed(error.clone()));
                        let refusal = error.refusal().frame();
                        self.seal(gateway, live, Content::Configuration, refusal.as_bytes())
                    }
                }
            }
        }
    }

    fn seal(&mut self, gateway: &Gateway<'_>, mut live: Box<Live>, content: Content, data: &[u8]) -> Handled {
        let channel = &mut live.session.channel;
        let mut send = Vec::new();
        let mut sealed = channel.seal(content, data);
        if sealed == Err(ChannelError::RekeyNeeded) {
            sealed = channel.rekey().and_then(|record| {
                send.push(record);
                channel.seal(content, data)
            });
        }
        match sealed {
            Ok(record) => {
                send.push(record);
                self.state = State::Open(live);
                Handled { send, ..Handled::default() }
            }
            Err(error) => self.broken(gateway, error),
        }
    }

    fn broken(&mut self, gateway: &Gateway<'_>, error: ChannelError) -> Handled {
        self.state = State::Over;
        gateway.observer.event(&self.peer, &ServerEvent::ChannelFailed(error));
        Handled { over: true, ..Handled::default() }
    }
}

impl Live {
    /// C0 is answered with C1; C2 is reported.
    fn configuration(
        &mut self,
        gateway: &Gateway<'_>,
        peer: &[u8],
        message: &[u8],
        now: UnixTime,
    ) -> Result<Option<Vec<u8>>, ConfigurationError> {
        if wire::message_type(message) == Ok(ConfigRequest::TYPE) {
            let need = configuration::receive_request(message, &self.principal)?;
            let entitlement = need.wanted().ask(gateway.store, now)?;
            let step = need.supply(entitlement, now)?;
            if let Some(awaited) = step.next {
                if let Some(report) = awaited.regression() {
                    gateway.store.report(report, now)?;
                }
                self.awaits(awaited);
            }
            return Ok(Some(step.send.into_bytes()));
        }
        let place = self.awaited.iter().position(|awaited| awaited.answers(message));
        let awaited = place.map(|place| self.awaited.remove(place)).ok_or(ConfigurationError::WrongReport)?;
        let need = awaited.receive_applied(message)?;
        need.wanted().ask(gateway.store, now)?;
        let result = need.supply();
        gateway.observer.event(peer, &ServerEvent::Configured(self.principal.key_id, result));
        Ok(None)
    }

    fn awaits(&mut self, awaited: AwaitApplied) {
        if self.awaited.len() >= MAX_AWAITED {
            // Its C2 will be nobody's.
            drop(self.awaited.remove(0));
        }
        self.awaited.push(awaited);
    }
}
