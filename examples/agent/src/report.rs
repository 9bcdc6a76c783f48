//! How the agent stands: the answer to `status`.

use halfkey::port::entitlement_store::Status;
use halfkey::{AccessPath, KeyId, ServerName, UserId};
use halfkey_common::Output;
use halfkey_common::output::Unwritten;
use halfkey_service::ServiceName;
use serde::{Deserialize, Serialize};

/// How the agent stands.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    /// True if an agent runs.
    pub(crate) running: bool,
    /// Number of tries left for the PIN; none where there is no token.
    pub(crate) tries_left: Option<u8>,
    /// The gates.
    pub(crate) gates: Vec<GateReport>,
}

/// How the agent stands with one gate.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GateReport {
    /// Name of the gate.
    pub(crate) server: ServerName,
    /// Its address.
    pub(crate) address: String,
    /// The connection to it.
    pub(crate) link: Link,
    /// The reason for that, where there is one.
    pub(crate) reason: Option<String>,
    /// The user, as the gate calls it.
    pub(crate) user_id: Option<UserId>,
    /// Where the user's entitlements begin.
    pub(crate) access_path: Option<AccessPath>,
    /// The key.
    pub(crate) key_id: Option<KeyId>,
    /// When the key expires, in seconds since 1970, if it does and that is known.
    pub(crate) expires: Option<u64>,
    /// Number of seconds for which the list of services may be used; none for without end.
    pub(crate) valid_for: Option<u64>,
    /// The services.
    pub(crate) services: Vec<ServiceReport>,
}

/// A service, and where the agent listens for it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceReport {
    /// Its name.
    pub(crate) name: ServiceName,
    /// Address, or path of a socket.
    pub(crate) listen: String,
    /// Why nothing listens there.
    pub(crate) error: Option<String>,
    /// Number of connections.
    pub(crate) connections: usize,
}

/// The connection to a gate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Link {
    /// No agent runs.
    #[default]
    Off,
    /// It is being made.
    Connecting,
    /// It stands.
    Connected,
    /// It will be tried again.
    Retrying,
    /// The operator has not decided on the registration.
    Waiting,
    /// The gate says that the registration is not active, or its operator has refused it.
    Refused,
}

impl Link {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Off => "not connected",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Retrying => "not reached, trying again",
            Self::Waiting => "waiting for the operator",
            Self::Refused => "refused",
        }
    }
}

/// A sentence for a registration that is not active.
pub(crate) fn barred(status: Status) -> String {
    match status {
        Status::Lost => "another registration took the name or the code first".into(),
        Status::Expired => "the registration has expired, or a newer key has taken its place".into(),
        status => format!("the registration is {status}"),
    }
}

impl Report {
    /// Writes the report.
    pub(crate) fn write(&self, out: &mut Output) -> Result<(), Unwritten> {
        if out.is_json() {
            return out.object(self);
        }
        out.done(&(), if self.running { "An agent runs." } else { "No agent runs." })?;
        match self.tries_left {
            None => out.done(&(), "There is no token yet.")?,
            Some(0) => out.done(&(), "The token is blocked: halfkey pin --unblock.")?,
            Some(_) => {}
        }
        self.gates.iter().try_for_each(|gate| gate.write(out))
    }
}

impl GateReport {
    fn write(&self, out: &mut Output) -> Result<(), Unwritten> {
        let user = self.user_id.as_ref().map(|user| format!(", as {}", user.as_str())).unwrap_or_default();
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let Self { server, address, link, .. } = self;
        out.done(&(), &format!("{server} at {address}{user}: {}{reason}", link.word()))?;
        for ServiceReport { name, listen, error, connections } in &self.services {
            let line = match error {
                None => format!("  {name}  {listen}  {connections} connections"),
                Some(error) => format!("  {name}  {listen}  not open: {error}"),
            };
            out.done(&(), &line)?;
        }
        Ok(())
    }
}
