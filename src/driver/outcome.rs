//! Ends of a registration.

use crate::record::{TokenRegistration, Waiting};
use crate::registration::token::Rejection;

/// How a registration ended for now.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one, and it is moved once")]
pub enum RegistrationOutcome {
    /// Registered, and both sides have proved it.
    Active(TokenRegistration),
    /// The operator has not decided: come back with
    /// [`Credential::Ticket`](crate::registration::token::Credential::Ticket).
    Waiting(Waiting),
    /// Refused, authentically.
    Refused(Rejection),
    /// Another registration took the name or the code first.
    Lost,
}
