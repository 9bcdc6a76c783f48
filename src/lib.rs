//! On-line registration of blank tokens, in which each side makes half of the shared key.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod id;
mod name;
mod random;
mod secret;
mod time;

pub mod certificate;
pub mod key;
pub mod memory;
pub mod port;

pub use id::{
    AccessPath, Alias, Application, Digest, KeyId, NameError, OfferId, ServerName, TicketId, Txn, UserId,
    UserName,
};
pub use random::RandomSource;
#[cfg(feature = "std")]
pub use random::SystemRandom;
pub use secret::Secret;
pub use time::UnixTime;
