//! Events of a server's exchange, for the operator's log.

use crate::configuration::ServerConfigurationError;
use crate::id::KeyId;
use crate::port::entitlement_store::{ReportResult, Status};
use crate::record::RejectionRecord;
use crate::registration::ServerRegistrationError;
use crate::session::{ChannelError, SessionError};

/// A kind of work that a peer asks the server for, as a limiter tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestKind {
    /// Making and signing an offer.
    Offer,
    /// Decapsulating a request: the costly one.
    Request,
    /// Challenging a token for a session.
    Session,
}

/// An event, for the operator's log. Nothing in it is secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ServerEvent {
    /// R1 was sent.
    Offered,
    /// R3 grants this key.
    Granted(KeyId),
    /// R3 says to wait.
    Waiting,
    /// R3 rejects: the reason that the token is told, and the cause.
    Rejected(RejectionRecord),
    /// R3 was sent again.
    Repeated,
    /// R5 was sent.
    Confirmed(KeyId),
    /// A session was opened with this key.
    Opened(KeyId),
    /// A key was proved that opens no session.
    NotActive(KeyId, Status),
    /// A configuration was reported on by the token.
    Configured(KeyId, ReportResult),
    /// Registration went no further.
    RegistrationFailed(ServerRegistrationError),
    /// A session did not come about.
    SessionFailed(SessionError),
    /// A session ended with an error.
    ChannelFailed(ChannelError),
    /// A configuration went no further.
    ConfigurationFailed(ServerConfigurationError),
}
