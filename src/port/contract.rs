//! Contracts of the ports, for authors of implementations to run.
//!
//! Each function runs the whole contract of one port against implementations that it is given, and
//! names the first clause found broken. What cannot be seen through the port (whether a write is
//! durable, whether a comparison takes constant time) the author has to see to alone.

mod auth_server;
mod certificate_authority;
mod entitlement_store;
mod token;

pub use auth_server::{ServerUnderTest, auth_server};
pub use certificate_authority::{AuthorityViolation, certificate_authority};
pub use entitlement_store::{Seed, entitlement_store};
pub use token::token;

use crate::port::{AuthServerError, StoreError, TokenError};
use thiserror::Error;

/// A broken contract: the clause that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ContractViolation {
    /// A found value that is not the one in this clause.
    #[error("does not hold: {0}")]
    Broken(&'static str),
    /// The token failed where this clause has it succeed.
    #[error("does not hold: {0}: {1}")]
    Token(&'static str, #[source] TokenError),
    /// The store failed where this clause has it succeed.
    #[error("does not hold: {0}: {1}")]
    Store(&'static str, #[source] StoreError),
    /// The authentication server failed where this clause has it succeed.
    #[error("does not hold: {0}: {1}")]
    AuthServer(&'static str, #[source] AuthServerError),
}

impl ContractViolation {
    /// The clause.
    #[must_use]
    pub const fn clause(&self) -> &'static str {
        match self {
            Self::Broken(clause)
            | Self::Token(clause, _)
            | Self::Store(clause, _)
            | Self::AuthServer(clause, _) => clause,
        }
    }
}

type Kept = Result<(), ContractViolation>;

fn ensure(holds: bool, clause: &'static str) -> Kept {
    if holds { Ok(()) } else { Err(ContractViolation::Broken(clause)) }
}

fn same(a: &crate::secret::Secret, b: &crate::secret::Secret) -> bool {
    subtle::ConstantTimeEq::ct_eq(a, b).into()
}
