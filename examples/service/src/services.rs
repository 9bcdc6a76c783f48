//! The list of services: what the user is entitled to, and where the agent listens for it.

use crate::ServiceName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// The services that a user may reach.
///
/// ```
/// use halfkey_service::Services;
///
/// let list = br#"{"services": [
///     {"name": "wiki", "listen": "127.0.0.1:8080"},
///     {"name": "database", "listen": "unix:database"}
/// ]}"#;
/// let services = Services::read(list)?;
/// assert!(services.find(&"wiki".parse()?).is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Services {
    /// The services, each named once, each with a listener of its own.
    pub services: Vec<Service>,
}

/// A service that a user may reach.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name at the gate.
    pub name: ServiceName,
    /// Where the agent listens for it.
    pub listen: Listen,
}

/// Where the agent listens for a service: for programs on the same machine, and for nobody else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Listen {
    /// A TCP port of the loopback interface; 0 for any.
    Tcp(SocketAddr),
    /// A Unix socket of this name in the directory that the agent keeps for them; written `unix:NAME`.
    Unix(ServiceName),
}

/// A text that says nowhere to listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an agent listens on a loopback address with a port (127.0.0.1:8080, [::1]:8080) or on unix:NAME")]
pub struct ListenError;

/// A list of services that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServicesError {
    /// It is no list of services.
    #[error("not a list of services")]
    Syntax(#[from] serde_json::Error),
    /// A service is named twice.
    #[error("{0} is there twice")]
    Twice(ServiceName),
    /// Two services have one listener.
    #[error("{0} is listened on twice")]
    ListenTwice(Listen),
    /// More services than an agent listens for.
    #[error("{0} services are more than {max}", max = Services::MAX)]
    TooMany(usize),
}

impl Services {
    /// The most services in a list.
    pub const MAX: usize = 256;

    /// Reads the body of a document.
    ///
    /// # Errors
    /// [`ServicesError`].
    pub fn read(body: &[u8]) -> Result<Self, ServicesError> {
        let list: Self = serde_json::from_slice(body)?;
        if list.services.len() > Self::MAX {
            return Err(ServicesError::TooMany(list.services.len()));
        }
        let (mut names, mut listeners) = (BTreeSet::new(), BTreeSet::new());
        for service in &list.services {
            if !names.insert(&service.name) {
                return Err(ServicesError::Twice(service.name.clone()));
            }
            let any_port = matches!(&service.listen, Listen::Tcp(address) if address.port() == 0);
            if !any_port && !listeners.insert(&service.listen) {
                return Err(ServicesError::ListenTwice(service.listen.clone()));
            }
        }
        Ok(list)
    }

    /// The service of this name, if the user may reach it.
    #[must_use]
    pub fn find(&self, name: &ServiceName) -> Option<&Service> {
        self.services.iter().find(|service| service.name == *name)
    }
}

impl TryFrom<String> for Listen {
    type Error = ListenError;
    fn try_from(text: String) -> Result<Self, ListenError> {
        text.parse()
    }
}

impl FromStr for Listen {
    type Err = ListenError;
    fn from_str(text: &str) -> Result<Self, ListenError> {
        if let Some(name) = text.strip_prefix("unix:") {
            return name.parse().map(Self::Unix).map_err(|_| ListenError);
        }
        let address: SocketAddr = text.parse().map_err(|_| ListenError)?;
        if address.ip().is_loopback() { Ok(Self::Tcp(address)) } else { Err(ListenError) }
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.to_string()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(name) => write!(f, "unix:{name}"),
        }
    }
}
