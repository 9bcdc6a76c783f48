//! Errors of an operator's operations.

use crate::port::StoreError;
use crate::store::tables::TxError;
use thiserror::Error;

/// Error of an operator's operation, which has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// No registration has this key id.
    #[error("no registration has this key id")]
    NoSuchKey,
    /// No request waits with this ticket.
    #[error("no application waits with this ticket")]
    NoSuchTicket,
    /// There is no unused activation code for this name.
    #[error("there is no unused activation code for this name")]
    NoSuchCode,
    /// The subject has no entitlement of its own, and no revocation, in this application.
    #[error("nothing is known of this application for this subject")]
    NoSuchEntitlement,
    /// The entitlement is under no condition, so that others cannot simply count again.
    #[error("an entitlement under no condition is revoked, or is a user's own")]
    Unconditional,
    /// The registration is in a state that does not allow the operation.
    #[error("the registration is in another state")]
    OtherState,
    /// The name is taken; release it first.
    #[error("the name is taken")]
    NameTaken,
    /// The name is not taken, or another user holds it.
    #[error("the name is not taken")]
    NameFree,
    /// The media type is not one, or is longer than 127 bytes.
    #[error("the media type is none, or too long")]
    MediaType,
    /// The document's body is longer than 57 344 bytes.
    #[error("the document is longer than the protocol carries")]
    DocumentTooLong,
    /// The user is in 64 groups, which is the most.
    #[error("the user is in too many groups")]
    TooManyGroups,
    /// The storage key was not announced, or less than a minute ago.
    #[error("the storage key was not announced a minute ago: give it to every server, announce it, and wait")]
    KeyNotAnnounced,
    /// A server that uses the store does not hold the storage key that is announced.
    #[error(
        "a server does not hold the storage key that is announced: give it the key, and announce it again"
    )]
    KeyLacking,
    /// The store is the one of a server with another name.
    #[error("the store is the one of another server")]
    OtherServer,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<TxError> for TxError<OperatorError> {
    fn from(error: TxError) -> Self {
        match error {
            TxError::Conflict => Self::Conflict,
            TxError::Error(error) => Self::Error(error.into()),
        }
    }
}
