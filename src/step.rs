//! Result of a pure step, and whose fault it is when there is none.

use crate::message::ErrorMessage;
use crate::wire::{Frame, Message, code_points};
use core::fmt;

/// A message to send and the state to go on with.
#[must_use]
#[derive(Debug)]
pub struct Step<M, N> {
    /// The message, ready to send.
    pub send: Frame<M>,
    /// The state that awaits what comes next.
    pub next: N,
}

/// The party at fault for an error, which is the one that can mend it.
///
/// ```
/// use halfkey::Fault;
/// use halfkey::port::TokenError;
///
/// fn hint(error: &TokenError) -> &'static str {
///     match error.fault() {
///         Fault::User => "type it again",
///         Fault::Peer => "tell the server's operator",
///         Fault::Operator => "look at the device",
///         _ => "a fault of the program",
///     }
/// }
/// assert_eq!(hint(&TokenError::UnfitPin), "type it again");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The peer broke the protocol, is not who it should be, or somebody meddled on the way.
    Peer,
    /// The caller misused the library or gave it something that does not fit.
    Caller,
    /// The person with the token: a PIN, a form.
    User,
    /// The operator: a setting, a certificate, a database, a device.
    Operator,
    /// Nobody: what was wanted is refused for a good reason, or it is too late for it.
    Nobody,
}

/// The one word that a peer learns (E0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorReason {
    /// 0: no.
    Refused,
    /// 1: the offer or challenge is not known any more; start again.
    Restart,
    /// 2: not now; try later.
    Busy,
}

code_points! { ErrorReason: u8 else Refused { 0 => Refused, 1 => Restart, 2 => Busy } }

impl ErrorReason {
    /// The reason of a received E0; an unknown one is taken for [`ErrorReason::Refused`].
    #[must_use]
    pub const fn of(refusal: &ErrorMessage) -> Self {
        Self::from_code(refusal.reason)
    }

    /// E0 with this reason.
    #[must_use]
    pub fn frame(self) -> Frame<ErrorMessage> {
        ErrorMessage { reason: self.code() }.encode()
    }

    /// The reason, if `bytes` are an E0.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        ErrorMessage::decode(bytes).ok().map(|refusal| Self::of(&refusal))
    }
}

impl fmt::Display for ErrorReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "refused",
            Self::Restart => "restart",
            Self::Busy => "busy",
        })
    }
}
