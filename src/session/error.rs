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

/// Why a token's session does not come about. Whatever was stored is as it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenSessionError {
    /// A message is not what it should be.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The server speaks another version of the protocol.
    #[error("the server speaks version {0}")]
    Version(u16),
    /// S1 chooses a mode that was not offered.
    #[error("the server chooses a mode that was not offered")]
    Mode,
    /// The token has no suite or no mode left between its options and the registration's policy.
    #[error("the options leave nothing of what the registration's policy allows")]
    NothingToOffer,
    /// The registration's policy wants it addressed by alias alone.
    #[error("the registration's policy forbids opening a session by key id")]
    AliasRequired,
    /// The server has not proved that it holds the key.
    #[error("the server has not proved the key")]
    WrongProof,
    /// A ciphertext that no honest server makes.
    #[error(transparent)]
    Kem(#[from] KemError),
    /// The server answered E0. Nobody vouches for that answer.
    #[error("the server says: {0}")]
    Refused(ErrorReason),
    /// The first record of the session is broken.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The token does not answer.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl TokenSessionError {
    /// Returns whose fault it is, and so who can mend it.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::NothingToOffer | Self::AliasRequired => Fault::Caller,
            Self::Refused(_) => Fault::Nobody,
            Self::Token(error) => error.fault(),
            Self::Wire(_)
            | Self::Version(_)
            | Self::Mode
            | Self::WrongProof
            | Self::Kem(_)
            | Self::Channel(_) => Fault::Peer,
        }
    }
}

/// Why a server does not let a session come about. Whatever was stored is as it was.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServerSessionError {
    /// A message is not what it should be.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The token speaks another version of the protocol.
    #[error("the token speaks version {0}")]
    Version(u16),
    /// S0 is meant for another server.
    #[error("the session is wanted with another server")]
    OtherServer,
    /// S0 names a suite that the server or the registration's policy does not have.
    #[error("suite {0} is not allowed")]
    Suite(u16),
    /// S0 offers no mode that the registration's policy allows.
    #[error("no mode that both sides allow")]
    Mode,
    /// The token has not proved that it holds the key, whose address is known here.
    #[error("the token has not proved the key")]
    WrongProof,
    /// S0 names a key or an alias that this server does not know: it was never issued, has been dropped, or the store
    /// was restored from before. The token is told what it is told after a wrong proof.
    #[error("the token names a key that is not known here")]
    UnknownKey,
    /// A KEM key that no honest token makes.
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
    /// The first record of the session cannot be sealed.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ServerSessionError {
    /// Returns whose fault it is, and so who can mend it.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Lapsed => Fault::Nobody,
            Self::Store(_) | Self::RateLimited => Fault::Operator,
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
