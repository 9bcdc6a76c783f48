//! The token, opened, and what goes with it.

use crate::dial::Dialer;
use crate::failure::Failure;
use crate::gate::Gate;
use crate::place::Place;
use crate::state::State;
use halfkey::port::{Token, TokenError};
use halfkey::record::Attempt;
use halfkey::software::{FileError, PinSettings, SecretString, SoftwareToken};
use halfkey::{ServerName, SystemRandom};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time that another command may have the token: not the agent that runs, which has it for long.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two attempts to open it meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// The token, opened, and what goes with it. No other process has them.
#[derive(Clone)]
pub(crate) struct Agent {
    pub(crate) place: Place,
    pub(crate) token: Arc<Mutex<SoftwareToken>>,
    pub(crate) state: Arc<State>,
    pub(crate) dialer: Dialer,
}

impl Agent {
    /// Opens the token, which is locked. `None` where there is none.
    pub(crate) fn open(place: &Place, dialer: Dialer) -> Result<Option<Self>, Failure> {
        let path = place.token();
        if !path.exists() {
            return Ok(None);
        }
        let begun = Instant::now();
        let opened = loop {
            match SoftwareToken::open(&path, PinSettings::default(), Box::new(SystemRandom)) {
                Err(FileError::InUse) if begun.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
                opened => break opened,
            }
        };
        let token = opened.map_err(|error| Failure::token_file(&path, error))?;
        Self::with(place, token, dialer).map(Some)
    }

    /// Reads how many tries are left for the PIN, without holding the token. `None` where there is none.
    pub(crate) fn tries_left(place: &Place) -> Result<Option<u8>, Failure> {
        let path = place.token();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::file(&path, error)),
        };
        let token = SoftwareToken::load(&bytes, PinSettings::default(), Box::new(SystemRandom))?;
        Ok(Some(token.tries_left()))
    }

    /// Goes with a token that is open.
    pub(crate) fn with(place: &Place, token: SoftwareToken, dialer: Dialer) -> Result<Self, Failure> {
        let state = State::open(place.state())?;
        let (place, token) = (place.clone(), Arc::new(Mutex::new(token)));
        Ok(Self { place, token, state: Arc::new(state), dialer })
    }

    /// Opens the token and unlocks it.
    pub(crate) fn unlocked(
        place: &Place,
        dialer: Dialer,
        pin: impl FnOnce() -> Result<SecretString, Failure>,
    ) -> Result<Self, Failure> {
        let none = || Failure::NoSuch("there is no token here yet (halfkey enrol)".into());
        let agent = Self::open(place, dialer)?.ok_or_else(none)?;
        if agent.token().tries_left() == 0 {
            return Err(TokenError::Blocked.into());
        }
        agent.token().unlock(&pin()?)?;
        Ok(agent)
    }

    /// Locks the token's mutex.
    pub(crate) fn token(&self) -> MutexGuard<'_, SoftwareToken> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A gate, by its name.
    pub(crate) fn gate(&self, server: &ServerName) -> Arc<Gate> {
        Arc::new(Gate::new(self, server.clone()))
    }

    /// The gates that the token has a registration or an attempt with.
    pub(crate) fn servers(&self) -> Result<BTreeSet<ServerName>, TokenError> {
        let token = self.token();
        let attempts = token.attempts()?.into_iter().map(|attempt| match attempt {
            Attempt::InFlight(attempt) => attempt.server_name,
            Attempt::Waiting(attempt) => attempt.server_name,
        });
        let registrations = token.registrations()?.into_iter().map(|one| one.server_name);
        Ok(attempts.chain(registrations).collect())
    }

    /// The gate that is named, or the only one.
    pub(crate) fn one(&self, named: Option<&ServerName>) -> Result<ServerName, Failure> {
        choose(&self.servers()?, named)
    }
}

/// The gate that is named, or the only one.
pub(crate) fn choose(
    servers: &BTreeSet<ServerName>,
    named: Option<&ServerName>,
) -> Result<ServerName, Failure> {
    match named {
        Some(server) if servers.contains(server) => Ok(server.clone()),
        Some(server) => Err(Failure::NoSuch(format!("the token has no registration with {server}"))),
        None => match (servers.first(), servers.len()) {
            (Some(server), 1) => Ok(server.clone()),
            (None, _) => Err(Failure::NoSuch("the token has no registration".into())),
            _ => {
                let names: Vec<_> = servers.iter().map(ServerName::as_str).collect();
                Err(Failure::NoSuch(format!("there are several gates: say which one ({})", names.join(", "))))
            }
        },
    }
}
