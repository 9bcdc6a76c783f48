//! Contracts of the ports, for authors of implementations to run.
//!
//! The tests of an implementation run the contract of its port:
//! ```
//! use halfkey::port::contract::{self, Seed, ServerUnderTest};
//! use halfkey::port::{EntitlementStore, Token};
//! use halfkey::store::{EntitlementCondition, Subject, operation::{DecideRequest, Entitle, IssueCode}};
//! use halfkey::{SystemRandom, UnixTime};
//! # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
//!
//! # fn main() -> setting::Outcome {
//! # let (setting, server_key, now) = (setting::Setting::new()?, setting::kem_key()?, UnixTime::now());
//! // A token: a blank one for each part of the contract.
//! let mut blank = || -> Box<dyn Token> { Box::new(setting.blank()) };
//! contract::token(&mut blank, &server_key, &mut SystemRandom)?;
//!
//! // A store: an empty one, but for the seed. One that cannot be seeded breaks the contract soon enough.
//! let mut seeded = |seed: &Seed<'_>| -> Box<dyn EntitlementStore> {
//!     let (store, (name, secret)) = (halfkey::memory::Store::new(), seed.code);
//!     let (name, secret) = (name.clone(), secret.clone());
//!     store.run(&IssueCode { name, secret, expires: None }, now).ok();
//!     let (user, application, document) = seed.entitled;
//!     let user = Subject::User(user.clone());
//!     store.run(&Entitle::new(user.clone(), application.clone(), document.clone()), now).ok();
//!     for (outcome, ticket_id, answer) in seed.answered {
//!         store.commit(outcome, now).ok();
//!         store.run(&DecideRequest { ticket_id, answer }, now).ok();
//!     }
//!     let (application, places) = seed.by_place;
//!     for (said, document) in places {
//!         let there = Entitle::new(user.clone(), application.clone(), document.clone());
//!         EntitlementCondition::new(said).map(|place| store.run(&there.when(place), now)).ok();
//!     }
//!     Box::new(store)
//! };
//! contract::entitlement_store(&mut seeded)?;
//!
//! // A holder of a server's keys.
//! let (name, anchors) = (&setting.name, &setting.anchors);
//! let (server, offer_ttl) = (&setting.keys, setting.settings.offer_ttl);
//! let test = ServerUnderTest { server, name, anchors, offer_ttl, now };
//! contract::auth_server(&test, &mut SystemRandom)?;
//! # Ok(()) }
//! ```
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
pub use entitlement_store::{Seed, entitlement_store, entitlement_store_without_conditions};
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
