//! Events of a server's exchange, for the operator's log.

use crate::configuration::ServerConfigurationError;
use crate::id::KeyId;
use crate::port::entitlement_store::{ReportResult, Status};
use crate::record::RejectionRecord;
use crate::registration::ServerRegistrationError;
use crate::session::{ChannelError, ServerSessionError};
use crate::time::UnixTime;

/// A kind of work that a peer asks the server for, as a limiter tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestKind {
    /// Making and signing an offer: R0.
    Offer,
    /// Looking up the answer to a request, which may have come before: each R2.
    Lookup,
    /// Decapsulating a request that has no answer yet: the costly one.
    Request,
    /// Confirming a registration: R4.
    Confirm,
    /// Challenging a token for a session: S0.
    Session,
    /// Admitting a token to a session: S2.
    Response,
}

/// An event, for the operator's log. Nothing in it is secret.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ServerEvent {
    /// R1 was sent.
    Offered,
    /// An offer is made, and the time is near after which there will be no certificate to offer: the last second
    /// in which there is one. Nobody can register after that, until another certificate is added.
    CertificateEnds(UnixTime),
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
    /// A session with this key was ended by the server: its registration stands so, and where that is
    /// [`Status::Active`], the session was too old, the operator ended it, or the store did not answer.
    Ended(KeyId, Status),
    /// A session was opened while another one with this key was open: two programs have the token, or a copy of
    /// it. A driver tells this of its own sessions.
    Concurrent(KeyId),
    /// A configuration was reported on by the token.
    Configured(KeyId, ReportResult),
    /// Registration went no further.
    RegistrationFailed(ServerRegistrationError),
    /// A session did not come about.
    SessionFailed(ServerSessionError),
    /// A session ended with an error.
    ChannelFailed(ChannelError),
    /// A configuration went no further.
    ConfigurationFailed(ServerConfigurationError),
}
