//! On-line registration of blank tokens, in which each side makes half of the shared key.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod id;
mod name;
mod random;
#[cfg(feature = "std")]
mod sealed;
mod secret;
mod settings;
mod step;
mod time;
mod transcript;

pub mod certificate;
pub mod configuration;
#[cfg(feature = "std")]
pub mod driver;
#[cfg(feature = "historic")]
pub mod historic;
pub mod key;
pub mod memory;
pub mod message;
pub mod policy;
pub mod port;
pub mod record;
pub mod registration;
pub mod schedule;
pub mod session;
#[cfg(feature = "std")]
pub mod software;
pub mod suite;
pub mod template;
pub mod wire;

pub use id::{
    AccessPath, Alias, Application, Digest, KeyId, NameError, OfferId, ServerName, TicketId, Txn, UserId,
    UserName,
};
pub use random::RandomSource;
#[cfg(feature = "std")]
pub use random::SystemRandom;
pub use secret::Secret;
pub use settings::ServerSettings;
pub use step::{Fault, RefusalReason, Step};
pub use time::UnixTime;
