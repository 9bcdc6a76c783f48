//! Errors of a registration, and whose fault each is.

use crate::certificate::CertificateError;
use crate::id::{TicketId, UserName};
use crate::key::KeyError;
use crate::message::FieldFault;
use crate::policy::GrantError;
use crate::port::{AuthServerError, StoreError, TokenError};
use crate::record::{RejectionCause, RejectionCode, RejectionRecord};
use crate::step::{ErrorReason, Fault};
use crate::template::{FormError, TemplateError};
use crate::wire::WireError;
use alloc::vec::Vec;
use core::fmt;
use thiserror::Error;

/// Why a registration does not go on, on the token's side.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenRegistrationError {
    /// The server's: its message is malformed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The server refuses, without proof that it is the server: a fact about the offer, not about
    /// the application. Nothing has changed.
    #[error("the server answers: {0}")]
    ErrorMessage(ErrorReason),
    /// The server's: its certificate does not hold. Patent step 90: the call is ended.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The server's: it chose a version or suite that it should not have chosen.
    #[error("the server chose a version or suite that does not fit what was offered")]
    Downgrade,
    /// The server's: its signature on the offer is wrong.
    #[error("the offer's signature: {0}")]
    Signature(KeyError),
    /// The server's: a template that cannot be filled in, or lengths that make no sense.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The server's: offer times, sizes or keys outside what the protocol allows.
    #[error("the offer's bounds make no sense")]
    Bounds,
    /// The user's: the form.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The user's: the form is longer than 16 380 bytes in all.
    #[error("the form is too long")]
    FormTooLong,
    /// The caller's: a ticket goes with the form of the run that earned it.
    #[error("the form is not the one that the ticket was given for")]
    TicketForm,
    /// The server's: its new offer has another template than the form was filled in for.
    #[error("the server asks for another form now")]
    TemplateChanged,
    /// The answer is not to this request.
    #[error("the answer belongs to another run")]
    WrongRun,
    /// The answer was not made by the server that holds P_r, or was changed on the way.
    #[error("the answer does not open")]
    Sealed,
    /// The server's: its proof is wrong.
    #[error("the server's proof is wrong")]
    Proof,
    /// The server's: its grant is authentic, and not one that the token takes. The attempt is over.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// The token's.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The caller's: the answer supplied is not to what was wanted.
    #[error("the answer supplied is not to what was wanted")]
    NotWanted,
}

impl TokenRegistrationError {
    /// Returns whose fault it is, and so who can mend it.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Wire(_)
            | Self::Certificate(_)
            | Self::Downgrade
            | Self::Signature(_)
            | Self::Template(_)
            | Self::Bounds
            | Self::WrongRun
            | Self::Sealed
            | Self::Proof
            | Self::Grant(_) => Fault::Peer,
            Self::Form(_) | Self::FormTooLong => Fault::User,
            Self::TicketForm | Self::NotWanted => Fault::Caller,
            Self::ErrorMessage(_) | Self::TemplateChanged => Fault::Nobody,
            Self::Token(error) => error.fault(),
        }
    }
}

/// An error that keeps the state it came from: a forged message must not cost a registration.
#[derive(Debug)]
pub struct Recoverable<S> {
    /// The state, as it was.
    pub state: S,
    /// The error.
    pub error: TokenRegistrationError,
}

impl<S> fmt::Display for Recoverable<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<S: fmt::Debug> core::error::Error for Recoverable<S> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        // The text is the error's own: what comes next is its cause.
        self.error.source()
    }
}

/// Why a server goes no further with a message. The peer is told one word: [`ServerRegistrationError::refusal`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ServerRegistrationError {
    /// The token's: its message is malformed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The token's: it means another server.
    #[error("the message is for another server")]
    WrongServer,
    /// The token's: no version or suite in common.
    #[error("no version or suite in common")]
    NothingInCommon,
    /// The token's, or time's: the request is for no offer that this server can answer now. The peer is told
    /// nothing of the reason.
    #[error("no such offer: {0}")]
    NoSuchOffer(OfferFault),
    /// The token's: R4 names no granted key, or its proof is wrong.
    #[error("no key awaits this confirmation")]
    WrongProof,
    /// The operator's: the Limiter says no.
    #[error("the limiter says no")]
    RateLimited,
    /// The operator's: a setting does not fit.
    #[error("a setting does not fit: {0}")]
    Setting(&'static str),
    /// The operator's: the keys.
    #[error(transparent)]
    AuthServer(#[from] AuthServerError),
    /// The operator's: the store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ServerRegistrationError {
    /// The one word that the peer is told.
    #[must_use]
    pub const fn refusal(&self) -> ErrorReason {
        match self {
            Self::NoSuchOffer(_) => ErrorReason::Restart,
            Self::RateLimited | Self::Setting(_) | Self::AuthServer(_) | Self::Store(_) => ErrorReason::Busy,
            Self::Wire(_) | Self::WrongServer | Self::NothingInCommon | Self::WrongProof => {
                ErrorReason::Refused
            }
        }
    }

    /// Returns whose fault it is, and so who can mend it.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Wire(_)
            | Self::WrongServer
            | Self::NothingInCommon
            | Self::NoSuchOffer(_)
            | Self::WrongProof => Fault::Peer,
            Self::RateLimited | Self::Setting(_) | Self::AuthServer(_) | Self::Store(_) => Fault::Operator,
        }
    }
}

/// Reason why a request is for no offer that can be answered, for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OfferFault {
    /// The cookie was not made by this server under its master secret, not for this peer, or was changed. Servers
    /// behind one name share the secret; where peers' addresses change, all of them are told so.
    #[error("its cookie is not of this server for this peer")]
    Cookie,
    /// The offer has lapsed, or the clocks of two servers differ.
    #[error("it has lapsed")]
    Lapsed,
    /// The cookie belongs to another run or offer.
    #[error("its cookie belongs to another run")]
    OtherRun,
    /// The template has been changed since the offer.
    #[error("the template has been changed since")]
    Template,
    /// The suite of the offer is not at hand any more.
    #[error("its suite is not at hand any more")]
    Suite,
    /// The private key of the certificate or of the ephemeral key is not held any more: the server was started
    /// again, or another one made the offer.
    #[error("its private keys are not held here any more")]
    Keys,
}

/// A refusal on its way into R3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RejectionDraft {
    pub(super) refusal: RejectionRecord,
    pub(super) fields: Option<Vec<FieldFault>>,
}

impl RejectionDraft {
    pub(super) fn new(cause: RejectionCause, name: Option<&UserName>) -> Self {
        Self {
            refusal: RejectionRecord { cause, code: cause.code(), name: name.cloned(), ticket: None },
            fields: None,
        }
    }

    /// The operator has refused, and so used up the ticket that the request came with, if it came with one.
    pub(super) fn declined(code: RejectionCode, name: &UserName, ticket: Option<TicketId>) -> Self {
        let refusal =
            RejectionRecord { cause: RejectionCause::Declined, code, name: Some(name.clone()), ticket };
        Self { refusal, fields: None }
    }
}
