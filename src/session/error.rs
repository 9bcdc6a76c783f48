//! Why a session does not come about, whose fault that is, and the one word the peer learns of it.

use super::limit::ChannelError;
use crate::message::Status;
use crate::port::{StoreError, TokenError};
use crate::step::{ErrorReason, Fault};
use crate::suite::KemError;
use crate::wire::WireError;
use thiserror::Error;

/// The end of an open session by the server, which has proved to say so, and how the registration stands. Where
/// it is [`Status::Active`], another session may be opened at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the server has ended the session; the registration is {0}")]
pub struct SessionEnded(pub Status);

/// Why a session does not come about. Whatever was stored on either side is as it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SessionError {
    /// A message is not what it should be.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The peer speaks another version of the protocol.
    #[error("the peer speaks version {0}")]
    Version(u16),
    /// S0 is meant for another server.
    #[error("the session is wanted with another server")]
    OtherServer,
    /// S0 names a suite that the server or the registration's policy does not have.
    #[error("suite {0} is not allowed")]
    Suite(u16),
    /// S0 offers no mode that the registration's policy allows, or S1 chooses one not offered.
    #[error("no mode that both sides allow")]
    Mode,
    /// The token has no suite or no mode left between its options and the registration's policy.
    #[error("the options leave nothing of what the registration's policy allows")]
    NothingToOffer,
    /// The registration's policy wants it addressed by alias alone.
    #[error("the registration's policy forbids opening a session by key id")]
    AliasRequired,
    /// The peer has not proved that it holds the key. On the server's side the address is one that it knows.
    #[error("the peer has not proved the key")]
    WrongProof,
    /// S0 names a key or an alias that this server does not know: it was never issued, has been dropped, or the store
    /// was restored from before. The peer is told what it is told after a wrong proof.
    #[error("the peer names a key that is not known here")]
    UnknownKey,
    /// A KEM key or ciphertext that no honest peer makes.
    #[error(transparent)]
    Kem(#[from] KemError),
    /// S2 came later than 60 seconds after S1.
    #[error("the challenge has lapsed")]
    Lapsed,
    /// No parked challenge of this server is in what should hold one.
    #[error("no challenge of this server's was parked there")]
    NotParked,
    /// The parked challenge has let a session in before.
    #[error("the challenge was used before")]
    Spent,
    /// The operator's: the limiter says no.
    #[error("the limiter says no")]
    RateLimited,
    /// The server answered E0. Nobody vouches for that answer.
    #[error("the server says: {0}")]
    Refused(ErrorReason),
    /// The first record of the session is broken.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The token does not answer.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SessionError {
    /// Returns whose fault it is, and so who can mend it.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::NothingToOffer | Self::AliasRequired => Fault::Caller,
            Self::Lapsed | Self::Refused(_) => Fault::Nobody,
            Self::Store(_) | Self::RateLimited => Fault::Operator,
            Self::Token(error) => error.fault(),
            Self::Wire(_)
            | Self::Version(_)
            | Self::OtherServer
            | Self::Suite(_)
            | Self::Mode
            | Self::WrongProof
            | Self::UnknownKey
            | Self::Kem(_)
            | Self::NotParked
            | Self::Spent
            | Self::Channel(_) => Fault::Peer,
        }
    }

    /// Returns the one word of E0 that a server answers with. It tells public facts alone.
    #[must_use]
    pub const fn refusal(&self) -> ErrorReason {
        match self {
            Self::Lapsed | Self::NotParked => ErrorReason::Restart,
            Self::Store(_) | Self::RateLimited => ErrorReason::Busy,
            _ => ErrorReason::Refused,
        }
    }
}
