//! The gate's configuration: one file of TOML.

use halfkey::{AccessPath, ServerOptions};
use halfkey_common::store::Place;
use halfkey_service::ServiceName;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The configuration. An unknown key is refused, with its line and column.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The directory that holds the server's secrets, keys and certificate
    /// ([`ServerFiles`](halfkey::server_files::ServerFiles)); other paths are relative to it. One that is
    /// relative itself is taken from the directory of the configuration.
    pub directory: PathBuf,
    /// Addresses that agents connect to.
    pub listen: Vec<SocketAddr>,
    /// The server as the library knows it: name, template, policy, times.
    pub server: ServerOptions,
    /// The store.
    pub store: Store,
    /// Rules for new registrations.
    pub registration: Registration,
    /// Limits on what peers may take.
    #[serde(default)]
    pub limits: Limits,
    /// The operator's listener: health, metrics, page.
    #[serde(default)]
    pub operator: Operator,
    /// Services by name.
    #[serde(default)]
    pub services: BTreeMap<ServiceName, Service>,
}

/// Where registrations and entitlements are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// A file of SQLite, or `postgres://…` with several hosts if there are standbys.
    #[serde(deserialize_with = "place")]
    pub place: Place,
    /// The file with the storage key, as `admin` makes it.
    pub key_file: PathBuf,
    /// Files with keys that the store had before, or is to have.
    #[serde(default)]
    pub other_key_files: Vec<PathBuf>,
    /// Connections to PostgreSQL.
    #[serde(default = "default::pool")]
    pub pool: usize,
}

/// Rules for new registrations.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Applicants that are granted access; others are refused, or wait.
    #[serde(default)]
    pub grant: Granted,
    /// Where the entitlements of a new user begin.
    pub access_path: AccessPath,
}

/// Applicants that are granted access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Granted {
    /// Those with an activation code, and renewals.
    #[default]
    Code,
    /// The same; others wait until the operator approves or refuses them.
    Approved,
    /// Everybody.
    Everybody,
    /// Renewals alone.
    Nobody,
}

/// Limits on what peers may take. Times are in seconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one address (IPv4) or one network (IPv6, /64).
    pub connections_per_peer: usize,
    /// Registrations' steps of one address in a second.
    pub registrations_per_second: u32,
    /// Sessions of one address in a second.
    pub sessions_per_second: u32,
    /// Until the first message of a connection is there.
    pub first_frame: u64,
    /// From the first byte of a message to its last.
    pub frame: u64,
    /// Without a byte taken by the peer, while something is to be written.
    pub write: u64,
    /// Without a byte of the peer's, within a session; none by default.
    pub silence: Option<u64>,
    /// Until an agent says what its session is for.
    pub opening: u64,
    /// For open sessions to end when the gate is stopped.
    pub drain: u64,
}

/// The operator's listener.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// A loopback address for `/healthz`, `/readyz` and `/metrics`.
    pub listen: Option<SocketAddr>,
    /// Days for which entries of the log are kept; 90 by default.
    pub events_days: Option<u32>,
}

/// A service, and where its application server is.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawService")]
pub struct Service {
    /// Where the application server is.
    pub upstream: Upstream,
    /// Time for it to accept a connection.
    pub connect: Duration,
}

/// Where an application server is, and how it learns who is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// An address, `host:port`.
    Tcp {
        /// The address.
        address: String,
        /// True for a PROXY header (version 2).
        proxy_protocol: bool,
    },
    /// A Unix socket.
    Unix {
        /// Its path.
        path: PathBuf,
        /// True for a PROXY header (version 2).
        proxy_protocol: bool,
    },
    /// An address that speaks HTTP/1.1, `host:port`: it gets `halfkey-…` headers.
    Http {
        /// The address.
        address: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawService {
    tcp: Option<String>,
    unix: Option<PathBuf>,
    http: Option<String>,
    #[serde(default)]
    proxy_protocol: bool,
    #[serde(default = "default::connect")]
    connect: u64,
}

/// A configuration that no gate can work with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{0}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It is not what a configuration looks like; the text has line and column.
    #[error("{}: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Problem, with its line and column.
        problem: String,
    },
    /// A value is of no use.
    #[error("{}: {setting}: {wanted}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The setting.
        setting: String,
        /// Values that the setting may have.
        wanted: &'static str,
    },
}

mod default {
    pub(super) const fn pool() -> usize {
        8
    }
    pub(super) const fn connect() -> u64 {
        5
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_peer: 2_000,
            registrations_per_second: 20,
            sessions_per_second: 2_000,
            first_frame: 10,
            frame: 30,
            write: 60,
            silence: None,
            opening: 10,
            drain: 10,
        }
    }
}

impl TryFrom<RawService> for Service {
    type Error = &'static str;
    fn try_from(raw: RawService) -> Result<Self, &'static str> {
        let RawService { tcp, unix, http, proxy_protocol, connect } = raw;
        let upstream = match (tcp, unix, http) {
            (Some(address), None, None) => Upstream::Tcp { address: checked(address)?, proxy_protocol },
            (None, Some(path), None) => Upstream::Unix { path, proxy_protocol },
            (None, None, Some(_)) if proxy_protocol => {
                return Err("an upstream of HTTP learns who is there by headers, not by proxy_protocol");
            }
            (None, None, Some(address)) => Upstream::Http { address: checked(address)? },
            _ => return Err("a service has one of tcp, unix and http"),
        };
        if !(1..=300).contains(&connect) {
            return Err("connect has 1 to 300 seconds");
        }
        Ok(Self { upstream, connect: Duration::from_secs(connect) })
    }
}

fn place<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Place, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

/// Takes `host:port`.
fn checked(address: String) -> Result<String, &'static str> {
    let fine = address.rsplit_once(':').is_some_and(|(host, port)| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        !host.is_empty() && host.bytes().all(fits) && port.parse::<u16>().is_ok_and(|port| port != 0)
    });
    if fine { Ok(address) } else { Err("an address is host:port") }
}

impl Config {
    /// Reads a configuration: a file, or `gate.toml` in a directory.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let path = if path.is_dir() { &path.join("gate.toml") } else { path };
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::File { path: path.to_path_buf(), source })?;
        let mut config: Self = Self::parse(&text, path)?;
        if let Some(parent) = path.parent() {
            config.directory = parent.join(&config.directory);
        }
        Ok(config)
    }

    /// Reads the text of a configuration that stands in the file `path`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let syntax = |error: toml::de::Error| ConfigError::Syntax {
            path: path.to_path_buf(),
            problem: error.to_string().trim_end().to_owned(),
        };
        let config: Self = toml::from_str(text).map_err(syntax)?;
        config.check().map_err(|(setting, wanted)| ConfigError::Value {
            path: path.to_path_buf(),
            setting: setting.to_owned(),
            wanted,
        })?;
        Ok(config)
    }

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.listen.is_empty() {
            return Err(("listen", "at least one address"));
        }
        if !(1..=1000).contains(&self.store.pool) {
            return Err(("store.pool", "1 to 1000 connections"));
        }
        if self.operator.listen.is_some_and(|address| !address.ip().is_loopback()) {
            return Err(("operator.listen", "a loopback address: what it shows is not for everybody"));
        }
        let limits = &self.limits;
        let counts = [
            ("limits.connections", limits.connections),
            ("limits.connections_per_peer", limits.connections_per_peer),
        ];
        if let Some((setting, _)) = counts.into_iter().find(|(_, count)| !(1..=1_000_000).contains(count)) {
            return Err((setting, "1 to 1000000"));
        }
        let rates = [
            ("limits.registrations_per_second", limits.registrations_per_second),
            ("limits.sessions_per_second", limits.sessions_per_second),
        ];
        if let Some((setting, _)) = rates.into_iter().find(|(_, rate)| *rate == 0) {
            return Err((setting, "at least 1"));
        }
        let times = [
            ("limits.first_frame", Some(limits.first_frame)),
            ("limits.frame", Some(limits.frame)),
            ("limits.write", Some(limits.write)),
            ("limits.silence", limits.silence),
            ("limits.opening", Some(limits.opening)),
        ];
        let fits = |time: &Option<u64>| time.is_none_or(|time| (1..=86_400).contains(&time));
        if let Some((setting, _)) = times.into_iter().find(|(_, time)| !fits(time)) {
            return Err((setting, "1 to 86400 seconds"));
        }
        if limits.drain > 3600 {
            return Err(("limits.drain", "0 to 3600 seconds"));
        }
        // The rest is the library's: it says what is wrong with the server's own options.
        let options = self.server.clone().settings(&halfkey::Secret::new([0; 32]));
        options.map(drop).map_err(|error| (error.setting, error.wanted))
    }

    /// A path of the configuration, relative to its directory.
    #[must_use]
    pub fn path(&self, path: &Path) -> PathBuf {
        self.directory.join(path)
    }
}
